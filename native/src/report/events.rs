//! `andiron events` and `andiron apps --json`: raw logs for programs that copy them elsewhere.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{reading, View};
use crate::error::{Error, Result};
use crate::event::Sequence;
use crate::shiplog;
use crate::sinks::value;

/// The requested events and their format.
pub(super) struct Wanted<'a> {
    pub(super) application: &'a str,
    /// The attempt; `None` for the latest.
    pub(super) attempt: Option<&'a str>,
    /// Only events after this position in the log.
    pub(super) since: Sequence,
    /// Whether each line begins with the event's position and a tab.
    pub(super) numbered: bool,
}

/// Prints one JSON value in each line, in the order of the log. Parts that cannot be read are reported on `err`.
pub(super) fn print(
    root: &Path,
    wanted: &Wanted<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<()> {
    let found = reading::chosen(root, wanted.application, wanted.attempt)?;
    let mut reading = shiplog::read(&found.folder)?;
    while let Some(placed) = reading.next_placed() {
        match placed {
            Ok((sequence, _)) if sequence <= wanted.since => {}
            Ok((sequence, event)) => {
                let number = if wanted.numbered { format!("{sequence}\t") } else { String::new() };
                match writeln!(out, "{number}{}", value::value(&event)) {
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                    written => written.map_err(|error| Error::io("write the events", &error))?,
                }
            }
            Err(error) => note(err, &format!("a part of the log cannot be read: {}", error.message())),
        }
    }
    reading::notes(reading.notes()).iter().for_each(|said| note(err, said));
    Ok(())
}

/// The logs below `root`, oldest first, one JSON object in each line.
pub(super) fn applications(root: &Path) -> Result<String> {
    let lines = shiplog::applications(root)?.into_iter().map(|found| {
        let view = View::build(found.event.clone(), Vec::new());
        let application = &view.application;
        let line = serde_json::json!({
            "state": reading::state(&found, application), "name": application.name, "ended_ms": application.ended_ms,
            "exit_code": application.exit_code,
            "application": found.application, "attempt": found.attempt, "run_id": found.run_id, "bytes": found.bytes,
            "started_ms": found.started_ms, "modified_ms": found.modified_ms, "live": found.live, "closed": found.closed,
        });
        format!("{line}\n")
    });
    Ok(lines.collect())
}

/// Writes the same into a file, which is complete unless an error is returned.
pub(super) fn write(root: &Path, wanted: &Wanted<'_>, file: &Path, err: &mut dyn Write) -> Result<()> {
    let failed = |error| Error::io(&format!("write {}", file.display()), &error);
    let mut out = BufWriter::new(File::create(file).map_err(failed)?);
    print(root, wanted, &mut out, err)?;
    out.flush().map_err(failed)
}

fn note(err: &mut dyn Write, said: &str) {
    // If messages cannot be written, there is no other place to report this.
    let _ = writeln!(err, "andiron: {said}");
}
