//! Corners of the budget and of closing, most of them found by the models; see `docs/internals/concurrency.md`.

use super::*;

/// Records, when it is dropped or evicted, whether the cache's lock was free.
struct Telltale(std::sync::Weak<Cache>, Arc<Mutex<Vec<bool>>>);

impl Telltale {
    fn tell(&self) {
        if let Some(cache) = self.0.upgrade() {
            lock(&self.1).push(cache.state.try_lock().is_ok());
        }
    }
}

impl Payload for Telltale {
    fn evict(&self) {
        self.tell();
    }

    fn kept_by_attempts(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Telltale {
    fn drop(&mut self) {
        self.tell();
    }
}

#[test]
fn what_is_over_the_budget_goes_with_its_last_lease() {
    let bench = Bench::with_budget(10);
    let (attempt, a) = bench.task();
    let b = bench.cache.open_cursor(attempt, true).unwrap();
    bench.advance(a, 0);
    bench.finish();
    bench.advance(b, 1);
    bench.turn(1_000);
    assert_eq!(bench.look(b).unwrap(), None);
    bench.finish();
    assert_eq!(bench.cache.stats().reserved_bytes, 20);
    bench.cache.release(b);
    assert_eq!(bench.cache.stats().reserved_bytes, 10);
    bench.cache.release(a);
    assert_eq!(bench.cache.stats().reserved_bytes, 10);
}

#[test]
fn a_load_over_the_budget_that_nobody_waits_for_any_more_does_not_stay() {
    let bench = Bench::with_budget(10);
    let (attempt, a) = bench.task();
    let b = bench.cache.open_cursor(attempt, true).unwrap();
    bench.advance(a, 0);
    bench.finish();
    bench.advance(b, 1);
    bench.turn(1_000);
    assert_eq!(bench.look(b).unwrap(), None);
    bench.cache.release(b);
    bench.finish();
    assert_eq!(bench.cache.stats().reserved_bytes, 10);
}

#[test]
fn idle_versions_go_before_the_count_is_overdrawn() {
    let bench = Bench::new(CacheSettings { budget_versions: Some(2), ..CacheSettings::for_tests() });
    let (attempt, a) = bench.task();
    let (other, c) = bench.task();
    let b = bench.cache.open_cursor(attempt, true).unwrap();
    bench.advance(a, 0);
    bench.finish();
    bench.advance(c, 1);
    bench.finish();
    bench.advance(b, 2);
    bench.turn(1_000);
    assert_eq!(bench.look(b).unwrap(), None);
    bench.finish();
    assert_eq!(bench.cache.stats().over_budget_admissions, 1);
    bench.cache.end_attempt(other);
    assert_eq!(bench.cache.stats().resident_versions, 2);
    assert!(bench.look(b).unwrap().is_some());
}

#[test]
fn an_overdraft_that_cannot_be_evicts_nothing() {
    let bench =
        Bench::new(CacheSettings { budget_bytes: 20, hard_limit_bytes: 20, ..CacheSettings::for_tests() });
    let big = list_version(&bench.cache, bench.catalog, "big", Some(20));
    let (attempt, a) = bench.task();
    let b = bench.cache.open_cursor(attempt, true).unwrap();
    bench.advance(a, 0);
    bench.finish();
    bench.advance(b, 1);
    bench.finish();
    assert_eq!(bench.cache.advance(b, big).unwrap(), None);
    bench.turn(2_000);
    assert_eq!(bench.look(b).unwrap(), None);
    assert_eq!(bench.cache.stats().evictions, 0);
}

#[test]
fn a_task_that_stood_still_is_admitted_rather_than_told_to_give_way() {
    let bench = Bench::with_budget(10);
    let (attempt, a) = bench.task();
    let b = bench.cache.open_cursor(attempt, true).unwrap();
    bench.advance(a, 0);
    bench.finish();
    bench.advance(b, 1);
    bench.turn(60_000);
    assert_eq!(bench.look(b).unwrap(), None);
    bench.finish();
    assert!(bench.look(b).unwrap().is_some());
    assert_eq!(bench.cache.stats().deadlock_kills, 0);
}

#[test]
fn a_task_is_overdrawn_by_one_version_even_if_two_of_its_cursors_want_it() {
    let bench =
        Bench::new(CacheSettings { budget_bytes: 10, hard_limit_bytes: 40, ..CacheSettings::for_tests() });
    let (attempt, a) = bench.task();
    let cursors: Vec<CursorId> = (0..3).map(|_| bench.cache.open_cursor(attempt, true).unwrap()).collect();
    bench.advance(a, 0);
    bench.finish();
    bench.advance(cursors[0], 1);
    bench.advance(cursors[1], 1);
    bench.turn(1_000);
    assert_eq!(bench.look(cursors[0]).unwrap(), None);
    bench.finish();
    bench.cache.release(cursors[0]);
    assert!(bench.look(cursors[1]).unwrap().is_some());
    bench.advance(cursors[2], 2);
    bench.turn(1_000);
    assert_eq!(bench.look(cursors[2]).unwrap(), None);
    assert_eq!(bench.cache.stats().over_budget_admissions, 1);
}

#[test]
fn a_closing_catalog_starts_no_load() {
    let bench = Bench::with_budget(30);
    let other = bench.cache.open_catalog("app", "other", PayloadKind::Bytes, 0).unwrap();
    let [w, x, z] = ["w", "x", "z"].map(|name| list_version(&bench.cache, other, name, Some(10)));
    let (_, a) = bench.task();
    let (_, b) = bench.task();
    bench.cache.advance_all(a, &[w, x, bench.slots[0]]).unwrap();
    bench.finish();
    bench.finish();
    bench.cache.advance_all(b, &[bench.slots[0], z]).unwrap();
    let loading = bench.next_load();
    bench.cache.close_catalog(bench.catalog);
    assert!(lock(&bench.started).is_empty());
    assert_eq!(bench.look(b).unwrap_err().code(), Code::CatalogClosed);
    bench.cache.fail_load(loading, Error::new(Code::LoadFailed, "late")).unwrap();
    bench.cache.close_catalog(other);
    assert_eq!(bench.cache.stats().reserved_bytes, 0);
}

#[test]
fn a_closing_catalog_admits_none_of_its_own_versions() {
    let bench = Bench::with_budget(20);
    let (_, a) = bench.task();
    let (_, b) = bench.task();
    bench.cache.advance_all(a, &[bench.slots[4], bench.slots[0]]).unwrap();
    bench.finish();
    bench.advance(b, 1);
    assert_eq!(lock(&bench.started).len(), 1);
    bench.cache.close_catalog(bench.catalog);
    assert_eq!(lock(&bench.started).len(), 1);
}

#[test]
fn a_set_whose_sizes_become_known_is_refused_rather_than_left_waiting() {
    let bench = Bench::with_budget(25);
    let catalog = bench.cache.open_catalog("app", "unknown", PayloadKind::Object, 1).unwrap();
    let unknown = list_version(&bench.cache, catalog, "unknown", None);
    let (_, a) = bench.task();
    let (_, b) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    bench.cache.advance(b, unknown).unwrap();
    let (_, c) = bench.task();
    let big = list_version(&bench.cache, bench.catalog, "big", Some(20));
    assert_eq!(bench.cache.advance_all(c, &[unknown, big]).unwrap(), None);
    bench.finish();
    assert_eq!(bench.look(c).unwrap_err().code(), Code::VersionLargerThanBudget);
}

#[test]
fn a_version_that_turned_out_too_large_does_not_block_the_others() {
    let bench = Bench::with_budget(25);
    let catalog = bench.cache.open_catalog("app", "unknown", PayloadKind::Object, 1).unwrap();
    let (large, small) = (
        list_version(&bench.cache, catalog, "large", None),
        list_version(&bench.cache, catalog, "small", None),
    );
    let (_, a) = bench.task();
    bench.cache.advance(a, large).unwrap();
    bench.cache.finish_load(bench.next_load(), Arc::new(Plain(Arc::default())), 26).unwrap();
    assert_eq!(bench.look(a).unwrap_err().code(), Code::VersionLargerThanBudget);
    assert_eq!(bench.cache.advance(a, small).unwrap(), None);
    bench.finish();
    assert!(bench.look(a).unwrap().is_some());
}

#[test]
fn a_set_of_estimated_sizes_is_admitted_alone_rather_than_never() {
    let bench = Bench::with_budget(25);
    let catalog = bench.cache.open_catalog("app", "unknown", PayloadKind::Object, 1).unwrap();
    let slots: Vec<SlotId> =
        ["a", "b", "c", "d"].iter().map(|name| list_version(&bench.cache, catalog, name, None)).collect();
    let (_, a) = bench.task();
    bench.cache.advance(a, slots[0]).unwrap();
    bench.finish();
    assert_eq!(bench.cache.advance_all(a, &slots[1..]).unwrap(), None);
    for _ in 1..4 {
        bench.cache.finish_load(bench.next_load(), Arc::new(Plain(Arc::default())), 8).unwrap();
    }
    assert!(bench.look(a).unwrap().is_some());
    assert_eq!(bench.cache.stats().max_over_budget_bytes, 0);
}

#[test]
fn payloads_are_evicted_and_freed_while_the_lock_is_free() {
    let clock = Clock::manual();
    let started: Arc<Mutex<Vec<LoadId>>> = Arc::default();
    let list = Arc::clone(&started);
    let cache = Arc::new(Cache::new(clock.clone(), Box::new(move |load| lock(&list).push(load))));
    let settings = CacheSettings { load_timeout: Duration::from_secs(1), ..CacheSettings::for_tests() };
    cache.configure(settings).unwrap();
    let catalog = cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
    let slots: Vec<SlotId> =
        (0..3).map(|i| list_version(&cache, catalog, &format!("v{i}"), Some(10))).collect();
    let attempt = cache.begin_attempt("task");
    let cursor = cache.open_cursor(attempt, true).unwrap();
    let told: Arc<Mutex<Vec<bool>>> = Arc::default();
    let payload = || Arc::new(Telltale(Arc::downgrade(&cache), Arc::clone(&told)));
    let load_of = |slot: usize| {
        cache.advance(cursor, slots[slot]).unwrap();
        let load = lock(&started).remove(0);
        cache.load_taken(load);
        load
    };
    let twice = load_of(0);
    cache.finish_load(twice, payload(), 10).unwrap();
    assert_eq!(cache.finish_load(twice, payload(), 10).unwrap_err().code(), Code::BadHandle);
    let late = load_of(1);
    clock.turn(Duration::from_secs(1));
    assert!(cache.wait(cursor, SLICE).is_err());
    cache.finish_load(late, payload(), 10).unwrap();
    let too_large = load_of(2);
    cache.finish_load(too_large, payload(), u64::MAX).unwrap();
    cache.end_attempt(attempt);
    cache.close_catalog(catalog);
    assert!(lock(&told).len() >= 4);
    assert!(lock(&told).iter().all(|free| *free), "{told:?}");
}

#[test]
fn every_payload_that_ends_a_load_is_evicted_once() {
    let bench =
        Bench::new(CacheSettings { load_timeout: Duration::from_secs(1), ..CacheSettings::for_tests() });
    let (_, a) = bench.task();
    bench.advance(a, 0);
    let late = bench.next_load();
    bench.turn(1_000);
    assert!(bench.look(a).is_err());
    let fate = Arc::clone(&bench.fate);
    let payload = Arc::new(Plain(Arc::clone(&fate)));
    bench.cache.finish_load(late, payload.clone(), 10).unwrap();
    assert!(bench.cache.finish_load(late, payload.clone(), 10).is_err());
    assert_eq!(*lock(&fate), ["evicted", "evicted"]);
    drop(payload);
    bench.advance(a, 1);
    bench.cache.finish_load(bench.next_load(), Arc::new(Plain(Arc::clone(&fate))), u64::MAX).unwrap();
    assert_eq!(*lock(&fate), ["evicted", "evicted", "freed", "evicted", "freed"]);
}

#[test]
fn errors_are_freed_while_the_lock_is_free() {
    let bench = Bench::with_budget(100);
    let cache = Arc::new(bench.cache);
    let told: Arc<Mutex<Vec<bool>>> = Arc::default();
    let error = || {
        let cause = Box::new(Telltale(Arc::downgrade(&cache), Arc::clone(&told)));
        Error::with_cause(Code::LoadFailed, "gone", cause)
    };
    let attempt = cache.begin_attempt("task");
    let cursor = cache.open_cursor(attempt, true).unwrap();
    let next = || lock(&bench.started).remove(0);
    for slot in &bench.slots[..2] {
        cache.advance(cursor, *slot).unwrap();
        let load = next();
        cache.fail_load(load, error()).unwrap();
        assert_eq!(cache.fail_load(load, error()).unwrap_err().code(), Code::BadHandle);
    }
    bench.clock.turn(Duration::from_secs(5));
    cache.advance(cursor, bench.slots[0]).unwrap();
    cache.fail_load(next(), error()).unwrap();
    cache.close_catalog(bench.catalog);
    cache.end_attempt(attempt);
    assert_eq!(lock(&told).len(), 5);
    assert!(lock(&told).iter().all(|free| *free), "{told:?}");
}

#[test]
fn a_later_stay_has_another_number() {
    let bench = Bench::with_budget(10);
    let (_, a) = bench.task();
    let stay = |version: usize| {
        bench.advance(a, version);
        bench.finish();
        bench.look(a).unwrap().unwrap()
    };
    let stays = [stay(0), stay(1), stay(0)];
    assert!(stays[0] != stays[1] && stays[0] != stays[2] && stays[1] != stays[2], "{stays:?}");
}
