//! Unions whose branches may be the same rows: each branch has a figure of its own, and none of them is exact.

use super::*;

fn rdd(id: u64, name: &str, parents: &[u64], partitions: u32) -> Value {
    json!({"id": id, "name": name, "parents": parents, "partitions": partitions})
}

/// RDD 3: the union of RDD 1 with itself, which has 4 partitions.
fn with_itself() -> Vec<Value> {
    vec![rdd(3, "UnionRDD", &[1, 1], 8), rdd(1, "MapPartitionsRDD", &[0], 4), rdd(0, "", &[], 4)]
}

/// A stage of these RDDs, the first of which is its terminal one.
fn begin(bench: &Bench, id: (u32, u32), rdds: &[Value], more: Value) {
    let (terminal, tasks) = (rdds[0]["id"].as_u64().unwrap(), rdds[0]["partitions"].as_u64().unwrap());
    let mut all = json!({"rdds": rdds, "partitions": tasks});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.stage_with(id.0, id.1, terminal, tasks as u32, all);
}

/// All result tasks of a stage, each of `rows`.
fn run(bench: &Bench, stage: u32, rdds: &[Value], more: Value, rows: i64) {
    begin(bench, (stage, 0), rdds, more);
    results(bench, stage, 0..rdds[0]["partitions"].as_u64().unwrap() as u32, rows);
    bench.completed(stage, 0);
}

fn results(bench: &Bench, stage: u32, partitions: std::ops::Range<u32>, rows: i64) {
    for partition in partitions {
        bench.result((stage, 0), partition, Reason::Success, rows);
    }
}

fn scopes(bench: &Bench) -> Vec<String> {
    let figures: Value = serde_json::from_str(&bench.app.figures_json()).unwrap();
    figures["accumulators"].as_array().unwrap().iter().map(|f| f["scope"].as_str().unwrap().into()).collect()
}

/// The scopes of one action of these RDDs.
fn scopes_of(rdds: &[Value], more: Value) -> Vec<String> {
    let bench = Bench::new();
    run(&bench, 0, rdds, more, 10);
    scopes(&bench)
}

const ITSELF: &str = "a stage computes the same rows several times (cartesian product, union with itself)";
const ONE_PLAN: &str = "a union has several branches of one plan, and each is counted";

/// A plan whose union has two branches of these texts.
fn plan(bench: &Bench, first: &str, second: &str) {
    let node = |name: &str, parent: u32, text: &str| json!({"name": name, "parent": parent, "text": text});
    let nodes =
        json!([node("Union", 9, "Union"), node("MapElements", 0, first), node("MapElements", 0, second)]);
    bench.app.execution(&json!({"execution": 2, "nodes": nodes}).to_string());
}

/// The RDDs of a Dataset's union.
fn of_plans() -> Vec<Value> {
    vec![
        rdd(9, "MapPartitionsRDD", &[8], 8),
        json!({"id": 8, "name": "UnionRDD", "operation": "Union", "parents": [3, 6], "partitions": 8}),
        rdd(3, "MapPartitionsRDD", &[2], 4),
        rdd(2, "", &[], 4),
        rdd(6, "MapPartitionsRDD", &[5], 4),
        rdd(5, "", &[], 4),
    ]
}

#[test]
fn an_rdds_union_with_itself_is_two_figures() {
    let bench = Bench::new();
    run(&bench, 0, &with_itself(), json!({}), 250);
    assert_eq!(scopes(&bench), ["rdd:3/branch:1", "rdd:3/branch:2"]);
    for scope in scopes(&bench) {
        bench.rows(&scope).is_flagged(1000, 1000, ITSELF);
        assert_eq!(bench.rows(&scope).reason, ITSELF, "it is one terminal RDD");
    }
    let shipped = bench.ship_kind(Kind::Metric);
    let ids: Vec<&str> = shipped.iter().map(|(event, _)| event.id.as_str()).collect();
    assert_eq!(ids, ["app-1||rows|rdd:3/branch:1", "app-1||rows|rdd:3/branch:2"]);
    for (_, body) in &shipped {
        let of = |name: &str| body[name].as_i64();
        let found = [of("committed"), of("scopes"), of("partitions_reported"), of("partitions_total")];
        assert_eq!(found, [1000, 2, 4, 4].map(Some), "{body}");
        assert_eq!((&body["exact"], &body["final"]), (&json!(false), &json!(true)));
    }
}

