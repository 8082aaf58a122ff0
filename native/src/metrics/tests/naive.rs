//! Comparison with naive models that keep every event and recompute every figure.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// Cells of a few partitions of an instance, filed by a few attempts, some of them twice.
fn cells(dice: &mut Dice) -> Vec<Filed> {
    let count = 1 + dice.below(24);
    let instance = 1 + dice.below(2);
    (0..count)
        .map(|_| {
            let partitions = 2 + instance as u32;
            let partition = dice.below(u64::from(partitions)) as u32;
            let (rows, dropped) = (dice.below(5) as i64, dice.below(3) as i64);
            Filed::new(instance, partition, partitions, dice.below(6), rows, dropped)
                .flags(dice.below(4) as u8)
        })
        .collect()
}

/// The report of one attempt on one partition, in the order in which merges compare reports.
type Report = (bool, bool, bool, u64, Vec<(u16, i64)>);

/// The committed figure of the instance, its attempted rows, whether it is exact, and its coverage.
fn naive(cells: &[Filed]) -> (i64, i64, bool, i64) {
    let mut reports: BTreeMap<(u64, u32, u64), Report> = BTreeMap::new();
    for cell in cells {
        let (failed, complete) = (cell.flags & FAILED != 0, cell.flags & COMPLETE != 0);
        let report = (failed, complete, cell.seen == 0, cell.seen, cell.counters.clone());
        let known =
            reports.entry((cell.instance, cell.partition, cell.task)).or_insert_with(|| report.clone());
        *known = known.clone().max(report);
    }
    let sum = |report: &Report, counter: u16| -> i64 {
        report.4.iter().filter(|(index, _)| *index == counter).map(|(_, n)| n).sum()
    };
    let attempted = reports.values().map(|report| sum(report, 0)).sum();
    let of = |instance: u64| {
        let (mut rows, mut dropped, mut covered) = (0, 0, 0);
        for partition in 0..2 + instance as u32 {
            let attempts = reports.range((instance, partition, 0)..=(instance, partition, u64::MAX));
            let good = attempts.filter(|(_, report)| !report.0);
            let Some((_, kept)) = good.max_by_key(|((.., task), report)| (report.1, *task)) else { continue };
            rows += sum(kept, 0);
            dropped += sum(kept, 2);
            covered += u32::from(kept.1);
        }
        (rows, dropped, covered == 2 + instance as u32)
    };
    let instances: BTreeSet<u64> = cells.iter().map(|cell| cell.instance).collect();
    let whole = instances.iter().rev().copied().find(|instance| of(*instance).2);
    let (rows, dropped, exact) = of(whole.or(instances.last().copied()).unwrap());
    (rows, dropped, exact, attempted)
}

#[test]
fn step_merges_commute_associate_and_are_idempotent() {
    for seed in 0..400 {
        let mut dice = Dice::new(seed);
        let all = cells(&mut dice);
        let expected = naive(&all);
        let mut again = all.clone();
        for _ in 0..4 {
            let bench = Bench::new();
            again.iter().for_each(|cell| bench.app.step_cell(&cell.bytes()));
            let figures = bench.app.step_figures("step 1");
            let shipped = bench.ship_kind(Kind::Metric);
            let attempted =
                shipped.iter().find(|(_, body)| body["acc"] == "in").unwrap().1["attempted"].as_i64();
            let found =
                (figures.of("in") as i64, figures.of("dropped") as i64, figures.exact, attempted.unwrap());
            assert_eq!(found, expected, "seed {seed}");
            // Another order, with some cells filed again.
            let more: Vec<Filed> = again.iter().filter(|_| dice.below(3) == 0).cloned().collect();
            again.extend(more);
            dice.shuffle(&mut again);
        }
    }
}

#[derive(Clone, Copy)]
struct End {
    stage: (u32, u32),
    partition: u32,
    kind: TaskKind,
    reason: Reason,
    rows: i64,
}

