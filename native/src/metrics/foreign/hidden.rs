//! Computations of persisted RDDs whose updates never arrive.
//!
//! A task that failed, was killed or was lost may have stored blocks before. A later reader of these blocks updates
//! nothing, and the updates of the task itself are not reported. So this records, for each persisted RDD, the
//! earliest arrival from which that may be the case.

use std::collections::HashMap;

/// RDDs with an entry of their own; all further ones share one.
const MOST: usize = 100_000;
/// Stands for any RDD.
pub(super) const ANY_CACHE: u64 = u64::MAX;

/// For each persisted RDD the arrival since which it may have rows whose updates are not reported.
#[derive(Debug, Default)]
pub(in crate::metrics) struct Hidden {
    since: HashMap<u64, u64>,
    any: Option<u64>,
    full: bool,
}

impl Hidden {
    /// Records that an attempt of a stage that began after arrival `began` has ended without its updates. Returns
    /// whether this changes anything.
    pub(super) fn add(&mut self, cache: u64, began: u64) -> bool {
        let news = self.since(cache).is_none_or(|since| began < since);
        if !news {
            return false;
        }
        self.any = Some(self.any.map_or(began, |any| any.min(began)));
        if self.since.len() < MOST || self.since.contains_key(&cache) {
            self.since.insert(cache, began);
        } else {
            self.full = true;
        }
        true
    }

    /// The arrival since which updates may be missing; `None` if the updates of all computations have arrived.
    pub(super) fn since(&self, cache: u64) -> Option<u64> {
        let any = self.any.filter(|_| self.full || cache == ANY_CACHE);
        self.since.get(&cache).copied().into_iter().chain(any).min()
    }
}