#[test]
fn a_datasets_union_with_itself_is_two_figures() {
    let bench = Bench::new();
    plan(&bench, "f@7, obj#12", "f@7, obj#29");
    run(&bench, 0, &of_plans(), json!({"execution_id": 2}), 250);
    assert_eq!(scopes(&bench), ["rdd:9/branch:1", "rdd:9/branch:2"]);
    for scope in scopes(&bench) {
        bench.rows(&scope).is_flagged(1000, 1000, ONE_PLAN);
    }
}

#[test]
fn a_union_of_two_plans_is_one_figure_and_exact() {
    let bench = Bench::new();
    plan(&bench, "f@7, obj#12", "f@8, obj#29");
    run(&bench, 0, &of_plans(), json!({"execution_id": 2}), 250);
    assert_eq!(scopes(&bench), ["rdd:9"]);
    bench.rows("rdd:9").is_exactly(2000, 2000);
}

#[test]
fn a_union_of_two_rdds_is_one_figure_and_exact() {
    let bench = Bench::new();
    let rdds = [rdd(3, "UnionRDD", &[1, 2], 8), rdd(2, "", &[], 4), rdd(1, "", &[], 4)];
    run(&bench, 0, &rdds, json!({}), 250);
    bench.rows("rdd:3").is_exactly(2000, 2000);
}

/// `rows.map(f).union(rows.map(g))`.
#[test]
fn branches_that_read_one_rdd_by_chains_are_branches() {
    let rdds = [
        rdd(5, "UnionRDD", &[3, 4], 6),
        rdd(3, "MapPartitionsRDD", &[1], 4),
        // A coalesced RDD is a branch too, and has no branches of its own.
        rdd(4, "CoalescedRDD", &[1], 2),
        rdd(1, "MapPartitionsRDD", &[], 4),
    ];
    let bench = Bench::new();
    run(&bench, 0, &rdds, json!({}), 10);
    bench.rows("rdd:5/branch:1").is_flagged(40, 40, ITSELF);
    bench.rows("rdd:5/branch:2").is_flagged(20, 20, ITSELF);
}

#[test]
fn unions_of_unions_have_the_branches_of_all() {
    // ((r ∪ r).map ∪ r) ∪ e ∪ r, where `e` has no partition.
    let rdds = [
        rdd(9, "joined", &[8], 14),
        rdd(8, "UnionRDD", &[7, 5, 1], 14),
        rdd(7, "UnionRDD", &[6, 1], 11),
        rdd(6, "MapPartitionsRDD", &[4], 8),
        rdd(4, "UnionRDD", &[2, 2], 8),
        rdd(5, "EmptyRDD", &[], 0),
        rdd(2, "MapPartitionsRDD", &[], 4),
        rdd(1, "MapPartitionsRDD", &[], 3),
    ];
    let bench = Bench::new();
    run(&bench, 0, &rdds, json!({}), 10);
    let expected = [(1, 40), (2, 40), (3, 30), (4, 30)];
    assert_eq!(scopes(&bench), expected.map(|(branch, _)| format!("rdd:9/branch:{branch}")));
    for (branch, rows) in expected {
        bench.rows(&format!("rdd:9/branch:{branch}")).is_flagged(rows, rows, ITSELF);
    }
}

