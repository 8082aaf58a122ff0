//! Figures that a listener cannot know exactly are flagged as not exact.

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
    bench.stage_with(0, 0, 3, 1, json!({"partitions": 4, "name": "nightly"}));
    action(&bench, 0, 3, 0..1, 5);
    bench.rows("rdd:3").is_flagged(5, 5, "a part was read: 1 of 4 partitions");
    bench.stage_with(1, 0, 3, 4, json!({"partitions": 4}));
    bench.result((1, 0), 0, Reason::Success, 25);
    action(&bench, 1, 3, 1..4, 25);
    bench.rows("rdd:3").is_exactly(100, 105);
}

#[test]
fn how_many_partitions_have_reported_so_far_is_said_while_a_stage_runs() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 4);
    bench.result((0, 0), 0, Reason::Success, 25);
    bench.rows("rdd:3").is_flagged(25, 25, "1 of 4 partitions have reported so far");
    let shipped = bench.ship_kind(Kind::Metric);
    assert_eq!(shipped.len(), 1);
    bench.completed(0, 0);
    bench.rows("rdd:3").is_flagged(25, 25, "a part was read: 1 of 4 partitions");
    let shipped = bench.ship_kind(Kind::Metric);
    assert!(
        shipped[0].1["reason"].as_str().unwrap().contains("a part was read"),
        "the last reason is shipped"
    );
}

/// `count`, then `take`: the figure of the whole action stays.
#[test]
fn a_take_after_a_whole_action_changes_nothing() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 4);
    action(&bench, 0, 3, 0..4, 25);
    bench.stage_with(1, 0, 3, 1, json!({"partitions": 4, "name": "first at Job.scala:5"}));
    action(&bench, 1, 3, 0..1, 5);
    bench.rows("rdd:3").is_exactly(100, 105);
}

/// `toLocalIterator` to its end, and a `take` of more rows than exist: each stage reads a part, and together they
/// read all.
#[test]
fn parts_that_make_a_whole_are_exact() {
    let bench = Bench::new();
    for partition in 0..4 {
        let more = json!({"partitions": 4, "name": "toLocalIterator at Job.scala:5"});
        bench.stage_with(partition, 0, 3, 1, more);
        action(&bench, partition, 3, partition..partition + 1, 25);
    }
    bench.rows("rdd:3").is_exactly(100, 100);
}

#[test]
fn a_name_says_nothing() {
    let bench = Bench::new();
    bench.stage_with(0, 0, 3, 2, json!({"partitions": 2, "name": "take at Job.scala:5"}));
    action(&bench, 0, 3, 0..2, 50);
    bench.rows("rdd:3").is_exactly(100, 100);
}

#[test]
fn pruned_partitions_are_flagged() {
    let bench = Bench::new();
    let rdds = json!([
        {"id": 3, "name": "PartitionPruningRDD", "parents": [1], "partitions": 2},
        {"id": 1, "name": "MapPartitionsRDD", "parents": [], "partitions": 8},
    ]);
    bench.stage_with(0, 0, 3, 2, json!({"partitions": 2, "rdds": rdds}));
    action(&bench, 0, 3, 0..2, 50);
    bench.rows("rdd:3").is_flagged(100, 100, "pruned");
}

fn planned(nodes: Value) -> Bench {
    let bench = Bench::new();
    bench.app.execution(&json!({"execution": 2, "nodes": nodes}).to_string());
    let rdds = json!([
        {"id": 3, "name": "UnionRDD", "parents": [1, 2], "partitions": 2},
        {"id": 1, "name": "MapPartitionsRDD", "parents": [], "partitions": 1},
        {"id": 2, "name": "MapPartitionsRDD", "parents": [], "partitions": 1},
    ]);
    bench.stage_with(0, 0, 3, 2, json!({"execution_id": 2, "rdds": rdds}));
    action(&bench, 0, 3, 0..2, 5);
    bench
}

