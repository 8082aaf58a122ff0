//! The jar on a Spark of the other Scala, in both directions: it refuses, and names the right artifact.

use super::{Application, Program};
use andiron_tests::artifacts::{jar, required, spark_home};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A jar and a Spark of different Scala versions, with the artifacts of both.
struct Mismatch {
    jar: PathBuf,
    home: PathBuf,
    ours: String,
    other: String,
}

impl Mismatch {
    /// The shipped jar on the Spark of the other Scala, and the jar for the other Scala on this Spark.
    fn all() -> [Mismatch; 2] {
        let other_jar = PathBuf::from(required("ANDIRON_TEST_OTHER_JAR"));
        assert!(
            other_jar.exists(),
            "{} is missing: gradle jar -PscalaVersion=<the other>",
            other_jar.display()
        );
        let other_home = PathBuf::from(required("ANDIRON_TEST_OTHER_SPARK_HOME"));
        let (ours, other) = (artifact(&jar()), artifact(&other_jar));
        assert_ne!(ours, other);
        [
            Mismatch { jar: jar(), home: other_home, ours: ours.clone(), other: other.clone() },
            Mismatch { jar: other_jar, home: spark_home(), ours: other, other: ours },
        ]
    }

    /// Checks that the command fails with the right message.
    fn refuses(&self, command: &mut Command, by: &str) {
        let done = command.env("SPARK_LOCAL_IP", "127.0.0.1").output().expect("spark-submit");
        let said = String::from_utf8_lossy(&done.stderr);
        let line =
            said.lines().find(|line| line.contains(by)).unwrap_or_else(|| panic!("no {by} in\n{said}"));
        let (group, version) = coordinates();
        for part in [
            format!("This is the jar of Andiron for Scala {}, {}, ", scala(&self.ours), self.ours),
            format!("has Scala {}.", scala(&self.other)),
            format!("take {}-{version}.jar", self.other),
            format!("--packages {group}:{}:{version}", self.other),
        ] {
            assert!(line.contains(&part), "no {part:?} in {line}");
        }
        assert!(!said.contains("NoClassDefFoundError") && !said.contains("NoSuchMethodError"), "{said}");
        assert_eq!(done.status.code(), Some(1), "{said}");
    }
}

/// The artifact of a jar, such as `andiron_2.13`.
fn artifact(jar: &Path) -> String {
    let name = jar.file_name().expect("a name").to_string_lossy().into_owned();
    name.split_once('-').expect("a version").0.to_string()
}

/// The Scala version of an artifact, such as `2.13` of `andiron_2.13`.
fn scala(artifact: &str) -> &str {
    artifact.split_once('_').expect("a Scala").1
}

/// Group and version of the shipped artifact.
fn coordinates() -> (String, String) {
    let all = required("ANDIRON_TEST_COORDINATES");
    let parts: Vec<&str> = all.split(':').collect();
    (parts[0].to_string(), parts[2].to_string())
}

#[test]
fn the_plugin_stops_the_application_and_names_the_artifact_to_take() {
    let program = Application::build().program;
    let directory = program.directory.path();
    for wrong in Mismatch::all() {
        let mut command = program.submit_to(&wrong.home, "local[1]", "Smoke");
        command
            .arg("--jars")
            .arg(&wrong.jar)
            .arg(&program.jar)
            .args([directory.join("even"), directory.join("odd")]);
        wrong.refuses(&mut command, "andiron.EnvironmentException: ");
    }
}

#[test]
fn an_application_with_andiron_turned_off_starts_all_the_same() {
    let program = Program::build("Idle");
    for wrong in Mismatch::all() {
        let mut command = program.submit_to(&wrong.home, "local[1]", "Idle");
        command
            .args(["--conf", "spark.andiron.enabled=false"])
            .arg("--jars")
            .arg(&wrong.jar)
            .arg(&program.jar);
        let printed = andiron_tests::artifacts::output(&mut command);
        assert!(printed.lines().any(|line| line == "IDLE 10"), "{printed}");
    }
}

#[test]
fn the_commands_of_the_jar_say_the_same() {
    for wrong in Mismatch::all() {
        for (class, argument) in [("andiron.Report", "apps"), ("andiron.hive.Ingest", "--help")] {
            let mut command = Command::new(wrong.home.join("bin/spark-submit"));
            command.args(["--class", class]).arg(&wrong.jar).arg(argument);
            wrong.refuses(&mut command, &format!("{class}: "));
        }
    }
}