#[test]
fn what_is_no_union_stays_one_figure() {
    let zip = [rdd(3, "ZippedPartitionsRDD2", &[1, 1], 4), rdd(1, "", &[], 4)];
    let by_partitioner = [rdd(3, "PartitionerAwareUnionRDD", &[1, 1], 4), rdd(1, "", &[], 4)];
    // As many partitions as all parents together, and as many as their pairs.
    let cartesian = [rdd(3, "CartesianRDD", &[1, 1], 4), rdd(1, "", &[], 2)];
    let coalesced = |to: u32| {
        let mut rdds = with_itself();
        rdds.insert(0, rdd(4, "CoalescedRDD", &[3], to));
        rdds
    };
    let mut unknown = with_itself();
    unknown[1]["partitions"] = json!(null);
    for rdds in [&zip[..], &by_partitioner, &cartesian, &coalesced(1), &coalesced(8), &unknown] {
        let bench = Bench::new();
        run(&bench, 0, rdds, json!({}), 10);
        let rows = 10 * rdds[0]["partitions"].as_i64().unwrap();
        let scope = format!("rdd:{}", rdds[0]["id"]);
        assert_eq!(scopes(&bench), std::slice::from_ref(&scope));
        bench.rows(&scope).is_flagged(rows, rows, ITSELF);
    }
    let mut below_a_shuffle = with_itself();
    below_a_shuffle.truncate(1);
    assert_eq!(scopes_of(&below_a_shuffle, json!({})), ["rdd:3"]);
}

#[test]
fn very_many_branches_are_one_figure() {
    for (branches, figures) in [(256, 256), (257, 1)] {
        let rdds = [rdd(3, "UnionRDD", &vec![1; branches], branches as u32), rdd(1, "", &[], 1)];
        assert_eq!(scopes_of(&rdds, json!({})).len(), figures);
    }
    // Each RDD unites the one below it with itself: more branches than can be counted.
    let deep = |id: u64| rdd(id, "UnionRDD", &[id - 1, id - 1], 1 << id);
    let mut rdds: Vec<Value> = (1..24).rev().map(deep).collect();
    rdds.push(rdd(0, "", &[], 1));
    let bench = Bench::new();
    begin(&bench, (0, 0), &rdds, json!({}));
    bench.result((0, 0), 0, Reason::Success, 10);
    assert_eq!(scopes(&bench), ["rdd:23"]);
}

/// A block that one branch stores serves the other one, which then counts nothing.
#[test]
fn a_cache_that_several_branches_read_leaves_one_figure() {
    let cached = |rdd: u64| json!({"caches": [{"rdd": rdd, "tells": true}]});
    let whole = ["rdd:3".to_string()];
    let branches = ["rdd:3/branch:1".to_string(), "rdd:3/branch:2".to_string()];
    for (rdd, expected) in [(1, &whole[..]), (0, &whole), (3, &branches)] {
        assert_eq!(scopes_of(&with_itself(), cached(rdd)), expected, "rdd {rdd}");
    }
    let bench = Bench::new();
    plan(&bench, "f@7, obj#12", "f@7, obj#29");
    run(&bench, 0, &of_plans(), json!({"execution_id": 2, "caches": [{"rdd": 3, "tells": true}]}), 10);
    assert_eq!(scopes(&bench), ["rdd:9/branch:1", "rdd:9/branch:2"], "a cache of one branch only");
}

#[test]
fn what_runs_again_in_one_branch_counts_once() {
    let bench = Bench::new();
    begin(&bench, (0, 0), &with_itself(), json!({}));
    for partition in 0..8 {
        bench.map((0, 0), partition, Reason::Success, 10);
    }
    // A speculative copy that lost, a failure, the loss of an executor.
    bench.map((0, 0), 5, Reason::Killed, 3);
    bench.map((0, 0), 6, Reason::Failed, 4);
    bench.map((0, 0), 7, Reason::Resubmitted, 10);
    bench.map((0, 0), 7, Reason::Success, 10);
    bench.completed(0, 0);
    begin(&bench, (0, 1), &with_itself(), json!({}));
    bench.map((0, 1), 4, Reason::Success, 10);
    bench.completed(0, 1);
    bench.rows("rdd:3/branch:1/shuffle").is_flagged(40, 40, ITSELF);
    bench.rows("rdd:3/branch:2/shuffle").is_flagged(40, 67, ITSELF);
    assert!(!bench.rows("rdd:3/branch:2/shuffle").reason.contains("overlapped"));
    // Another action on the same rows.
    run(&bench, 4, &with_itself(), json!({}), 10);
    run(&bench, 5, &with_itself(), json!({}), 10);
    bench.rows("rdd:3/branch:2").is_flagged(40, 80, "several terminal RDDs");
}

