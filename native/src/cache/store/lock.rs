//! Advisory locks (flock) on files: released by the kernel when their process dies, however it dies.
//!
//! A lock belongs to the open file, not to the process or thread: two opens of one file exclude each other also
//! within a process. Every descriptor is close-on-exec, so children of the JVM do not keep a lock alive.

use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;

/// Takes the exclusive lock if nobody has it; false if somebody has.
pub(super) fn try_exclusive(file: impl AsFd) -> Result<bool, Errno> {
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Takes the exclusive lock, asking again every `slice`; false after `timeout`.
pub(super) fn exclusive_within(file: impl AsFd, timeout: Duration, slice: Duration) -> Result<bool, Errno> {
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
}
