//! Shared parts of the log's tests: events, and a disk with configurable faults.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::*;

/// The longest time that a test waits for an expected state.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The `number`th event of a test.
pub(crate) fn event(number: u64) -> Event {
    let body = format!(r#"{{"v":1,"number":{number},"text":"{}"}}"#, "ä".repeat((number % 50) as usize));
    Event { kind: Kind::Metric, id: format!("app||{number}"), revision: number, body }
}

/// The events of a range of numbers.
pub(crate) fn events(numbers: std::ops::Range<u64>) -> Vec<Event> {
    numbers.map(event).collect()
}

/// A log below `root` with these options.
pub(crate) fn open(root: &Path, application: &str, options: Options) -> ShipLog {
    ShipLog::open(root, application, options).unwrap()
}

/// A directory that does not exist yet, in one that is removed with the returned guard.
pub(crate) fn root() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("log");
    (dir, root)
}

/// All events of a log, and the reader's notes.
pub(crate) fn read_all(folder: &Path) -> (Vec<Event>, Notes) {
    let mut reading = read(folder).unwrap();
    let events = reading.by_ref().map(|event| event.unwrap()).collect();
    (events, reading.notes().clone())
}

/// The segments of a log.
pub(crate) fn segments(folder: &Path) -> Vec<std::path::PathBuf> {
    super::folder::segments(folder).unwrap().into_iter().map(|(_, path)| path).collect()
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The faults of a disk.
#[derive(Default)]
pub(crate) struct Faults {
    /// The error number of the system with which writes fail, after half of their bytes.
    pub(crate) write_error: AtomicU64,
    /// The number of syncs that fail.
    pub(crate) sync_errors: AtomicU64,
    /// The number of writes that panic.
    pub(crate) panics: AtomicU64,
    /// The most records that were synced at once.
    pub(crate) largest_group: AtomicU64,
    /// Writes do not return.
    blocked: Mutex<bool>,
    unblocked: Condvar,
    /// A write is blocked.
    pub(crate) waits: AtomicBool,
}

impl Faults {
    pub(crate) fn block(&self, blocked: bool) {
        *self.blocked.lock().unwrap() = blocked;
        self.unblocked.notify_all();
    }
}

/// The operating system's files, with faults.
#[derive(Clone, Default)]
pub(crate) struct Faulty(pub(crate) Arc<Faults>);

struct FaultyFile {
    file: Box<dyn SegmentFile>,
    faults: Arc<Faults>,
    group: u64,
}

fn take_one(counter: &AtomicU64) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Medium for Faulty {
    fn create(&self, folder: &Folder, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let file = DiskFiles.create(folder, name)?;
        Ok(Box::new(FaultyFile { file, faults: self.0.clone(), group: 0 }))
    }

    fn sync_names(&self, folder: &Folder) -> io::Result<()> {
        DiskFiles.sync_names(folder)
    }

    fn remove(&self, folder: &Folder, name: &str) -> io::Result<()> {
        DiskFiles.remove(folder, name)
    }
}

impl SegmentFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        assert!(!take_one(&self.faults.panics), "the disk panics on request");
        self.faults.waits.store(*self.faults.blocked.lock().unwrap(), Ordering::SeqCst);
        let blocked = self.faults.blocked.lock().unwrap();
        drop(self.faults.unblocked.wait_while(blocked, |blocked| *blocked).unwrap());
        match self.faults.write_error.load(Ordering::SeqCst) {
            0 => {
                self.group +=
                    bytes.windows(4).filter(|window| *window == [0xfe, 0xc1, 0xff, 0xc0]).count() as u64;
                self.file.append(bytes)
            }
            error => {
                self.file.append(&bytes[..bytes.len() / 2])?;
                Err(io::Error::from_raw_os_error(error as i32))
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if take_one(&self.faults.sync_errors) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.faults.largest_group.fetch_max(std::mem::take(&mut self.group), Ordering::SeqCst);
        self.file.sync()
    }
}
