//! The log's own thread: groups of records into segments, each group synced before it is acknowledged.
//!
//! A segment that refused a write or a sync is given up, since nobody knows what of it is on disk, and its group is
//! written again, with the same sequences, to a new one. So a sequence may occur twice in a log, with equal content;
//! whoever reads takes the first.
//!
//! Before each group the writer looks whether its folder and segment are still there. A file that was removed takes bytes as any other, and
//! nobody reads them.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::event::{Event, Kind};
use super::folder::{self, Folder};
use super::health::Cause;
use super::medium::{Medium, SegmentFile};
use super::queue::{Queue, Work};
use super::record::{encode, encode_closing, Header};
use super::retention::Sweeper;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the thread works with.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) folder: Arc<Folder>,
    pub(super) medium: Arc<dyn Medium>,
    /// What each segment says of itself; `first` and `created_ms` are filled in.
    pub(super) header: Header,
    pub(super) segment_bytes: u64,
    /// The number of the next segment.
    pub(super) number: u64,
    pub(super) current: Option<Current>,
    pub(super) sweeper: Arc<Sweeper>,
    /// The newest event of the application itself, and its sequence: without it no report knows whose log it reads.
    pub(super) application: Option<(u64, Event)>,
    /// What was removed begins with this sequence, and nothing was written since.
    pub(super) lost: Option<u64>,
}

/// The segment that is being written.
pub(super) struct Current {
    file: Box<dyn SegmentFile>,
    bytes: u64,
    /// The sequence of its first event.
    first: u64,
}

impl Writer {
    /// Works until the queue is closed. Never panics: a medium that does is a disk that refused.
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

    /// Tries until the bytes are durable; false if the log is closed before.
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
                log::warn!("the ship log waits, and tries again: {message}");
            }
            if !self.queue.refused(Cause::of(&error), message, pause) {
                return false;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Bytes that became durable.
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

    /// A new segment that holds the bytes, durably; nothing if any step fails.
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

    /// Makes the folder anew if somebody has removed it, and lets go of a segment that is removed.
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

    /// Once the log is there again.
    fn tell_lost(&mut self, first: u64) {
        if let Some(from) = self.lost.take() {
            log::warn!("{}", lost(self.folder.path(), from, first));
        }
    }
}

/// What a log has lost that was removed: its events from `from` up to before `first`.
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
        "the log {path} was removed while the application runs: {what}. It is made anew, and begins with the application and what follows. Let nothing \
         else clean spark.andiron.log.dir: Andiron removes old logs itself"
    )
}
