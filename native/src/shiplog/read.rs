//! Reading a log: every event once, in order, whatever happened to the files.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::event::{Event, Sequence};
use super::folder;
use super::record::{Content, Header};
use super::recovery::later;
use super::scan::{Scanner, Step};
use crate::error::{Error, Result};

/// What a reader has met that was not an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Bytes at ends of segments that are no record: a writer died there. Nothing acknowledged was lost with them.
    pub torn_bytes: u64,
    /// Bytes between records that are no record: the disk or somebody has damaged them.
    pub corrupt_bytes: u64,
    /// Stretches of such bytes.
    pub corrupt_places: u64,
    /// Events that should be between those that were read, and are not.
    pub missing: u64,
    /// Records that were there already: written again after a disk had refused.
    pub repeated: u64,
    /// Records of kinds that a later release has introduced.
    pub unknown: u64,
    /// Files that are called as segments are and are not.
    pub foreign: Vec<PathBuf>,
    /// Whether the last record says that the log was closed in order.
    pub closed: bool,
}

/// The events of one log, in the order of their sequences.
///
/// An error is a segment that cannot be read (its file is refused, or it is of a later version); what follows it is
/// read on. What is damaged is skipped and told in [`notes`](Reading::notes), complete after the last event.
pub struct Reading {
    segments: std::vec::IntoIter<PathBuf>,
    current: Option<(PathBuf, Scanner<File>)>,
    header: Option<Header>,
    last: Option<Sequence>,
    notes: Notes,
}

/// Reads the log in this folder, also while it is written: then the last events may be missing, and the tail torn.
pub fn read(folder: &Path) -> Result<Reading> {
    let segments: Vec<PathBuf> = folder::segments(folder)?.into_iter().map(|(_, path)| path).collect();
    Ok(Reading::of(segments))
}

impl Reading {
    /// Reads these segments, which are in order.
    pub(super) fn of(segments: Vec<PathBuf>) -> Reading {
        let segments = segments.into_iter();
        Reading { segments, current: None, header: None, last: None, notes: Notes::default() }
    }

    /// What was met besides events until now.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The application that the log is of, once an event was read.
    pub fn application(&self) -> Option<&str> {
        self.header.as_ref().map(|header| header.application.as_str())
    }

    /// The next event with its place.
    pub fn next_placed(&mut self) -> Option<Result<(Sequence, Event)>> {
        loop {
            let (path, scanner) = match &mut self.current {
                Some(current) => current,
                None => {
                    let path = self.segments.next()?;
                    match folder::open_file(&path) {
                        Ok(file) => self.current.insert((path, Scanner::new(file))),
                        // Retention has removed it since the folder was read.
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
                Step::Record(record) => {
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
                Step::Corrupt(bytes) => {
                    self.notes.corrupt_bytes += bytes;
                    self.notes.corrupt_places += 1;
                }
                Step::Torn(bytes) => self.notes.torn_bytes += bytes,
                Step::Later(version) => {
                    let error = later(&path.display().to_string(), version);
                    self.current = None;
                    return Some(Err(error));
                }
                Step::Foreign => self.notes.foreign.push(path.clone()),
                Step::End => self.current = None,
            }
        }
    }
}

impl Notes {
    /// Whether a record is new, after `last`, which becomes it.
    pub(super) fn follow(&mut self, last: &mut Option<Sequence>, sequence: Sequence) -> bool {
        if last.is_some_and(|last| sequence <= last) {
            self.repeated += 1;
            return false;
        }
        // A log may begin later: retention has removed its first segments.
        self.missing += last.map_or(0, |last| sequence.0 - last.0 - 1);
        *last = Some(sequence);
        true
    }
}

impl Iterator for Reading {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        self.next_placed().map(|placed| placed.map(|(_, event)| event))
    }
}
