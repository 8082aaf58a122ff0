//! Persisted blocks and checkpoints that serve a later attempt: the figure is that of the attempt that computed the
//! rows, or it is not exact. The truth is 80 rows: 8 partitions of 10.

use super::*;

const UNTOLD: &str = "its updates never arrived";

/// A stage above RDD 2, which is persisted in memory. Its tasks report whether they have read blocks of it.
fn stage(bench: &Bench, stage: u32, attempt: u32, rdd: u64) {
    bench.stage_with(stage, attempt, rdd, 8, json!({"partitions": 8, "caches": [{"rdd": 2, "tells": true}]}));
}

fn whole(bench: &Bench, stage: u32, rows: i64) {
    (0..8).for_each(|partition| {
        bench.result((stage, 0), partition, Reason::Success, rows);
    });
    bench.completed(stage, 0);
}

fn answered(bench: &Bench, id: (u32, u32), partition: u32, kind: TaskKind, rows: i64) {
    bench.reads.set(true);
    bench.task(id, partition, kind, Reason::Success, &[(ROWS, rows as u64)]);
    bench.reads.set(false);
}

#[test]
fn a_second_attempt_that_blocks_answer_keeps_what_the_first_has_counted() {
    for reads in [true, false] {
        let bench = Bench::new();
        // Serialized blocks and blocks on disk may be empty, so a task that reads them does not show it.
        let caches = json!({"partitions": 8, "caches": [{"rdd": 2, "tells": reads}]});
        bench.stage_with(0, 0, 3, 8, caches.clone());
        (0..8).for_each(|partition| {
            bench.map((0, 0), partition, Reason::Success, 10);
        });
        bench.completed(0, 0);
        bench.stage_with(0, 1, 3, 8, caches);
        for partition in 0..8 {
            bench.reads.set(reads);
            bench.map((0, 1), partition, Reason::Success, 0);
            bench.reads.set(false);
        }
        bench.completed(0, 1);
        bench.rows("rdd:3/shuffle").is_exactly(80, 80);
    }
}

#[test]
fn a_retry_that_reads_the_block_of_a_failed_attempt_is_flagged() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 3);
    (0..7).for_each(|partition| {
        bench.result((0, 0), partition, Reason::Success, 10);
    });
    bench.result((0, 0), 7, Reason::Failed, 0);
    answered(&bench, (0, 0), 7, TaskKind::Result, 0);
    bench.completed(0, 0);
    bench.rows("rdd:3").is_flagged(70, 70, UNTOLD);
}

#[test]
fn a_retry_that_reads_nothing_has_computed_its_rows() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 3);
    for partition in 0..8 {
        bench.result((0, 0), partition, Reason::Failed, 0);
        bench.result((0, 0), partition, Reason::Success, 10);
    }
    bench.completed(0, 0);
    bench.rows("rdd:3").is_exactly(80, 80);
}

#[test]
fn a_twin_that_was_killed_after_it_has_stored_its_block_is_flagged_from_its_start() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 3);
    (0..7).for_each(|partition| {
        bench.map((0, 0), partition, Reason::Success, 10);
    });
    bench.app.speculation(r#"{"stage":0,"attempt":0}"#);
    answered(&bench, (0, 0), 7, TaskKind::ShuffleMap, 0);
    bench.rows("rdd:3/shuffle").is_flagged(70, 70, UNTOLD);
    bench.map((0, 0), 7, Reason::Killed, 0);
    bench.completed(0, 0);
    bench.rows("rdd:3/shuffle").is_flagged(70, 70, UNTOLD);
    let told = bench.ship_kind(Kind::Metric);
    assert_eq!(told[0].1["exact"], false);
}

#[test]
fn a_twin_whose_end_comes_last_makes_a_shipped_figure_inexact() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 3);
    (0..7).for_each(|partition| {
        bench.result((0, 0), partition, Reason::Success, 10);
    });
    answered(&bench, (0, 0), 7, TaskKind::Result, 0);
    bench.completed(0, 0);
    assert_eq!(bench.ship_kind(Kind::Metric)[0].1["exact"], true, "nothing says that it is not");
    bench.result((0, 0), 7, Reason::Killed, 0);
    assert_eq!(bench.ship_kind(Kind::Metric)[0].1["exact"], false);
}

