//! Waits that prevent leases from being returned: of a task that holds versions itself, and of a task for
//! which others wait at a barrier.

use super::*;

/// Room for two versions in the budget and `hard` in all; each of two tasks of a barrier stage holds one.
fn at_the_barrier(hard: u64) -> (Bench, Vec<CursorId>) {
    let bench = Bench::new(CacheSettings {
        budget_bytes: 20,
        hard_limit_bytes: 10 * hard,
        ..CacheSettings::for_tests()
    });
    let cursors = (0..2)
        .map(|version| {
            let cursor = barrier_task(&bench);
            assert_eq!(bench.advance(cursor, version), None);
            bench.finish();
            assert!(bench.look(cursor).unwrap().is_some());
            cursor
        })
        .collect();
    (bench, cursors)
}

fn barrier_task(bench: &Bench) -> CursorId {
    let attempt = bench.cache.begin_barrier_attempt("task of a barrier stage");
    bench.cache.open_cursor(attempt, true).unwrap()
}

#[test]
fn who_is_waited_for_at_a_barrier_is_admitted_over_the_budget() {
    let (bench, _held) = at_the_barrier(4);
    let (third, fourth) = (barrier_task(&bench), barrier_task(&bench));
    assert_eq!((bench.advance(third, 2), bench.advance(fourth, 3)), (None, None));
    bench.turn(999);
    assert_eq!(bench.look(third).unwrap(), None);
    assert_eq!(lock(&bench.started).len(), 0);
    bench.turn(2);
    assert_eq!(bench.look(third).unwrap(), None);
    bench.finish();
    bench.finish();
    assert!(bench.look(third).unwrap().is_some() && bench.look(fourth).unwrap().is_some());
    let stats = bench.cache.stats();
    assert_eq!((stats.over_budget_admissions, stats.max_over_budget_bytes), (2, 20));
    bench.cache.close_cursor(third);
    bench.cache.close_cursor(fourth);
    assert_eq!(
        bench.cache.stats().reserved_bytes,
        20,
        "a version over the budget is evicted with its last lease"
    );
}

#[test]
fn at_the_hard_limit_it_is_told_at_once_and_not_after_the_longest_wait() {
    let (bench, _held) = at_the_barrier(2);
    let third = barrier_task(&bench);
    assert_eq!(bench.advance(third, 2), None);
    bench.turn(9_900);
    assert_eq!(bench.look(third).unwrap(), None);
    bench.turn(200);
    let error = bench.look(third).unwrap_err();
    assert_eq!(error.code(), Code::BudgetDeadlock);
    assert!(error.to_string().contains("at a barrier: raise spark.andiron.cache.budgetBytes"), "{error}");
}

#[test]
fn other_tasks_wait_for_the_budget_as_ever() {
    let (bench, _held) = at_the_barrier(4);
    let (_, other) = bench.task();
    assert_eq!(bench.advance(other, 2), None);
    bench.turn(60_000);
    assert_eq!(bench.look(other).unwrap(), None);
    // A task of a barrier stage waits for tasks that do not wait.
    let (bench, held) = at_the_barrier(4);
    for cursor in held {
        bench.cache.close_cursor(cursor);
    }
    let (_, holds) = bench.task();
    assert!(bench.cache.advance_all(holds, &bench.slots[..2]).unwrap().is_some());
    let third = barrier_task(&bench);
    assert_eq!(bench.advance(third, 2), None);
    bench.turn(60_000);
    assert_eq!(bench.look(third).unwrap(), None);
    assert_eq!(bench.cache.stats().over_budget_admissions, 0);
}

#[test]
fn a_wait_tells_whether_what_its_task_holds_is_in_the_way() {
    let bench = Bench::with_budget(20);
    let (attempt, first) = bench.task();
    let (second, third) =
        (bench.cache.open_cursor(attempt, true).unwrap(), bench.cache.open_cursor(attempt, true).unwrap());
    for (cursor, version) in [(first, 0), (second, 1)] {
        assert_eq!(bench.advance(cursor, version), None);
        assert!(!bench.cache.waits_on_its_own(cursor), "it waits for its load");
        bench.finish();
        assert!(bench.look(cursor).unwrap().is_some());
    }
    assert_eq!(bench.advance(third, 2), None);
    assert!(bench.cache.waits_on_its_own(third));
    let (_, other) = bench.task();
    assert_eq!(bench.advance(other, 3), None);
    assert!(!bench.cache.waits_on_its_own(other), "it holds nothing");
    bench.cache.release(first);
    assert!(!bench.cache.waits_on_its_own(third), "the lease that was taken back has made room");
    bench.finish();
    assert!(bench.look(third).unwrap().is_some());
    assert_eq!(bench.cache.stats().over_budget_admissions, 0);
    // A version that was taken back can be leased again, as in any move.
    bench.cache.release(second);
    bench.finish();
    assert!(bench.look(other).unwrap().is_some());
}
