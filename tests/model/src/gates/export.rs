//! Programs that can run on a real Spark. Faults are given by action, partition and attempt, and the service depends
//! only on action, operator and attempt, so that the order of tasks does not matter.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{json, Value};

use super::program::{program, Action, Bounds, Fault, Level, Op, Place, Program};
use super::rules::Answer;
use super::run::{run_whole, Ran};
use super::spark::{Spark, Ways};

/// `count` programs, each with a judged write or guard.
pub fn programs(count: usize) -> Vec<Value> {
    let mut runner = TestRunner::new(crate::config(1));
    let strategy = (program(false), prop::collection::vec(place(), 0..4));
    let mut found = Vec::new();
    while found.len() < count {
        let tree = strategy.new_tree(&mut runner).unwrap();
        let (program, places) = tree.current();
        found.extend(fit(program, places).and_then(|program| shown(&program)));
    }
    found
}

fn place() -> impl Strategy<Value = (Place, Fault)> {
    let fault = prop_oneof![
        2 => (0u8..5).prop_map(Fault::FailReading),
        2 => (0u8..5).prop_map(Fault::FailWriting),
        4 => Just(Fault::FailAtEnd),
        1 => Just(Fault::Cancel { told: false }),
    ];
    (0u8..5, 0u8..3, 0u8..2, fault).prop_map(|(action, partition, attempt, fault)| {
        let (partition, attempt) = match fault {
            Fault::Cancel { .. } => (Place::LAST, 0),
            _ => (partition, attempt),
        };
        (Place { action, partition, attempt }, fault)
    })
}

/// The program in a form that can run on Spark; `None` if there is none.
fn fit(program: Program, places: Vec<(Place, Fault)>) -> Option<Program> {
    let nodes = program.nodes;
    let spark = Spark { nodes: nodes.clone(), ..Spark::default() };
    let tree = |node: usize| spark.tree(node);
    let below =
        |node: usize, such: fn(Op) -> bool| tree(node).into_iter().any(|at| at != node && such(nodes[at].op));
    let shuffles = |op: Op| matches!(op, Op::Shuffle(_) | Op::Limit(_));
    let merges = |op: Op| matches!(op, Op::Shuffle(_) | Op::Limit(_) | Op::Coalesce);
    for (at, node) in nodes.iter().enumerate() {
        let fits = match node.op {
            Op::Take(_) => !below(at, merges),
            Op::Limit(_) => node.dataset && !below(at, shuffles),
            Op::Step => !below(at, |op| matches!(op, Op::Limit(_))),
            _ => true,
        };
        if !fits || node.level == Some(Level::Replicated) {
            return None;
        }
    }
    let kept = |node: usize| tree(node).into_iter().any(|at| nodes[at].level.is_some());
    let of = |number: u8| spark.node(number);
    let is_rdd = |number: u8| !nodes[of(number)].dataset;
    let (mut first, mut then) = (Vec::new(), Vec::new());
    for action in program.actions {
        match action {
            Action::Checkpoint(node) | Action::LocalCheckpoint(node) if is_rdd(node) => first.push(action),
            Action::TakeFirst(node, _) | Action::Persist(node, _) | Action::Unpersist(node)
                if is_rdd(node) =>
            {
                then.push(action)
            }
            Action::WriteBoth(a, b) if kept(of(a)) || kept(of(b)) => then.push(Action::Write(a)),
            Action::Guard(body) => {
                let body = body.into_iter().map(|(node, part)| (node, part && is_rdd(node)));
                then.push(Action::Guard(body.collect()));
            }
            Action::Count(_) | Action::Write(_) | Action::WriteBoth(..) | Action::LoseBlock(_) => {
                then.push(action)
            }
            _ => {}
        }
    }
    // Spark fails the next job if the blocks of a pending local checkpoint are unpersisted.
    let is_local = |node: u8| {
        first.iter().any(|action| matches!(action, Action::LocalCheckpoint(other) if of(*other) == of(node)))
    };
    then.retain(|action| !matches!(action, Action::Unpersist(node) if is_local(*node)));
    let has_both = then.iter().any(|action| matches!(action, Action::WriteBoth(..)));
    if has_both && !first.is_empty() {
        return None;
    }
    first.extend(then);
    let unites = nodes.iter().any(|node| matches!(node.op, Op::Union(_)));
    let places = places.into_iter().filter(|(place, fault)| match fault {
        Fault::FailReading(_) => !unites,
        Fault::Cancel { .. } => {
            matches!(first.get(usize::from(place.action)), Some(Action::Count(_) | Action::Write(_)))
        }
        _ => true,
    });
    let places = Some(places.collect());
    let bounds = Bounds { dropped: None, ..program.bounds };
    Some(Program { nodes, actions: first, faults: Vec::new(), places, bounds, ..program })
}

