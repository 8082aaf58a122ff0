//! Tasks and stages that run again. The truth is 80 rows (8 partitions of 10) unless a test states another.

use super::*;

const MAP: (u32, u32) = (0, 0);

fn map_stage(bench: &Bench) {
    bench.stage(0, 0, 3, 8);
    for partition in 0..8 {
        bench.map(MAP, partition, Reason::Success, 10);
    }
    bench.completed(0, 0);
}

#[test]
fn a_clean_run_is_what_spark_says() {
    let bench = Bench::new();
    map_stage(&bench);
    bench.rows("rdd:3/shuffle").is_exactly(80, 80);
}

#[test]
fn a_map_stage_retried_after_a_fetch_failure_counts_once() {
    let bench = Bench::new();
    map_stage(&bench);
    bench.stage(1, 0, 9, 4);
    bench.result((1, 0), 0, Reason::FetchFailed, 0);
    // Only the lost partitions run again: with another index in their task set, and the same partition number.
    bench.stage(0, 1, 3, 2);
    bench.map((0, 1), 2, Reason::Success, 10);
    bench.map((0, 1), 5, Reason::Success, 10);
    bench.completed(0, 1);
    bench.rows("rdd:3/shuffle").is_exactly(80, 100);
}

#[test]
fn a_late_success_of_an_old_attempt_with_another_result_is_flagged() {
    let bench = Bench::new();
    map_stage(&bench);
    bench.stage(0, 1, 3, 1);
    bench.map((0, 1), 2, Reason::Success, 11);
    bench.map((0, 0), 2, Reason::Success, 99);
    // Spark reads the output that arrived last, unless its executor was lost.
    bench.rows("rdd:3/shuffle").is_flagged(81, 190, "overlapped");
    let bench = Bench::new();
    map_stage(&bench);
    bench.stage(0, 1, 3, 1);
    bench.map((0, 1), 2, Reason::Success, 10);
    bench.map((0, 0), 2, Reason::Success, 10);
    bench.rows("rdd:3/shuffle").is_exactly(80, 100);
}

#[test]
fn a_shuffle_that_a_later_job_recomputes_counts_once() {
    let bench = Bench::new();
    map_stage(&bench);
    // A new stage of the same RDD, with the missing partitions only.
    bench.stage(4, 0, 3, 3);
    for partition in 0..3 {
        bench.map((4, 0), partition, Reason::Success, 10);
    }
    bench.completed(4, 0);
    bench.rows("rdd:3/shuffle").is_exactly(80, 110);
}

#[test]
fn a_stage_may_begin_at_attempt_one() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 8);
    for partition in 0..8 {
        bench.map(MAP, partition, Reason::Success, 10);
    }
    bench.stage(4, 1, 3, 2);
    bench.map((4, 1), 0, Reason::Success, 10);
    bench.map((4, 1), 1, Reason::Success, 10);
    bench.completed(4, 1);
    bench.rows("rdd:3/shuffle").is_exactly(80, 100);
}

#[test]
fn a_retry_that_contributes_nothing_makes_it_zero() {
    let bench = Bench::new();
    map_stage(&bench);
    bench.stage(0, 1, 3, 8);
    for partition in 0..8 {
        bench.map((0, 1), partition, Reason::Success, 0);
    }
    bench.completed(0, 1);
    bench.rows("rdd:3/shuffle").is_exactly(0, 80);
}

#[test]
fn a_resubmitted_task_counts_once() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 8);
    for partition in 0..4 {
        bench.map(MAP, partition, Reason::Success, 10);
    }
    // The executor dies: Spark posts the same task infos again, updates included.
    for partition in 0..4 {
        bench.map(MAP, partition, Reason::Resubmitted, 10);
    }
    for partition in 0..8 {
        bench.map(MAP, partition, Reason::Success, 10);
    }
    bench.completed(0, 0);
    bench.rows("rdd:3/shuffle").is_exactly(80, 120);
}

#[test]
fn of_a_result_partition_the_first_success_counts() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 2);
    bench.result(MAP, 0, Reason::Success, 10);
    bench.result(MAP, 1, Reason::Success, 10);
    // Spark has skipped the partition and reports no updates.
    bench.result((0, 1), 1, Reason::Success, 0);
    bench.completed(0, 0);
    bench.rows("rdd:3").is_exactly(20, 20);
}

/// Spark drops the updates of a stage's tasks once no job needs the stage.
#[test]
fn a_success_after_its_jobs_have_ended_does_not_count() {
    let bench = Bench::new();
    map_stage(&bench);
    bench.app.job_start(r#"{"job":4,"stages":[0,1]}"#);
    bench.stage(0, 1, 3, 1);
    bench.app.job_end(r#"{"job":4,"status":"failed","failure":"cancelled"}"#);
    bench.app.job_end(r#"{"job":4,"status":"failed","failure":"cancelled"}"#);
    bench.map((0, 1), 2, Reason::Success, 0);
    bench.rows("rdd:3/shuffle").is_exactly(80, 80);
}

#[test]
fn failures_count_as_attempted_only() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 1);
    bench.result(MAP, 0, Reason::Failed, 2);
    bench.result(MAP, 0, Reason::Failed, 2);
    bench.result(MAP, 0, Reason::Success, 8);
    bench.completed(0, 0);
    bench.rows("rdd:3").is_exactly(8, 12);
}

#[test]
fn the_loser_of_a_speculation_does_not_count() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 1);
    bench.map(MAP, 0, Reason::Success, 10);
    bench.map(MAP, 0, Reason::Killed, 7);
    bench.completed(0, 0);
    bench.rows("rdd:3/shuffle").is_exactly(10, 17);
}

#[test]
fn the_same_action_twice_counts_once() {
    let bench = Bench::new();
    for stage in 0..2 {
        bench.stage(stage, 0, 3, 8);
        for partition in 0..8 {
            bench.result((stage, 0), partition, Reason::Success, 10);
        }
        bench.completed(stage, 0);
    }
    bench.rows("rdd:3").is_exactly(80, 160);
}

#[test]
fn doubles_add_up_in_the_order_of_partitions() {
    let values = [0.1, 0.2, 0.3, 1e16, -1e16, 0.7];
    let in_order: f64 = values.iter().sum();
    for seed in 0..20 {
        let bench = Bench::new();
        bench.app.accumulator(8, "weight", ValueKind::Double);
        bench.stage(0, 0, 3, values.len() as u32);
        let mut partitions: Vec<usize> = (0..values.len()).collect();
        Dice::new(seed).shuffle(&mut partitions);
        for partition in partitions {
            let updates = [(8, values[partition].to_bits())];
            bench.task(MAP, partition as u32, TaskKind::ShuffleMap, Reason::Success, &updates);
        }
        assert_eq!(bench.accumulator("weight", "rdd:3/shuffle").committed, in_order);
    }
}

#[test]
fn accumulators_of_one_name_are_told_apart() {
    let bench = Bench::new();
    bench.app.accumulator(8, "rows", ValueKind::Long);
    bench.stage(0, 0, 3, 1);
    bench.task(MAP, 0, TaskKind::Result, Reason::Success, &[(ROWS, 1), (8, 2)]);
    bench.rows("rdd:3").is_exactly(1, 1);
    bench.accumulator("rows #2", "rdd:3").is_exactly(2, 2);
}
