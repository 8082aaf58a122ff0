//! The evaluations by which a write is judged: rules R1 to R3 of docs/internals/gates.md.

use super::*;

/// 1,000 rows in 8 partitions; the 100 bad ones are in partition 0.
fn cell(partition: u32, task: u64) -> Filed {
    Filed::new(1, partition, 8, task, 125, if partition == 0 { 100 } else { 0 })
}

fn judge(bench: &Bench, more: Value) -> Verdict {
    let mut body = json!({
        "gate": "commit", "max_drop_ratio": 0.001, "scope": {"execution": 7},
        "reached": [{"site": 1, "instance": 1, "behind": true, "partitions": 8}],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.app.judge("step 1", &Limits::parse(&body.to_string()).unwrap())
}

fn not_behind() -> Value {
    json!([{"site": 1, "instance": 1, "behind": false, "partitions": 8}])
}

fn file(bench: &Bench, cell: Filed) {
    bench.app.step_cell(&cell.bytes());
}

#[test]
fn a_block_that_outlives_its_failed_task_is_judged() {
    let bench = Bench::new();
    file(&bench, cell(0, 1).under(7).flags(COMPLETE | FAILED | KEPT));
    (1..8).for_each(|partition| {
        file(&bench, cell(partition, 1 + u64::from(partition)).under(7).flags(COMPLETE | KEPT))
    });
    let verdict = judge(&bench, json!({}));
    assert_eq!((verdict.decision, verdict.counts), (Decision::Failed, Some((1000, 100))));
    let figures = bench.app.step_figures("step 1");
    assert_eq!((figures.of("in"), figures.of("dropped"), figures.exact), (1000, 100, true));
}

#[test]
fn an_attempt_that_is_heard_of_only_early_counts_as_stored() {
    let bench = Bench::new();
    file(&bench, cell(0, 1).under(7).flags(COMPLETE | EARLY | KEPT));
    (1..8).for_each(|partition| file(&bench, cell(partition, 1 + u64::from(partition)).under(7)));
    assert_eq!(judge(&bench, json!({})).counts, Some((1000, 100)));
    // The attempt's end arrives later and changes nothing.
    file(&bench, cell(0, 1).under(7).flags(COMPLETE | FAILED | KEPT));
    file(&bench, cell(0, 1).under(7).flags(COMPLETE | EARLY | KEPT));
    assert_eq!(judge(&bench, json!({})).decision, Decision::Failed);
}

#[test]
fn all_tasks_fail_once_and_all_rows_are_good() {
    let bench = Bench::new();
    for partition in 0..8 {
        let good = Filed::new(1, partition, 8, u64::from(partition), 125, 0);
        file(&bench, good.under(7).flags(COMPLETE | FAILED | KEPT));
    }
    assert_eq!(judge(&bench, json!({})).decision, Decision::Passed);
    assert!(bench.app.step_figures("step 1").exact);
}

/// Without a persisted RDD no block holds the rows of a failed attempt.
#[test]
fn a_failed_attempt_whose_rows_were_not_kept_counts_nowhere() {
    let bench = Bench::new();
    (0..8).for_each(|partition| {
        file(&bench, cell(partition, u64::from(partition)).under(7).flags(COMPLETE | FAILED))
    });
    let verdict = judge(&bench, json!({"reached": not_behind()}));
    assert_eq!(verdict.decision, Decision::Unknown);
    assert!(verdict.reason.contains("0, 1, 2, 3, 4, 5, 6, 7"), "{}", verdict.reason);
    assert_eq!(bench.app.step_figures("step 1").of("in"), 0);
}

#[test]
fn a_partial_retry_that_succeeded_is_not_replaced_by_a_complete_failure() {
    let bench = Bench::new();
    let limits = json!({"reached": not_behind(), "partial": true});
    file(&bench, cell(0, 1).under(7).flags(COMPLETE | FAILED));
    file(&bench, Filed::new(1, 0, 8, 2, 50, 0).under(7).flags(0));
    let verdict = judge(&bench, limits);
    assert_eq!((verdict.decision, verdict.counts), (Decision::Passed, Some((50, 0))));
}

#[test]
fn another_execution_is_not_judged_in_place_of_the_writes() {
    let bench = Bench::new();
    (0..8).for_each(|partition| {
        file(&bench, Filed::new(1, partition, 8, u64::from(partition), 125, 0).under(6))
    });
    (0..8).for_each(|partition| {
        file(&bench, Filed::new(1, partition, 8, 20 + u64::from(partition), 10, 5).under(7).flags(0))
    });
    let other = judge(&bench, json!({"scope": {"execution": 6}, "reached": not_behind()}));
    assert_eq!((other.decision, other.counts), (Decision::Passed, Some((1000, 0))));
    assert_eq!(judge(&bench, json!({"reached": not_behind()})).counts, Some((80, 40)));
    // A third execution can read nothing from an RDD that is not persisted.
    let third = judge(&bench, json!({"scope": {"execution": 8}, "reached": not_behind()}));
    assert_eq!(third.decision, Decision::Unknown);
}

#[test]
fn what_filled_a_cache_is_judged_by_the_write_that_reads_it() {
    let bench = Bench::new();
    (0..8).for_each(|partition| file(&bench, cell(partition, u64::from(partition)).flags(COMPLETE | KEPT)));
    assert_eq!(judge(&bench, json!({})).counts, Some((1000, 100)));
    // Good rows that were computed again and may be in another executor's block: unknown which evaluation was read.
    file(&bench, Filed::new(1, 0, 8, 30, 125, 0).flags(COMPLETE | KEPT));
    let verdict = judge(&bench, json!({}));
    assert_eq!(verdict.decision, Decision::Unknown);
    assert!(verdict.reason.contains("partition 0 differ"), "{}", verdict.reason);
    // Either evaluation is within this limit.
    assert_eq!(judge(&bench, json!({"max_drop_ratio": 0.1})).decision, Decision::Passed);
    assert!(judge(&bench, json!({"unknown": "pass"})).passed);
}

#[test]
fn both_branches_of_a_union_with_itself_are_judged() {
    let bench = Bench::new();
    (0..8).for_each(|partition| {
        file(&bench, Filed::new(1, partition, 8, u64::from(partition), 125, 25).under(7))
    });
    (0..8).for_each(|partition| {
        file(&bench, Filed::new(1, partition, 8, 8 + u64::from(partition), 125, 0).under(7))
    });
    assert!(!judge(&bench, json!({"reached": not_behind()})).passed);

    let two = Bench::new();
    for (instance, dropped) in [(1, 25), (2, 0)] {
        (0..8).for_each(|p| {
            file(&two, Filed::new(instance, p, 8, instance * 10 + u64::from(p), 125, dropped).under(7))
        });
    }
    let reached = json!([{"site": 1, "instance": 1}, {"site": 1, "instance": 2}]);
    let verdict = judge(&two, json!({"reached": reached, "max_drop_ratio": 0.15}));
    assert_eq!((verdict.decision, verdict.counts), (Decision::Failed, Some((1000, 200))));
    let listed: Vec<u64> = verdict.operators.iter().map(|operator| operator.instance).collect();
    assert_eq!(listed, [1, 2]);
    // Sums are over the instances of the write.
    let sums = json!({"reached": reached, "max_drop_ratio": 1.0, "max_dropped": 199});
    assert_eq!(judge(&two, sums).reason, "200 rows were dropped, more than 199");
    let rows = json!({"reached": reached, "max_drop_ratio": 1.0, "min_rows": 2000});
    assert_eq!(judge(&two, rows).decision, Decision::Passed);
}

/// A map stage ran again since some of its output was lost: reduce tasks may have read the output of either attempt.
#[test]
fn of_a_stage_that_ran_again_every_attempt_may_have_been_read() {
    let bench = Bench::new();
    (0..8).for_each(|partition| file(&bench, cell(partition, u64::from(partition)).under(7)));
    let again = Filed::new(1, 0, 8, 30, 125, 0).under(7);
    file(&bench, Filed { stage: (1, 1), ..again });
    assert_eq!(judge(&bench, json!({"reached": not_behind()})).decision, Decision::Unknown);
}

/// The write reads a block that another job has filled, and evaluates the partition as well, since the block was lost
/// in between.
#[test]
fn own_evaluations_do_not_hide_what_a_block_holds() {
    let bench = Bench::new();
    (0..8).for_each(|partition| file(&bench, cell(partition, u64::from(partition)).flags(COMPLETE | KEPT)));
    (0..8).for_each(|p| {
        file(&bench, Filed::new(1, p, 8, 20 + u64::from(p), 125, 0).under(7).flags(COMPLETE | KEPT))
    });
    assert_eq!(judge(&bench, json!({})).decision, Decision::Unknown);
    // Evaluations for another shuffle are in none of the shuffles that are read.
    let shuffled = Bench::new();
    (0..8).for_each(|partition| file(&shuffled, cell(partition, u64::from(partition)).under(6)));
    (0..8).for_each(|p| {
        file(&shuffled, Filed { stage: (5, 0), ..Filed::new(1, p, 8, 20 + u64::from(p), 125, 0) }.under(7));
    });
    assert_eq!(judge(&shuffled, json!({"shuffle_stages": [5]})).decision, Decision::Passed);
    assert_eq!(judge(&shuffled, json!({"shuffle_stages": [1, 5]})).decision, Decision::Unknown);
}

/// A partial evaluation below a cache never exhausts its input, and yet its rows may be in the block.
#[test]
fn a_partial_evaluation_may_be_what_a_block_holds() {
    let bench = Bench::new();
    file(&bench, Filed::new(1, 0, 1, 1, 2, 2).under(6).flags(KEPT));
    file(&bench, Filed::new(1, 0, 1, 2, 125, 0).under(6));
    assert_eq!(
        judge(&bench, json!({"reached": [{"site": 1, "instance": 1, "behind": true}]})).decision,
        Decision::Unknown
    );
    let failed = Bench::new();
    file(&failed, Filed::new(1, 0, 1, 1, 2, 2).under(7).flags(KEPT | FAILED));
    assert_eq!(
        judge(&failed, json!({"reached": [{"site": 1, "instance": 1, "behind": true}]})).decision,
        Decision::Failed
    );
    // Where a block may hold rows, a limit does not explain a hole.
    let hole = json!({"reached": [{"site": 1, "instance": 1, "behind": true, "partial": true, "partitions": 2}], "max_drop_ratio": 1.0});
    assert_eq!(judge(&failed, hole).decision, Decision::Unknown);
}

#[test]
fn evaluations_of_one_task_that_differ_are_not_known() {
    let bench = Bench::new();
    const DIFFERS: u8 = 32;
    file(&bench, Filed::new(1, 0, 1, 1, 100, 20).under(7).flags(COMPLETE | DIFFERS));
    let reached = json!([{"site": 1, "instance": 1, "behind": false}]);
    assert_eq!(judge(&bench, json!({"reached": reached, "max_drop_ratio": 0.1})).decision, Decision::Unknown);
    assert_eq!(judge(&bench, json!({"reached": reached, "max_drop_ratio": 0.2})).decision, Decision::Passed);
    assert!(!bench.app.step_figures("step 1").exact);
}

/// The blocks that a limit has read are unknown: the worst candidate decides.
#[test]
fn a_limit_over_a_cache_takes_the_worst_of_what_it_may_have_read() {
    let bench = Bench::new();
    (0..8).for_each(|partition| file(&bench, cell(partition, u64::from(partition)).flags(COMPLETE | KEPT)));
    file(&bench, Filed::new(1, 1, 8, 50, 125, 0).under(7).flags(COMPLETE | KEPT));
    let verdict = judge(&bench, json!({"partial": true, "max_drop_ratio": 0.3}));
    assert_eq!(verdict.decision, Decision::Unknown);
    assert_eq!(judge(&bench, json!({"partial": true, "max_drop_ratio": 0.8})).decision, Decision::Passed);
    let own = judge(&bench, json!({"partial": true, "max_drop_ratio": 0.3, "reached": not_behind()}));
    assert_eq!((own.decision, own.counts), (Decision::Passed, Some((125, 0))));
}

#[test]
fn a_guards_own_tasks_are_judged_and_nested_guards_both() {
    let bench = Bench::new();
    for partition in 0..8 {
        file(&bench, Filed { guards: vec![3, 4], ..cell(partition, u64::from(partition)) });
        file(
            &bench,
            Filed { guards: vec![3], ..Filed::new(2, partition, 8, 20 + u64::from(partition), 10, 0) },
        );
    }
    let both = json!([{"site": 1, "instance": 1}, {"site": 1, "instance": 2}]);
    for (guard, counts) in [(3, Some((1000, 100))), (4, Some((1000, 100)))] {
        let verdict = judge(&bench, json!({"scope": {"guard": guard}, "reached": both, "partial": true}));
        assert_eq!((verdict.decision, verdict.counts), (Decision::Failed, counts));
    }
    let other =
        judge(&bench, json!({"scope": {"guard": 5}, "reached": both, "partial": true, "zero_rows": "pass"}));
    assert_eq!(other.decision, Decision::Passed);
}

/// Two actions of a guard's body read the same rows: their counts are not added.
#[test]
fn the_actions_of_a_guard_are_not_added_up() {
    let bench = Bench::new();
    for (instance, execution) in [(1, 7), (2, 8)] {
        let cell = Filed { guards: vec![3], ..Filed::new(instance, 0, 1, instance, 100, 60) };
        file(&bench, cell.under(execution));
    }
    let reached = json!([{"site": 1, "instance": 1}, {"site": 1, "instance": 2}]);
    let scope = json!({"guard": 3});
    let limits = json!({"scope": scope, "reached": reached, "max_drop_ratio": 1.0, "max_dropped": 100});
    assert_eq!(judge(&bench, limits).decision, Decision::Passed);
}

#[test]
fn out_and_counters_have_limits_too() {
    let bench = Bench::new();
    bench.app.step_declared(r#"{"step":"step 1","id":1,"counters":["unparsed"]}"#);
    file(
        &bench,
        Filed { counters: vec![(0, 100), (1, 90), (3, 10)], ..Filed::new(1, 0, 1, 1, 0, 0) }.under(7),
    );
    let decide = |more: Value| {
        let mut body = json!({"reached": [{"site": 1, "instance": 1}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        judge(&bench, body)
    };
    assert!(decide(json!({"min_out_ratio": 0.9, "max_counters": {"unparsed": 0.1}})).passed);
    assert_eq!(decide(json!({"min_out_ratio": 0.95})).reason, "90 % of the rows came out, less than 95 %");
    let counter = decide(json!({"max_counters": {"unparsed": 0.05}}));
    assert_eq!(counter.reason, "'unparsed' is 10 % of the rows, more than 5 %");
    let missing = decide(json!({"max_counters": {"misread": 0.05}}));
    assert_eq!(missing.decision, Decision::Unknown);
    assert!(missing.reason.contains("no counter 'misread'"));
}

#[test]
fn an_operator_that_the_optimiser_removed_has_read_no_row() {
    let bench = Bench::new();
    (0..8).for_each(|partition| file(&bench, cell(partition, u64::from(partition)).under(6)));
    for (policy, decision) in [("pass", Decision::Passed), ("fail", Decision::Failed)] {
        let verdict = judge(&bench, json!({"reached": [], "zero_rows": policy}));
        assert_eq!((verdict.decision, verdict.reason.as_str()), (decision, "no row was read"));
    }
    let incomplete =
        judge(&bench, json!({"reached": [], "zero_rows": "pass", "incomplete": "the plan cannot be read"}));
    assert_eq!(incomplete.decision, Decision::Unknown);
}

#[test]
fn more_than_enough_dropped_rows_fail_whatever_else_is_not_known() {
    let bench = Bench::new();
    file(&bench, cell(0, 1).under(7));
    let verdict = judge(&bench, json!({"max_dropped": 99}));
    assert_eq!(
        (verdict.decision, verdict.reason.as_str()),
        (Decision::Failed, "100 rows were dropped, more than 99")
    );
    assert_eq!(judge(&bench, json!({"max_dropped": 100})).decision, Decision::Unknown);
}

#[test]
fn causes_are_those_of_the_judged_evaluations() {
    let bench = Bench::new();
    let sample = |hash: &str, message: &str| {
        vec![json!({"hash": hash, "stack_hash": message, "error_class": "E", "message": message}).to_string()]
    };
    file(&bench, Filed { samples: sample("5", "before"), ..Filed::new(1, 0, 1, 1, 10, 5) }.under(6));
    file(&bench, Filed { samples: sample("6", "now"), ..Filed::new(2, 0, 1, 2, 10, 1) }.under(7));
    let verdict = judge(&bench, json!({"reached": [{"site": 1, "instance": 2}]}));
    let causes: Vec<&str> = verdict.top_causes.iter().map(|cause| cause.message.as_str()).collect();
    assert_eq!(causes, ["now"]);
}

/// A message with the rows of one operator names the causes of that operator.
#[test]
fn causes_are_those_of_the_operator_that_is_named() {
    let bench = Bench::new();
    let sample = |hash: &str, message: &str| {
        vec![json!({"hash": hash, "stack_hash": message, "error_class": "E", "message": message}).to_string()]
    };
    file(&bench, Filed { samples: sample("5", "few"), ..Filed::new(1, 0, 1, 1, 1000, 1) }.under(7));
    file(&bench, Filed { site: 2, samples: sample("6", "many"), ..Filed::new(2, 0, 1, 2, 10, 9) }.under(7));
    let reached = json!([{"site": 1, "instance": 1}, {"site": 2, "instance": 2}]);
    let causes = |verdict: &Verdict| -> Vec<String> {
        verdict.top_causes.iter().map(|cause| cause.message.clone()).collect()
    };
    let by_ratio = judge(&bench, json!({"reached": reached}));
    assert_eq!((by_ratio.counts, causes(&by_ratio)), (Some((10, 9)), vec!["many".to_string()]));
    let by_sum = judge(&bench, json!({"reached": reached, "max_drop_ratio": 1.0, "max_dropped": 9}));
    assert_eq!(causes(&by_sum).len(), 2);
}

/// Adaptive execution drops a side of a join whose other side is empty, and also an empty side itself, which may be
/// empty because of a filter above the operator. Spark does not report the reason.
#[test]
fn what_adaptive_execution_has_removed_may_have_decided_what_is_left() {
    let discarded = json!({"reached": [{"site": 1, "instance": 1, "discarded": true}]});
    let judged = |dropped: i64, more: Value| {
        let bench = Bench::new();
        file(&bench, Filed::new(1, 0, 1, 1, 100, dropped).under(7));
        let mut limits = discarded.clone();
        limits.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        judge(&bench, limits)
    };
    let gave_some = judged(50, json!({}));
    assert_eq!((gave_some.decision, gave_some.counts), (Decision::Unknown, Some((100, 50))));
    assert!(
        gave_some.reason.contains("adaptive execution has removed it from the plan"),
        "{}",
        gave_some.reason
    );
    assert_eq!(judged(50, json!({"max_drop_ratio": 1.0, "max_dropped": 49})).decision, Decision::Unknown);
    assert_eq!(judged(50, json!({"max_drop_ratio": 0.5})).decision, Decision::Passed);
    assert_eq!(judged(0, json!({})).decision, Decision::Passed);
    assert_eq!(judged(100, json!({})).decision, Decision::Failed);
    let not_read = Bench::new();
    file(&not_read, Filed::new(2, 0, 1, 1, 100, 0).under(8));
    assert_eq!(judge(&not_read, discarded).decision, Decision::Failed);
}
