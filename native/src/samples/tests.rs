//! The guarantees of samples: the same result for any order and any number of repetitions.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::event::Body;
use serde_json::json;
use std::collections::BTreeSet;

fn origin(task: u64) -> Origin {
    Origin { step: 1, site: 1, instance: 1, partition: 0, task, complete: true, failed: false }
}

fn step() -> Arc<str> {
    "history".into()
}

fn text(hash: u64, record: &str) -> Vec<u8> {
    json!({"hash": hash.to_string(), "stack_hash": (hash % 3).to_string(), "error_class": "E", "record": record, "stack": "at A"})
        .to_string()
        .into_bytes()
}

fn hashes(samples: &mut Samples) -> Vec<u64> {
    samples.of("history").map(|step| step.iter_mut().map(|(hash, _)| hash).collect()).unwrap_or_default()
}

fn shuffle<T>(seed: &mut u64, items: &mut [T]) {
    for at in (1..items.len()).rev() {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        items.swap(at, (*seed >> 33) as usize % (at + 1));
    }
}

#[test]
fn all_are_kept_up_to_the_limit() {
    let mut samples = Samples::new(5, 100);
    (0..5).for_each(|hash| samples.add(&step(), origin(1), &text(hash, "r")));
    assert_eq!(hashes(&mut samples), [0, 1, 2, 3, 4]);
    assert!(!samples.of("history").unwrap().is_cut());
    samples.add(&step(), origin(1), &text(3, "r"));
    assert!(!samples.of("history").unwrap().is_cut(), "the same row again does not count");
    samples.add(&step(), origin(1), &text(9, "r"));
    assert_eq!(hashes(&mut samples), [0, 1, 2, 3, 4]);
    assert!(samples.of("history").unwrap().is_cut());
}

/// The longest prefix of samples, ordered by hash, that fits.
fn naive(rows: &[(u64, usize)], most: usize, most_bytes: usize) -> Vec<u64> {
    let distinct: BTreeSet<(u64, usize)> = rows.iter().copied().collect();
    let mut bytes = 0;
    let fits = |(_, length): &(u64, usize)| {
        bytes += length;
        bytes <= most_bytes
    };
    distinct.into_iter().take(most).take_while(fits).map(|(hash, _)| hash).collect()
}

#[test]
fn the_sample_is_the_same_for_every_order_and_every_retry() {
    let mut seed = 7;
    for round in 0..200_u64 {
        let rows: Vec<(u64, String)> = (0..40)
            .map(|at| (round * 977 + at * at * 31 % 101, "x".repeat((at * 37 % 300) as usize)))
            .collect();
        let weights: Vec<(u64, usize)> = rows
            .iter()
            .map(|(hash, record)| {
                (*hash, Sample::read(origin(1), &text(*hash, record), 1000).unwrap().0.size())
            })
            .collect();
        // Rows with the same hash weigh the same.
        let mut seen = BTreeSet::new();
        let keep: Vec<bool> = rows.iter().map(|(hash, _)| seen.insert(*hash)).collect();
        let pick = |at: &usize| keep[*at];
        let mut order: Vec<usize> = (0..rows.len()).filter(pick).collect();
        let weights: Vec<(u64, usize)> = order.iter().map(|at| weights[*at]).collect();
        let (most, most_bytes) = (5 + (round % 20) as usize, 16 * (20_000 + round as usize * 200));
        let expected = naive(&weights, most, most_bytes / PARTS);
        for task in 0..4 {
            let mut samples = Samples::bounded(most, 1000, most_bytes);
            for at in &order {
                samples.add(&step(), origin(task), &text(rows[*at].0, &rows[*at].1));
            }
            assert_eq!(hashes(&mut samples), expected, "round {round}");
            let cut = samples.of("history").unwrap().is_cut();
            assert_eq!(cut, expected.len() < seen.len());
            // Another order, with some tasks repeated.
            let again: Vec<usize> = order.iter().copied().filter(|at| at % 3 == 0).collect();
            order.extend(again);
            shuffle(&mut seed, &mut order);
        }
    }
}

#[test]
fn the_attempt_that_counts_is_shown_whatever_the_order() {
    let attempts = [
        Origin { task: 9, failed: true, ..origin(0) },
        Origin { task: 8, complete: false, ..origin(0) },
        Origin { task: 3, ..origin(0) },
        Origin { task: 5, ..origin(0) },
    ];
    for first in 0..4 {
        let mut samples = Samples::new(5, 100);
        for at in 0..4 {
            samples.add(&step(), attempts[(first + at) % 4], &text(1, "r"));
        }
        let kept = samples.of("history").unwrap().iter_mut().next().unwrap().1.origin();
        assert_eq!(kept.task, 5);
    }
}

