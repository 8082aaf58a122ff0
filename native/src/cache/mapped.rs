//! The mappings of this process by digest.
//!
//! A mapping that outlived its eviction serves the next load of its version, so that the number of mappings of a
//! thrashing task is limited by the number of versions, not of loads.

use super::bytes::Bytes;
use crate::sync::held;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// Mappings that still exist.
#[derive(Default)]
pub(super) struct MappedBytes(Mutex<HashMap<String, Weak<Bytes>>>);

impl MappedBytes {
    /// Remembers the mapping of a digest.
    pub(super) fn keep(&self, digest: &str, bytes: &Arc<Bytes>) {
        let mut mapped = self.lock();
        mapped.retain(|_, bytes| bytes.strong_count() > 0);
        mapped.insert(digest.to_string(), Arc::downgrade(bytes));
    }

    /// The mapping of a digest, if it still exists.
    pub(super) fn find(&self, digest: &str) -> Option<Arc<Bytes>> {
        self.lock().get(digest).and_then(Weak::upgrade)
    }

    /// Bytes of all mappings that are in memory, as the kernel says.
    pub(super) fn resident_bytes(&self) -> u64 {
        let mapped: Vec<Arc<Bytes>> = self.lock().values().filter_map(Weak::upgrade).collect();
        mapped.iter().map(|bytes| bytes.mapping().resident_bytes()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Bytes>>> {
        held(self.0.lock())
    }
}
