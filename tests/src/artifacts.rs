//! Gradle's build products, located by the environment that `gradle cargoTest` sets.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The value of an environment variable. A test without its input fails instead of passing.
pub fn required(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: run these tests by `gradle cargoTest`"),
    }
}

/// The shipped jar.
pub fn jar() -> PathBuf {
    PathBuf::from(required("ANDIRON_TEST_JAR"))
}

/// The library with test hooks, which is not shipped.
pub fn hooks_library() -> PathBuf {
    PathBuf::from(required("ANDIRON_TEST_HOOKS_LIBRARY"))
}

/// The version of the boundary between library and jar, raised by hand in native/src/boundary/anchor.rs.
pub const ABI: u32 = 8;

/// The id that library and jar must carry.
pub fn build_id() -> String {
    required("ANDIRON_TEST_BUILD_ID")
}

/// A Spark installation.
pub fn spark_home() -> PathBuf {
    PathBuf::from(required("SPARK_HOME"))
}

/// A tool of the JDK in JAVA_HOME or PATH.
pub fn jdk(tool: &str) -> Command {
    Command::new(match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin").join(tool),
        None => PathBuf::from(tool),
    })
}

/// Standard output of a command that must succeed.
pub fn output(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {}\n{out}\n{err}", done.status);
    out.into_owned()
}

/// The jar's content in a fresh directory.
pub fn unpacked_jar() -> tempfile::TempDir {
    let to = tempfile::tempdir().expect("a temporary directory");
    output(jdk("jar").arg("xf").arg(jar()).current_dir(to.path()));
    to
}

/// All files below `root`, as paths relative to it with `/`, sorted.
pub fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(root).expect("below the root");
                found.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}