#[test]
fn a_stack_is_told_once() {
    let mut samples = Samples::new(10, 100);
    (0..6).for_each(|hash| samples.add(&step(), origin(1), &text(hash, "r")));
    let stacks = (0..6).filter(|hash| !samples.body("history", *hash).unwrap().stack.is_empty());
    assert_eq!(stacks.collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn long_rows_are_cut_between_characters_and_say_so() {
    let mut samples = Samples::new(10, 5);
    samples.add(&step(), origin(1), &text(1, "ääää"));
    let body = samples.body("history", 1).unwrap();
    assert_eq!((body.record.as_deref().unwrap_or_default(), body.cut), ("ää", true));
    samples.add(&step(), origin(1), &text(2, "ab"));
    assert!(!samples.body("history", 2).unwrap().cut);
}

#[test]
fn memory_is_bounded_however_many_steps_fail() {
    const BOUND: usize = 1 << 20;
    let mut samples = Samples::bounded(500, 2048, BOUND);
    let huge = "\u{1}".repeat(3_000);
    for name in 0..60 {
        let name: Arc<str> = format!("step {name}").into();
        for hash in 0..20_u64 {
            samples.add(&name, origin(1), json!({"hash": hash, "record": huge}).to_string().as_bytes());
            assert!(samples.bytes() <= BOUND, "{}", samples.bytes());
        }
    }
    assert!(samples.bytes() > BOUND / 4, "{}", samples.bytes());
    let real: usize =
        samples.steps.values().flat_map(|step| step.kept.values()).map(|s| s.body.json().len()).sum();
    assert!(real <= samples.bytes(), "{real} bytes are kept, {} reported", samples.bytes());
}

#[test]
fn stacks_are_bounded() {
    let mut stacks = Stacks::new(100_000);
    (0..100).for_each(|hash| stacks.add(&hash.to_string(), "s".repeat(20_000)));
    assert!(stacks.bytes() <= 100_000 && stacks.bytes() > 80_000, "{}", stacks.bytes());
    assert_eq!(stacks.ship("0").unwrap().len(), 16 << 10);
    assert!(stacks.ship("0").is_none() && stacks.ship("99").is_none());
    assert_eq!(stacks.get("0").map(str::len), Some(16 << 10), "it is kept after it was shipped");
    stacks.add("new", "s".repeat(10_000));
    assert!(stacks.get("0").is_none() && stacks.get("new").is_some(), "until another needs its room");
    assert!(stacks.get("1").is_some() && stacks.bytes() <= 100_000, "unshipped stacks stay");
}

#[test]
fn what_is_no_sample_is_counted() {
    let mut samples = Samples::new(10, 100);
    for text in ["", "[]", "{}", r#"{"hash":"x"}"#, r#"{"hash":-1}"#, "\u{0}", r#"{"hash":"1""#] {
        samples.add(&step(), origin(1), text.as_bytes());
    }
    assert_eq!(samples.unreadable(), 7);
    samples.add(&step(), origin(1), br#"{"hash":"1","record":7,"stack":[],"message":null,"stage":"x"}"#);
    let nothing = FailedRowBody { committed: true, ..FailedRowBody::default() };
    assert_eq!(samples.body("history", 1).unwrap(), nothing);
}

#[test]
fn a_cause_has_as_many_rows_as_its_samples_stand_for() {
    let mut samples = Samples::new(10, 100);
    let add = |samples: &mut Samples, hash: u64, stack: &str, count: u64| {
        let text =
            serde_json::json!({"hash": hash.to_string(), "stack_hash": stack, "count": count}).to_string();
        samples.add(&step(), origin(hash), text.as_bytes());
    };
    add(&mut samples, 1, "a", 1);
    add(&mut samples, 2, "a", 1);
    add(&mut samples, 3, "b", 10);
    let causes = samples.causes("history", 2, |_| true);
    let found: Vec<_> = causes.iter().map(|cause| (cause.hash.as_str(), cause.count)).collect();
    assert_eq!(found, [("b", 10), ("a", 2)]);
}

#[test]
fn causes_are_counted_by_stack() {
    let mut samples = Samples::new(10, 100);
    (0..7).for_each(|hash| samples.add(&step(), origin(hash), &text(hash, "r")));
    let causes = samples.causes("history", 2, |_| true);
    let found: Vec<_> = causes.iter().map(|cause| (cause.hash.as_str(), cause.count)).collect();
    assert_eq!(found, [("0", 3), ("1", 2)]);
    assert!(samples.causes("history", 2, |origin| origin.task > 100).is_empty());
}

#[test]
fn a_cause_with_different_messages_is_called_by_its_class_and_an_example() {
    let said = |messages: &[&str]| {
        let mut samples = Samples::new(10, 100);
        for (hash, message) in messages.iter().enumerate() {
            let text = json!({"hash": hash.to_string(), "stack_hash": "0", "error_class": "E", "record": "r", "message": message, "stack": "at A"});
            samples.add(&step(), origin(1), text.to_string().as_bytes());
        }
        samples.causes("history", 1, |_| true)[0].line()
    };
    assert_eq!(said(&["no 1", "no 2", "no 2"]), "E: 2 different messages, for example: no 1");
    assert_eq!(said(&["no 1", "no 1"]), "E: no 1");
}