/// Stages 0 to 5, of RDDs 0 to 2.
fn ends(dice: &mut Dice) -> Vec<End> {
    let reasons = [
        Reason::Success,
        Reason::Success,
        Reason::Success,
        Reason::Failed,
        Reason::Killed,
        Reason::Resubmitted,
    ];
    let end = |dice: &mut Dice| End {
        stage: (dice.below(6) as u32, dice.below(3) as u32),
        partition: dice.below(4) as u32,
        kind: if dice.below(2) == 0 { TaskKind::Result } else { TaskKind::ShuffleMap },
        reason: reasons[dice.below(reasons.len() as u64) as usize],
        rows: dice.below(4) as i64,
    };
    (0..1 + dice.below(60)).map(|_| end(dice)).collect()
}

/// The branch of an RDD's union that a partition belongs to; 0 if it belongs to none.
type BranchOf = fn(u32, u32) -> u32;

/// Committed and attempted rows by RDD, branch and kind of task.
fn naive_ends(ends: &[End], branch_of: BranchOf) -> BTreeMap<(u32, u32, TaskKind), (i64, i64)> {
    let scope_of = |end: &End| {
        let rdd = end.stage.0 % 3;
        (rdd, branch_of(rdd, end.partition), end.kind)
    };
    let mut figures = BTreeMap::new();
    for end in ends {
        let id = scope_of(end);
        let of_scope = || ends.iter().enumerate().filter(move |(_, e)| scope_of(e) == id);
        let attempted =
            of_scope().filter(|(_, e)| e.reason != Reason::Resubmitted).map(|(_, e)| e.rows).sum();
        let kept = (0..4).filter_map(|partition| {
            let good = of_scope().filter(|(_, e)| e.partition == partition && e.reason == Reason::Success);
            match id.2 {
                TaskKind::Result => good.max_by_key(|(arrival, e)| (e.stage.0, std::cmp::Reverse(*arrival))),
                TaskKind::ShuffleMap => good.max_by_key(|(arrival, e)| (e.stage, *arrival)),
            }
        });
        let committed = kept.map(|(_, end)| end.rows).sum();
        figures.insert(id, (committed, attempted));
    }
    figures
}

/// Compares stages 0 to 5 with a naive count of the task ends of `seed`. With `rdds` each branch of a union is
/// counted separately.
fn agree(seed: u64, rdds: impl Fn(u32) -> Value, branch_of: BranchOf) {
    let mut dice = Dice::new(seed);
    let all = ends(&mut dice);
    let bench = Bench::new();
    for stage in 0..6 {
        bench.stage_with(stage, 0, u64::from(stage % 3), 4, json!({"rdds": rdds(stage % 3)}));
    }
    for end in &all {
        bench.task(end.stage, end.partition, end.kind, end.reason, &[(ROWS, end.rows as u64)]);
    }
    let figures: Value = serde_json::from_str(&bench.app.figures_json()).unwrap();
    let figures = figures["accumulators"].as_array().unwrap();
    let expected = naive_ends(&all, branch_of);
    for ((rdd, branch, kind), (committed, attempted)) in &expected {
        let branch = if *branch > 0 { format!("/branch:{branch}") } else { String::new() };
        let kind = if *kind == TaskKind::Result { "" } else { "/shuffle" };
        let scope = format!("rdd:{rdd}{branch}{kind}");
        let found = figures.iter().find(|f| f["scope"] == scope.as_str());
        assert!(found.is_none_or(|f| branch.is_empty() || f["exact"] == false), "seed {seed} scope {scope}");
        let found =
            found.map_or((0, 0), |f| (f["committed"].as_i64().unwrap(), f["attempted"].as_i64().unwrap()));
        assert_eq!(found, (*committed, *attempted), "seed {seed} scope {scope}");
    }
    assert!(figures.len() <= expected.len(), "seed {seed}: no other scopes");
}

#[test]
fn accumulators_are_what_a_naive_count_says() {
    (0..600).for_each(|seed| agree(seed, |_| json!([]), |_, _| 0));
}

