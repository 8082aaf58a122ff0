//! The guarantees of the cache, one behaviour a test, on a clock that stands still unless a test turns it.
#![allow(clippy::unwrap_used)]

use super::*;

use crate::sync::Mutex;
use std::any::Any;

mod advice;
mod corners;
mod held_up;
mod listings;
mod loads;
mod moves;
mod threads;

struct Plain(Arc<Mutex<Vec<&'static str>>>);

impl Payload for Plain {
    fn evict(&self) {
        lock(&self.0).push("evicted");
    }

    fn kept_by_attempts(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        lock(&self.0).push("freed");
    }
}

/// A cache whose loads wait in a list until the test ends them.
struct Bench {
    cache: Cache,
    clock: Clock,
    started: Arc<Mutex<Vec<LoadId>>>,
    fate: Arc<Mutex<Vec<&'static str>>>,
    slots: Vec<SlotId>,
    catalog: CatalogId,
}

const SLICE: Duration = Duration::ZERO;

impl Bench {
    /// Five versions v0 to v4 of 10 bytes each.
    fn new(settings: CacheSettings) -> Bench {
        let clock = Clock::manual();
        let started = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&started);
        let cache = Cache::new(clock.clone(), Box::new(move |load| lock(&list).push(load)));
        cache.configure(settings).unwrap();
        let catalog = cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
        let slots = (0..5).map(|i| list_version(&cache, catalog, &format!("v{i}"), Some(10))).collect();
        Bench { cache, clock, started, fate: Arc::default(), slots, catalog }
    }

    fn with_budget(bytes: u64) -> Bench {
        Bench::new(CacheSettings {
            budget_bytes: bytes,
            hard_limit_bytes: 2 * bytes,
            ..CacheSettings::for_tests()
        })
    }

    fn task(&self) -> (AttemptId, CursorId) {
        let attempt = self.cache.begin_attempt("task");
        (attempt, self.cache.open_cursor(attempt, true).unwrap())
    }

    /// Takes the next load, as a loader thread does.
    fn next_load(&self) -> LoadId {
        let load = lock(&self.started).remove(0);
        self.cache.load_taken(load);
        load
    }

    fn finish(&self) {
        let load = self.next_load();
        self.cache.finish_load(load, Arc::new(Plain(Arc::clone(&self.fate))), 10).unwrap();
    }

    fn fail(&self, message: &str) {
        self.cache.fail_load(self.next_load(), Error::new(Code::LoadFailed, message)).unwrap();
    }

    fn advance(&self, cursor: CursorId, version: usize) -> Option<Residency> {
        self.cache.advance(cursor, self.slots[version]).unwrap()
    }

    fn look(&self, cursor: CursorId) -> Result<Option<Residency>> {
        self.cache.wait(cursor, SLICE)
    }

    fn turn(&self, millis: u64) {
        self.clock.turn(Duration::from_millis(millis));
    }
}

fn list_version(cache: &Cache, catalog: CatalogId, version: &str, bytes: Option<u64>) -> SlotId {
    cache.add_version(catalog, &Listing { version, digest: version, bytes, label: "file:/source" }).unwrap()
}

#[test]
fn one_load_serves_everyone_who_waits() {
    let bench = Bench::with_budget(100);
    let (_, a) = bench.task();
    let (_, b) = bench.task();
    assert_eq!(bench.advance(a, 0), None);
    assert_eq!(bench.advance(b, 0), None);
    assert_eq!(lock(&bench.started).len(), 1);
    bench.finish();
    let (first, second) = (bench.look(a).unwrap().unwrap(), bench.look(b).unwrap().unwrap());
    assert_eq!(first, second);
    assert_eq!((bench.cache.stats().loads, bench.cache.stats().leases), (1, 2));
}

#[test]
fn a_resident_version_is_granted_at_once() {
    let bench = Bench::with_budget(10);
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    let (_, b) = bench.task();
    assert!(bench.advance(b, 0).is_some());
    assert_eq!(bench.cache.stats().hits, 1);
}

#[test]
fn advancing_releases_before_it_waits() {
    let bench = Bench::with_budget(10);
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    assert_eq!(bench.advance(a, 1), None);
    assert_eq!(bench.cache.stats().leases, 0);
    assert_eq!(bench.cache.stats().evictions, 1);
    bench.finish();
    assert!(bench.look(a).unwrap().is_some());
    assert_eq!(bench.cache.stats().max_reserved_bytes, 10);
}

