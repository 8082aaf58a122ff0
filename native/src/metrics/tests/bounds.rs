//! Memory bounds, and the flags of figures that a bound affects.

use super::*;
use crate::metrics::foreign::{Facts, SparkAccumulators};
use crate::metrics::steps;

fn facts(partitions: u32) -> Facts {
    Facts { rdd: 1, partitions, ..Facts::default() }
}

/// `tests/model/tests/metrics_memory.rs` compares the charge with the allocator.
#[test]
fn cells_are_charged_with_what_they_take() {
    let mut foreign = SparkAccumulators::new(usize::MAX);
    (0..50).for_each(|id| foreign.name(id, &format!("acc {id}"), ValueKind::Long));
    let updates: Vec<(u64, u64)> = (0..50).map(|id| (id, id + 1)).collect();
    for partition in 0..1000 {
        let buffer = task_end((0, 0), partition, 1, TaskKind::ShuffleMap, Reason::Success, &updates);
        foreign.task_end(&TaskEnd::decode(&buffer).unwrap(), &facts(1000));
    }
    assert_eq!(foreign.bytes(), 1000 * (50 * 8 + 16) + 512 + 50 * 256);
}

#[test]
fn beyond_the_bound_figures_are_flagged_and_nothing_grows() {
    let mut foreign = SparkAccumulators::new(2000);
    foreign.name(ROWS, "rows", ValueKind::Long);
    for partition in 0..1000 {
        let buffer = task_end((0, 0), partition, 1, TaskKind::ShuffleMap, Reason::Success, &[(ROWS, 1)]);
        foreign.task_end(&TaskEnd::decode(&buffer).unwrap(), &facts(0));
    }
    assert!(foreign.bytes() <= 2000);
    let figure = &foreign.json(foreign.ids()[0], 0)[0];
    assert!(figure["reason"].as_str().unwrap().contains("more partitions than the driver keeps"), "{figure}");
    assert_eq!(figure["attempted"], 1000);
}

#[test]
fn a_partition_that_cannot_be_takes_no_memory() {
    let mut foreign = SparkAccumulators::new(usize::MAX);
    foreign.name(ROWS, "rows", ValueKind::Long);
    let buffer = task_end((0, 0), u32::MAX, 1, TaskKind::ShuffleMap, Reason::Success, &[(ROWS, 1)]);
    foreign.task_end(&TaskEnd::decode(&buffer).unwrap(), &facts(u32::MAX));
    assert_eq!(foreign.bytes(), 512 + 256, "the scope and its column, and no cell");
    assert_eq!(foreign.json(foreign.ids()[0], 0)[0]["exact"], false);
}

#[test]
fn step_cells_beyond_the_bound_are_refused_and_flagged() {
    let mut book = StepBook::new(Samples::new(10, 100), 8, 100);
    for partition in 0..20 {
        let bytes = Filed::new(1, partition, 20, 1, 1, 0).bytes();
        book.merge(&StepCell::decode(&bytes).unwrap());
    }
    let figures = book.figures("step 1", None, &stages::Stages::default());
    assert_eq!((figures.of("in"), figures.exact, book.refused()), (8, false, 12));
}

fn merge(book: &mut StepBook, filed: Filed) {
    book.merge(&StepCell::decode(&filed.bytes()).unwrap());
}

fn declare(book: &mut StepBook, json: Value) {
    book.declare(json.as_object().unwrap());
}

/// A driver that runs for months declares a step for every batch; all of them stay counted.
#[test]
fn steps_without_end_are_counted_to_the_last() {
    for close in [true, false] {
        let mut book = StepBook::new(Samples::new(10, 100), 64, 10);
        for n in 1..=1000 {
            declare(&mut book, json!({"step": "batch", "id": n, "site": "map at Job.scala:1", "site_id": n}));
            for partition in 0..4 {
                merge(&mut book, Filed { step: n, site: n, ..Filed::new(n, partition, 4, n * 4, 10, 1) });
            }
            if close {
                declare(&mut book, json!({"id": n, "closed": true}));
            }
            let figures = book.figures("batch", None, &stages::Stages::default());
            assert_eq!((figures.of("in"), figures.exact), (40 * i128::from(n), true), "{figures:?}");
            let limits = Limits::parse(&json!({"step_id": n}).to_string()).unwrap();
            assert_eq!(book.pictures("batch", &limits).len(), 1);
        }
        assert_eq!(book.refused(), 0);
        let summary = book.summary("batch").unwrap();
        assert_eq!(summary.seen, 4000);
        // A cell of a folded instance that arrives again counts once.
        merge(&mut book, Filed::new(1, 0, 4, 5000, 10, 1));
        assert_eq!(book.figures("batch", None, &stages::Stages::default()).of("in"), 40_000);
    }
}

