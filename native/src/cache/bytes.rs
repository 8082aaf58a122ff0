//! The payload for bytes off the heap: a mapping of a published file.

use super::slot::{Pages, Payload};
use super::store::Mapping;
use crate::error::Result;
use crate::sync::held;
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// A leased version's bytes, read in place by address.
pub struct Bytes {
    mapping: Mapping,
    /// No other lock of the cache is taken while this one is held.
    stays: Mutex<Stays>,
}

struct Stays {
    /// The number of residencies that were not evicted yet.
    count: usize,
    /// Other mappings of the file, whose pages go with those of `mapping`.
    elsewhere: Vec<Weak<dyn Pages>>,
}

impl Stays {
    fn drop_elsewhere(&mut self) {
        self.elsewhere.retain(|pages| pages.strong_count() > 0);
        self.elsewhere.iter().filter_map(Weak::upgrade).for_each(|pages| pages.drop_pages());
    }
}

impl Bytes {
    /// Wraps a populated mapping, for the load that produced it.
    pub fn new(mapping: Mapping) -> Arc<Bytes> {
        Arc::new(Bytes { mapping, stays: Mutex::new(Stays { count: 1, elsewhere: Vec::new() }) })
    }

    /// The mapping.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Brings the pages back for another load. A late eviction of an earlier residency does not remove them.
    pub fn stay_again(&self, label: &str) -> Result<()> {
        self.stays().count += 1;
        self.mapping.populate(label).inspect_err(|_| self.evict())
    }

    fn stays(&self) -> MutexGuard<'_, Stays> {
        held(self.stays.lock())
    }
}

impl Payload for Bytes {
    fn evict(&self) {
        let mut stays = self.stays();
        stays.count = stays.count.saturating_sub(1);
        if stays.count == 0 {
            // First: the page cache keeps pages that are mapped.
            stays.drop_elsewhere();
            self.mapping.drop_pages();
        }
    }

    fn kept_by_attempts(&self) -> bool {
        true
    }

    fn mapped_again(&self, elsewhere: Weak<dyn Pages>) {
        let mut stays = self.stays();
        stays.elsewhere.push(elsewhere);
        if stays.count == 0 {
            stays.drop_elsewhere();
        }
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

    #[derive(Default)]
    struct Dropped(std::sync::atomic::AtomicUsize);

    impl Pages for Dropped {
        fn drop_pages(&self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[test]
    fn other_mappings_lose_their_pages_with_the_last_stay_or_if_they_come_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("cache"), "app", u64::MAX).unwrap();
        let begun = store.begin("digest", "label", Some(3), None, Duration::from_secs(1));
        let mut writer = begun.unwrap().unwrap();
        writer.write(b"abc").unwrap();
        let bytes = Bytes::new(writer.publish().unwrap());
        let (first, late) = (Arc::new(Dropped::default()), Arc::new(Dropped::default()));
        let count = |pages: &Arc<Dropped>| pages.0.load(std::sync::atomic::Ordering::Relaxed);
        let weak = |pages: &Arc<Dropped>| Arc::downgrade(pages) as Weak<dyn Pages>;
        bytes.mapped_again(weak(&first));
        bytes.stay_again("label").unwrap();
        bytes.evict();
        assert_eq!(count(&first), 0, "a residency is left");
        bytes.evict();
        assert_eq!(count(&first), 1);
        bytes.mapped_again(weak(&late));
        assert_eq!(count(&late), 1, "the bytes were evicted before");
        drop(late);
        bytes.stay_again("label").unwrap();
        bytes.evict();
        assert!(count(&first) >= 2 && bytes.stays().elsewhere.len() == 1);
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
