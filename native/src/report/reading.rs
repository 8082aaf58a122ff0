//! From the logs below a root to the view of one application.

use std::path::Path;

use super::model::{Application, Outcome, View};
use super::{clean, format};
use crate::error::{Code, Error, Result};
use crate::shiplog::{self, Found, Notes};

/// The view of the latest attempt of an application, or of the given one.
pub(super) fn view(root: &Path, application: &str, attempt: Option<&str>) -> Result<View> {
    let found = shiplog::applications(root)?;
    let attempts = attempts(&found, application);
    let chosen = choose(root, application, attempt, &found)?;
    let mut reading = shiplog::read(&chosen.folder)?;
    let (mut events, mut notes) = (Vec::new(), Vec::new());
    for event in reading.by_ref() {
        match event {
            Ok(event) => events.push(event),
            Err(error) => notes.push(format!("A part of the log cannot be read: {}", error.message())),
        }
    }
    notes.extend(self::notes(reading.notes()));
    let others: Vec<&str> =
        attempts.iter().filter(|one| one.attempt != chosen.attempt).map(|one| one.attempt.as_str()).collect();
    if !others.is_empty() {
        notes.push(format!("The application has other attempts: {} (--attempt)", others.join(", ")));
    }
    if let Some(next) = successor(&found, chosen) {
        notes.push(format!("The run {} went on as {}", chosen.run_id, next.application));
    }
    let mut view = View::build(events, notes);
    if view.outcome == Outcome::Open {
        view.outcome = match (chosen.live, chosen.closed) {
            (true, _) => Outcome::Running,
            (false, false) => Outcome::Killed,
            (false, true) => Outcome::Ended,
        };
    }
    let never_ended = !chosen.live && !chosen.closed && view.application.ended_ms.is_none();
    if let Some(said) = Outcome::Killed.why_open().filter(|_| never_ended && view.outcome != Outcome::Killed)
    {
        view.notes.insert(0, said.to_string());
    }
    if view.application.id.is_empty() {
        view.application.id = chosen.application.clone();
    }
    Ok(view)
}

/// Notes on parts of a log that could not be read.
pub(super) fn notes(met: &Notes) -> Vec<String> {
    let mut notes = Vec::new();
    if met.corrupt_places > 0 {
        notes.push(format!(
            "{} damaged and left out ({})",
            format::some(met.corrupt_places, "place of the log is", "places of the log are"),
            format::some(met.corrupt_bytes, "byte", "bytes")
        ));
    }
    if met.missing > 0 {
        notes.push(format!("{} missing in the log", format::some(met.missing, "event is", "events are")));
    }
    if met.torn_bytes > 0 {
        notes.push(format!(
            "The log ends in the middle of a record ({}): its writer was killed",
            format::some(met.torn_bytes, "byte", "bytes")
        ));
    }
    if met.unknown > 0 {
        notes.push(format!(
            "{} of a later release of Andiron",
            format::some(met.unknown, "event is", "events are")
        ));
    }
    notes
}

/// The log of the latest attempt of an application, or of the given one.
pub(super) fn chosen(root: &Path, application: &str, attempt: Option<&str>) -> Result<Found> {
    choose(root, application, attempt, &shiplog::applications(root)?).cloned()
}

fn choose<'a>(
    root: &Path,
    application: &str,
    attempt: Option<&str>,
    found: &'a [Found],
) -> Result<&'a Found> {
    let attempts = attempts(found, application);
    let chosen = match attempt {
        Some(attempt) => attempts.iter().find(|found| found.attempt == attempt),
        None => attempts.last(),
    };
    chosen.copied().ok_or_else(|| unknown(root, application, attempt, found))
}

/// The attempts of an application, the latest last.
fn attempts<'a>(found: &'a [Found], application: &str) -> Vec<&'a Found> {
    let mut attempts: Vec<&Found> = found.iter().filter(|found| found.application == application).collect();
    attempts.sort_by_key(|found| found.started_ms);
    attempts
}

/// The next application of the same run.
fn successor<'a>(found: &'a [Found], one: &Found) -> Option<&'a Found> {
    let later = |other: &&Found| {
        other.run_id == one.run_id && other.started_ms > one.started_ms && other.folder != one.folder
    };
    (!one.run_id.is_empty()).then(|| found.iter().find(later)).flatten()
}

fn unknown(root: &Path, application: &str, attempt: Option<&str>, found: &[Found]) -> Error {
    let what = attempt.map_or(application.to_string(), |attempt| format!("{application}, attempt {attempt}"));
    let latest: Vec<&str> = found.iter().rev().take(5).map(|found| found.application.as_str()).collect();
    let there = match latest.is_empty() {
        true => "there are no logs of applications".to_string(),
        false => format!("the latest there are {}", latest.join(", ")),
    };
    let said = format!("no log of {what} in {}; {there}", root.display());
    Error::new(Code::BadArgument, clean::terminal(&said, clean::LINE))
}

/// The state of an application in a word. One that has ended and still holds its log is waiting for sinks.
pub(super) fn state(found: &Found, application: &Application) -> &'static str {
    let has_ended = found.closed || application.ended_ms.is_some();
    match (found.live, has_ended) {
        (true, true) => "ending",
        (true, false) => "running",
        (false, false) => "never ended",
        _ if !application.ended_at_gate.is_empty() => "ended at its gate",
        _ if application.exit_code.is_some_and(|code| code != 0) => "failed",
        _ => "ended",
    }
}
