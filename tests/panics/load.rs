//! A panic in the middle of a real load reaches the tasks that wait for it, and the next load is right.

use andiron_tests::artifacts::{hooks_library, jdk, output, required};
use andiron_tests::jvm;
use jni::objects::JString;
use jni::strings::JNIString;
use jni::{jni_sig, jni_str, Env};
use std::ffi::{c_char, c_void, CStr};
use std::path::Path;

/// The library's table of natives, in the layout of native/src/boundary/anchor.rs.
#[repr(C)]
struct Table {
    magic: u64,
    abi: u32,
    count: u32,
    natives: *const Row,
}

#[repr(C)]
struct Row {
    class: *const c_char,
    name: *const c_char,
    signature: *const c_char,
    function: *const c_void,
}

#[test]
fn a_panic_in_a_load_is_an_exception_of_its_waiters() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let class_path = format!("{}:{}", directory.path().display(), required("ANDIRON_TEST_CLASSPATH"));
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("panics/Load.java");
    output(
        jdk("javac").args(["-nowarn", "-d"]).arg(directory.path()).args(["-cp", &class_path]).arg(program),
    );
    std::env::set_var("ANDIRON_TEST_CLASSPATH", class_path);
    let path = hooks_library();
    jvm::start(&[format!("-Dandiron.native.path={}", path.display())]);
    jvm::attached(jvm::load_library);
    // SAFETY: the JVM has loaded this library already, so that no initialiser runs.
    let library = unsafe { libloading::Library::new(&path) }.expect("the library with hooks");
    // SAFETY: the hook has this signature (native/src/boundary/guard.rs).
    let panic_at = unsafe { library.get::<unsafe extern "C" fn(*const c_char)>(b"andiron_test_panic_at") }
        .expect("the hook");
    // SAFETY: the symbol is a constant table of this layout.
    let table = unsafe { &**library.get::<*const Table>(b"andiron_anchor_1").expect("the table") };
    assert_eq!(table.magic.to_be_bytes().as_slice(), b"NORIDNA1".as_slice());
    // SAFETY: the table has this number of rows, all of them constants.
    let rows = unsafe { std::slice::from_raw_parts(table.natives, table.count as usize) };
    let row = |name: &str| {
        rows.iter().find(|row| {
            // SAFETY: names are NUL-terminated constants.
            unsafe { CStr::from_ptr(row.name) }.to_bytes() == name.as_bytes()
        })
    };
    jvm::attached(|env| start(env, &directory.path().display().to_string()));
    for native in ["storeBegin", "storeWrite", "storePublish"] {
        let row = row(native).unwrap_or_else(|| panic!("no native {native}"));
        // SAFETY: names are NUL-terminated constants.
        unsafe { panic_at(row.name) };
        let failed = jvm::attached(|env| run(env, native));
        // SAFETY: the name is NUL-terminated.
        unsafe { panic_at(c"".as_ptr()) };
        let expected = format!("injected behind native {native}");
        assert!(
            failed.starts_with("andiron.NativePanicException: ") && failed.contains(&expected),
            "{native}: {failed}"
        );
        assert!(failed.ends_with(" left=0"), "{native}: {failed}");
        assert_eq!(
            jvm::attached(|env| run(env, native)),
            "[1000, 1000] left=0",
            "after the panic in {native}"
        );
    }
    jvm::attached(|env| {
        env.call_static_method(jni_str!("Load"), jni_str!("stop"), jni_sig!("()V"), &[]).map(drop)
    });
    jvm::assert_no_complaints();
}

fn start(env: &mut Env<'_>, directory: &str) -> jni::errors::Result<()> {
    let directory = env.new_string(directory)?;
    let class = env.find_class(JNIString::from("Load"))?;
    env.call_static_method(
        class,
        jni_str!("start"),
        jni_sig!("(Ljava/lang/String;)V"),
        &[(&directory).into()],
    )
    .map(drop)
}

/// Runs a job on the version with the native's name.
fn run(env: &mut Env<'_>, native: &str) -> jni::errors::Result<String> {
    let native = env.new_string(native)?;
    let signature = jni_sig!("(Ljava/lang/String;)Ljava/lang/String;");
    let answer =
        env.call_static_method(jni_str!("Load"), jni_str!("run"), signature, &[(&native).into()])?.l()?;
    env.cast_local::<JString>(answer)?.try_to_string(env)
}
