//! Warnings about avoidable loads.

use super::*;

/// The number of alarms, and the last warning, after `rounds` through the first `versions`.
fn alarms(settings: CacheSettings, versions: usize, rounds: usize) -> (u64, String) {
    let bench = Bench::new(settings);
    let (_, a) = bench.task();
    for version in (0..rounds).flat_map(|_| 0..versions) {
        if bench.advance(a, version).is_none() {
            bench.finish();
        }
    }
    let bound =
        lock(&bench.cache.state).slots.iter().find_map(|(_, slot)| Some(slot.evicted?.bound)).unwrap();
    let warning = lock(&bench.cache.state).thrash_warning(bound);
    (bench.cache.stats().thrash_alarms, warning)
}

#[test]
fn the_alarm_names_the_limit_that_bound_and_comes_whenever_reloads_have_doubled() {
    let few = CacheSettings { budget_bytes: 1000, hard_limit_bytes: 1000, ..CacheSettings::for_tests() };
    let (count, warning) = alarms(CacheSettings { budget_versions: Some(1), ..few.clone() }, 3, 400);
    assert!((5..=9).contains(&count), "{count} alarms");
    for part in
        ["the limit of 1 version is", "30 bytes in 3 versions", "raise spark.andiron.cache.budgetVersions or"]
    {
        assert!(warning.contains(part), "{warning}");
    }
    let (_, warning) = alarms(CacheSettings { budget_bytes: 20, hard_limit_bytes: 20, ..few.clone() }, 3, 4);
    assert!(
        warning.contains("raise spark.andiron.cache.budgetBytes or") && warning.contains("of 20 bytes is"),
        "{warning}"
    );
    let both = CacheSettings { budget_bytes: 20, hard_limit_bytes: 20, budget_versions: Some(2), ..few };
    let (_, warning) = alarms(both, 3, 4);
    assert!(warning.contains("budgetBytes and spark.andiron.cache.budgetVersions or"), "{warning}");
}

#[test]
fn rows_that_are_not_sorted_are_told_once_for_a_dataset_and_sorted_ones_never() {
    let told = |ordered, twice: bool, versions: &[usize]| {
        let bench = Bench::with_budget(20);
        let attempt = bench.cache.begin_attempt("task 7");
        let mut told = Vec::new();
        for _ in 0..1 + usize::from(twice) {
            let cursor = bench.cache.open_cursor(attempt, ordered).unwrap();
            for version in versions {
                if bench.advance(cursor, *version).is_none() {
                    bench.finish();
                }
            }
            let mut fx = Effects::default();
            lock(&bench.cache.state).note_end(cursor, &mut fx);
            told.extend(fx.warnings);
            bench.cache.close_cursor(cursor);
        }
        told
    };
    let unsorted: Vec<usize> = (0..10).flat_map(|_| 0..4).collect();
    let found = told(false, true, &unsorted);
    assert_eq!(found.len(), 1, "{found:?}");
    for part in ["\"data\"", "task 7", "40 loads of 4 versions", "36 times", "sortWithinPartitions"] {
        assert!(found[0].contains(part), "{found:?}");
    }
    let runs: Vec<usize> = (0..2).flat_map(|_| 0..4).collect();
    let resident: Vec<usize> = (0..50).map(|row| row % 2).collect();
    for (ordered, rows) in [(true, &unsorted), (false, &runs), (false, &resident)] {
        assert!(told(ordered, false, rows).is_empty(), "{rows:?}");
    }
}
