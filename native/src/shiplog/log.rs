//! The driver's side of an application's log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::folder::{self, Folder};
use super::found;
use super::health::Health;
use super::medium::Medium;
use super::process_medium;
use super::queue::Queue;
use super::record::Header;
use super::recovery;
use super::retention::{RetentionLimits, Sweeper};
use super::writer::LogWriter;
use crate::error::{Code, Error, Result};
use crate::event::{Event, Sequence};
use crate::words::some;

/// RetentionLimits and names of a log.
#[derive(Clone)]
pub struct Options {
    /// The attempt of the application, or empty (`Application.attemptId`).
    pub attempt: String,
    /// The name that joins applications to one run (`spark.andiron.run.id`), or empty.
    pub run_id: String,
    /// The size limit of a segment: a record that would exceed it begins a new segment.
    pub segment_bytes: u64,
    /// Logs of earlier applications whose last write is older than this are removed once all sinks have them.
    pub retention: Duration,
    /// The most bytes that logs below one root may take. Above it, logs of earlier applications are removed,
    /// oldest first, then segments of this log.
    pub most_bytes: u64,
    /// The most bytes of events that may wait for the disk; events beyond it are lost.
    pub queue_bytes: usize,
    /// The file layer.
    pub medium: Arc<dyn Medium>,
}

/// The most bytes of events that may wait for the disk.
const QUEUE_BYTES: usize = 32 << 20;

impl Options {
    /// Options with these limits, on the disk of this process.
    pub fn new(segment_bytes: u64, retention: Duration, most_bytes: u64) -> Options {
        Options {
            attempt: String::new(),
            run_id: String::new(),
            segment_bytes,
            retention,
            most_bytes,
            queue_bytes: QUEUE_BYTES,
            medium: process_medium::of_process(),
        }
    }

    /// Options for tests and benchmarks.
    #[doc(hidden)]
    pub fn for_tests() -> Options {
        Options::new(64 << 20, Duration::from_secs(7 * 24 * 3600), 4 << 30)
    }
}

/// The log of one application, with this object as its only writer. All methods may be called from any
/// thread.
///
/// Dropping it closes it, and waits at most one second for pending events.
pub struct ShipLog {
    queue: Arc<Queue>,
    folder: Arc<Folder>,
    predecessor: Option<String>,
}

impl ShipLog {
    /// Opens the log `<root>/<application>[.<attempt>]`, and creates it if it is missing.
    ///
    /// An existing log is continued after its last whole record. [`Code::LogInUse`] if another process holds
    /// it, [`Code::DirectoryUnsafe`] if other users could read it. Whenever a segment begins, a separate
    /// thread removes logs that are too old or too large.
    pub fn open(root: &Path, application: &str, options: Options) -> Result<ShipLog> {
        let name = folder::name(application, &options.attempt)?;
        let folder = Arc::new(Folder::open(root, &name)?);
        let end = recovery::recover(&folder, true)?;
        let root = folder.path().parent().unwrap_or(root);
        let predecessor = found::predecessor(root, &options.run_id, folder.path());
        let queue = Arc::new(Queue::new(options.queue_bytes, end.next));
        let (attempt, run_id) = (options.attempt.clone(), options.run_id.clone());
        let limits = RetentionLimits {
            root: root.to_path_buf(),
            own: folder.path().to_path_buf(),
            age: options.retention,
            bytes: options.most_bytes,
        };
        let sweeper = Sweeper::new(limits);
        let writer = LogWriter {
            queue: Arc::clone(&queue),
            folder: Arc::clone(&folder),
            medium: Arc::clone(&options.medium),
            header: Header { application: application.to_string(), attempt, run_id, ..Header::default() },
            segment_bytes: options.segment_bytes,
            number: end.number,
            current: None,
            sweeper,
            application: None,
            lost: None,
        };
        let spawned = std::thread::Builder::new().name("andiron-log".to_string()).spawn(move || writer.run());
        spawned.map_err(|error| Error::io("start the thread of the log", &error))?;
        Ok(ShipLog { queue, folder, predecessor })
    }

