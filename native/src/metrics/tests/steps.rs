//! The step book: instances, coverage, exactness.

use super::*;

fn step(bench: &Bench) {
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":1}"#);
}

fn file(bench: &Bench, cell: &Filed) {
    bench.app.step_cell(&cell.bytes());
}

#[track_caller]
fn figures(bench: &Bench, rows: i128, dropped: i128) -> StepFigures {
    let figures = bench.app.step_figures("history");
    assert_eq!((figures.of("in"), figures.of("dropped")), (rows, dropped), "{figures:?}");
    figures
}

#[track_caller]
fn exactly(bench: &Bench, rows: i128, dropped: i128) {
    let figures = figures(bench, rows, dropped);
    assert!(figures.exact && figures.known && figures.reason.is_empty(), "{figures:?}");
}

#[test]
fn cells_add_up() {
    let bench = Bench::new();
    step(&bench);
    for partition in 0..4 {
        file(&bench, &Filed::new(1, partition, 4, u64::from(partition), 25, 1));
    }
    exactly(&bench, 100, 4);
}

#[test]
fn each_object_of_a_step_has_its_own_figures() {
    let bench = Bench::new();
    for id in 1..=3_u64 {
        let declaration = json!({"step": "history", "id": id, "counters": [format!("own-{id}")], "site": "map at Cell.scala:1", "site_id": id});
        bench.app.step_declared(&declaration.to_string());
        file(&bench, &Filed { step: id, site: id, ..Filed::new(id, 0, 1, id, 1000, 0) });
        let figures = bench.app.figures_of(id).unwrap();
        assert_eq!((figures.of("in"), figures.exact), (1000, true), "{figures:?}");
        assert_eq!(figures.counters.len(), 4, "{figures:?}");
    }
    exactly(&bench, 3000, 0);
    assert_eq!(bench.app.figures_of(9).unwrap_err().code(), Code::BadArgument);
}

#[test]
fn one_of_several_instances_of_a_query_is_not_exact() {
    let bench = Bench::new();
    step(&bench);
    for (instance, execution) in [(1, 7), (2, 7), (3, 8)] {
        bench.stage_with(instance, 0, 3, 1, json!({"execution_id": execution}));
        let cell = Filed::new(u64::from(instance), 0, 1, u64::from(instance), 100, i64::from(instance));
        file(&bench, &Filed { stage: (instance, 0), ..cell });
        bench.completed(instance, 0);
        let figures = figures(&bench, 100, i128::from(instance));
        assert_eq!(figures.exact, instance != 2, "{figures:?}");
        assert_eq!(figures.reason.contains("its query has 2 instances"), instance == 2, "{figures:?}");
    }
    let shipped = bench.ship_kind(Kind::Metric);
    assert_eq!(shipped[0].1["other_instances"].as_array().unwrap().len(), 2);
}

