//! The command `andiron` as shipped to users: `build/bin/andiron`, and `andiron.Report` of the jar by
//! spark-submit. Both must print the same.

use super::Program;
use andiron_tests::artifacts::{files, jar, required, spark_home};
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program; returns its application id and exit status.
fn run(program: &Program, every: u64, log: &Path, written: &Path) -> (String, Option<i32>) {
    let mut command = program.submit("local[2]", "Drops");
    command
        .arg("--conf")
        .arg(format!("spark.andiron.log.dir={}", log.display()))
        .args(["--jars", &jar().display().to_string()])
        .arg(&program.jar)
        .arg(every.to_string())
        .arg(written);
    let done = command.output().expect("spark-submit");
    let printed = text(&done.stdout);
    let id = printed.lines().find_map(|line| line.strip_prefix("APPLICATION "));
    let id = id.unwrap_or_else(|| panic!("no application id in\n{printed}\n{}", text(&done.stderr)));
    (id.to_string(), done.status.code())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs `build/bin/andiron`.
fn native(arguments: &[&str]) -> Output {
    Command::new(required("ANDIRON_TEST_COMMAND")).args(arguments).output().expect("build/bin/andiron")
}

fn submitted(arguments: &[&str]) -> Output {
    let mut command = Command::new(spark_home().join("bin/spark-submit"));
    command.arg(jar()).args(arguments).env("SPARK_LOCAL_IP", "127.0.0.1").output().expect("spark-submit")
}

#[test]
fn the_command_says_the_same_by_itself_and_by_spark_submit() {
    let program = Program::build("Drops");
    let folder = program.directory.path();
    let log = folder.join("log");
    let (passed, status) = run(&program, 200, &log, &folder.join("passed"));
    assert_eq!(status, Some(0));
    assert!(files(&folder.join("passed")).iter().any(|name| name == "_SUCCESS"));
    let (failed, status) = run(&program, 5, &log, &folder.join("failed"));
    assert_eq!(status, Some(1), "a driver whose gate fails ends with 1");
    let left = if folder.join("failed").exists() { files(&folder.join("failed")) } else { Vec::new() };
    assert!(left.is_empty(), "the failed write left {left:?}");

    let log = log.display().to_string();
    let wanted = [
        (&["report", &passed][..], "halves  1,000  995        5  0.5 %"),
        (&["report", &failed], "FAILED  halves dropped 200 of 1,000 rows, 20 % (limit 1 %)"),
        (&["apps"], "drops 200"),
        (&["diff", &passed, &failed], "× 40"),
        (&["events", &failed, "--since", "0"], "\"kind\":\"Verdict\",\"revision\":1,"),
    ];
    for (arguments, part) in wanted {
        let arguments = [arguments, &["--log-dir", &log]].concat();
        let (by_itself, by_submit) = (native(&arguments), submitted(&arguments));
        assert_eq!((by_itself.status.code(), by_submit.status.code()), (Some(0), Some(0)), "{arguments:?}");
        assert_eq!(text(&by_itself.stdout), text(&by_submit.stdout), "{arguments:?}");
        assert!(text(&by_itself.stdout).contains(part), "no {part:?} in\n{}", text(&by_itself.stdout));
    }
    let pages = [folder.join("native.html"), folder.join("submitted.html")];
    for (page, command) in pages.iter().zip([native as fn(&[&str]) -> Output, submitted]) {
        let page = page.display().to_string();
        assert!(command(&["report", &failed, "--log-dir", &log, "--html", &page]).status.success());
    }
    let pages = pages.map(|page| std::fs::read_to_string(page).expect("a page"));
    assert_eq!(pages[0], pages[1]);
    assert!(pages[0].contains("no half of "));

    for (arguments, status) in [(&["report", "nobody", "--log-dir", &log][..], 1), (&["repot"], 2)] {
        let (by_itself, by_submit) = (native(arguments), submitted(arguments));
        assert_eq!((by_itself.status.code(), by_submit.status.code()), (Some(status), Some(status)));
        assert!(text(&by_submit.stderr).contains(text(&by_itself.stderr).trim_end()), "{arguments:?}");
    }
}
