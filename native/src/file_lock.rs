//! Advisory locks (flock) on files: the kernel releases them at any death of their process.
//!
//! A lock belongs to the open file, not to the process or thread: two opens of one file exclude each other
//! also within a process. Every descriptor is close-on-exec, but a child of the JVM has a copy of all of them
//! until it executes its own program (Spark starts `rm -rf` as an executor ends), and a copy keeps a lock.
//! Locks are therefore released explicitly ([`HeldLock`]).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;

/// A file that this process has locked. Dropping it releases the lock, even if a child still has a copy of
/// the descriptor.
pub(crate) struct HeldLock(OwnedFd);

impl HeldLock {
    /// Wraps a file that the caller has locked.
    pub(crate) fn new(locked: OwnedFd) -> HeldLock {
        HeldLock(locked)
    }
}

impl AsFd for HeldLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        if let Err(errno) = flock(&self.0, FlockOperation::Unlock) {
            log::warn!("cannot free the lock of a file: {errno}");
        }
    }
}

/// Takes the exclusive lock if it is free; false if it is held.
pub(crate) fn try_exclusive(file: impl AsFd) -> Result<bool, Errno> {
    try_lock(file, FlockOperation::NonBlockingLockExclusive)
}

/// Takes a shared lock; false if the exclusive one is held.
pub(crate) fn try_shared(file: impl AsFd) -> Result<bool, Errno> {
    try_lock(file, FlockOperation::NonBlockingLockShared)
}

fn try_lock(file: impl AsFd, lock: FlockOperation) -> Result<bool, Errno> {
    loop {
        match flock(&file, lock) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Takes the exclusive lock, with a try every `slice`; false after `timeout`.
pub(crate) fn exclusive_within(file: impl AsFd, timeout: Duration, slice: Duration) -> Result<bool, Errno> {
    let start = Instant::now();
    while !try_exclusive(&file)? {
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        thread::sleep(slice.min(left));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn two_opens_of_one_file_exclude_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = File::create(&path).unwrap();
        let second = File::open(&path).unwrap();
        assert!(try_exclusive(&first).unwrap());
        assert!(!try_exclusive(&second).unwrap());
        let slice = Duration::from_millis(1);
        assert!(!exclusive_within(&second, Duration::from_millis(5), slice).unwrap());
        let holder = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(first);
        });
        assert!(exclusive_within(&second, Duration::from_secs(20), slice).unwrap());
        holder.join().unwrap();
    }

    #[test]
    fn a_child_that_has_not_run_its_program_yet_keeps_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = OwnedFd::from(File::create(&path).unwrap());
        let of_the_child = file.try_clone().unwrap();
        assert!(try_exclusive(&file).unwrap());
        let held = HeldLock::new(file);
        let other = File::open(&path).unwrap();
        assert!(!try_exclusive(&other).unwrap());
        drop(held);
        assert!(try_exclusive(&other).unwrap());
        drop(of_the_child);
    }
}
