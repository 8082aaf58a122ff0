//! The digests that this process uses, which it does not evict from disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::sync::held;

/// The digests that this process uses, with their numbers of users.
#[derive(Default)]
pub(super) struct Pins {
    users: Mutex<HashMap<String, usize>>,
}

/// Keeps a digest from being evicted by this process.
pub(super) struct Pin {
    pins: Arc<Pins>,
    digest: String,
}

impl Pins {
    pub(super) fn pin(self: &Arc<Pins>, digest: &str) -> Pin {
        *self.lock().entry(digest.to_string()).or_insert(0) += 1;
        Pin { pins: self.clone(), digest: digest.to_string() }
    }

    pub(super) fn has(&self, digest: &str) -> bool {
        self.lock().contains_key(digest)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        held(self.users.lock())
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut users = self.pins.lock();
        if let Some(count) = users.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.digest);
            }
        }
    }
}
