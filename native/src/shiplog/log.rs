//! The log of one application, as its driver writes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, Sequence};
use super::folder::{self, Folder};
use super::found;
use super::health::Health;
use super::medium::{self, Medium};
use super::queue::Queue;
use super::record::Header;
use super::recovery;
use super::retention::{Limits, Sweeper};
use super::writer::Writer;
use crate::error::{Code, Error, Result};
use crate::words::some;

/// Limits and names of a log.
#[derive(Clone)]
pub struct Options {
    /// The attempt of the application, or nothing (`Application.attemptId`).
    pub attempt: String,
    /// What joins applications to one run (`spark.andiron.run.id`), or nothing.
    pub run_id: String,
    /// A segment that would grow beyond this is ended before.
    pub segment_bytes: u64,
    /// Logs of earlier applications that nobody has written to for so long are removed, if all sinks have them.
    pub retention: Duration,
    /// The most bytes that logs below one root may take. Beyond it those of earlier applications go, oldest first, then
    /// segments of this one.
    pub most_bytes: u64,
    /// The most bytes of events that may wait for the disk; more are lost.
    pub queue_bytes: usize,
    /// The files.
    pub medium: Arc<dyn Medium>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            attempt: String::new(),
            run_id: String::new(),
            segment_bytes: 64 << 20,
            retention: Duration::from_secs(7 * 24 * 3600),
            most_bytes: 4 << 30,
            queue_bytes: 32 << 20,
            medium: medium::of_process(),
        }
    }
}

/// The log of one application; its only writer. All of it may be called from any thread.
///
/// Dropping it closes it, with a second for what still waits.
pub struct ShipLog {
    queue: Arc<Queue>,
    folder: Arc<Folder>,
    predecessor: Option<String>,
}

impl ShipLog {
    /// Opens the log `<root>/<application>[.<attempt>]`, making what is missing.
    ///
    /// A log that is there is continued behind its last whole record. [`Code::LogInUse`] if another process has it,
    /// [`Code::DirectoryUnsafe`] if others could read it. Logs that are too old or too large are removed, on a thread of
    /// its own, whenever a segment begins.
    pub fn open(root: &Path, application: &str, options: Options) -> Result<ShipLog> {
        let name = folder::name(application, &options.attempt)?;
        let folder = Arc::new(Folder::open(root, &name)?);
        let end = recovery::recover(&folder, true)?;
        let root = folder.path().parent().unwrap_or(root);
        let predecessor = found::predecessor(root, &options.run_id, folder.path());
        let queue = Arc::new(Queue::new(options.queue_bytes, end.next));
        let (attempt, run_id) = (options.attempt.clone(), options.run_id.clone());
        let limits = Limits {
            root: root.to_path_buf(),
            own: folder.path().to_path_buf(),
            age: options.retention,
            bytes: options.most_bytes,
        };
        let sweeper = Sweeper::new(limits);
        let writer = Writer {
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

    /// Takes an event, without touching a file. [`Sequence::NONE`] if it is lost: the queue is full, the event does
    /// not fit a record, or the log is closed; [`health`](ShipLog::health) counts which.
    pub fn append(&self, event: Event) -> Sequence {
        self.queue.push(event)
    }

    /// Takes an event and returns once it survives a crash of the machine. [`Code::LogLost`] if it was not taken,
    /// [`Code::LogTimedOut`] if it is not durable in time, in which case it may become so later.
    pub fn append_durable(&self, event: Event, timeout: Duration) -> Result<Sequence> {
        let sequence = self.append(event);
        if sequence.is_none() {
            return Err(self.failed(Code::LogLost, "an event was not taken: the queue is full or closed"));
        }
        self.wait(sequence, timeout)
    }

    /// Returns once all that was appended before the call survives a crash of the machine; the last of it.
    pub fn sync(&self, timeout: Duration) -> Result<Sequence> {
        self.wait(self.queue.last(), timeout)
    }

    /// The last event up to which all survive a crash of the machine.
    pub fn acknowledged(&self) -> Sequence {
        self.queue.durable()
    }

    /// The figures since the log was opened.
    pub fn health(&self) -> Health {
        self.queue.health()
    }

    /// Ends the segment, so that all that was appended lies in segments that never change again.
    pub fn seal(&self, timeout: Duration) -> Result<()> {
        if self.queue.seal(timeout) {
            return Ok(());
        }
        Err(self.failed(Code::LogTimedOut, "the segment did not end in time"))
    }

    /// Where the log is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The application of the same run id that ended without closing its log, the latest of them, if there is one.
    pub fn predecessor(&self) -> Option<&str> {
        self.predecessor.as_deref()
    }

    /// What a shipper needs to read the log while it is written.
    pub fn follow(&self) -> Following {
        Following { queue: Arc::clone(&self.queue), folder: self.folder.path().to_path_buf() }
    }

    /// Takes no more events, makes durable what waits, marks the log as closed in order and lets others write it.
    /// [`Code::LogTimedOut`] if that takes longer than `timeout`; what the disk refuses after that is lost and
    /// counted. Later calls do no more.
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
        Err(self.failed(Code::LogTimedOut, "events are not on disk in time"))
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

/// A log that is being written, for those who read behind the writer.
#[derive(Clone)]
pub struct Following {
    queue: Arc<Queue>,
    folder: PathBuf,
}

impl Following {
    /// Where the log is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last event up to which all are durable.
    pub fn acknowledged(&self) -> Sequence {
        self.queue.durable()
    }

    /// Whether the log is closed and nothing more will come.
    pub fn ended(&self) -> bool {
        self.queue.ended()
    }

    /// Waits until an event after `seen` is durable, or `enough`, or the log has ended, or `timeout` is over.
    /// `enough` is asked again after each [`poke`](Following::poke); it may lock nothing that is held around `poke`.
    pub fn wait_beyond(&self, seen: Sequence, timeout: Duration, enough: impl Fn() -> bool) {
        self.queue.wait_beyond(seen, timeout, enough);
    }

    /// Wakes those who wait.
    pub fn poke(&self) {
        self.queue.poke();
    }
}
