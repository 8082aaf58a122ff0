//! Rules of the source tree that compilers do not check.

mod documents;
mod imports;
mod libraries;
mod prose;
mod scala;
mod tree;

use tree::{code_lines, files, none, Source};

/// Lines of `sources` whose code (without comments) matches.
fn lines_with<'a>(sources: impl Iterator<Item = &'a Source>, matches: impl Fn(&str) -> bool) -> Vec<String> {
    sources
        .flat_map(|source| code_lines(source).map(move |(number, line)| (source, number, line)))
        .filter(|(_, _, line)| matches(line))
        .map(|(source, number, line)| format!("{}:{number}: {}", source.path, line.trim()))
        .collect()
}

/// Matching lines of `sources`, comments included.
fn all_lines_with<'a>(
    sources: impl Iterator<Item = &'a Source>,
    matches: impl Fn(&str) -> bool,
) -> Vec<String> {
    sources
        .flat_map(|source| source.text.lines().enumerate().map(move |(at, line)| (source, at + 1, line)))
        .filter(|(_, _, line)| matches(line))
        .map(|(source, number, line)| format!("{}:{number}: {}", source.path, line.trim()))
        .collect()
}

fn word(line: &str, wanted: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == wanted)
}

#[test]
fn only_the_boundary_names_jni() {
    let all = files();
    let core =
        all.iter().filter(|s| s.is("native/src/", ".rs") && !s.path.starts_with("native/src/boundary/"));
    none("the core knows JNI", lines_with(core, |line| word(line, "jni")));
}

#[test]
fn unsafe_code_has_its_places() {
    const PLACES: [&str; 4] =
        ["native/src/boundary/", "native/src/cache/store/", "native/src/table/memory.rs", "native/benches/"];
    let all = files();
    let elsewhere = all
        .iter()
        .filter(|s| s.is("native/", ".rs") && !PLACES.iter().any(|place| s.path.starts_with(place)));
    none(
        "unsafe outside the boundary, the store and the memory of tables",
        lines_with(elsewhere, |line| word(line, "unsafe")),
    );
}

#[test]
fn poisoned_locks_are_judged_in_one_place() {
    let all = files();
    let elsewhere = all.iter().filter(|s| s.is("native/src/", ".rs") && s.path != "native/src/sync.rs");
    let judges = |line: &str| {
        ["PoisonError", "TryLockError", "poisoned.into_inner"].iter().any(|it| line.contains(it))
    };
    none("poisoned locks outside native/src/sync.rs", lines_with(elsewhere, judges));
}

#[test]
fn arrows_between_modules_go_one_way() {
    // A module of the left column may name those of the right one.
    const ARROWS: [(&str, &[&str]); 18] = [
        (
            "boundary",
            &[
                "cache", "table", "metrics", "samples", "report", "sinks", "gauges", "event", "error",
                "clock", "sync",
            ],
        ),
        ("cache", &["settings_text", "file_lock", "private_dir", "error", "clock", "sync", "words"]),
        (
            "metrics",
            &[
                "settings_text",
                "samples",
                "shiplog",
                "sinks",
                "gauges",
                "event",
                "error",
                "clock",
                "sync",
                "words",
            ],
        ),
        ("table", &["cache", "event", "error", "clock", "sync", "words"]),
        ("samples", &["shiplog", "event", "error", "clock", "sync", "words"]),
        ("report", &["shiplog", "sinks", "event", "error", "clock", "words"]),
        ("shiplog", &["file_lock", "private_dir", "event", "error", "clock", "sync", "words"]),
        ("sinks", &["settings_text", "shiplog", "event", "error", "clock", "sync", "words"]),
        ("gauges", &["settings_text", "error", "clock", "sync"]),
        ("bin", &[]),
        ("settings_text", &["error"]),
        ("private_dir", &["error"]),
        ("file_lock", &[]),
        ("event", &[]),
        ("error", &[]),
        ("clock", &["error", "sync"]),
        ("sync", &[]),
        ("words", &[]),
    ];
    let all = files();
    let mut wrong = Vec::new();
    for source in all.iter().filter(|s| s.is("native/src/", ".rs") && s.path != "native/src/lib.rs") {
        let module = source.path["native/src/".len()..].split(['/', '.']).next().unwrap_or_default();
        let (_, may) = ARROWS.iter().find(|(from, _)| *from == module).unwrap_or_else(|| {
            panic!("{}: module {module} has no arrows yet; add them here and to lib.rs", source.path)
        });
        for (number, line) in code_lines(source) {
            for (at, _) in line.match_indices("crate::") {
                let to: String =
                    line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if to != module && !to.is_empty() && !may.contains(&to.as_str()) {
                    wrong.push(format!("{}:{number}: {module} names {to}", source.path));
                }
            }
        }
    }
    none("arrows against the order", wrong);
}

#[test]
fn no_files_of_a_crate_import_each_other() {
    let arrows = imports::arrows(&files(), "native/src/");
    let circles = imports::circles(&arrows).into_iter();
    let circles = circles.enumerate().flat_map(|(number, circle)| {
        circle.into_iter().map(move |(from, to)| format!("circle {}: {from} names {to}", number + 1))
    });
    none("circles of imports", circles.collect());
}

#[test]
fn a_type_has_a_name_of_its_own() {
    let types = imports::types(&files(), "native/src/").into_iter();
    let twice = types.filter(|(_, files)| files.len() > 1);
    none("types defined twice", twice.map(|(name, files)| format!("{name}: {}", files.join(", "))).collect());
}

