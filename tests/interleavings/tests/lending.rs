//! An operator's cursor, and another cursor of its task that waits for the budget and takes back the
//! operator's leases: the flag between them (`andiron.internal.InUse`, repeated here in Rust), under random
//! schedules.

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use andiron::cache::CacheSettings;
use andiron::cache::{Cache, CursorId, Listing, LoadId, Payload, PayloadKind, SlotId};
use andiron::clock::Clock;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;
use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const IDLE: usize = 0;
const USED: usize = 1;
const TAKEN: usize = 2;

/// The same states as `InUse`.
struct InUse(AtomicUsize);

impl InUse {
    fn enter(&self) {
        while self.0.compare_exchange(IDLE, USED, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            thread::yield_now();
        }
    }

    fn leave(&self) {
        self.0.store(IDLE, Ordering::SeqCst);
    }

    fn take(&self, release: impl FnOnce()) -> bool {
        let mine = self.0.compare_exchange(IDLE, TAKEN, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if mine {
            release();
            self.leave();
        }
        mine
    }
}

/// Records whether it was evicted.
#[derive(Default)]
struct Watched(std::sync::atomic::AtomicBool);

impl Watched {
    fn is_evicted(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Payload for Watched {
    fn evict(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn kept_by_attempts(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Bench {
    cache: Cache,
    orders: Arc<shuttle::sync::Mutex<Vec<LoadId>>>,
    slots: Vec<SlotId>,
    tasks_left: AtomicUsize,
    taken: Arc<Mutex<u64>>,
}

impl Bench {
    /// Two versions, and room for one.
    fn new(taken: Arc<Mutex<u64>>) -> Arc<Bench> {
        let orders: Arc<shuttle::sync::Mutex<Vec<LoadId>>> = Arc::default();
        let list = Arc::clone(&orders);
        let cache = Cache::new(Clock::manual(), Box::new(move |load| list.lock().unwrap().push(load)));
        cache
            .configure(CacheSettings { budget_bytes: 10, hard_limit_bytes: 10, ..CacheSettings::for_tests() })
            .unwrap();
        let catalog = cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
        let list = |name: &&str| {
            let listing = Listing { version: name, digest: name, bytes: Some(10), label: "memory" };
            cache.add_version(catalog, &listing).unwrap()
        };
        let slots = ["v0", "v1"].iter().map(list).collect();
        Arc::new(Bench { cache, orders, slots, tasks_left: AtomicUsize::new(3), taken })
    }

    fn load(&self) {
        while self.tasks_left.load(Ordering::SeqCst) > 0 {
            let next = self.orders.lock().unwrap().pop();
            match next {
                Some(load) => self.cache.finish_load(load, Arc::<Watched>::default(), 10).unwrap(),
                None => thread::yield_now(),
            }
        }
    }

    /// Moves the cursor and waits; `blocked` is called while the task's own leases are in the way.
    fn acquire(&self, cursor: CursorId, version: usize, blocked: impl Fn()) {
        let mut outcome = self.cache.advance(cursor, self.slots[version]).unwrap();
        while outcome.is_none() {
            if self.cache.waits_on_its_own(cursor) {
                blocked();
            }
            outcome = self.cache.wait(cursor, Duration::from_millis(50)).unwrap();
        }
    }

    /// Some rows of one version, in the manner of `VersionedIterator`.
    fn operate(&self, cursor: CursorId, in_use: &InUse) {
        for _ in 0..3 {
            in_use.enter();
            // A cursor whose version was taken back finds its lease released, and moves; otherwise this has
            // no effect.
            self.acquire(cursor, 0, || {});
            let (_, payload) = self.cache.leased(cursor, 0).unwrap();
            let watched = payload.as_any().downcast_ref::<Watched>().unwrap();
            thread::yield_now();
            assert!(!watched.is_evicted(), "evicted under the user's function");
            in_use.leave();
            thread::yield_now();
        }
        self.cache.close_cursor(cursor);
        self.tasks_left.fetch_sub(1, Ordering::SeqCst);
    }

    fn wait_for_other(&self, cursor: CursorId, operators: CursorId, in_use: &InUse) {
        self.acquire(cursor, 1, || {
            if in_use.take(|| self.cache.release(operators)) {
                *self.taken.lock().unwrap() += 1;
            }
        });
        self.cache.close_cursor(cursor);
        self.tasks_left.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn nothing_is_taken_from_under_the_users_function() {
    let taken: Arc<Mutex<u64>> = Arc::default();
    let total = Arc::clone(&taken);
    let scenario = move || {
        let bench = Bench::new(Arc::clone(&total));
        let attempt = bench.cache.begin_attempt("task");
        let (a, b) = (
            bench.cache.open_cursor(attempt, true).unwrap(),
            bench.cache.open_cursor(attempt, true).unwrap(),
        );
        let other = bench.cache.begin_attempt("other task");
        let c = bench.cache.open_cursor(other, true).unwrap();
        let in_use = Arc::new(InUse(AtomicUsize::new(IDLE)));
        let spawn = |body: Box<dyn FnOnce(&Bench) + Send>| {
            let bench = Arc::clone(&bench);
            thread::spawn(move || body(&bench))
        };
        let (mine, theirs) = (Arc::clone(&in_use), in_use);
        let threads = [
            spawn(Box::new(|bench| bench.load())),
            spawn(Box::new(move |bench| bench.operate(a, &mine))),
            spawn(Box::new(move |bench| bench.wait_for_other(b, a, &theirs))),
            spawn(Box::new(move |bench| {
                bench.acquire(c, 1, || {});
                bench.cache.close_cursor(c);
                bench.tasks_left.fetch_sub(1, Ordering::SeqCst);
            })),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(bench.cache.end_attempt(attempt), 0);
        assert_eq!(bench.cache.end_attempt(other), 0);
        let stats = bench.cache.stats();
        assert_eq!((stats.over_budget_admissions, stats.leases, stats.waiting), (0, 0, 0));
    };
    let times = std::env::var("INTERLEAVINGS").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    shuttle::check_random(scenario.clone(), 3000 * times);
    shuttle::check_pct(scenario, 1500 * times, 4);
    assert!(*taken.lock().unwrap() > 0, "nothing was ever taken back");
}