#[test]
fn a_part_says_whether_it_is_still_read() {
    let bench = Bench::new();
    step(&bench);
    bench.stage(1, 0, 3, 8);
    file(&bench, &Filed::new(1, 0, 8, 1, 10, 1));
    let reason = |bench: &Bench| {
        let figures = bench.app.step_figures("history");
        assert!(!figures.exact);
        (figures.running, figures.reason.split_once(": ").unwrap().1.to_string())
    };
    let said = "1 of 8 partitions were read to their end";
    assert_eq!(reason(&bench), (true, format!("{said}: a stage that reads them still runs")));
    bench.completed(1, 0);
    assert_eq!(reason(&bench), (false, format!("{said}: an action read a part of them (take, limit)")));
    bench.app.stage_completed(r#"{"stage": 1, "attempt": 0, "failure": "cancelled"}"#);
    assert_eq!(reason(&bench), (false, format!("{said}: the stage that read them failed")));
}

#[test]
fn a_retry_replaces_and_does_not_add() {
    let bench = Bench::new();
    step(&bench);
    file(&bench, &Filed::new(1, 0, 1, 5, 10, 1));
    file(&bench, &Filed::new(1, 0, 1, 9, 10, 0));
    exactly(&bench, 10, 0);
    file(&bench, &Filed::new(1, 0, 1, 7, 10, 3));
    exactly(&bench, 10, 0);
}

#[test]
fn complete_beats_partial_whatever_is_newer() {
    let bench = Bench::new();
    step(&bench);
    file(&bench, &Filed::new(1, 0, 1, 5, 10, 1));
    file(&bench, &Filed::new(1, 0, 1, 9, 3, 0).flags(0));
    exactly(&bench, 10, 1);
}

#[test]
fn a_failed_attempt_counts_as_attempted_only() {
    let bench = Bench::new();
    step(&bench);
    file(&bench, &Filed::new(1, 0, 1, 5, 10, 1).flags(COMPLETE | FAILED));
    assert!(!figures(&bench, 0, 0).exact);
    file(&bench, &Filed::new(1, 0, 1, 6, 10, 0));
    exactly(&bench, 10, 0);
    let shipped = bench.ship_kind(Kind::Metric);
    let rows = shipped.iter().find(|(_, body)| body["acc"] == "in").unwrap();
    assert_eq!((&rows.1["attempted"], &rows.1["committed"]), (&json!(20), &json!(10)));
}

#[test]
fn partial_consumption_is_not_exact_and_says_so() {
    let bench = Bench::new();
    step(&bench);
    file(&bench, &Filed::new(1, 0, 4, 1, 5, 1).flags(0));
    let figures = figures(&bench, 5, 1);
    assert!(!figures.exact && figures.reason.contains("0 of 4 partitions"), "{figures:?}");
}

#[test]
fn the_figure_is_the_newest_instance_that_is_covered_whole() {
    let bench = Bench::new();
    step(&bench);
    // A plan that runs with 3 partitions, again coalesced to one, and then is read in part.
    for partition in 0..3 {
        file(&bench, &Filed::new(1, partition, 3, 1, 10, 1));
    }
    exactly(&bench, 30, 3);
    file(&bench, &Filed::new(2, 0, 1, 8, 31, 0));
    exactly(&bench, 31, 0);
    file(&bench, &Filed::new(3, 0, 3, 9, 2, 2).flags(0));
    exactly(&bench, 31, 0);
    let shipped = bench.ship_kind(Kind::Metric);
    let rows = &shipped.iter().find(|(_, body)| body["acc"] == "in").unwrap().1;
    let others = json!([
        {"instance": 3, "value": 2, "covered": 0, "total": 3},
        {"instance": 1, "value": 30, "covered": 3, "total": 3},
    ]);
    assert_eq!((&rows["instance"], &rows["other_instances"]), (&json!(2), &others));
}

#[test]
fn an_operator_without_partitions_is_covered_whole() {
    let bench = Bench::new();
    step(&bench);
    file(&bench, &Filed { counters: Vec::new(), ..Filed::new(1, 0, 0, 0, 0, 0) });
    exactly(&bench, 0, 0);
}

#[test]
fn a_step_that_has_not_run_is_unknown() {
    let bench = Bench::new();
    step(&bench);
    let figures = figures(&bench, 0, 0);
    assert!(!figures.exact && !figures.known && !figures.reason.is_empty());
}

#[test]
fn old_instances_keep_their_sums_and_give_up_their_cells() {
    let bench = Bench::new();
    step(&bench);
    for instance in 1..=400 {
        for partition in 0..3 {
            file(&bench, &Filed::new(instance, partition, 3, instance * 3, 10, 0));
        }
    }
    exactly(&bench, 30, 0);
    // A straggler of the first instance is not counted.
    file(&bench, &Filed::new(1, 0, 3, 999, 77, 0));
    exactly(&bench, 30, 0);
    let shipped = bench.ship_kind(Kind::Metric);
    let rows = &shipped.iter().find(|(_, body)| body["acc"] == "in").unwrap().1;
    assert_eq!(rows["attempted"], 12_000);
    assert_eq!(rows["other_instances"].as_array().unwrap().len(), 16);
}

/// R5: a long execution that ends last is the newest, though it began first.
#[test]
fn the_figure_is_of_the_instance_whose_evaluations_ended_last() {
    let bench = Bench::new();
    step(&bench);
    file(&bench, &Filed::new(1, 0, 2, 1, 10, 0));
    for instance in 2..=20 {
        file(&bench, &Filed::new(instance, 0, 1, instance * 10, 3, 0));
    }
    exactly(&bench, 3, 0);
    file(&bench, &Filed::new(1, 1, 2, 2, 10, 1));
    exactly(&bench, 20, 1);
    // A killed speculative copy that arrives late is no evaluation that counts.
    file(&bench, &Filed::new(5, 0, 1, 999, 3, 0).flags(FAILED));
    exactly(&bench, 20, 1);
}

#[test]
fn counters_of_the_users_own_have_their_names() {
    let bench = Bench::new();
    bench
        .app
        .step_declared(r#"{"step":"history","id":1,"counters":["misses"],"site":"map at A:1","site_id":1}"#);
    file(&bench, &Filed { counters: vec![(0, 4), (3, 2)], ..Filed::new(1, 0, 1, 1, 4, 0) });
    assert_eq!(figures(&bench, 4, 0).of("misses"), 2);
    let names: Vec<Value> =
        bench.ship_kind(Kind::Metric).into_iter().map(|(_, body)| body["acc"].clone()).collect();
    assert_eq!(names, ["in", "out", "dropped", "misses"]);
}

#[test]
fn operators_at_one_place_are_told_apart() {
    let bench = Bench::new();
    step(&bench);
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":2}"#);
    file(&bench, &Filed::new(1, 0, 1, 1, 10, 0));
    file(&bench, &Filed { site: 2, ..Filed::new(2, 0, 1, 2, 5, 0) });
    exactly(&bench, 15, 0);
    let mut ids: Vec<String> = bench.ship_kind(Kind::Metric).into_iter().map(|(event, _)| event.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    assert!(ids.contains(&"app-1||history/in|step:map at Job.scala:12 #2".to_string()), "{ids:?}");
}

#[test]
fn cells_may_come_before_their_step_is_declared() {
    let bench = Bench::new();
    file(&bench, &Filed::new(1, 0, 1, 1, 10, 0));
    step(&bench);
    exactly(&bench, 10, 0);
}

#[test]
fn a_rolled_back_stage_makes_its_operators_inexact() {
    let bench = Bench::new();
    step(&bench);
    bench.stage_with(1, 0, 3, 1, json!({"indeterminate": true}));
    file(&bench, &Filed::new(1, 0, 1, 1, 10, 0));
    bench.completed(1, 0);
    exactly(&bench, 10, 0);
    bench.stage_with(1, 1, 3, 1, json!({"indeterminate": true}));
    file(&bench, &Filed { stage: (1, 1), ..Filed::new(1, 0, 1, 2, 10, 0) });
    bench.completed(1, 1);
    assert!(figures(&bench, 10, 0).reason.contains("rolled back"));
}
