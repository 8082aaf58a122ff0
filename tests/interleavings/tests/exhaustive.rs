//! All schedules of small encounters: a task that waits, and a thread that ends the wait.
//!
//! A lost wake-up in any of them is a deadlock, which shuttle reports.

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use andiron::cache::CacheSettings;
use andiron::cache::{
    AttemptId, Cache, CatalogId, CursorId, Listing, LoadId, Payload, PayloadKind, Residency, SlotId,
};
use andiron::clock::Clock;
use andiron::error::{Code, Error, Result};
use andiron_interleavings::campaign::exhaust;
use shuttle::thread;
use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Nothing;

impl Payload for Nothing {
    fn evict(&self) {}

    fn kept_by_attempts(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A cache of some versions. Loads wait until the test ends them.
struct Bench {
    cache: Cache,
    clock: Clock,
    started: Arc<Mutex<Vec<LoadId>>>,
    catalog: CatalogId,
    slots: Vec<SlotId>,
}

impl Bench {
    /// Two versions and room for one.
    fn new() -> Arc<Bench> {
        Bench::of(10, &[10, 10])
    }

    fn of(budget_bytes: u64, sizes: &[u64]) -> Arc<Bench> {
        let clock = Clock::manual();
        let started: Arc<Mutex<Vec<LoadId>>> = Arc::default();
        let list = Arc::clone(&started);
        let cache = Cache::new(clock.clone(), Box::new(move |load| list.lock().unwrap().push(load)));
        let settings =
            CacheSettings { budget_bytes, hard_limit_bytes: 2 * budget_bytes, ..CacheSettings::for_tests() };
        cache.configure(settings).unwrap();
        let catalog = cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
        let list = |(place, size): (usize, &u64)| {
            let name = format!("v{place}");
            let listing = Listing { version: &name, digest: &name, bytes: Some(*size), label: "memory" };
            cache.add_version(catalog, &listing).unwrap()
        };
        let slots = sizes.iter().enumerate().map(list).collect();
        Arc::new(Bench { cache, clock, started, catalog, slots })
    }

    fn task(&self) -> (AttemptId, CursorId) {
        let attempt = self.cache.begin_attempt("task");
        (attempt, self.cache.open_cursor(attempt, true).unwrap())
    }

    fn finish(&self) {
        let load = self.started.lock().unwrap().remove(0);
        self.cache.finish_load(load, Arc::new(Nothing), 10).unwrap();
    }

    /// Waits for a cursor in another thread until the wait ends.
    fn waiting(self: &Arc<Bench>, cursor: CursorId) -> thread::JoinHandle<Result<Residency>> {
        let bench = Arc::clone(self);
        thread::spawn(move || loop {
            match bench.cache.wait(cursor, Duration::from_millis(100)) {
                Ok(Some(residency)) => return Ok(residency),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        })
    }
}

fn code(outcome: Result<Residency>) -> Option<Code> {
    outcome.err().map(|error| error.code())
}

#[test]
fn a_wait_and_the_end_of_its_load() {
    exhaust("a-wait-and-the-end-of-its-load", || {
        let bench = Bench::new();
        let (_, cursor) = bench.task();
        bench.cache.advance(cursor, bench.slots[0]).unwrap();
        let waiter = bench.waiting(cursor);
        bench.finish();
        assert_eq!(code(waiter.join().unwrap()), None);
    });
}

#[test]
fn a_wait_and_the_failure_of_its_load() {
    exhaust("a-wait-and-the-failure-of-its-load", || {
        let bench = Bench::new();
        let (_, cursor) = bench.task();
        bench.cache.advance(cursor, bench.slots[0]).unwrap();
        let waiter = bench.waiting(cursor);
        let load = bench.started.lock().unwrap().remove(0);
        bench.cache.fail_load(load, Error::new(Code::LoadFailed, "gone")).unwrap();
        assert_eq!(code(waiter.join().unwrap()), Some(Code::LoadFailed));
    });
}

#[test]
fn a_wait_and_the_time_out_of_its_load() {
    exhaust("a-wait-and-the-time-out-of-its-load", || {
        let bench = Bench::new();
        let (_, cursor) = bench.task();
        bench.cache.advance(cursor, bench.slots[0]).unwrap();
        let waiter = bench.waiting(cursor);
        bench.cache.load_taken(bench.started.lock().unwrap()[0]);
        bench.clock.turn(Duration::from_secs(1800));
        bench.cache.pass_time();
        assert_eq!(code(waiter.join().unwrap()), Some(Code::LoadTimedOut));
    });
}

#[test]
fn a_wait_and_its_withdrawal_by_another_thread() {
    exhaust("a-wait-and-its-withdrawal", || {
        let bench = Bench::new();
        let (_, cursor) = bench.task();
        bench.cache.advance(cursor, bench.slots[0]).unwrap();
        let waiter = bench.waiting(cursor);
        bench.cache.release(cursor);
        assert_eq!(code(waiter.join().unwrap()), Some(Code::Released));
    });
}

#[test]
fn a_wait_and_the_close_of_its_cursor() {
    exhaust("a-wait-and-the-close-of-its-cursor", || {
        let bench = Bench::new();
        let (_, cursor) = bench.task();
        bench.cache.advance(cursor, bench.slots[0]).unwrap();
        let waiter = bench.waiting(cursor);
        bench.cache.close_cursor(cursor);
        assert_eq!(code(waiter.join().unwrap()), Some(Code::Released));
    });
}

#[test]
fn a_wait_and_the_end_of_its_attempt() {
    exhaust("a-wait-and-the-end-of-its-attempt", || {
        let bench = Bench::new();
        let (attempt, cursor) = bench.task();
        bench.cache.advance(cursor, bench.slots[0]).unwrap();
        let waiter = bench.waiting(cursor);
        assert_eq!(bench.cache.end_attempt(attempt), 0);
        assert_eq!(code(waiter.join().unwrap()), Some(Code::Released));
    });
}

#[test]
fn a_wait_and_the_close_of_its_catalog() {
    exhaust("a-wait-and-the-close-of-its-catalog", || {
        let bench = Bench::new();
        let (_, cursor) = bench.task();
        bench.cache.advance(cursor, bench.slots[0]).unwrap();
        let waiter = bench.waiting(cursor);
        bench.cache.close_catalog(bench.catalog);
        assert_eq!(code(waiter.join().unwrap()), Some(Code::CatalogClosed));
    });
}

#[test]
fn a_wait_for_the_budget_and_the_release_that_it_waits_for() {
    exhaust("a-wait-for-the-budget-and-a-release", || {
        let bench = Bench::new();
        let (holder, held) = bench.task();
        bench.cache.advance(held, bench.slots[0]).unwrap();
        bench.finish();
        let (_, cursor) = bench.task();
        bench.cache.advance(cursor, bench.slots[1]).unwrap();
        let waiter = bench.waiting(cursor);
        assert_eq!(bench.cache.end_attempt(holder), 1);
        bench.finish();
        assert_eq!(code(waiter.join().unwrap()), None);
    });
}

#[test]
fn a_wait_for_the_budget_and_the_time_after_which_it_is_overdrawn() {
    exhaust("a-wait-for-the-budget-and-its-overdraft", || {
        let bench = Bench::new();
        let (attempt, held) = bench.task();
        bench.cache.advance(held, bench.slots[0]).unwrap();
        bench.finish();
        let cursor = bench.cache.open_cursor(attempt, true).unwrap();
        bench.cache.advance(cursor, bench.slots[1]).unwrap();
        let waiter = bench.waiting(cursor);
        bench.clock.turn(Duration::from_secs(1));
        bench.cache.pass_time();
        bench.finish();
        assert_eq!(code(waiter.join().unwrap()), None);
    });
}

/// A set whose missing part is being loaded for another cursor becomes complete when that load ends.
#[test]
fn a_set_and_the_end_of_a_load_that_another_asked_for() {
    exhaust("a-set-and-the-end-of-another-s-load", || {
        let bench = Bench::of(20, &[10, 10]);
        let (_, single) = bench.task();
        bench.cache.advance(single, bench.slots[0]).unwrap();
        let (_, cursor) = bench.task();
        bench.cache.advance_all(cursor, &bench.slots).unwrap();
        let waiter = bench.waiting(cursor);
        bench.finish();
        bench.finish();
        assert_eq!(code(waiter.join().unwrap()), None);
    });
}

/// All of a set is resident, but an old group is ahead of it: the set is granted when that group leaves.
#[test]
fn a_set_and_the_departure_of_the_group_before_it() {
    exhaust("a-set-and-the-departure-of-the-group-before-it", || {
        let bench = Bench::of(20, &[10, 10, 20]);
        let (_, first) = bench.task();
        bench.cache.advance(first, bench.slots[0]).unwrap();
        bench.finish();
        let (_, second) = bench.task();
        bench.cache.advance(second, bench.slots[1]).unwrap();
        let (_, large) = bench.task();
        bench.cache.advance(large, bench.slots[2]).unwrap();
        bench.clock.turn(Duration::from_secs(1));
        let (_, cursor) = bench.task();
        assert_eq!(bench.cache.advance_all(cursor, &bench.slots[..2]).unwrap(), None);
        bench.finish();
        let waiter = bench.waiting(cursor);
        assert!(bench.cache.advance(large, bench.slots[0]).unwrap().is_some());
        assert_eq!(code(waiter.join().unwrap()), None);
    });
}
/// A release that began before a failure was forgotten, and ends after a cursor has queued for the version
/// again, admits that cursor.
#[test]
fn a_release_and_the_time_that_passed_meanwhile() {
    exhaust("a-release-and-the-time-that-passed-meanwhile", || {
        let bench = Bench::new();
        let (_, cursor) = bench.task();
        bench.cache.advance(cursor, bench.slots[0]).unwrap();
        let load = bench.started.lock().unwrap().remove(0);
        bench.cache.fail_load(load, Error::new(Code::LoadFailed, "gone")).unwrap();
        let (holder, held) = bench.task();
        bench.cache.advance(held, bench.slots[1]).unwrap();
        bench.finish();
        let other = Arc::clone(&bench);
        let killer = thread::spawn(move || other.cache.end_attempt(holder));
        // A thread that takes the lock, so that the killer may have to wait for it.
        let other = Arc::clone(&bench);
        let looker = thread::spawn(move || other.cache.stats().leases);
        bench.clock.turn(Duration::from_secs(5));
        assert_eq!(bench.cache.advance(cursor, bench.slots[0]).unwrap(), None);
        assert_eq!(killer.join().unwrap(), 1);
        assert!(looker.join().unwrap() <= 1);
        assert_eq!(bench.started.lock().unwrap().len(), 1);
    });
}
