//! Computations of persisted RDDs whose updates never arrive.
//!
//! A task that failed, was killed or was lost may have stored blocks before: who reads them later updates nothing, and what the
//! task itself had updated is not told. So of each persisted RDD it is remembered since when that may be.

use std::collections::HashMap;

/// RDDs that are told apart; beyond them all are one.
const MOST: usize = 100_000;
/// Stands for any RDD.
pub(super) const ANY_CACHE: u64 = u64::MAX;

/// Since which arrival each persisted RDD may have rows whose computation was not told.
#[derive(Debug, Default)]
pub(in crate::metrics) struct Hidden {
    since: HashMap<u64, u64>,
    any: Option<u64>,
    full: bool,
}

impl Hidden {
    /// An attempt of a stage that began after the arrival `began` has ended untold. Whether that is news.
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

    /// Since when; `None` if all that was computed was told.
    pub(super) fn since(&self, cache: u64) -> Option<u64> {
        let any = self.any.filter(|_| self.full || cache == ANY_CACHE);
        self.since.get(&cache).copied().into_iter().chain(any).min()
    }
}
