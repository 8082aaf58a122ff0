//! What a listener cannot know: such figures say that they are not exact.

use super::*;

fn action(bench: &Bench, stage: u32, rdd: u64, partitions: std::ops::Range<u32>, rows: i64) {
    for partition in partitions {
        bench.result((stage, 0), partition, Reason::Success, rows);
    }
    let _ = rdd;
    bench.completed(stage, 0);
}

#[test]
fn a_take_is_flagged_until_a_whole_action_replaces_it() {
    let bench = Bench::new();
    bench.stage_with(0, 0, 3, 1, json!({"partitions": 4, "name": "take at Job.scala:5"}));
    action(&bench, 0, 3, 0..1, 5);
    bench.rows("rdd:3").is_flagged(5, 5, "only a part");
    bench.stage_with(1, 0, 3, 4, json!({"partitions": 4}));
    action(&bench, 1, 3, 0..4, 25);
    bench.rows("rdd:3").is_exactly(100, 105);
}

#[test]
fn a_take_after_a_whole_action_is_flagged() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 4);
    action(&bench, 0, 3, 0..4, 25);
    bench.stage_with(1, 0, 3, 1, json!({"partitions": 4, "name": "first at Job.scala:5"}));
    action(&bench, 1, 3, 0..1, 5);
    bench.rows("rdd:3").is_flagged(80, 105, "only a part");
}

#[test]
fn a_take_from_one_partition_is_known_by_its_name() {
    let bench = Bench::new();
    bench.stage_with(0, 0, 3, 1, json!({"partitions": 1, "name": "take at Job.scala:5"}));
    action(&bench, 0, 3, 0..1, 5);
    bench.rows("rdd:3").is_flagged(5, 5, "only a part");
}

#[test]
fn a_limit_in_the_plan_is_flagged() {
    let bench = Bench::new();
    let plan = json!({"execution": 2, "nodes": [{"id": 0, "name": "CollectLimit", "metrics": []}]});
    bench.app.execution(&plan.to_string());
    bench.stage_with(0, 0, 3, 2, json!({"execution_id": 2}));
    action(&bench, 0, 3, 0..2, 5);
    bench.rows("rdd:3").is_flagged(10, 10, "only a part");
}

#[test]
fn two_terminal_rdds_are_two_scopes_and_flagged() {
    // `count`, and the count of a filter; also the sampling job of a sort on every clean run.
    let bench = Bench::new();
    bench.stage(0, 0, 3, 2);
    action(&bench, 0, 3, 0..2, 50);
    bench.rows("rdd:3").is_exactly(100, 100);
    bench.stage(1, 0, 4, 2);
    action(&bench, 1, 4, 0..2, 50);
    bench.rows("rdd:3").is_flagged(100, 100, "several terminal RDDs");
    bench.rows("rdd:4").is_flagged(100, 100, "several terminal RDDs");
}

#[test]
fn a_cache_that_answers_is_flagged() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 2);
    action(&bench, 0, 3, 0..2, 50);
    bench.stage(1, 0, 3, 2);
    action(&bench, 1, 3, 0..2, 0);
    bench.rows("rdd:3").is_flagged(0, 100, "another result");
}

#[test]
fn a_cartesian_product_is_flagged() {
    let bench = Bench::new();
    let rdds =
        json!([{"id": 3, "name": "CartesianRDD", "parents": [1, 2]}, {"id": 1, "name": "", "parents": []}]);
    bench.stage_with(0, 0, 3, 3, json!({"rdds": rdds}));
    action(&bench, 0, 3, 0..3, 100);
    bench.rows("rdd:3").is_flagged(300, 300, "cartesian");
}

#[test]
fn a_union_with_itself_is_flagged_and_a_join_with_itself_is_not() {
    for (parent_is_in_the_stage, exact) in [(true, false), (false, true)] {
        let bench = Bench::new();
        let mut rdds = vec![json!({"id": 3, "name": "UnionRDD", "parents": [1, 1]})];
        if parent_is_in_the_stage {
            rdds.push(json!({"id": 1, "name": "MapPartitionsRDD", "parents": []}));
        }
        bench.stage_with(0, 0, 3, 2, json!({"rdds": rdds}));
        action(&bench, 0, 3, 0..2, 50);
        assert_eq!(bench.rows("rdd:3").exact, exact);
    }
}

#[test]
fn dropped_events_are_flagged() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 2);
    action(&bench, 0, 3, 0..2, 50);
    bench.app.dropped_events(3);
    bench.rows("rdd:3").is_flagged(100, 100, "dropped events");
}

#[test]
fn ends_of_tasks_that_never_came_are_flagged() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 4);
    bench.stage(1, 0, 9, 2);
    action(&bench, 0, 3, 0..3, 25);
    bench.rows("rdd:3").is_flagged(75, 75, "1 ends of tasks never arrived");
    action(&bench, 1, 9, 0..2, 1);
    assert!(!bench.rows("rdd:9").reason.contains("never arrived"));
}

#[test]
fn a_task_that_an_older_attempt_ends_is_not_missed() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 4);
    for partition in 0..2 {
        bench.map((0, 0), partition, Reason::Success, 10);
    }
    bench.stage(0, 1, 3, 2);
    bench.map((0, 0), 2, Reason::Success, 10);
    bench.map((0, 1), 3, Reason::Success, 10);
    bench.map((0, 1), 2, Reason::Killed, 0);
    bench.completed(0, 1);
    bench.rows("rdd:3/shuffle").is_exactly(40, 40);
}

#[test]
fn a_collected_accumulator_is_flagged() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 1);
    bench.result((0, 0), 0, Reason::Success, 10);
    bench.app.stage_completed(r#"{"stage":0,"attempt":0,"collected":[7]}"#);
    bench.rows("rdd:3").is_flagged(10, 10, "let go");
}

#[test]
fn an_indeterminate_stage_that_runs_again_is_flagged() {
    let bench = Bench::new();
    bench.stage_with(0, 0, 3, 1, json!({"indeterminate": true}));
    bench.map((0, 0), 0, Reason::Success, 10);
    bench.completed(0, 0);
    bench.rows("rdd:3/shuffle").is_exactly(10, 10);
    bench.stage_with(0, 1, 3, 1, json!({"indeterminate": true}));
    bench.map((0, 1), 0, Reason::Success, 12);
    bench.completed(0, 1);
    bench.rows("rdd:3/shuffle").is_flagged(12, 22, "rolled back");
}

#[test]
fn ends_of_unknown_stages_are_late() {
    let bench = Bench::new();
    bench.result((5, 0), 0, Reason::Success, 10);
    let figures: Value = serde_json::from_str(&bench.app.figures_json()).unwrap();
    assert_eq!(figures["listener"]["late"], 1);
    assert_eq!(figures["accumulators"], json!([]));
}
