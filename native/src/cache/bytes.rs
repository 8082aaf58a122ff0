//! The payload for bytes off the heap: a mapping of a published file.

use super::slot::Payload;
use super::store::Mapping;
use crate::error::Result;
use crate::sync::held;
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard};

/// A leased version's bytes, read in place by address.
pub struct Bytes {
    mapping: Mapping,
    /// The number of residencies that were not evicted yet. No other lock of the cache is taken while this
    /// one is held.
    stays: Mutex<usize>,
}

impl Bytes {
    /// Wraps a populated mapping, for the load that produced it.
    pub fn new(mapping: Mapping) -> Arc<Bytes> {
        Arc::new(Bytes { mapping, stays: Mutex::new(1) })
    }

    /// The mapping.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Brings the pages back for another load. A late eviction of an earlier residency does not remove them.
    pub fn stay_again(&self, label: &str) -> Result<()> {
        *self.stays() += 1;
        self.mapping.populate(label).inspect_err(|_| self.evict())
    }

    fn stays(&self) -> MutexGuard<'_, usize> {
        held(self.stays.lock())
    }
}

impl Payload for Bytes {
    fn evict(&self) {
        let mut stays = self.stays();
        *stays = stays.saturating_sub(1);
        if *stays == 0 {
            self.mapping.drop_pages();
        }
    }

    fn kept_by_attempts(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Store;
    use super::*;
    use std::time::Duration;

    const LENGTH: usize = 1 << 16;

    /// Bytes of the mapping that this process has in memory.
    fn in_memory(bytes: &Bytes) -> usize {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let start = format!("{:x}-", bytes.mapping().address());
        let mut of_it = smaps.lines().skip_while(|line| !line.starts_with(&start));
        let line = of_it.find_map(|line| line.strip_prefix("Rss:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    #[test]
    fn pages_go_with_the_last_stay_and_come_back_with_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("cache"), "app", u64::MAX).unwrap();
        let begun = store.begin("digest", "label", Some(LENGTH as u64), None, Duration::from_secs(1));
        let mut writer = begun.unwrap().unwrap();
        writer.write(&[7; LENGTH]).unwrap();
        let bytes = Bytes::new(writer.publish().unwrap());
        assert_eq!(in_memory(&bytes), LENGTH);
        bytes.evict();
        assert_eq!(in_memory(&bytes), 0);
        bytes.stay_again("label").unwrap();
        assert_eq!(in_memory(&bytes), LENGTH);
        bytes.stay_again("label").unwrap();
        bytes.evict();
        assert_eq!(in_memory(&bytes), LENGTH, "a late eviction removed the pages of the next load");
        bytes.evict();
        assert_eq!(in_memory(&bytes), 0);
    }
}
