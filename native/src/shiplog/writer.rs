//! The log's own thread: it writes groups of records to segments, and syncs each group before it is
//! acknowledged.
//!
//! A segment whose write or sync failed is abandoned, since its state on disk is unknown, and its group is
//! written again, with the same sequences, to a new segment. A sequence may thus occur twice in a log, with
//! equal content; readers take the first.
//!
//! Before each group the writer checks that its folder and segment still exist: a removed file accepts bytes
//! like any other, but no reader sees them.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::folder::{self, Folder};
use super::health::LossCause;
use super::medium::{Medium, SegmentFile};
use super::queue::{Queue, Work};
use super::record::{encode, encode_closing, Header};
use super::retention::Sweeper;
use crate::event::{Event, Kind};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The state of the thread.
pub(super) struct LogWriter {
    pub(super) queue: Arc<Queue>,
    pub(super) folder: Arc<Folder>,
    pub(super) medium: Arc<dyn Medium>,
    /// The header of each segment, except for `first` and `created_ms`.
    pub(super) header: Header,
    pub(super) segment_bytes: u64,
    /// The number of the next segment.
    pub(super) number: u64,
    pub(super) current: Option<Current>,
    pub(super) sweeper: Arc<Sweeper>,
    /// The newest event of the application itself, and its sequence: without it a report cannot tell whose
    /// log it reads.
    pub(super) application: Option<(u64, Event)>,
    /// The first sequence of the removed events, until the log is written again.
    pub(super) lost: Option<u64>,
}

/// The segment that is being written.
pub(super) struct Current {
    file: Box<dyn SegmentFile>,
    bytes: u64,
    /// The sequence of its first event.
    first: u64,
}

impl LogWriter {
    /// Works until the queue is closed. Never panics: a panic of the medium counts as a disk failure.
    pub(super) fn run(mut self) {
        let (mut group, mut bytes) = (Vec::new(), Vec::new());
        loop {
            let (first, work) = self.queue.take(&mut group);
            bytes.clear();
            match work {
                Work::Seal => {
                    self.current = None;
                    self.queue.sealed();
                    continue;
                }
                Work::Group => {
                    for (at, event) in group.iter().enumerate() {
                        encode(&mut bytes, first + at as u64, event);
                    }
                }
                Work::Close => encode_closing(&mut bytes, first),
            }
            let events = group.len() as u64;
            let written = self.write(first, &bytes, events);
            if let Some(at) = group.iter().rposition(|event| event.kind == Kind::Application) {
                self.application = Some((first + at as u64, group.swap_remove(at)));
            }
            if !written || matches!(work, Work::Close) {
                self.folder.unlock();
                self.queue.end(if written { 0 } else { events });
                return;
            }
            group.clear();
        }
    }

    /// Retries until the bytes are durable; false if the log is closed before.
    fn write(&mut self, first: u64, bytes: &[u8], events: u64) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            let tried = catch_unwind(AssertUnwindSafe(|| self.try_write(first, bytes)));
            let error = match tried {
                Ok(Ok(length)) => {
                    self.queue.done(events, length);
                    return true;
                }
                Ok(Err(error)) => error,
                Err(_) => io::Error::other("the file layer panicked"),
            };
            self.current = None;
            let message = format!("write {}: {error}", self.folder.path().display());
            if pause == FIRST_PAUSE {
                log::warn!("a write of the ship log failed and is retried: {message}");
            }
            if !self.queue.refused(LossCause::of(&error), message, pause) {
                return false;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The number of bytes that became durable.
    fn try_write(&mut self, first: u64, bytes: &[u8]) -> io::Result<u64> {
        self.restore()?;
        let full = |current: &Current| current.bytes + bytes.len() as u64 > self.segment_bytes;
        if self.current.as_ref().is_some_and(full) {
            self.current = None;
        }
        let mut header = 0;
        if let Some(current) = &mut self.current {
            current.file.append(bytes)?;
            current.file.sync()?;
            current.bytes += bytes.len() as u64;
        } else {
            let (current, length) = self.begin(first, bytes)?;
            header = length;
            self.current = Some(current);
            self.tell_lost(first);
            self.queue.began();
            self.sweeper.start();
        }
        Ok(header + bytes.len() as u64)
    }

    /// A new segment that durably holds the bytes; none if any step fails.
    fn begin(&mut self, first: u64, bytes: &[u8]) -> io::Result<(Current, u64)> {
        let name = folder::segment(self.number);
        self.number += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut again = Vec::new();
        let was_lost = |sequence: u64| self.lost.is_some_and(|from| from <= sequence);
        let application = self.application.as_ref().filter(|(sequence, _)| was_lost(*sequence));
        if let Some((sequence, event)) = application {
            encode(&mut again, *sequence, event);
        }
        let header_first = application.map_or(first, |(sequence, _)| *sequence);
        let header =
            Header { first: header_first, created_ms: now.as_millis() as u64, ..self.header.clone() }
                .encode();
        let mut file = self.medium.create(&self.folder, &name)?;
        let filled = file
            .append(&header)
            .and_then(|()| file.append(&again))
            .and_then(|()| file.append(bytes))
            .and_then(|()| file.sync());
        if let Err(error) = filled.and_then(|()| self.medium.sync_names(&self.folder)) {
            drop(file);
            if let Err(left) = self.medium.remove(&self.folder, &name) {
                log::warn!("{name} in {} stays, unused: {left}", self.folder.path().display());
            }
            return Err(error);
        }
        let length = (header.len() + again.len()) as u64;
        Ok((Current { file, bytes: length + bytes.len() as u64, first }, length))
    }

    /// Creates the folder again if it was removed, and abandons a removed segment.
    fn restore(&mut self) -> io::Result<()> {
        if self.folder.is_removed() {
            self.current = None;
            self.lost = Some(1);
            let folder = self.folder.anew().map_err(|error| io::Error::other(error.message().to_string()))?;
            self.folder = Arc::new(folder);
        } else if let Some(current) = self.current.take_if(|current| current.file.is_removed()) {
            self.lost = Some(current.first);
        }
        Ok(())
    }

    /// Logs the loss once the log exists again.
    fn tell_lost(&mut self, first: u64) {
        if let Some(from) = self.lost.take() {
            log::warn!("{}", lost(self.folder.path(), from, first));
        }
    }
}

/// The message about the events of a removed log, from `from` up to before `first`.
pub(super) fn lost(path: &Path, from: u64, first: u64) -> String {
    let path = path.display();
    let what = match first.saturating_sub(from) {
        0 => "nothing was written to it yet".to_string(),
        events => format!(
            "{events} events, {from} to {}, are lost to reports, and to sinks that have not shipped them",
            first - 1
        ),
    };
    format!(
        "the log {path} was removed while the application runs: {what}. It is created anew, with the event of \
         the application and all later events. No other program may clean spark.andiron.log.dir: Andiron \
         removes old logs itself"
    )
}
