//! The packaged jar in fresh processes through spark-submit, as users add it: by --jars and by --packages.

mod command;
mod requirements;

use andiron_tests::artifacts::{files, jar, jdk, output, required, spark_home};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A user's program in a jar of its own.
struct Program {
    directory: tempfile::TempDir,
    jar: PathBuf,
}

impl Program {
    fn build(name: &str) -> Program {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let classes = directory.path().join("classes");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("submit/{name}.java"));
        let class_path = format!("{}:{}/jars/*", jar().display(), spark_home().display());
        output(jdk("javac").args(["-nowarn", "-d"]).arg(&classes).args(["-cp", &class_path]).arg(source));
        let jar = directory.path().join("program.jar");
        output(jdk("jar").arg("cf").arg(&jar).arg("-C").arg(&classes).arg("."));
        Program { directory, jar }
    }

    /// spark-submit without the program's own options and the program.
    fn submit(&self, master: &str, class: &str) -> Command {
        self.submit_to(&spark_home(), master, class)
    }

    /// The same for the Spark at `home`.
    fn submit_to(&self, home: &Path, master: &str, class: &str) -> Command {
        let mut command = Command::new(home.join("bin/spark-submit"));
        command
            .args(["--master", master, "--class", class])
            .args(["--conf", "spark.plugins=andiron.AndironPlugin", "--conf", "spark.ui.enabled=false"])
            .args(["--conf", "spark.andiron.cache.budgetBytes=64m"])
            .arg("--conf")
            .arg(format!("spark.local.dir={}", self.directory.path().join("local").display()))
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .current_dir(self.directory.path());
        command
    }
}

/// The program that multiplies every row by the number of its version, and the files of the two versions.
struct Application {
    program: Program,
}

/// Even ids times 3 plus odd ids times 5, of 0 to 999.
const SUM: i64 = 249_500 * 3 + 250_000 * 5;

impl Application {
    fn build() -> Application {
        let program = Program::build("Smoke");
        for (name, number) in [("even", 3i64), ("odd", 5)] {
            std::fs::write(program.directory.path().join(name), number.to_le_bytes())
                .expect("a version's file");
        }
        Application { program }
    }

    /// Runs the program and checks its answer.
    fn submit(&self, master: &str, options: &[&str]) {
        let directory = self.program.directory.path();
        let mut command = self.program.submit(master, "Smoke");
        command.args(options).arg(&self.program.jar).args([directory.join("even"), directory.join("odd")]);
        let printed = output(&mut command);
        let line = format!("SMOKE master={master} sum={SUM} leases=0");
        assert!(printed.lines().any(|found| found == line), "no line {line:?} in\n{printed}");
    }
}

#[test]
fn by_jars_on_a_cluster_of_two_executors() {
    let application = Application::build();
    application.submit("local-cluster[2,1,1024]", &["--jars", &jar().display().to_string()]);
}

#[test]
fn by_coordinates_from_a_maven_repository() {
    let application = Application::build();
    let ivy = application.program.directory.path().join("ivy");
    // The repository below is the only one: the network is not used.
    let settings = application.program.directory.path().join("ivysettings.xml");
    let chain = r#"<ivysettings><settings defaultResolver="none"/><resolvers><chain name="none"/></resolvers></ivysettings>"#;
    std::fs::write(&settings, chain).expect("the settings of Ivy");
    application.submit(
        "local[2]",
        &[
            "--packages",
            &required("ANDIRON_TEST_COORDINATES"),
            "--repositories",
            &format!("file:{}", required("ANDIRON_TEST_REPO")),
            "--conf",
            &format!("spark.jars.ivy={}", ivy.display()),
            "--conf",
            &format!("spark.jars.ivySettings={}", settings.display()),
        ],
    );
    let fetched: Vec<String> = files(&ivy).into_iter().filter(|name| name.starts_with("jars/")).collect();
    assert_eq!(fetched.len(), 1, "one jar without dependencies, but Ivy fetched {fetched:?}");
}
