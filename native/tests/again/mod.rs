//! Test binaries that start themselves as child processes.

use std::process::Command;

/// This binary as a command. `ANDIRON_TEST_RUNNER` is a prefix for machines that cannot run it directly: an
/// emulator with its options.
pub(crate) fn this_binary() -> Command {
    let binary = std::env::current_exe().unwrap();
    let runner = std::env::var("ANDIRON_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    match words.next() {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(words).arg(binary);
            command
        }
        None => Command::new(binary),
    }
}
