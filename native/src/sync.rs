//! The locks and atomics of all modelled code: std's in production, shuttle's with the feature `shuttle`.
//!
//! State that the interleaving tests explore uses only these, since a model cannot see into other crates'
//! locks.

#[cfg(not(feature = "shuttle"))]
mod imp {
    pub use std::sync::atomic::AtomicU64;
    pub use std::sync::{Condvar, Mutex, MutexGuard};
}

#[cfg(feature = "shuttle")]
mod imp {
    pub use shuttle::sync::atomic::AtomicU64;
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard};
}

pub use imp::{AtomicU64, Condvar, Mutex, MutexGuard};
pub use std::sync::atomic::Ordering;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
use std::time::Duration;

/// The guard of any lock or wait, std's or shuttle's, also after a panic elsewhere: state changes are complete before
/// any code that can panic runs, so the state behind a poisoned lock is consistent.
pub fn held<G>(locked: LockResult<G>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// The same for an attempt to lock; none while another thread has the lock.
pub fn try_held<G>(locked: TryLockResult<G>) -> Option<G> {
    match locked {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Takes the lock, also after a panic elsewhere.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    held(mutex.lock())
}

/// Waits for a notification, at most `timeout`. Shuttle has no time, and waits for the notification.
pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, timeout: Duration) -> MutexGuard<'a, T> {
    held(condvar.wait_timeout(guard, timeout)).0
}
