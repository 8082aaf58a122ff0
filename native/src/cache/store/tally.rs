//! The used bytes on disk as known to this process: its last listing, updated by its own changes since then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::sync::held;

/// Used bytes as known to this process.
#[derive(Default)]
pub(super) struct DiskTally {
    bytes: AtomicU64,
    changing: Mutex<()>,
}

/// Held while this process lists, names, resizes or removes counted files, so that no change is counted
/// twice.
pub(super) struct Change<'a> {
    tally: &'a DiskTally,
    _alone: MutexGuard<'a, ()>,
}

impl DiskTally {
    /// Never waits.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn change(&self) -> Change<'_> {
        Change { tally: self, _alone: held(self.changing.lock()) }
    }
}

impl Change<'_> {
    pub(super) fn set(&self, bytes: u64) {
        self.tally.bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn more(&self, bytes: u64) {
        self.set(self.tally.bytes().saturating_add(bytes));
    }

    pub(super) fn less(&self, bytes: u64) {
        self.set(self.tally.bytes().saturating_sub(bytes));
    }
}