#[test]
fn scala_calls_natives_in_three_objects_only() {
    const PLACES: [&str; 3] = [
        "jvm/src/main/scala/andiron/internal/boundary/Native.scala",
        "jvm/src/main/scala/andiron/internal/boundary/NativeMetrics.scala",
        "jvm/src/main/scala/andiron/internal/boundary/NativeTable.scala",
    ];
    let all = files();
    let elsewhere = all.iter().filter(|s| s.is("jvm/", ".scala") && !PLACES.contains(&s.path.as_str()));
    none(
        "natives declared outside Native.scala, NativeMetrics.scala and NativeTable.scala",
        lines_with(elsewhere, |line| line.contains("@native")),
    );
}

#[test]
fn private_spark_has_one_shim() {
    let all = files();
    let inside = all.iter().filter(|s| {
        (s.is("jvm/src/main/", ".scala") || s.is("jvm/src/main/", ".java"))
            && !s.path.starts_with("jvm/src/main/scala/org/apache/spark/andironshim/")
    });
    none(
        "code in Spark's packages outside the shim",
        lines_with(inside, |line| line.starts_with("package org.apache.spark")),
    );
}

#[test]
fn files_are_small() {
    let all = files();
    let caps = [(".rs", 600), (".scala", 400), (".java", 400), (".py", 400), (".sh", 200), (".c", 400)];
    let large = all.iter().filter_map(|source| {
        let (_, cap) = caps.iter().find(|(end, _)| source.path.ends_with(end))?;
        let lines = source.text.lines().count();
        (lines > *cap).then(|| format!("{}: {lines} lines, the cap is {cap}", source.path))
    });
    none("files to be split", large.collect());
}

#[test]
fn nothing_is_left_for_later() {
    // Written in two parts, so that this file does not match itself.
    let marks = ["TO", "FIX", "HA"].iter().zip(["DO", "ME", "CK"]).map(|(a, b)| format!("{a}{b}"));
    let marks: Vec<String> = marks.collect();
    let all = files();
    let found = all_lines_with(all.iter(), |line| marks.iter().any(|mark| word(line, mark)));
    none("left for later", found);
    let stubs = |line: &str| ["todo!(", "unimplemented!(", "= ???"].iter().any(|stub| line.contains(stub));
    let code = all.iter().filter(|s| s.path != "tests/tidy/main.rs");
    none("stubs", lines_with(code, stubs));
}

#[test]
fn no_test_is_skipped() {
    let all = files();
    let rust = all.iter().filter(|s| s.path.ends_with(".rs") && s.path != "tests/tidy/main.rs");
    none("ignored tests", lines_with(rust, |line| line.contains("#[ignore") || line.contains(", ignore")));
    let scala = all.iter().filter(|s| s.is("jvm/src/test/", ".scala"));
    let silent = |line: &str| {
        let start = line.trim_start();
        ["ignore(", "assume(", "cancel("].iter().any(|call| start.starts_with(call)) || start == "pending"
    };
    none("tests that can pass without running", lines_with(scala, silent));
    let suites = all.iter().filter(|s| s.is("jvm/src/test/", "Suite.scala"));
    let without =
        suites.filter(|s| !s.text.contains("@RunWith(classOf[SuiteRunner])")).map(|s| s.path.clone());
    none("suites that Gradle would not run, or whose afterAll it would not watch", without.collect());
}

#[test]
fn no_file_names_a_machine() {
    let folders = ["/work", "/root", "/home"].map(|folder| format!("{folder}/"));
    let hosts = [
        ["repo1.maven", ".org"],
        ["repo.maven.apache", ".org"],
        ["pypi", ".org"],
        ["files.pythonhosted", ".org"],
    ];
    let hosts = hosts.map(|parts| parts.concat());
    let all = files();
    let tracked = all.iter().filter(|s| s.path != "Cargo.lock" && s.path != "tests/tidy/main.rs");
    let found =
        all_lines_with(tracked, |line| folders.iter().chain(&hosts).any(|mark| at_word_start(line, mark)));
    none("paths of one machine, or hosts of registries", found);
}

/// Whether `mark` occurs at the beginning of a path or host: `build/work/` is not `/work/`.
fn at_word_start(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '$' | ')'))
    })
}

#[test]
fn every_module_says_what_it_is() {
    let all = files();
    let rust = all.iter().filter(|s| s.path.ends_with(".rs") && !s.text.starts_with("//! "));
    none("Rust files that do not begin with `//! `", rust.map(|s| s.path.clone()).collect());
    let python = all.iter().filter(|s| {
        s.path.ends_with(".py")
            && !s.path.contains("/test_")
            && !s.text.trim_start_matches("#!/usr/bin/env python3\n").starts_with("\"\"\"")
    });
    none("Python files that do not begin with a docstring", python.map(|s| s.path.clone()).collect());
    let shell = all.iter().filter(|s| {
        s.text.starts_with("#!/usr/bin/env bash")
            && !s.text.lines().nth(1).is_some_and(|l| l.starts_with("# "))
    });
    none("scripts whose second line does not say what they do", shell.map(|s| s.path.clone()).collect());
    let jvm = all.iter().filter(|s| s.is("jvm/src/main/", ".scala") || s.is("jvm/src/main/", ".java"));
    let without = jvm.filter(|s| !s.text.contains("/**")).map(|s| s.path.clone());
    none("Scala and Java files without a definition", without.collect());
}