fn shown(program: &Program) -> Option<Value> {
    let ran = run_whole(program, &[], Ways::PRODUCT);
    let local = |node: usize| {
        let is_local = |action: &Action| match action {
            Action::LocalCheckpoint(of) => spark_node(program, *of) == node,
            _ => false,
        };
        program.actions.iter().any(is_local)
    };
    if ran.judged.is_empty() || ran.lost.iter().any(|lost| local(lost.node)) {
        return None;
    }
    // A few programs without any possible fault are enough.
    let is_dull = ran.judged.iter().all(|one| one.scope.reached.is_empty());
    (!is_dull).then(|| json(program, &ran))
}

fn spark_node(program: &Program, number: u8) -> usize {
    Spark { nodes: program.nodes.clone(), ..Spark::default() }.node(number)
}

fn json(program: &Program, ran: &Ran) -> Value {
    let spark = Spark { nodes: program.nodes.clone(), ..Spark::default() };
    let nodes: Vec<Value> = program
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| {
            let parent = (!spark.is_source(at)).then(|| spark.parent(at, node.parent));
            let (op, number, other) = match node.op {
                Op::Source { partitions, rows } if spark.is_source(at) => ("source", (partitions, rows), None),
                Op::Source { .. } | Op::Map => ("map", (0, 0), None),
                Op::Step => ("step", (0, 0), None),
                Op::Union(other) => ("union", (0, 0), Some(spark.parent(at, other))),
                Op::Coalesce => ("coalesce", (0, 0), None),
                Op::Limit(rows) => ("limit", (0, rows), None),
                Op::Take(rows) => ("take", (0, rows), None),
                Op::Shuffle(partitions) => ("shuffle", (partitions, 0), None),
            };
            json!({"op": op, "parent": parent, "other": other, "rows": number.1, "partitions": ran.partitions[at],
                "dataset": node.dataset, "kept": node.level.is_some()})
        })
        .collect();
    let actions: Vec<Value> =
        program.actions.iter().enumerate().filter_map(|(at, action)| act(&spark, ran, at, action)).collect();
    let faults: Vec<Value> = program.places.iter().flatten().map(fault).collect();
    let expected: Vec<Value> = ran
        .judged
        .iter()
        .map(|one| {
            let answers =
                [(Answer::Passed, "passed"), (Answer::Failed, "failed"), (Answer::Unknown, "unknown")];
            let allowed: Vec<&str> = answers
                .iter()
                .filter(|(answer, _)| one.fault(*answer).is_none())
                .map(|(_, name)| *name)
                .collect();
            json!({"action": one.action, "part": one.part, "allowed": allowed})
        })
        .collect();
    let Bounds { ratio, min_rows, zero_rows_pass, .. } = program.bounds;
    json!({"nodes": nodes, "actions": actions, "faults": faults, "service": program.service, "expected": expected,
        "ratio": ratio, "min_rows": min_rows, "zero_rows_pass": zero_rows_pass})
}

fn act(spark: &Spark, ran: &Ran, at: usize, action: &Action) -> Option<Value> {
    let (what, nodes, rows): (&str, Vec<usize>, Vec<u8>) = match action {
        Action::Count(node) => ("count", vec![spark.node(*node)], vec![]),
        Action::TakeFirst(node, rows) => ("take", vec![spark.node(*node)], vec![*rows]),
        Action::Write(node) => ("write", vec![spark.node(*node)], vec![]),
        Action::WriteBoth(a, b) => ("write", vec![spark.node(*a), spark.node(*b)], vec![]),
        Action::Guard(body) => {
            let nodes = body.iter().map(|(node, _)| spark.node(*node)).collect();
            ("guard", nodes, body.iter().map(|(_, part)| if *part { 2 } else { 0 }).collect())
        }
        Action::Persist(node, _) => ("persist", vec![spark.node(*node)], vec![]),
        Action::Unpersist(node) => ("unpersist", vec![spark.node(*node)], vec![]),
        Action::Checkpoint(node) => ("checkpoint", vec![spark.node(*node)], vec![]),
        Action::LocalCheckpoint(node) => ("localCheckpoint", vec![spark.node(*node)], vec![]),
        Action::LoseBlock(_) => {
            let lost = ran.lost.iter().find(|lost| lost.action == at)?;
            ("lose", vec![lost.node], vec![lost.partition as u8])
        }
        _ => return None,
    };
    Some(json!({"action": at, "what": what, "nodes": nodes, "rows": rows}))
}

fn fault((place, fault): &(Place, Fault)) -> Value {
    let (what, rows) = match fault {
        Fault::FailReading(rows) => ("reading", *rows),
        Fault::FailWriting(rows) => ("writing", *rows),
        Fault::Cancel { .. } => ("cancel", u8::MAX),
        _ => ("writing", u8::MAX),
    };
    let partition = if place.partition == Place::LAST { -1 } else { i32::from(place.partition) };
    json!({"action": place.action, "partition": partition, "attempt": place.attempt, "what": what, "rows": rows})
}
