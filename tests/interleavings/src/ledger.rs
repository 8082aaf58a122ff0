//! A run's observations of leases and payloads, and the states that must never occur.
//!
//! An end is recorded here before it happens, so that a check can be too lenient by the width of that gap but
//! never wrong. The ledger's own lock is std's and is held for no call out of this file: shuttle does not see
//! it.

use andiron::cache::{Cache, CursorId, LoadId, Payload, Residency, SlotId};
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// The number of an attempt in this run.
pub type AttemptNumber = usize;

/// The history of one payload.
struct Life {
    version: usize,
    /// Loads that ended with it and whose residency was not evicted yet.
    stays: usize,
    freed: bool,
    /// Attempts that must find it alive until they end.
    leased_by: HashSet<AttemptNumber>,
}

#[derive(Default)]
struct Book {
    lives: Vec<Life>,
    ended: HashSet<AttemptNumber>,
    attempts: usize,
    /// Leases by cursor, as their tasks have seen them.
    held: HashMap<i64, (AttemptNumber, Vec<usize>)>,
    /// Releases of a cursor by the killer: begun and completed.
    withdrawals: HashMap<i64, (usize, usize)>,
    loading: HashMap<i64, Vec<LoadId>>,
    reusable: HashMap<i64, Weak<Watched>>,
}

/// The lease at one position of a cursor: the requested version, the residency and the payload.
pub type Lease = (usize, Residency, Arc<dyn Payload>);

/// The observations of one run.
#[derive(Default)]
pub struct Ledger(Mutex<Book>);

/// A moment of a cursor's life, from which on withdrawals count.
#[derive(Clone, Copy)]
pub struct Mark {
    cursor: CursorId,
    attempt: AttemptNumber,
    begun: usize,
    pending: bool,
}

impl Mark {
    /// The cursor of the mark.
    pub fn cursor(self) -> CursorId {
        self.cursor
    }
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Numbers a new attempt.
    pub fn begin_attempt(&self) -> AttemptNumber {
        let mut book = self.book();
        book.attempts += 1;
        book.attempts
    }

    /// Recorded before the attempt is ended.
    pub fn end_attempt(&self, attempt: AttemptNumber) {
        let mut book = self.book();
        book.ended.insert(attempt);
        book.held.retain(|_, (of, _)| *of != attempt);
    }

    /// Whether the end of this attempt was recorded.
    pub fn ended(&self, attempt: AttemptNumber) -> bool {
        self.book().ended.contains(&attempt)
    }

    /// Recorded before the cursor moves or releases.
    pub fn leave(&self, cursor: CursorId, attempt: AttemptNumber) -> Mark {
        let mut book = self.book();
        book.held.remove(&cursor.raw());
        let (begun, done) = book.withdrawals.get(&cursor.raw()).copied().unwrap_or_default();
        Mark { cursor, attempt, begun, pending: begun != done }
    }

    /// Recorded before and after another thread releases the cursor.
    pub fn withdraw(&self, cursor: CursorId, done: bool) {
        let mut book = self.book();
        book.held.remove(&cursor.raw());
        let counts = book.withdrawals.entry(cursor.raw()).or_default();
        if done {
            counts.1 += 1;
        } else {
            counts.0 += 1;
        }
    }

    /// Whether another thread may have withdrawn the cursor's request since the mark.
    pub fn disturbed(&self, mark: Mark) -> bool {
        self.book().disturbed(mark)
    }

    /// Records the cursor's leases. Panics unless they are alive, of the right version and in memory.
    pub fn hold(&self, mark: Mark, leases: &[Lease]) {
        let mut book = self.book();
        if book.disturbed(mark) {
            return;
        }
        let mut serials = Vec::new();
        for (version, _, payload) in leases {
            let watched = payload.as_any().downcast_ref::<Watched>().unwrap();
            let life = &mut book.lives[watched.serial];
            assert_eq!(life.version, *version, "leased another version than requested");
            assert!(!life.freed, "leased a payload that was freed");
            assert!(life.stays > 0, "leased a payload that was evicted");
            if watched.kept {
                life.leased_by.insert(mark.attempt);
            }
            serials.push(watched.serial);
        }
        book.held.insert(mark.cursor.raw(), (mark.attempt, serials));
    }

