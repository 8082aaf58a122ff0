//! LogReading a log behind its writer, from a position.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::claim::Claim;
use super::folder;
use super::record::Content;
use super::recovery::later;
use super::scan::{ScanStep, Scanner};
use crate::error::{Error, Result};
use crate::event::{Event, Sequence};

/// The events of a log after a position, also while the log is written.
///
/// The caller passes the last acknowledged sequence: the tail does not read beyond it.
pub struct Tail {
    folder: PathBuf,
    current: Option<(u64, Scanner<File>)>,
    last: Sequence,
    /// The number of missing sequences that were passed.
    gone: u64,
    /// The position at which the segment was last reopened.
    reopened: Option<Sequence>,
    /// The log has no writer: an incomplete record stays incomplete.
    whole: bool,
}

impl Tail {
    /// Begins after `position`, in a log that may be written at the same time.
    pub fn after(folder: &Path, position: Sequence) -> Tail {
        Tail {
            folder: folder.to_path_buf(),
            current: None,
            last: position,
            gone: 0,
            reopened: None,
            whole: false,
        }
    }

    /// Begins after `position`, in a log that has no writer while the claim is held.
    pub fn of(claim: &Claim, position: Sequence) -> Tail {
        Tail { whole: true, ..Tail::after(claim.folder(), position) }
    }

    /// The sequence up to which the log was read.
    pub fn position(&self) -> Sequence {
        self.last
    }

    /// The number of missing events that the position has passed since the last call: retention removed their
    /// segments because the logs had become too large, or the disk lost them.
    pub fn take_gone(&mut self) -> u64 {
        std::mem::take(&mut self.gone)
    }

    /// Appends events up to `last` to `batch`, until it has `most_events` or `most_bytes`. Appends none if
    /// there are no more; records that the disk has lost count as read. After an error, a later call tries
    /// again.
    pub fn read(
        &mut self,
        last: Sequence,
        most_events: usize,
        most_bytes: usize,
        batch: &mut Vec<Event>,
    ) -> Result<()> {
        let mut bytes = 0;
        while self.last < last && batch.len() < most_events && bytes < most_bytes {
            let Some((number, scanner)) = &mut self.current else {
                if !self.advance()? {
                    return Ok(());
                }
                continue;
            };
            let number = *number;
            let failed = |error| Error::io(&format!("read a segment of {}", self.folder.display()), &error);
            let mut step = scanner.step(false).map_err(failed)?;
            if step == ScanStep::End {
                if !self.whole && next_segment(&self.folder, number)?.is_none() {
                    if self.reopen() {
                        continue;
                    }
                    return Ok(());
                }
                step = scanner.step(true).map_err(failed)?;
            }
            match step {
                ScanStep::LogEntry(record) => {
                    if record.sequence <= self.last {
                        continue;
                    }
                    if record.sequence.0 > self.last.0 + 1 && !self.whole && self.reopen() {
                        continue;
                    }
                    self.gone += record.sequence.0 - self.last.0 - 1;
                    self.last = record.sequence;
                    if let Content::Event(event) = record.content {
                        bytes += event.id.len() + event.body.len();
                        batch.push(event);
                    }
                }
                ScanStep::Corrupt(_) => {}
                ScanStep::Later(version) => {
                    return Err(later(
                        &self.folder.join(folder::segment(number)).display().to_string(),
                        version,
                    ));
                }
                ScanStep::Torn(_) | ScanStep::Foreign | ScanStep::End => {
                    if !self.advance()? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Lets the segment be reopened, once per position: bytes that were read ahead before they were durable
    /// may have had holes, which the file no longer has. False if the segment was already reopened at this
    /// position.
    fn reopen(&mut self) -> bool {
        let fresh = self.reopened != Some(self.last);
        if fresh {
            self.reopened = Some(self.last);
            self.current = None;
        }
        fresh
    }

    /// Goes to the next segment, or to the one that holds the event after the position; false if there is
    /// none.
    fn advance(&mut self) -> Result<bool> {
        let found = match &self.current {
            Some((number, _)) => next_segment(&self.folder, *number)?,
            None => first_segment(&self.folder, self.last)?,
        };
        let Some((number, path)) = found else { return Ok(false) };
        let file = folder::open_file(&path)
            .map_err(|error| Error::io(&format!("open {}", path.display()), &error))?;
        self.current = Some((number, Scanner::new(file)));
        Ok(true)
    }
}

/// The sequence of a segment's first event, from its header; `None` if that cannot be read.
pub(super) fn begin(segment: &Path) -> Option<Sequence> {
    let mut scanner = Scanner::new(folder::open_file(segment).ok()?);
    scanner.step(false).ok()?;
    scanner.header().map(|header| Sequence(header.first))
}

fn next_segment(folder: &Path, number: u64) -> Result<Option<(u64, PathBuf)>> {
    Ok(folder::segments(folder)?.into_iter().find(|(next, _)| *next > number))
}

/// The last segment that begins at or before the event after `position`, else the first segment.
fn first_segment(folder: &Path, position: Sequence) -> Result<Option<(u64, PathBuf)>> {
    let segments = folder::segments(folder)?;
    let begins_before =
        |path: &Path| begin(path).is_some_and(|first| first.0 <= position.0.saturating_add(1));
    let at = segments.iter().rposition(|(_, path)| begins_before(path)).unwrap_or(0);
    Ok(segments.into_iter().nth(at))
}
