//! LogReading a log: each event once, in order, also from damaged files.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::folder;
use super::record::{Content, Header};
use super::recovery::later;
use super::scan::{ScanStep, Scanner};
use crate::error::{Error, Result};
use crate::event::{Event, Sequence};

/// Findings of a reader besides events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Bytes at the ends of segments that form no record, left by a writer that died. No acknowledged event
    /// was in them.
    pub torn_bytes: u64,
    /// Bytes between records that form no record, because they were damaged.
    pub corrupt_bytes: u64,
    /// Stretches of such bytes.
    pub corrupt_places: u64,
    /// Sequences between the first and the last event read that have no event.
    pub missing: u64,
    /// Records with a sequence that was read before: written again after a disk failure.
    pub repeated: u64,
    /// Records of kinds from later releases.
    pub unknown: u64,
    /// DiskFiles that have the name of a segment but not its format.
    pub foreign: Vec<PathBuf>,
    /// Whether the last record says that the log was closed in order.
    pub closed: bool,
}

/// The events of one log, in the order of their sequences.
///
/// An error stands for a segment that cannot be read (it cannot be opened, or has a later version); reading
/// continues after it. Damaged parts are skipped and counted in [`notes`](LogReading::notes), which are complete
/// after the last event.
pub struct LogReading {
    segments: std::vec::IntoIter<PathBuf>,
    current: Option<(PathBuf, Scanner<File>)>,
    header: Option<Header>,
    last: Option<Sequence>,
    notes: Notes,
}

/// Reads the log in this folder. While the log is written, the last events may be missing and the tail may be
/// torn.
pub fn read(folder: &Path) -> Result<LogReading> {
    let segments: Vec<PathBuf> = folder::segments(folder)?.into_iter().map(|(_, path)| path).collect();
    Ok(LogReading::of(segments))
}

impl LogReading {
    /// Reads these segments, which must be in order.
    pub(super) fn of(segments: Vec<PathBuf>) -> LogReading {
        let segments = segments.into_iter();
        LogReading { segments, current: None, header: None, last: None, notes: Notes::default() }
    }

    /// The findings so far.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The application of the log, once an event was read.
    pub fn application(&self) -> Option<&str> {
        self.header.as_ref().map(|header| header.application.as_str())
    }

    /// The next event with its sequence.
    pub fn next_placed(&mut self) -> Option<Result<(Sequence, Event)>> {
        loop {
            let (path, scanner) = match &mut self.current {
                Some(current) => current,
                None => {
                    let path = self.segments.next()?;
                    match folder::open_file(&path) {
                        Ok(file) => self.current.insert((path, Scanner::new(file))),
                        // Retention has removed it since the folder was listed.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                        Err(error) => {
                            return Some(Err(Error::io(&format!("open {}", path.display()), &error)))
                        }
                    }
                }
            };
            let step = match scanner.step(true) {
                Ok(step) => step,
                Err(error) => {
                    let error = Error::io(&format!("read {}", path.display()), &error);
                    self.current = None;
                    return Some(Err(error));
                }
            };
            if self.header.is_none() {
                self.header = scanner.header().cloned();
            }
            match step {
                ScanStep::LogEntry(record) => {
                    if !self.notes.follow(&mut self.last, record.sequence) {
                        continue;
                    }
                    self.notes.closed = record.content == Content::Closing;
                    match record.content {
                        Content::Event(event) => return Some(Ok((record.sequence, event))),
                        Content::Unknown => self.notes.unknown += 1,
                        Content::Closing => {}
                    }
                }
                ScanStep::Corrupt(bytes) => {
                    self.notes.corrupt_bytes += bytes;
                    self.notes.corrupt_places += 1;
                }
                ScanStep::Torn(bytes) => self.notes.torn_bytes += bytes,
                ScanStep::Later(version) => {
                    let error = later(&path.display().to_string(), version);
                    self.current = None;
                    return Some(Err(error));
                }
                ScanStep::Foreign => self.notes.foreign.push(path.clone()),
                ScanStep::End => self.current = None,
            }
        }
    }
}

impl Notes {
    /// Whether a record is new, that is after `last`, which is then set to it.
    pub(super) fn follow(&mut self, last: &mut Option<Sequence>, sequence: Sequence) -> bool {
        if last.is_some_and(|last| sequence <= last) {
            self.repeated += 1;
            return false;
        }
        // A log may begin later than 1: retention removes its first segments.
        self.missing += last.map_or(0, |last| sequence.0 - last.0 - 1);
        *last = Some(sequence);
        true
    }
}

impl Iterator for LogReading {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        self.next_placed().map(|placed| placed.map(|(_, event)| event))
    }
}