    /// Recorded when a loader thread takes a load: panics if the slot has another load that is not abandoned.
    pub fn begin_load(&self, slot: SlotId, load: LoadId, cache: &Cache) {
        let others = {
            let mut book = self.book();
            let running = book.loading.entry(slot.raw()).or_default();
            let others = running.clone();
            running.push(load);
            others
        };
        for other in others {
            let older = other.min(load);
            assert!(
                cache.load_slot(older).is_err(),
                "load {load} was started while {other} of the same slot was running"
            );
        }
    }

    /// Recorded when its thread has returned.
    pub fn end_load(&self, slot: SlotId, load: LoadId) {
        self.book().loading.entry(slot.raw()).or_default().retain(|other| *other != load);
    }

    /// A payload for a load: a new one, or the slot's previous one if `reuse` and it is still referenced.
    pub fn payload(
        &self,
        slot: SlotId,
        version: usize,
        reuse: bool,
        kept: bool,
        cache: &Arc<Cache>,
        me: &Arc<Ledger>,
    ) -> Arc<Watched> {
        let mut book = self.book();
        let old = if reuse { book.reusable.get(&slot.raw()).and_then(Weak::upgrade) } else { None };
        if let Some(old) = old {
            book.lives[old.serial].stays += 1;
            return old;
        }
        let serial = book.lives.len();
        book.lives.push(Life { version, stays: 1, freed: false, leased_by: HashSet::new() });
        let payload =
            Arc::new(Watched { serial, kept, cache: Arc::downgrade(cache), ledger: Arc::clone(me) });
        book.reusable.insert(slot.raw(), Arc::downgrade(&payload));
        payload
    }

    /// Panics unless every payload was freed, and evicted once for each load that it ended.
    pub fn nothing_left(&self) {
        let book = self.book();
        assert!(book.held.is_empty() && book.loading.values().all(Vec::is_empty));
        for (serial, life) in book.lives.iter().enumerate() {
            assert_eq!(life.stays, 0, "payload {serial} ended more loads than it was evicted");
            assert!(life.freed, "payload {serial} leaked");
        }
    }

    fn evicted(&self, serial: usize) {
        let mut book = self.book();
        assert!(book.lives[serial].stays > 0, "payload {serial} was evicted more often than it ended loads");
        book.lives[serial].stays -= 1;
        if book.lives[serial].stays == 0 {
            let holder = book.held.iter().find(|(_, (_, serials))| serials.contains(&serial));
            assert!(holder.is_none(), "payload {serial} was evicted while it is leased: {holder:x?}");
        }
    }

    fn freed(&self, serial: usize) {
        let mut book = self.book();
        let alive: Vec<AttemptNumber> =
            book.lives[serial].leased_by.difference(&book.ended).copied().collect();
        assert!(alive.is_empty(), "payload {serial} was freed though attempts {alive:?} may read it");
        assert!(!std::mem::replace(&mut book.lives[serial].freed, true), "payload {serial} was freed twice");
    }
}

impl Book {
    fn disturbed(&self, mark: Mark) -> bool {
        let (begun, _) = self.withdrawals.get(&mark.cursor.raw()).copied().unwrap_or_default();
        mark.pending || begun > mark.begun || self.ended.contains(&mark.attempt)
    }
}

/// An observed payload. When it is evicted or freed it calls the cache, which deadlocks if the cache's lock
/// is held.
pub struct Watched {
    serial: usize,
    kept: bool,
    cache: Weak<Cache>,
    ledger: Arc<Ledger>,
}

impl Watched {
    fn use_the_lock(&self) {
        if let Some(cache) = self.cache.upgrade() {
            cache.settings();
        }
    }
}

impl Payload for Watched {
    fn evict(&self) {
        self.use_the_lock();
        self.ledger.evicted(self.serial);
    }

    fn kept_by_attempts(&self) -> bool {
        self.kept
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.use_the_lock();
            self.ledger.freed(self.serial);
        }
    }
}