#[test]
fn a_limit_above_a_function_is_flagged_and_one_below_is_not() {
    let node = |name: &str, parent: u32| json!({"name": name, "parent": parent, "text": name});
    let above =
        [node("GlobalLimit", 9), node("WholeStageCodegen (1)", 0), node("MapElements", 1), node("Range", 2)];
    planned(json!(above)).rows("rdd:3").is_flagged(10, 10, "its plan has a limit");
    let below = [
        node("MapElements", 9),
        node("GlobalLimit", 0),
        node("Exchange", 1),
        node("LocalLimit", 2),
        node("Range", 3),
    ];
    planned(json!(below)).rows("rdd:3").is_exactly(10, 10);
    let rows = [node("CollectLimit", 9), node("Scan ExistingRDD", 0)];
    planned(json!(rows)).rows("rdd:3").is_flagged(10, 10, "its plan has a limit");
    planned(json!([{"id": 0, "name": "CollectLimit"}])).rows("rdd:3").is_flagged(
        10,
        10,
        "its plan has a limit",
    );
}

#[test]
fn a_union_of_one_plan_is_flagged_and_one_of_two_is_not() {
    let union = |first: &str, second: &str| {
        let node =
            |name: &str, parent: u32, text: &str| json!({"name": name, "parent": parent, "text": text});
        planned(json!([
            node("Union", 9, "Union"),
            node("WholeStageCodegen (1)", 0, "1"),
            node("MapElements", 1, first),
            node("WholeStageCodegen (2)", 0, "2"),
            node("MapElements", 3, second),
        ]))
    };
    let same = union("MapElements f@7, obj#12: bigint", "MapElements f@7, obj#29: bigint");
    same.rows("rdd:3/branch:1").is_flagged(5, 5, "one plan");
    same.rows("rdd:3/branch:2").is_flagged(5, 5, "one plan");
    union("MapElements f@7, obj#12: bigint", "MapElements f@8, obj#29: bigint")
        .rows("rdd:3")
        .is_exactly(10, 10);
}

/// `Dataset.rdd` has no SQL execution, so no plan is known.
#[test]
fn a_union_of_datasets_without_a_plan_is_flagged_and_one_of_rdds_is_not() {
    for (operation, exact) in [("Union", false), ("union", true)] {
        let bench = Bench::new();
        let rdds = json!([
            {"id": 3, "name": "UnionRDD", "operation": operation, "parents": [1, 2], "partitions": 2},
            {"id": 2, "name": "MapPartitionsRDD", "parents": [], "partitions": 1},
            {"id": 1, "name": "MapPartitionsRDD", "parents": [], "partitions": 1},
        ]);
        bench.stage_with(0, 0, 3, 2, json!({"rdds": rdds}));
        action(&bench, 0, 3, 0..2, 50);
        let scope = if exact { "rdd:3" } else { "rdd:3/branch:2" };
        assert_eq!(bench.rows(scope).exact, exact, "{operation}");
    }
}

#[test]
fn two_terminal_rdds_are_two_scopes_and_flagged() {
    // `count`, then the count of a filter; a sort's sampling job looks the same in every run.
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
fn a_later_job_that_computes_nothing_is_flagged() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 2);
    action(&bench, 0, 3, 0..2, 50);
    bench.stage(1, 0, 3, 2);
    action(&bench, 1, 3, 0..2, 0);
    bench.rows("rdd:3").is_flagged(0, 100, "another result");
}

#[test]
fn a_cartesian_product_is_known_by_its_operation_or_its_partitions() {
    for (name, operation, partitions) in
        [("joined", "cartesian", [4, 2, 2]), ("joined", "", [6, 2, 3]), ("joined", "", [3, 1, 3])]
    {
        let bench = Bench::new();
        let [own, left, right] = partitions;
        let rdds = json!([
            {"id": 3, "name": name, "operation": operation, "parents": [1, 2], "partitions": own},
            {"id": 1, "name": "", "parents": [], "partitions": left},
            {"id": 2, "name": "", "parents": [], "partitions": right},
        ]);
        bench.stage_with(0, 0, 3, own, json!({"rdds": rdds}));
        action(&bench, 0, 3, 0..own, 100);
        assert!(!bench.rows("rdd:3").exact, "{partitions:?}");
    }
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
    bench.rows("rdd:3").is_flagged(75, 75, "1 end of a task never arrived");
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