    /// Accepts an event without touching a file. [`Sequence::NONE`] if it is lost: the queue is full, the
    /// event does not fit a record, or the log is closed; [`health`](ShipLog::health) counts losses by cause.
    pub fn append(&self, event: Event) -> Sequence {
        self.queue.push(event)
    }

    /// Accepts an event and returns once it survives a crash of the machine. [`Code::LogLost`] if it was not
    /// accepted, [`Code::LogTimedOut`] if it is not durable within `timeout`; it may become durable later.
    pub fn append_durable(&self, event: Event, timeout: Duration) -> Result<Sequence> {
        let sequence = self.append(event);
        if sequence.is_none() {
            return Err(self.failed(Code::LogLost, "an event was not accepted: the queue is full or closed"));
        }
        self.wait(sequence, timeout)
    }

    /// Returns once all events that were appended before the call survive a crash of the machine; the result
    /// is the last of them.
    pub fn sync(&self, timeout: Duration) -> Result<Sequence> {
        self.wait(self.queue.last(), timeout)
    }

    /// The greatest sequence up to which all events survive a crash of the machine.
    pub fn acknowledged(&self) -> Sequence {
        self.queue.durable()
    }

    /// The figures since the log was opened.
    pub fn health(&self) -> Health {
        self.queue.health()
    }

    /// Ends the segment: all events appended so far are then in immutable segments.
    pub fn seal(&self, timeout: Duration) -> Result<()> {
        if self.queue.seal(timeout) {
            return Ok(());
        }
        Err(self.failed(Code::LogTimedOut, "the segment did not end in time"))
    }

    /// The folder of the log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The latest application of the same run id that ended without closing its log, if there is one.
    pub fn predecessor(&self) -> Option<&str> {
        self.predecessor.as_deref()
    }

    /// A handle for reading the log while it is written.
    pub fn follow(&self) -> Following {
        Following { queue: Arc::clone(&self.queue), folder: self.folder.path().to_path_buf() }
    }

    /// Rejects further events, makes pending events durable, marks the log as closed in order and releases
    /// its lock. [`Code::LogTimedOut`] if this takes longer than `timeout`; events that the disk has not
    /// taken by then are lost and counted. Later calls have no effect.
    pub fn close(&self, timeout: Duration) -> Result<()> {
        if self.queue.close(timeout) {
            return Ok(());
        }
        Err(self.failed(Code::LogTimedOut, "the log could not be closed in order"))
    }

    fn wait(&self, sequence: Sequence, timeout: Duration) -> Result<Sequence> {
        if self.queue.wait_durable(sequence, timeout) {
            return Ok(sequence);
        }
        Err(self.failed(Code::LogTimedOut, "events did not reach the disk in time"))
    }

    fn failed(&self, code: Code, what: &str) -> Error {
        let health = self.health();
        let why = health.last_failure.unwrap_or_else(|| "the disk is slow, or the log is closed".to_string());
        let folder = self.folder.path().display();
        let lost = health.lost.iter().sum::<u64>();
        Error::new(
            code,
            format!("{folder}: {what} ({} lost until now): {why}", some(lost, "event", "events")),
        )
    }
}

impl Drop for ShipLog {
    fn drop(&mut self) {
        self.queue.close(Duration::from_secs(1));
    }
}

/// A handle for readers that follow the writer of a log.
#[derive(Clone)]
pub struct Following {
    queue: Arc<Queue>,
    folder: PathBuf,
}

impl Following {
    /// The folder of the log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The greatest sequence up to which all events are durable.
    pub fn acknowledged(&self) -> Sequence {
        self.queue.durable()
    }

    /// Whether the log is closed and complete.
    pub fn ended(&self) -> bool {
        self.queue.ended()
    }

    /// Waits until an event after `seen` is durable, `enough` is true, the log has ended, or `timeout` is
    /// over. `enough` is evaluated again after each [`poke`](Following::poke); it must not take a lock that a
    /// caller of `poke` holds.
    pub fn wait_beyond(&self, seen: Sequence, timeout: Duration, enough: impl Fn() -> bool) {
        self.queue.wait_beyond(seen, timeout, enough);
    }

    /// Wakes the waiting threads.
    pub fn poke(&self) {
        self.queue.poke();
    }
}
