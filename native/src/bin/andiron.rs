//! `andiron`: reports from ship logs, on the command line.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use andiron::report::command::{self, Streams};
use andiron::report::text::Colour;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = if std::io::stdout().is_terminal() && !plain { Colour::Ansi } else { Colour::Plain };
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    let status = command::run(&arguments, Streams { out: &mut out, err: &mut err, colour });
    // A failure here means that the reader, such as `head`, has gone.
    let _ = out.flush();
    ExitCode::from(status)
}