#[test]
fn operators_without_room_are_flagged_and_not_judged() {
    let mut book = StepBook::new(Samples::new(10, 100), 64, 2);
    for n in 1..=3 {
        declare(&mut book, json!({"step": "wide", "id": 1, "site": format!("map at {n}"), "site_id": n}));
        merge(&mut book, Filed { site: n, ..Filed::new(n, 0, 2, n, 10, 0) });
    }
    let figures = book.figures("wide", None, &stages::Stages::default());
    assert!(!figures.exact && figures.reason.contains("more operators"), "{figures:?}");
    assert!(book.is_refused("wide", steps::Part::default()));
}

#[test]
fn what_a_closed_step_left_unfinished_gives_way() {
    let mut book = StepBook::new(Samples::new(10, 100), 8, 100);
    for n in 1..=20 {
        declare(&mut book, json!({"step": "look", "id": n, "site": "map at Job.scala:1", "site_id": n}));
        merge(&mut book, Filed { step: n, site: n, ..Filed::new(n, 0, 100, n, 10, 0) });
        declare(&mut book, json!({"id": n, "closed": true}));
    }
    assert_eq!(book.refused(), 0);
}

/// A Thrift server runs queries for months, and few of them update accumulators.
#[test]
fn rdds_without_accumulators_give_way() {
    let mut foreign = SparkAccumulators::new(512 << 20);
    foreign.name(ROWS, "rows", ValueKind::Long);
    for rdd in 0..200_000 {
        let buffer = task_end((rdd, 0), 199, 1, TaskKind::Result, Reason::Success, &[]);
        let facts = Facts { rdd: u64::from(rdd), partitions: 200, ..Facts::default() };
        foreign.task_end(&TaskEnd::decode(&buffer).unwrap(), &facts);
    }
    assert!(foreign.bytes() <= 17 << 20, "{}", foreign.bytes());
    for partition in 0..2 {
        let updates: &[(u64, u64)] = if partition == 1 { &[(ROWS, 3)] } else { &[] };
        let buffer = task_end((300_000, 0), partition, 1, TaskKind::Result, Reason::Success, updates);
        let facts = Facts { rdd: 300_000, partitions: 2, ..Facts::default() };
        foreign.task_end(&TaskEnd::decode(&buffer).unwrap(), &facts);
    }
    let id = *foreign.ids().last().unwrap();
    let figure = &foreign.json(id, 0)[0];
    assert_eq!((&figure["committed"], &figure["exact"]), (&json!(3), &json!(true)));
}

#[test]
fn a_reached_operator_that_was_folded_is_not_known() {
    let mut book = StepBook::new(Samples::new(10, 100), 64, 4);
    for n in 1..=8_u64 {
        declare(&mut book, json!({"step": "batch", "id": 1, "site": format!("map at {n}"), "site_id": n}));
        let dropped = if n == 1 { 5 } else { 0 };
        merge(&mut book, Filed { site: n, ..Filed::new(n, 0, 1, n, 10, dropped) }.under(n));
    }
    let limits = Limits::parse(
        &json!({"step_id": 1, "gate": "commit", "scope": {"execution": 8}, "reached": [
        {"site": 1, "instance": 1, "behind": true, "partitions": 1},
        {"site": 8, "instance": 8, "behind": false, "partitions": 1}]})
        .to_string(),
    )
    .unwrap();
    let pictures = book.pictures("batch", &limits);
    assert_eq!(pictures.len(), 2, "{pictures:?}");
}

#[test]
fn a_settled_instance_is_not_judged_by_another_scope() {
    let mut book = StepBook::new(Samples::new(10, 100), 8, 100);
    declare(&mut book, json!({"step": "batch", "id": 1, "site": "map at 1", "site_id": 1}));
    merge(&mut book, Filed::new(1, 0, 1, 1, 10, 0).under(3));
    for n in 2..=40_u64 {
        declare(&mut book, json!({"step": "batch", "id": 1, "site": format!("map at {n}"), "site_id": n}));
        merge(&mut book, Filed { site: n, ..Filed::new(n, 0, 1, n, 10, 0) }.under(4));
    }
    merge(&mut book, Filed::new(1, 0, 1, 99, 10, 5).under(7));
    let limits = Limits::parse(
        &json!({"step_id": 1, "gate": "commit", "scope": {"execution": 7}, "reached": [
        {"site": 1, "instance": 1, "behind": false, "partitions": 1}]})
        .to_string(),
    )
    .unwrap();
    let pictures = book.pictures("batch", &limits);
    assert!(!pictures[0].trouble.is_empty(), "{pictures:?}");
}
