//! The barrier: a numbered event follows earlier events through the queue, and a caller waits for its arrival.

use std::time::{Duration, Instant};

use crate::sync::{lock, wait, Condvar, Mutex};

/// The greatest number that has arrived. Numbers ascend.
#[derive(Debug, Default)]
pub(super) struct Barrier {
    reached: Mutex<u64>,
    changed: Condvar,
}

impl Barrier {
    /// Notes that a number has arrived, and thereby all events sent before it.
    pub(super) fn sentinel(&self, number: u64) {
        let mut reached = lock(&self.reached);
        *reached = number.max(*reached);
        drop(reached);
        self.changed.notify_all();
    }

    /// Waits at most `timeout` for a number. Returns whether it has arrived.
    pub(super) fn reached(&self, number: u64, timeout: Duration) -> bool {
        let start = Instant::now();
        let mut reached = lock(&self.reached);
        loop {
            if *reached >= number {
                return true;
            }
            let Some(left) = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
                return false;
            };
            reached = wait(&self.changed, reached, left);
        }
    }
}