#[test]
fn two_jobs_at_once_count_what_either_has_computed() {
    for first in [0, 1] {
        let bench = Bench::new();
        stage(&bench, 0, 0, 2);
        stage(&bench, 1, 0, 2);
        for partition in 0..8 {
            let computes = (first + partition) % 2;
            let end = |stage: u32| {
                if stage == computes {
                    bench.result((stage, 0), partition, Reason::Success, 10);
                } else {
                    answered(&bench, (stage, 0), partition, TaskKind::Result, 0);
                }
            };
            end(partition / 4);
            end(1 - partition / 4);
        }
        bench.completed(0, 0);
        bench.completed(1, 0);
        bench.rows("rdd:2").is_exactly(80, 80);
    }
}

#[test]
fn a_later_job_that_a_cache_answers_leaves_the_figure_and_one_that_fails_too() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 2);
    whole(&bench, 0, 10);
    stage(&bench, 1, 0, 2);
    (0..8).for_each(|partition| answered(&bench, (1, 0), partition, TaskKind::Result, 0));
    bench.completed(1, 0);
    bench.rows("rdd:2").is_exactly(80, 80);
    stage(&bench, 2, 0, 2);
    bench.result((2, 0), 3, Reason::Failed, 0);
    (0..8).for_each(|partition| answered(&bench, (2, 0), partition, TaskKind::Result, 0));
    bench.completed(2, 0);
    bench.rows("rdd:2").is_exactly(80, 80);
}

#[test]
fn a_job_after_one_that_has_failed_with_blocks_stored_is_flagged_until_all_is_computed_again() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 9);
    bench.result((0, 0), 3, Reason::Failed, 0);
    bench.result((0, 0), 4, Reason::Killed, 0);
    bench.app.stage_completed(r#"{"stage":0,"attempt":0,"failure":"aborted"}"#);
    stage(&bench, 1, 0, 2);
    for partition in 0..8 {
        if partition == 3 {
            answered(&bench, (1, 0), 3, TaskKind::Result, 0);
        } else {
            bench.result((1, 0), partition, Reason::Success, 10);
        }
    }
    bench.completed(1, 0);
    bench.rows("rdd:2").is_flagged(70, 70, UNTOLD);
    // RDD 2 is unpersisted.
    bench.stage(2, 0, 2, 8);
    whole(&bench, 2, 10);
    bench.rows("rdd:2").is_exactly(80, 150);
}

#[test]
fn a_part_of_a_task_that_a_cache_answers_is_flagged() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 3);
    whole(&bench, 0, 10);
    stage(&bench, 1, 0, 3);
    // One of the blocks that the task reads was lost.
    answered(&bench, (1, 0), 0, TaskKind::Result, 4);
    bench.rows("rdd:3").is_flagged(80, 84, "a part of a later attempt");
}

#[test]
fn a_success_that_spark_has_passed_over_may_have_stored_a_block() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 3);
    bench.result((0, 0), 0, Reason::Success, 10);
    bench.result((0, 0), 0, Reason::Success, 0);
    answered(&bench, (0, 0), 1, TaskKind::Result, 0);
    assert!(bench.rows("rdd:3").reason.contains(UNTOLD));
}

#[test]
fn an_accumulator_above_a_cache_that_was_filled_without_a_failure_is_exact() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 2);
    whole(&bench, 0, 0);
    stage(&bench, 1, 0, 3);
    (0..8).for_each(|partition| answered(&bench, (1, 0), partition, TaskKind::Result, 10));
    bench.completed(1, 0);
    bench.rows("rdd:3").is_exactly(80, 80);
}

/// Tasks of a cancelled stage may go on, and their ends may arrive much later.
#[test]
fn a_job_beside_a_cancelled_one_is_flagged_before_the_last_tasks_of_that_have_ended() {
    let bench = Bench::new();
    stage(&bench, 0, 0, 2);
    bench.app.stage_completed(r#"{"stage":0,"attempt":0,"failure":"cancelled"}"#);
    stage(&bench, 1, 0, 2);
    (0..7).for_each(|partition| {
        bench.result((1, 0), partition, Reason::Success, 10);
    });
    answered(&bench, (1, 0), 7, TaskKind::Result, 0);
    bench.completed(1, 0);
    bench.rows("rdd:2").is_flagged(70, 70, UNTOLD);
}