/// RDD 0 unites one RDD with itself, RDD 1 unites such a union with the RDD below it; RDD 2 is no union.
#[test]
fn branches_of_unions_are_what_a_naive_count_says() {
    let rdds = |rdd: u32| match rdd {
        0 => json!([
            {"id": 0, "name": "MapPartitionsRDD", "parents": [7], "partitions": 4},
            {"id": 7, "name": "UnionRDD", "parents": [8, 8], "partitions": 4},
            {"id": 8, "name": "MapPartitionsRDD", "parents": [], "partitions": 2},
        ]),
        1 => json!([
            {"id": 1, "name": "UnionRDD", "parents": [5, 9], "partitions": 4},
            {"id": 5, "name": "UnionRDD", "parents": [6, 6], "partitions": 2},
            {"id": 9, "name": "MapPartitionsRDD", "parents": [4], "partitions": 2},
            {"id": 6, "name": "MapPartitionsRDD", "parents": [], "partitions": 1},
            {"id": 4, "name": "ParallelCollectionRDD", "parents": [], "partitions": 2},
        ]),
        _ => json!([{"id": 2, "name": "MapPartitionsRDD", "parents": [], "partitions": 4}]),
    };
    let branch_of = |rdd: u32, partition: u32| match (rdd, partition) {
        (0, partition) => 1 + partition / 2,
        (1, partition) => (1 + partition).min(3),
        _ => 0,
    };
    (0..600).for_each(|seed| agree(seed, rdds, branch_of));
}

/// No event arrives in between: the last shipped revision equals the current figure.
#[test]
fn what_was_shipped_last_is_what_is_known() {
    for seed in 0..100 {
        let mut dice = Dice::new(seed);
        let bench = Bench::new();
        for stage in 0..6 {
            bench.stage(stage, 0, u64::from(stage % 3), 4);
        }
        let mut last: BTreeMap<String, (u64, Value)> = BTreeMap::new();
        for end in ends(&mut dice) {
            bench.task(end.stage, end.partition, end.kind, end.reason, &[(ROWS, end.rows as u64)]);
            if dice.below(4) == 0 {
                receive(&bench, &mut last, false);
            }
        }
        (0..6).for_each(|stage| bench.completed(stage, 0));
        // As at the end of the application, when some attempts were never announced.
        receive(&bench, &mut last, true);
        let figures: Value = serde_json::from_str(&bench.app.figures_json()).unwrap();
        for figure in figures["accumulators"].as_array().unwrap() {
            let shipped = last.values().find(|(_, body)| body["scope"] == figure["scope"]);
            let shipped = &shipped.unwrap_or_else(|| panic!("{figure} was not shipped")).1;
            for name in ["committed", "attempted", "exact", "partitions_reported", "partitions_total"] {
                assert_eq!(shipped[name], figure[name], "seed {seed}");
            }
            assert_eq!(shipped["reason"].as_str().unwrap_or_default(), figure["reason"], "seed {seed}");
        }
    }
}

fn receive(bench: &Bench, last: &mut BTreeMap<String, (u64, Value)>, at_once: bool) {
    for (event, body) in bench.ship_with(at_once).into_iter().filter(|(event, _)| event.kind == Kind::Metric)
    {
        let (known, earlier) = last.entry(event.id.clone()).or_insert((0, Value::Null));
        assert_eq!(event.revision, *known + 1, "revisions of an id ascend by one");
        assert!(differs(earlier, &body), "a revision that changed nothing: {body}");
        (*known, *earlier) = (event.revision, body);
    }
}

/// Whether anything but the time and the coverage of a running stage differs.
fn differs(earlier: &Value, later: &Value) -> bool {
    let names = [
        "attempted",
        "committed",
        "exact",
        "reason",
        "stages",
        "plan_nodes",
        "final",
        "other_instances",
        "partitions_reported",
    ];
    names.iter().any(|name| earlier[name] != later[name])
}