#[test]
fn of_a_part_the_branches_that_were_read_are_counted() {
    let bench = Bench::new();
    begin(&bench, (0, 0), &with_itself(), json!({"tasks": 1}));
    bench.result((0, 0), 0, Reason::Success, 5);
    bench.completed(0, 0);
    assert_eq!(scopes(&bench), ["rdd:3/branch:1"]);
    bench.rows("rdd:3/branch:1").is_flagged(5, 5, "a part was read: 1 of 4 partitions");
    run(&bench, 1, &with_itself(), json!({}), 25);
    bench.rows("rdd:3/branch:1").is_flagged(100, 105, ITSELF);
    bench.rows("rdd:3/branch:2").is_flagged(100, 100, ITSELF);
    assert!(!bench.rows("rdd:3/branch:1").reason.contains("another result"));
}

#[test]
fn a_plan_that_is_told_late_leaves_no_exact_figure() {
    let bench = Bench::new();
    begin(&bench, (0, 0), &of_plans(), json!({"execution_id": 2}));
    plan(&bench, "f@7, obj#12", "f@8, obj#29");
    results(&bench, 0, 0..5, 10);
    assert_eq!(scopes(&bench), ["rdd:9"]);
    bench.ship();
    plan(&bench, "f@7, obj#12", "f@7, obj#29");
    results(&bench, 0, 5..8, 10);
    bench.completed(0, 0);
    assert_eq!(scopes(&bench), ["rdd:9", "rdd:9/branch:2"]);
    bench.rows("rdd:9").is_flagged(50, 50, "for a union as a whole, and for its branches");
    bench.rows("rdd:9/branch:2").is_flagged(30, 30, ONE_PLAN);
}

/// A shipped figure of a branch carries the reason as soon as there is another terminal RDD.
#[test]
fn another_terminal_rdd_is_told_of_all_branches() {
    let bench = Bench::new();
    run(&bench, 0, &with_itself(), json!({}), 10);
    assert_eq!(bench.ship_kind(Kind::Metric).len(), 2);
    bench.stage(1, 0, 7, 1);
    bench.result((1, 0), 0, Reason::Success, 40);
    bench.completed(1, 0);
    let shipped = bench.ship_kind(Kind::Metric);
    assert_eq!(shipped.len(), 3);
    for (_, body) in shipped {
        assert!(body["reason"].as_str().unwrap().contains("several terminal RDDs"), "{body}");
    }
}

#[test]
fn ends_that_never_came_are_told_of_all_branches() {
    let bench = Bench::new();
    begin(&bench, (0, 0), &with_itself(), json!({}));
    results(&bench, 0, 0..7, 10);
    bench.rows("rdd:3/branch:2").is_flagged(30, 30, "3 of 4 partitions have reported so far");
    bench.completed(0, 0);
    bench.rows("rdd:3/branch:1").is_flagged(40, 40, "1 end of a task never arrived");
    bench.rows("rdd:3/branch:2").is_flagged(30, 30, "1 end of a task never arrived");
    bench.rows("rdd:3/branch:2").is_flagged(30, 30, "a part was read: 3 of 4 partitions");
}

#[test]
fn a_stage_names_what_it_changed_once() {
    let bench = Bench::new();
    run(&bench, 0, &with_itself(), json!({}), 10);
    let stages = bench.ship_kind(Kind::Stage);
    assert_eq!(stages[0].1["changed"], json!(["rows"]));
}

/// The plan of `Dataset.rdd` is unknown, and its branches may come from two plans.
#[test]
fn a_branch_that_counts_nothing_has_no_figure() {
    let bench = Bench::new();
    begin(&bench, (0, 0), &of_plans(), json!({}));
    results(&bench, 0, 0..4, 10);
    results(&bench, 0, 4..8, 0);
    bench.completed(0, 0);
    assert_eq!(scopes(&bench), ["rdd:9/branch:1"]);
    bench.rows("rdd:9/branch:1").is_flagged(40, 40, ONE_PLAN);
    assert!(!bench.rows("rdd:9/branch:1").reason.contains("outside tasks"));
}
