//! `andiron failures`: the failed rows of logs as data, one JSON object in each line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Map, Value};

use super::latest::{Bodies, Latest};
use super::{failures, reading};
use crate::error::{Error, Result};
use crate::event::{read, Event, FailureBody, Kind};
use crate::shiplog::{self, Found};

/// Prints the samples of an application, or of all applications with a log below `root`, oldest first. Of each sample
/// the last revision is printed, with its application, its run and its stack. Parts that cannot be read are reported
/// on `err`.
pub(super) fn print(
    root: &Path,
    application: Option<&str>,
    attempt: Option<&str>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<()> {
    let all = match application {
        Some(application) => vec![reading::chosen(root, application, attempt)?],
        None => shiplog::applications(root)?,
    };
    for found in all {
        match one(&found, out, err) {
            // A running application may remove old logs at the same time.
            Err(_) if application.is_none() && !found.folder.exists() => {}
            Err(error) => return Err(error),
            Ok(true) => {}
            Ok(false) => return Ok(()),
        }
    }
    Ok(())
}

/// Writes the same into a file, which is complete unless an error is returned.
pub(super) fn write(
    root: &Path,
    application: Option<&str>,
    attempt: Option<&str>,
    file: &Path,
    err: &mut dyn Write,
) -> Result<()> {
    let failed = |error| Error::io(&format!("write {}", file.display()), &error);
    let mut out = BufWriter::new(File::create(file).map_err(failed)?);
    print(root, application, attempt, &mut out, err)?;
    out.flush().map_err(failed)
}

/// The rows of one log. Returns whether the output is still open.
fn one(found: &Found, out: &mut dyn Write, err: &mut dyn Write) -> Result<bool> {
    let mut reading = shiplog::read(&found.folder)?;
    let (mut latest, mut bodies) = (Latest::default(), Bodies::default());
    for event in reading.by_ref() {
        match event {
            Ok(event) if event.kind == Kind::Application => latest.add(event),
            Ok(Event { kind: Kind::Failure, id, revision, body: text }) => {
                let Some(body) = FailureBody::read(&text) else { continue };
                // A revision that is no failed row does not replace one that is.
                if matches!(body, FailureBody::Row(_)) {
                    bodies.add(id.clone(), revision, text);
                }
                latest.add_failure(id, revision, body);
            }
            Ok(_) => {}
            Err(error) => {
                let said =
                    format!("a part of the log of {} cannot be read: {}", found.application, error.message());
                note(err, &said);
            }
        }
    }
    reading::notes(reading.notes())
        .iter()
        .for_each(|said| note(err, &format!("{}: {said}", found.application)));
    let told = latest.applications.take().last().map(|application| application.run);
    let run_id = told.filter(|run| !run.is_empty()).unwrap_or_else(|| found.run_id.clone());
    let stacks = failures::stacks(&latest);
    for (id, sample) in failures::samples(&latest) {
        // The text of the log: a later release may have added fields.
        let mut row: Map<String, Value> = bodies.get(id).and_then(|body| read(body)).unwrap_or_default();
        row.insert("run_id".to_string(), Value::from(run_id.as_str()));
        if let Some(stack) = stacks.get(&sample.stack_hash) {
            row.insert("stack".to_string(), Value::from(stack.as_str()));
        }
        match writeln!(out, "{}", Value::Object(row)) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(false),
            written => written.map_err(|error| Error::io("write the failed rows", &error))?,
        }
    }
    Ok(true)
}

fn note(err: &mut dyn Write, said: &str) {
    // If messages cannot be written, there is no other place to report this.
    let _ = writeln!(err, "andiron: {said}");
}
