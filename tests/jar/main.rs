//! The packaged jar and its POM: their content, and the exports and dependencies of the libraries.

use andiron_tests::artifacts::{build_id, files, output, required, unpacked_jar};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The size limit of a library, without debug information.
const MOST_BYTES: u64 = 15_000_000;

fn native(name: &str) -> bool {
    let id = build_id();
    let Some((platform, file)) = name.strip_prefix("META-INF/native/").and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    platform
        .split_once('-')
        .is_some_and(|(os, arch)| matches!(os, "linux" | "macos") && matches!(arch, "x86_64" | "aarch64"))
        && [format!("libandiron-{id}.so"), format!("libandiron-{id}.dylib")]
            .iter()
            .any(|library| file == library || file.strip_suffix(".sha256") == Some(library))
}

fn allowed(name: &str) -> bool {
    let class = name.ends_with(".class")
        && (name.starts_with("andiron/") || name.starts_with("org/apache/spark/andironshim/"));
    let ours = !["andiron/demo/", "andiron/bench/", "andiron/testing/"]
        .iter()
        .any(|folder| name.starts_with(folder));
    let test = name.contains("Suite");
    matches!(name, "META-INF/MANIFEST.MF" | "META-INF/andiron.properties" | "META-INF/LICENSE")
        || (class && ours && !test)
        || native(name)
}

fn library(jar: &Path) -> PathBuf {
    let all = files(jar);
    let found: Vec<&String> = all.iter().filter(|name| native(name) && !name.ends_with(".sha256")).collect();
    let here = found
        .iter()
        .find(|name| name.contains(std::env::consts::ARCH))
        .unwrap_or_else(|| panic!("no library in {all:?}"));
    jar.join(here)
}

#[test]
fn the_jar_holds_what_is_meant_and_nothing_else() {
    let jar = unpacked_jar();
    let all = files(jar.path());
    let strange: Vec<&String> = all.iter().filter(|name| !allowed(name)).collect();
    assert!(strange.is_empty(), "must not be shipped: {strange:?}");
    for needed in [
        "META-INF/andiron.properties",
        "META-INF/LICENSE",
        "andiron/AndironPlugin.class",
        "andiron/Report.class",
        "andiron/hive/Ingest.class",
        "andiron/internal/boundary/Native$.class",
    ] {
        assert!(all.iter().any(|name| name == needed), "{needed} is missing");
    }
}

#[test]
fn class_files_are_for_java_8() {
    let jar = unpacked_jar();
    for name in files(jar.path()).iter().filter(|name| name.ends_with(".class")) {
        let bytes = std::fs::read(jar.path().join(name)).expect("a class file");
        assert_eq!((&bytes[..4], bytes[7]), (&[0xca, 0xfe, 0xba, 0xbe][..], 52), "{name}");
    }
}

/// Names, sizes and checksums in `andiron.properties`, recomputed for every library of the jar, on all its
/// platforms.
#[test]
fn properties_and_checksums_belong_to_the_libraries() {
    let jar = unpacked_jar();
    let properties =
        std::fs::read_to_string(jar.path().join("META-INF/andiron.properties")).expect("andiron.properties");
    let mut expected =
        vec![format!("version={}", env!("CARGO_PKG_VERSION")), format!("build={}", build_id())];
    let all = files(jar.path());
    for name in all.iter().filter(|name| native(name) && !name.ends_with(".sha256")) {
        let library = jar.path().join(name);
        let folder = library.parent().expect("its folder");
        // sha256sum reads the file beside the library.
        output(
            Command::new("sha256sum")
                .args(["--check", "--strict"])
                .arg(format!("{}.sha256", library.display()))
                .current_dir(folder),
        );
        let sum = output(Command::new("sha256sum").arg(&library))[..64].to_string();
        let platform = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let name = library.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = library.metadata().expect("its size").len();
        assert!(bytes < MOST_BYTES, "{platform}: {bytes} bytes, not less than {MOST_BYTES}");
        expected.extend([
            format!("library.{platform}={name}"),
            format!("bytes.{platform}={bytes}"),
            format!("sha256.{platform}={sum}"),
        ]);
    }
    let (mut said, libraries) =
        (properties.lines().filter(|line| !line.starts_with("scala=")).collect::<Vec<_>>(), expected.len());
    said.sort_unstable();
    expected.sort_unstable();
    assert_eq!(said, expected);
    assert!(libraries > 2, "no library is in the jar");
}

#[test]
fn the_library_exports_its_door_only() {
    let jar = unpacked_jar();
    let symbols = output(
        Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(library(jar.path())),
    );
    let mut names: Vec<&str> = symbols.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["JNI_OnLoad", "JNI_OnUnload", "andiron_anchor_1"]);
}

#[test]
fn the_library_is_stripped_stays_mapped_and_needs_libc_only() {
    let jar = unpacked_jar();
    let library = library(jar.path());
    let sections = output(Command::new("readelf").args(["--section-headers", "--wide"]).arg(&library));
    assert!(!sections.contains(".debug_"), "debug information is shipped:\n{sections}");
    let dynamic = output(Command::new("readelf").args(["--dynamic", "--wide"]).arg(&library));
    assert!(dynamic.contains("NODELETE"), "a collected class loader would unmap running code:\n{dynamic}");
    let needed: Vec<&str> = dynamic
        .lines()
        .filter_map(|line| line.split_once("Shared library: ["))
        .map(|(_, rest)| rest)
        .collect();
    for entry in needed {
        let name = entry.trim_end_matches(']');
        // An old glibc has threads and dlopen in separate libraries.
        assert!(
            ["libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "libgcc_s.so", "ld-linux"]
                .iter()
                .any(|known| name.starts_with(known)),
            "needs {name}"
        );
    }
}

#[test]
fn the_library_needs_no_newer_glibc_than_the_readme_says() {
    fn number(text: &str) -> Option<Vec<u32>> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        text[..end].split('.').map(|part| part.parse().ok()).collect()
    }
    let jar = unpacked_jar();
    let symbols = output(Command::new("objdump").arg("--dynamic-syms").arg(library(jar.path())));
    let needed = symbols.split("GLIBC_").skip(1).filter_map(number).max().expect("a symbol of glibc");
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    let said = readme.split("glibc ").skip(1).find_map(number).expect("the README names a glibc");
    assert!(needed <= said, "the library needs glibc {needed:?}, the README says {said:?}");
}

#[test]
fn the_pom_leaves_spark_and_scala_to_the_cluster() {
    let coordinates = required("ANDIRON_TEST_COORDINATES");
    let [group, artifact, version] = coordinates.split(':').collect::<Vec<_>>()[..] else {
        panic!("{coordinates} are not coordinates");
    };
    let folder = PathBuf::from(required("ANDIRON_TEST_REPO"))
        .join(group.replace('.', "/"))
        .join(artifact)
        .join(version);
    let pom = std::fs::read_to_string(folder.join(format!("{artifact}-{version}.pom"))).expect("the POM");
    let dependencies = pom.matches("<dependency>").count();
    assert_eq!((dependencies, pom.matches("<scope>provided</scope>").count()), (2, 2), "{pom}");
    assert!(pom.contains("<name>Apache-2.0</name>"), "{pom}");
    for classifier in ["", "-sources", "-javadoc"] {
        let file = folder.join(format!("{artifact}-{version}{classifier}.jar"));
        assert!(file.is_file(), "{} is missing", file.display());
    }
}
