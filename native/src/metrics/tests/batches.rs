//! Operators of micro-batches: a batch that is executed again counts once.

use super::*;

fn operator(bench: &Bench, (step, site): (u64, u64), place: &str, batch: u64, run: &str) {
    let declaration = json!({"step": "history", "id": step, "site": place, "site_id": site, "query": "q", "batch": batch, "run": run});
    bench.app.step_declared(&declaration.to_string());
}

/// One execution of an operator of step 1, in two partitions.
fn executed(bench: &Bench, site: u64, rows: i64, dropped: i64) {
    for partition in 0..2 {
        let cell = Filed {
            site,
            ..Filed::new(site, partition, 2, 2 * site + u64::from(partition), rows / 2, dropped / 2)
        };
        bench.app.step_cell(&cell.bytes());
    }
}

#[track_caller]
fn exactly(bench: &Bench, rows: i128, dropped: i128) {
    let figures = bench.app.figures_of(1).unwrap();
    assert_eq!(
        (figures.of("in"), figures.of("dropped"), figures.exact),
        (rows, dropped, true),
        "{figures:?}"
    );
    assert_eq!(bench.app.step_figures("history"), figures);
}

/// Adds the shipped revisions to `last` and gives the sum that a reader computes from the last revision of each
/// event.
fn shipped(bench: &Bench, last: &mut std::collections::BTreeMap<String, (u64, Value)>) -> i64 {
    for (event, body) in bench.ship_kind(Kind::Metric) {
        let known = last.get(&event.id).map_or(0, |(revision, _)| *revision);
        assert_eq!(event.revision, known + 1, "{}", event.id);
        last.insert(event.id, (event.revision, body));
    }
    last.values()
        .filter(|(_, body)| body["acc"] == "in")
        .map(|(_, body)| body["committed"].as_i64().unwrap())
        .sum()
}

#[test]
fn a_batch_that_is_executed_again_replaces_what_it_counted() {
    let bench = Bench::new();
    let mut last = std::collections::BTreeMap::new();
    operator(&bench, (1, 1), "map at A:1", 0, "first");
    executed(&bench, 1, 500, 10);
    operator(&bench, (1, 2), "map at A:1", 1, "first");
    executed(&bench, 2, 50, 2);
    exactly(&bench, 550, 12);
    assert_eq!(shipped(&bench, &mut last), 550);
    operator(&bench, (1, 3), "map at A:1", 1, "second");
    exactly(&bench, 550, 12);
    executed(&bench, 3, 50, 0);
    exactly(&bench, 550, 10);
    assert_eq!(shipped(&bench, &mut last), 550);
    let series = bench.app.gauges_json();
    let read = |name: &str, rows: u64| {
        series.contains(&format!(
            r#"{{"name":"andiron.step.{name}","tags":[["step","history"]],"value":{rows}.0}}"#
        ))
    };
    assert!(read("in", 550) && read("attempted", 600), "{series}");
    operator(&bench, (1, 4), "map at A:1", 2, "second");
    executed(&bench, 4, 450, 0);
    exactly(&bench, 1000, 10);
    assert_eq!((shipped(&bench, &mut last), last.len()), (1000, 9));
}

#[test]
fn a_place_that_makes_several_operators_in_a_batch_repeats_each_of_them() {
    let bench = Bench::new();
    for (run, sites) in [("first", 1..=3), ("second", 4..=6), ("third", 7..=9)] {
        for site in sites {
            operator(&bench, (1, site), "map at A:1", 7, run);
            if run != "second" || site == 4 {
                executed(&bench, site, 100, 0);
            }
        }
    }
    exactly(&bench, 300, 0);
    assert_eq!(shipped(&bench, &mut std::collections::BTreeMap::new()), 300);
}

#[test]
fn another_object_of_the_step_replaces_where_the_name_is_shown() {
    let bench = Bench::new();
    operator(&bench, (1, 1), "map at A:1", 0, "first");
    executed(&bench, 1, 100, 0);
    operator(&bench, (2, 2), "map at A:1", 0, "second");
    let cell = |partition| Filed {
        step: 2,
        site: 2,
        ..Filed::new(2, partition, 2, 9 + u64::from(partition), 50, 0)
    };
    (0..2).for_each(|partition| bench.app.step_cell(&cell(partition).bytes()));
    for figures in [
        bench.app.figures_of(1).unwrap(),
        bench.app.figures_of(2).unwrap(),
        bench.app.step_figures("history"),
    ] {
        assert_eq!((figures.of("in"), figures.exact), (100, true), "{figures:?}");
    }
}

#[test]
fn a_thread_that_has_outlived_its_batch_is_not_exact() {
    let bench = Bench::new();
    for (site, batch) in [(1, 0), (2, 1), (3, 0), (4, 1)] {
        operator(&bench, (1, site), "map at A:1", batch, if site < 4 { "first" } else { "second" });
        executed(&bench, site, 100, 0);
    }
    let figures = bench.app.step_figures("history");
    assert_eq!(
        (figures.of("in"), figures.exact),
        (300, false),
        "the second batch is still replaced: {figures:?}"
    );
    assert!(figures.reason.contains("for which run or batch"), "{figures:?}");
}

#[test]
fn a_run_that_cannot_be_told_is_not_exact() {
    let bench = Bench::new();
    for site in 1..=2 {
        operator(&bench, (1, site), "map at A:1", 0, "");
        executed(&bench, site, 100, 0);
    }
    let figures = bench.app.step_figures("history");
    assert!(!figures.exact && figures.reason.contains("micro-batch"), "{figures:?}");
}
