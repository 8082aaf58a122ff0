//! Compiles the page-residency probe, stamps the build id and links the library so that it is never unmapped.

fn main() {
    println!("cargo:rerun-if-changed=c/residency.c");
    println!("cargo:rerun-if-env-changed=ANDIRON_BUILD_ID");
    if std::path::Path::new("c/residency.c").exists() {
        cc::Build::new().file("c/residency.c").warnings_into_errors(true).compile("andiron_residency");
    }
    let id = std::env::var("ANDIRON_BUILD_ID").unwrap_or_else(|_| "dev".to_string());
    println!("cargo:rustc-env=ANDIRON_BUILD_ID={id}");
    // A collected class loader unloads its library under running threads; `nodelete` keeps the code mapped.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
