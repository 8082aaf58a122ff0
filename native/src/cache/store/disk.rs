//! Disk space: the application's limit, and eviction from disk.
//!
//! The used bytes are the lengths of the published files and of files being written, which have their
//! reserved length from the start. Reservations and evictions happen under `disk.lock`, so the limit holds
//! across the processes of the application. The file to evict is the published one that was adopted least
//! recently (by its access time, set at publication and at each adoption) and is not pinned. A pin is a
//! mapping, a writer or an offer of *this* process. A file that another process maps may be evicted: that
//! mapping stays valid, and its bytes are on disk but uncounted until it ends.
//!
//! The used bytes are read from the [`DiskTally`] without disk access: this process's last listing, updated by
//! its own changes since then. Changes by other processes are seen at the next reservation.
//!
//! Lock order: a digest's temporary file, then `disk.lock`, then the tally; under `disk.lock`, locks of other
//! files are only tried.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;

use super::directory::{write_failed, Directory};
use super::hold::Hold;
use super::names::{self, FileKind, Form};
use super::pins::Pins;
use super::shared::StoreShared;
use super::{sweep, tree};
use crate::error::{Code, Error, Result};
use crate::file_lock::{self, HeldLock};
use crate::private_dir::refused;

const DISK_LOCK_TIMEOUT: Duration = Duration::from_secs(60);
const DISK_LOCK_SLICE: Duration = Duration::from_millis(2);

/// A file that counts towards the limit.
struct Used {
    name: String,
    bytes: u64,
    adopted: (i64, i64),
    /// Held while an abandoned temporary file is removed, so that no writer takes it over, or while a tree is
    /// removed, so that no process adopts it.
    lock: Option<HeldLock>,
}

/// Bytes published and reserved by all processes of the application.
pub(super) fn used(directory: &Directory) -> u64 {
    scan(directory).iter().map(|file| file.bytes).sum()
}

/// Gives `file`, the temporary file of `hold`, a length of `bytes`, with evictions as needed; or fails with
/// [`Code::DiskLimit`] without evictions. Bytes before the old end stay.
pub(super) fn reserve(
    shared: &StoreShared,
    hold: &Hold,
    file: BorrowedFd<'_>,
    bytes: u64,
    label: &str,
) -> Result<()> {
    let StoreShared { directory, pins, disk_bytes: limit, tally, .. } = shared;
    let path = directory.path().join(names::DISK_LOCK);
    let disk = directory.create(names::DISK_LOCK).map_err(|errno| refused("open", &path, errno))?;
    let locked = file_lock::exclusive_within(&disk, DISK_LOCK_TIMEOUT, DISK_LOCK_SLICE);
    if !locked.map_err(|errno| refused("lock", &path, errno))? {
        let message = format!("{label}: another process has held {} for too long; end it", path.display());
        return Err(Error::new(Code::Io, message));
    }
    let _held = HeldLock::new(disk);
    let change = tally.change();
    hold.require()?;
    let stat = rustix::fs::fstat(file).map_err(|errno| refused("stat a file in", directory.path(), errno))?;
    let own = stat.st_size as u64;
    let mut files = scan(directory);
    let all: u64 = files.iter().map(|file| file.bytes).sum();
    change.set(all);
    let others = all.saturating_sub(own);
    let mut excess = others.saturating_add(bytes).saturating_sub(*limit);
    if excess > 0 {
        files.retain_mut(|file| may_go(directory, pins, file));
        files.sort_by_key(|file| file.adopted);
        let most: u64 = files.iter().map(|file| file.bytes).sum();
        if most < excess {
            return Err(Error::new(
                Code::DiskLimit,
                format!(
                    "{label}: {bytes} bytes are needed, but spark.andiron.cache.diskBytes is {limit} and {} of them \
                     are in use; raise it, or use fewer versions at once",
                    others - most
                ),
            ));
        }
        for file in files {
            if excess == 0 {
                break;
            }
            match rustix::fs::unlinkat(directory.fd(), file.name.as_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {
                    if let FileKind::Published(digest) = names::kind(&file.name) {
                        tree::remove_published(directory.fd(), digest);
                    }
                    excess = excess.saturating_sub(file.bytes);
                    change.less(file.bytes);
                }
                Err(errno) => return Err(refused("evict", &directory.path().join(&file.name), errno)),
            }
            log::info!("evicted {} ({} bytes) from disk to make room for {label}", file.name, file.bytes);
        }
    }
    rustix::fs::ftruncate(file, bytes)
        .map_err(|errno| write_failed(label, "reserve space in", directory.path(), &errno.into()))?;
    change.less(own);
    change.more(bytes);
    Ok(())
}

