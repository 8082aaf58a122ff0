//! The locks of all modelled code: std's in production, shuttle's with the feature `shuttle`.
//!
//! State that the interleaving tests explore uses only these, since a model cannot see into other crates'
//! locks.

#[cfg(not(feature = "shuttle"))]
mod imp {
    pub use std::sync::{Condvar, Mutex, MutexGuard};
}

#[cfg(feature = "shuttle")]
mod imp {
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard};
}

pub use imp::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Takes the lock, also after a panic elsewhere: cache transitions are complete before any code that can
/// panic runs.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Waits for a notification, at most `timeout`. Shuttle has no time, and waits for the notification.
pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, timeout: Duration) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, timeout).unwrap_or_else(|poisoned| poisoned.into_inner()).0
}
