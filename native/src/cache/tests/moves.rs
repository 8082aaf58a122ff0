//! The versions that a cursor keeps when it moves.

use super::*;

/// A cursor that leases v0 and v1, of which v0 was used longer ago, with nothing else in a budget of 20 bytes.
fn full(keep_warm: bool) -> (Bench, CursorId) {
    let settings =
        CacheSettings { budget_bytes: 20, hard_limit_bytes: 20, keep_warm, ..CacheSettings::for_tests() };
    let bench = Bench::new(settings);
    let (_, a) = bench.task();
    assert_eq!(bench.cache.advance_all(a, &bench.slots[..2]).unwrap(), None);
    bench.finish();
    bench.finish();
    assert!(bench.look(a).unwrap().is_some());
    (bench, a)
}

fn stay(bench: &Bench, cursor: CursorId, place: usize) -> Residency {
    bench.cache.leased(cursor, place).unwrap().0
}

#[test]
fn what_is_asked_for_again_is_not_given_to_who_queues() {
    for by_set in [true, false] {
        let (bench, a) = full(true);
        let first = stay(&bench, a, 0);
        let (_, b) = bench.task();
        assert_eq!(bench.advance(b, 2), None);
        let kept =
            if by_set { bench.cache.advance_all(a, &bench.slots[..1]).unwrap() } else { bench.advance(a, 0) };
        assert_eq!(kept, Some(first));
        bench.finish();
        assert!(bench.look(b).unwrap().is_some());
        assert_eq!((bench.cache.stats().loads, bench.cache.stats().leases), (3, 2));
    }
}

#[test]
fn what_is_asked_for_again_stays_while_the_rest_loads() {
    for keep_warm in [true, false] {
        let (bench, a) = full(keep_warm);
        let second = stay(&bench, a, 1);
        assert_eq!(bench.cache.advance_all(a, &bench.slots[1..3]).unwrap(), None);
        assert_eq!(*lock(&bench.fate), ["evicted"]);
        bench.finish();
        assert!(bench.look(a).unwrap().is_some());
        assert_eq!(stay(&bench, a, 0), second);
        let stats = bench.cache.stats();
        assert_eq!((stats.loads, stats.max_reserved_bytes, stats.max_leased_bytes), (3, 20, 20));
        assert_eq!((stats.over_budget_admissions, stats.leases), (0, 2));
    }
}

#[test]
fn the_same_set_again_changes_nothing() {
    let (bench, a) = full(false);
    let held = bench.cache.stats();
    let first = stay(&bench, a, 0);
    assert_eq!(bench.cache.advance_all(a, &bench.slots[..2]).unwrap(), Some(first));
    assert_eq!(bench.cache.stats(), held);
    let turned = [bench.slots[1], bench.slots[0], bench.slots[1]];
    assert!(bench.cache.advance_all(a, &turned).unwrap().is_some());
    let stats = bench.cache.stats();
    assert_eq!((stats.loads, stats.leases, stats.leased_bytes, stats.max_leased_bytes), (2, 3, 20, 20));
    assert!(lock(&bench.fate).is_empty());
}

#[test]
fn who_waits_for_more_does_not_hold_what_it_had() {
    let (bench, a) = full(true);
    let big = list_version(&bench.cache, bench.catalog, "big", Some(20));
    let (_, b) = bench.task();
    assert_eq!(bench.cache.advance(b, big).unwrap(), None);
    bench.turn(1_000);
    assert_eq!(bench.cache.advance_all(a, &bench.slots[1..3]).unwrap(), None);
    assert_eq!(bench.cache.stats().leases, 0);
    bench.cache.finish_load(bench.next_load(), Arc::new(Plain(Arc::default())), 20).unwrap();
    assert!(bench.look(b).unwrap().is_some());
    assert_eq!(bench.look(a).unwrap(), None);
    assert_eq!(bench.cache.stats().evictions, 2);
}

#[test]
fn without_keep_warm_who_waits_for_the_budget_keeps_nothing_in_memory() {
    let (bench, a) = full(false);
    let (_, b) = bench.task();
    assert!(bench.advance(b, 0).is_some());
    assert_eq!(bench.cache.advance_all(a, &bench.slots[1..3]).unwrap(), None);
    assert_eq!(bench.cache.stats().resident_versions, 1);
    bench.cache.release(b);
    bench.finish();
    bench.finish();
    assert!(bench.look(a).unwrap().is_some());
    assert_eq!(bench.cache.stats().reloads, 0);
}

#[test]
fn an_overdraft_stays_with_what_is_kept() {
    let bench =
        Bench::new(CacheSettings { budget_bytes: 20, hard_limit_bytes: 40, ..CacheSettings::for_tests() });
    let small = list_version(&bench.cache, bench.catalog, "small", Some(5));
    let (attempt, a) = bench.task();
    let [b, c] = [(); 2].map(|()| bench.cache.open_cursor(attempt, true).unwrap());
    let (_, other) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    bench.cache.advance(other, small).unwrap();
    bench.cache.finish_load(bench.next_load(), Arc::new(Plain(Arc::default())), 5).unwrap();
    bench.advance(b, 1);
    bench.turn(1_000);
    assert_eq!(bench.look(b).unwrap(), None);
    bench.finish();
    assert!(bench.cache.advance_all(b, &[bench.slots[1], small]).unwrap().is_some());
    bench.advance(c, 2);
    bench.turn(1_000);
    assert_eq!(bench.look(c).unwrap(), None);
    assert_eq!(bench.cache.stats().over_budget_admissions, 1, "a second version over the budget");
}