/// Marks a published file as the most recently adopted.
pub(super) fn touch(file: impl AsFd) -> std::result::Result<(), Errno> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let keep = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    rustix::fs::futimens(file, &Timestamps { last_access: now, last_modification: keep })
}

fn scan(directory: &Directory) -> Vec<Used> {
    let mut files = Vec::new();
    for name in sweep::entries(directory.fd(), directory.path()) {
        if !matches!(names::kind(&name), FileKind::Published(_) | FileKind::Temporary) {
            continue;
        }
        // A file that was removed since the listing uses no space.
        if let Ok(stat) = rustix::fs::statat(directory.fd(), name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            let adopted = (stat.st_atime, stat.st_atime_nsec as i64);
            files.push(Used { name, bytes: stat.st_size as u64, adopted, lock: None });
        }
    }
    files
}

/// Whether a file may be evicted: published and not pinned, or left by a writer that died.
fn may_go(directory: &Directory, pins: &Pins, file: &mut Used) -> bool {
    match names::kind(&file.name) {
        FileKind::Published(digest) if pins.has(digest) => false,
        FileKind::Published(digest) if names::form(digest) != Form::Bytes => {
            // Users of the files share this lock.
            file.lock = tree::alone(directory.fd(), &names::tree(digest)).ok().flatten();
            file.lock.is_some()
        }
        FileKind::Published(_) => true,
        FileKind::Temporary => {
            file.lock = sweep::abandoned(directory.fd(), &file.name).ok().flatten();
            file.lock.is_some()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{begin, files, noise, publish, read, store, PATIENCE};
    use super::super::Store;
    use super::*;
    use std::fs;
    use std::sync::Arc;

    const MB: u64 = 1 << 20;

    #[test]
    fn the_least_recently_adopted_goes_first() {
        let (_dir, store) = store(3 * MB);
        for digest in ["a", "b", "c"] {
            drop(publish(&store, digest, &noise(1, MB as usize)));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(store.begin("a", "x", Some(MB), None, PATIENCE).unwrap().is_none());
        drop(store.adopt("a", "x", Some(MB)).unwrap());
        drop(publish(&store, "d", &noise(2, MB as usize)));
        assert_eq!(files(&store), ["a.bytes", "c.bytes", "d.bytes"]);
        assert_eq!(store.disk_used(), 3 * MB);
    }

    #[test]
    fn what_is_mapped_or_offered_stays() {
        let (_dir, store) = store(3 * MB);
        let bytes = noise(1, MB as usize);
        let mapped = publish(&store, "mapped", &bytes);
        drop(publish(&store, "offered", &bytes));
        assert!(store.begin("offered", "x", None, None, PATIENCE).unwrap().is_none());
        drop(publish(&store, "free", &bytes));
        let error = store.begin("e", "videos/v9", Some(2 * MB), None, PATIENCE).err().unwrap();
        assert_eq!(error.code(), Code::DiskLimit);
        for part in ["videos/v9", "spark.andiron.cache.diskBytes", "3145728", "2097152"] {
            assert!(error.message().contains(part), "{error}");
        }
        assert_eq!(files(&store), ["free.bytes", "mapped.bytes", "offered.bytes"]);
        drop(begin(&store, "e", Some(MB)));
        assert_eq!(files(&store), ["mapped.bytes", "offered.bytes"]);
        assert_eq!(read(&store.adopt("offered", "x", None).unwrap()), bytes);
        drop(mapped);
        drop(begin(&store, "e", Some(3 * MB)));
        assert_eq!(files(&store), [""; 0]);
    }

    #[test]
    fn what_is_being_written_counts_from_its_beginning() {
        let (_dir, store) = store(3 * MB);
        let writer = begin(&store, "a", Some(2 * MB));
        assert_eq!(store.disk_used(), 2 * MB);
        assert_eq!(
            store.begin("b", "x", Some(2 * MB), None, PATIENCE).err().unwrap().code(),
            Code::DiskLimit
        );
        assert_eq!(files(&store), ["a.tmp"]);
        drop(writer);
        assert_eq!(store.disk_used(), 0);
        drop(begin(&store, "b", Some(2 * MB)));
    }

    #[test]
    fn an_unknown_length_is_checked_as_it_grows() {
        let (_dir, store) = store(3 * MB);
        let mut writer = begin(&store, "a", None);
        let chunk = noise(1, 64 << 10);
        let mut written = 0;
        let error = loop {
            match writer.write(&chunk) {
                Ok(()) => written += chunk.len() as u64,
                Err(error) => break error,
            }
            assert!(store.disk_used() >= written && store.disk_used() <= 3 * MB);
        };
        assert_eq!((error.code(), written), (Code::DiskLimit, 3 * MB));
        assert_eq!(writer.publish().unwrap_err().code(), Code::DiskLimit);
        assert_eq!(store.disk_used(), 0);
        let mut writer = begin(&store, "a", None);
        writer.write(&chunk).unwrap();
        let mapping = writer.publish().unwrap();
        assert_eq!((mapping.len(), store.disk_used()), (64 << 10, 64 << 10));
    }

    #[test]
    fn more_than_the_limit_evicts_nothing() {
        let (_dir, store) = store(MB);
        drop(publish(&store, "a", b"abc"));
        assert_eq!(
            store.begin("b", "x", Some(2 * MB), None, PATIENCE).err().unwrap().code(),
            Code::DiskLimit
        );
        assert_eq!(
            store.begin("b", "x", Some(u64::MAX), None, PATIENCE).err().unwrap().code(),
            Code::DiskLimit
        );
        assert_eq!(files(&store), ["a.bytes"]);
    }

    #[test]
    fn what_a_dead_writer_left_makes_room() {
        let (dir, store) = store(MB);
        let left = fs::File::create(dir.path().join("cache/app-1/left.tmp")).unwrap();
        left.set_len(MB).unwrap();
        drop(left);
        drop(publish(&store, "a", &noise(1, MB as usize)));
        assert_eq!((files(&store), store.disk_used()), (vec!["a.bytes".to_string()], MB));
    }

    #[test]
    fn what_is_used_is_told_without_a_look_at_the_disk() {
        let (dir, store) = store(4 * MB);
        let kept = publish(&store, "a", &noise(1, MB as usize));
        let mut growing = begin(&store, "b", None);
        growing.write(&noise(2, MB as usize)).unwrap();
        let listed = |store: &Store| used(&store.shared.directory);
        assert_eq!(store.disk_used(), listed(&store));
        drop(growing.publish().unwrap());
        assert_eq!((store.disk_used(), listed(&store)), (2 * MB, 2 * MB));
        let foreign = dir.path().join("cache/app-1/foreign.bytes");
        fs::write(foreign, noise(3, MB as usize)).unwrap();
        assert_eq!(store.disk_used(), 2 * MB, "changes by another process are seen at the next reservation");
        drop(begin(&store, "c", Some(MB)));
        assert_eq!((store.disk_used(), listed(&store)), (3 * MB, 3 * MB));
        drop(begin(&store, "d", Some(3 * MB)));
        assert_eq!((store.disk_used(), listed(&store)), (MB, MB));
        let second = Store::open(&dir.path().join("cache"), "app-1", MB).unwrap();
        assert_eq!(second.disk_used(), MB);
        drop(kept);
    }

    #[test]
    fn pins_count() {
        let pins: Arc<Pins> = Arc::default();
        let (first, second) = (pins.pin("a"), pins.pin("a"));
        drop(first);
        assert!(pins.has("a"));
        drop(second);
        assert!(!pins.has("a"));
        assert!(pins.lock().is_empty());
    }
}