#[test]
fn a_waiter_is_admitted_when_the_last_lease_goes() {
    let bench = Bench::with_budget(10);
    let (holder, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    let (_, b) = bench.task();
    assert_eq!(bench.advance(b, 1), None);
    assert!(lock(&bench.started).is_empty());
    assert_eq!(bench.cache.end_attempt(holder), 1);
    bench.finish();
    assert!(bench.look(b).unwrap().is_some());
    assert_eq!(bench.cache.end_attempt(holder), 0);
}

#[test]
fn the_count_of_versions_limits_too() {
    let bench = Bench::new(CacheSettings { budget_versions: Some(1), ..CacheSettings::for_tests() });
    let (_, a) = bench.task();
    let (_, b) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    assert_eq!(bench.advance(b, 1), None);
    assert!(lock(&bench.started).is_empty());
    bench.cache.release(a);
    bench.finish();
    assert!(bench.look(b).unwrap().is_some());
}

#[test]
fn without_keep_warm_nothing_stays() {
    let bench = Bench::new(CacheSettings { keep_warm: false, ..CacheSettings::for_tests() });
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    bench.cache.release(a);
    assert_eq!(bench.cache.stats().resident_bytes, 0);
}

#[test]
fn the_least_demanded_version_goes_first_then_the_least_recently_used() {
    let bench = Bench::with_budget(30);
    let (_, a) = bench.task();
    for version in [2, 1, 0] {
        bench.advance(a, version);
        bench.finish();
    }
    bench.cache.release(a);
    let (_, early) = bench.task();
    assert!(bench.advance(early, 1).is_some());
    // Resident: 0, 1 (leased), 2. The cursor at 1 has yet to reach 2, so 0 is evicted although it was used
    // after 2.
    let (_, b) = bench.task();
    bench.advance(b, 4);
    bench.finish();
    let (_, c) = bench.task();
    assert!(bench.advance(c, 2).is_some());
    assert_eq!(bench.advance(c, 0), None);
}

#[test]
fn a_hint_keeps_a_version_warm() {
    let bench = Bench::with_budget(20);
    let (_, a) = bench.task();
    for version in [0, 1] {
        bench.advance(a, version);
        bench.finish();
    }
    bench.cache.set_demand(bench.slots[0], 5).unwrap();
    bench.cache.release(a);
    bench.advance(a, 2);
    bench.finish();
    let (_, b) = bench.task();
    assert!(bench.advance(b, 0).is_some());
}

#[test]
fn a_failure_is_shared_remembered_and_tried_again() {
    let bench = Bench::with_budget(100);
    let (_, a) = bench.task();
    let (_, b) = bench.task();
    bench.advance(a, 0);
    bench.advance(b, 0);
    bench.fail("no such bucket");
    for cursor in [a, b] {
        assert!(bench.look(cursor).unwrap_err().message().contains("no such bucket"));
    }
    assert_eq!(bench.cache.advance(a, bench.slots[0]).unwrap_err().code(), Code::LoadFailed);
    assert!(lock(&bench.started).is_empty());
    bench.turn(5_000);
    assert_eq!(bench.advance(a, 0), None);
    bench.finish();
    assert!(bench.look(a).unwrap().is_some());
    assert_eq!(bench.cache.stats().reserved_bytes, 10);
}

#[test]
fn a_version_larger_than_the_budget_is_refused_at_once() {
    let bench = Bench::with_budget(9);
    let (_, a) = bench.task();
    let error = bench.cache.advance(a, bench.slots[0]).unwrap_err();
    assert_eq!(error.code(), Code::VersionLargerThanBudget);
    for part in ["\"data\"", "\"v0\"", "file:/source", "spark.andiron.cache.budgetBytes", "10 bytes"] {
        assert!(error.message().contains(part), "{part} not in: {error}");
    }
    assert_eq!(bench.cache.stats().waiting, 0);
}

#[test]
fn a_late_result_of_a_timed_out_load_is_dropped_and_its_reservation_kept_until_then() {
    let bench =
        Bench::new(CacheSettings { load_timeout: Duration::from_secs(1), ..CacheSettings::for_tests() });
    let (_, a) = bench.task();
    bench.advance(a, 0);
    let late = bench.next_load();
    bench.turn(1_000);
    assert_eq!(bench.look(a).unwrap_err().code(), Code::LoadTimedOut);
    assert_eq!(bench.cache.stats().reserved_bytes, 10);
    bench.cache.finish_load(late, Arc::new(Plain(Arc::clone(&bench.fate))), 10).unwrap();
    let stats = bench.cache.stats();
    assert_eq!((stats.reserved_bytes, stats.abandoned_loads, stats.resident_versions), (0, 1, 0));
    assert_eq!(*lock(&bench.fate), ["evicted", "freed"]);
}

#[test]
fn every_wait_is_bounded() {
    let bench = Bench::new(CacheSettings {
        budget_bytes: 10,
        hard_limit_bytes: 10,
        wait_timeout: Duration::from_secs(9),
        ..CacheSettings::for_tests()
    });
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    let (_, b) = bench.task();
    bench.advance(b, 1);
    bench.turn(8_999);
    assert_eq!(bench.look(b).unwrap(), None);
    bench.turn(1);
    let error = bench.look(b).unwrap_err();
    assert_eq!(error.code(), Code::WaitTimedOut);
    assert!(error.message().contains("\"v0\" (1 lease)"), "{error}");
}

#[test]
fn a_task_that_holds_and_waits_is_admitted_over_the_budget_by_one_version() {
    let bench = Bench::with_budget(10);
    let (attempt, a) = bench.task();
    let b = bench.cache.open_cursor(attempt, true).unwrap();
    bench.advance(a, 0);
    bench.finish();
    assert_eq!(bench.advance(b, 1), None);
    assert_eq!(bench.look(b).unwrap(), None);
    bench.turn(1_000);
    assert_eq!(bench.look(b).unwrap(), None);
    bench.finish();
    assert!(bench.look(b).unwrap().is_some());
    let stats = bench.cache.stats();
    assert_eq!((stats.over_budget_admissions, stats.max_over_budget_bytes), (1, 10));
    let c = bench.cache.open_cursor(attempt, true).unwrap();
    assert_eq!(bench.advance(c, 2), None);
    bench.turn(1_000);
    assert_eq!(bench.look(c).unwrap(), None);
    bench.turn(9_000);
    assert_eq!(bench.look(c).unwrap_err().code(), Code::BudgetDeadlock);
    assert_eq!(bench.cache.stats().deadlock_kills, 1);
}

#[test]
fn nobody_is_admitted_past_the_hard_limit() {
    let bench =
        Bench::new(CacheSettings { budget_bytes: 10, hard_limit_bytes: 19, ..CacheSettings::for_tests() });
    let (attempt, a) = bench.task();
    let b = bench.cache.open_cursor(attempt, true).unwrap();
    bench.advance(a, 0);
    bench.finish();
    bench.advance(b, 1);
    bench.turn(10_000);
    assert_eq!(bench.look(b).unwrap_err().code(), Code::BudgetDeadlock);
    assert_eq!(bench.cache.stats().max_reserved_bytes, 10);
}

#[test]
fn a_set_is_leased_at_once_or_not_at_all() {
    let bench = Bench::with_budget(20);
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    let (_, b) = bench.task();
    let set = [bench.slots[1], bench.slots[2]];
    assert_eq!(bench.cache.advance_all(b, &set).unwrap(), None);
    assert_eq!(bench.cache.stats().leases, 1);
    assert!(lock(&bench.started).is_empty());
    bench.cache.release(a);
    bench.finish();
    assert_eq!(bench.look(b).unwrap(), None);
    bench.finish();
    assert!(bench.look(b).unwrap().is_some());
    assert_eq!(bench.cache.stats().leases, 2);
    let too_much = [bench.slots[0], bench.slots[1], bench.slots[2]];
    assert_eq!(bench.cache.advance_all(b, &too_much).unwrap_err().code(), Code::VersionLargerThanBudget);
}

#[test]
fn a_set_fails_as_a_whole() {
    let bench = Bench::with_budget(100);
    let (_, a) = bench.task();
    bench.cache.advance_all(a, &[bench.slots[0], bench.slots[1]]).unwrap();
    bench.finish();
    bench.fail("gone");
    assert!(bench.look(a).is_err());
    assert_eq!(bench.cache.stats().leases, 0);
}

#[test]
fn a_group_that_has_waited_long_enough_is_not_passed() {
    let bench = Bench::with_budget(20);
    let big = list_version(&bench.cache, bench.catalog, "big", Some(20));
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    let (_, waits) = bench.task();
    assert_eq!(bench.cache.advance(waits, big).unwrap(), None);
    let (_, passes) = bench.task();
    bench.advance(passes, 1);
    bench.finish();
    assert!(bench.look(passes).unwrap().is_some());
    bench.cache.release(passes);
    bench.turn(1_000);
    bench.advance(passes, 2);
    assert!(lock(&bench.started).is_empty());
    bench.cache.release(a);
    bench.cache.finish_load(bench.next_load(), Arc::new(Plain(Arc::default())), 20).unwrap();
    assert!(bench.look(waits).unwrap().is_some());
}

#[test]
fn sizes_that_nobody_knows_are_learnt_one_by_one() {
    let bench = Bench::with_budget(25);
    let catalog = bench.cache.open_catalog("app", "unknown", PayloadKind::Object, 1).unwrap();
    let slots: Vec<SlotId> =
        ["a", "b", "c"].iter().map(|name| list_version(&bench.cache, catalog, name, None)).collect();
    let cursors: Vec<CursorId> = slots.iter().map(|_| bench.task().1).collect();
    for (cursor, slot) in cursors.iter().zip(&slots) {
        assert_eq!(bench.cache.advance(*cursor, *slot).unwrap(), None);
    }
    assert_eq!(lock(&bench.started).len(), 1);
    bench.finish();
    assert_eq!(bench.cache.stats().reserved_bytes, 20);
    bench.finish();
    assert!(lock(&bench.started).is_empty());
    bench.cache.release(cursors[0]);
    bench.finish();
    assert_eq!(bench.cache.stats().max_reserved_bytes, 20);
}

#[test]
fn a_loader_that_lies_about_its_size_is_counted() {
    let bench = Bench::with_budget(20);
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    let (_, b) = bench.task();
    bench.advance(b, 1);
    bench.cache.finish_load(bench.next_load(), Arc::new(Plain(Arc::default())), 15).unwrap();
    let stats = bench.cache.stats();
    assert_eq!((stats.over_budget_admissions, stats.max_over_budget_bytes), (1, 5));
    let (_, c) = bench.task();
    bench.cache.release(b);
    bench.advance(c, 2);
    bench.cache.finish_load(bench.next_load(), Arc::new(Plain(Arc::default())), 21).unwrap();
    assert_eq!(bench.look(c).unwrap_err().code(), Code::VersionLargerThanBudget);
}

#[test]
fn a_load_that_would_exceed_the_hard_limit_gives_way_and_is_tried_again_with_its_true_size() {
    let bench =
        Bench::new(CacheSettings { budget_bytes: 20, hard_limit_bytes: 25, ..CacheSettings::for_tests() });
    let idle = list_version(&bench.cache, bench.catalog, "idle", Some(4));
    let unknown = list_version(&bench.cache, bench.catalog, "unknown", Some(5));
    let finish = |bytes| {
        bench.cache.finish_load(bench.next_load(), Arc::new(Plain(Arc::clone(&bench.fate))), bytes).unwrap();
    };
    let (_, a) = bench.task();
    bench.cache.advance(a, idle).unwrap();
    finish(4);
    bench.advance(a, 0);
    bench.finish();
    let (_, b) = bench.task();
    let (_, c) = bench.task();
    for cursor in [b, c] {
        assert_eq!(bench.cache.advance(cursor, unknown).unwrap(), None);
    }
    finish(16);
    for cursor in [b, c] {
        let error = bench.look(cursor).unwrap_err();
        assert_eq!(error.code(), Code::BudgetDeadlock);
        assert!(error.message().contains("spark.andiron.cache.hardLimitBytes"), "{error}");
    }
    let stats = bench.cache.stats();
    assert_eq!((stats.reserved_bytes, stats.max_reserved_bytes, stats.evictions), (14, 19, 0));
    assert_eq!((stats.loads, stats.load_failures, stats.deadlock_kills), (2, 1, 2));
    assert_eq!(bench.cache.advance(b, unknown).unwrap(), None);
    assert!(lock(&bench.started).is_empty(), "it waits for 16 bytes");
    bench.cache.release(a);
    finish(16);
    assert!(bench.look(b).unwrap().is_some());
    assert_eq!(bench.cache.stats().over_budget_admissions, 0);
}

#[test]
fn a_closed_catalog_leaves_nothing_once_the_last_lease_goes() {
    let bench = Bench::with_budget(100);
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    let (_, b) = bench.task();
    bench.advance(b, 1);
    bench.cache.close_catalog(bench.catalog);
    bench.cache.close_catalog(bench.catalog);
    assert_eq!(bench.look(b).unwrap_err().code(), Code::CatalogClosed);
    assert_eq!(bench.cache.advance(b, bench.slots[0]).unwrap_err().code(), Code::CatalogClosed);
    assert!(bench.cache.leased(a, 0).is_ok());
    assert_eq!(bench.cache.stats().resident_bytes, 10);
    bench.cache.release(a);
    bench.finish();
    let stats = bench.cache.stats();
    assert_eq!((stats.resident_bytes, stats.reserved_bytes, stats.leases, stats.waiting), (0, 0, 0, 0));
}

#[test]
fn two_catalogs_share_a_version() {
    let bench = Bench::with_budget(100);
    let twin = bench.cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
    let slot = list_version(&bench.cache, twin, "v0", Some(10));
    assert_eq!(slot, bench.slots[0]);
    bench.cache.close_catalog(bench.catalog);
    let (_, a) = bench.task();
    assert_eq!(bench.cache.advance(a, slot).unwrap(), None);
    bench.cache.close_application("app");
    assert_eq!(bench.look(a).unwrap_err().code(), Code::CatalogClosed);
}

#[test]
fn an_evicted_payload_lives_until_its_readers_end() {
    let bench = Bench::with_budget(10);
    let (attempt, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    bench.advance(a, 1);
    assert_eq!(*lock(&bench.fate), ["evicted"]);
    assert_eq!(bench.cache.stats().retired_mappings, 1);
    bench.cache.end_attempt(attempt);
    assert_eq!(*lock(&bench.fate), ["evicted", "freed"]);
    assert_eq!(bench.cache.stats().retired_mappings, 0);
}

#[test]
fn a_released_cursor_reads_nothing() {
    let bench = Bench::with_budget(100);
    let (attempt, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    bench.cache.release(a);
    assert_eq!(bench.cache.leased(a, 0).err().map(|e| e.code()), Some(Code::Released));
    bench.cache.close_cursor(a);
    bench.cache.close_cursor(a);
    assert_eq!(bench.cache.advance(a, bench.slots[0]).unwrap_err().code(), Code::Released);
    bench.cache.end_attempt(attempt);
    assert_eq!(bench.cache.open_cursor(attempt, true).unwrap_err().code(), Code::Released);
}

#[test]
fn thrash_says_which_budget_would_have_sufficed() {
    let bench = Bench::with_budget(20);
    let (_, a) = bench.task();
    for round in 0..4 {
        for version in 0..3 {
            if bench.advance(a, version).is_none() {
                bench.finish();
            }
        }
        let _ = round;
    }
    let stats = bench.cache.stats();
    assert!(stats.reloads > 5, "{stats:?}");
    assert_eq!((stats.thrash_alarms, stats.sufficient_bytes), (1, 30));
}

#[test]
fn settings_change_only_between_applications() {
    let bench = Bench::with_budget(100);
    let other = CacheSettings { application: "next".into(), ..CacheSettings::for_tests() };
    assert_eq!(bench.cache.configure(other.clone()).unwrap_err().code(), Code::BadSetting);
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    bench.cache.close_application("app");
    bench.cache.configure(other.clone()).unwrap();
    let stats = bench.cache.stats();
    assert_eq!((stats.loads, stats.max_reserved_bytes, stats.leases), (0, 10, 1));
    bench.cache.release(a);
    assert_eq!(bench.cache.stats().reserved_bytes, 0);
    bench.cache.configure(other).unwrap();
}
