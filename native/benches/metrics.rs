//! The cost of metrics on Spark's threads: the end of a task with ten updates, and a step's cell.

use std::hint::black_box;
use std::time::Duration;

use andiron::metrics::{Application, MetricsSettings, TaskEnd, ValueKind};
use criterion::{criterion_group, criterion_main, BatchSize, Criterion, Throughput};

const TASKS: u32 = 10_000;

fn application() -> std::sync::Arc<Application> {
    let settings =
        MetricsSettings { application: "app".into(), ship_every: None, ..MetricsSettings::for_tests() };
    let Ok(app) = Application::start(&settings, "{}") else { std::process::abort() };
    (0..10).for_each(|id| app.accumulator(id, &format!("acc {id}"), ValueKind::Long));
    app.stage_submitted(&format!(r#"{{"stage":0,"attempt":0,"rdd":1,"tasks":{TASKS}}}"#));
    app
}

fn task_end(partition: u32) -> Vec<u8> {
    let mut buffer = Vec::new();
    [2_u32, 0, 0].iter().for_each(|word| buffer.extend_from_slice(&word.to_le_bytes()));
    buffer.extend_from_slice(&u64::from(partition).to_le_bytes());
    buffer.extend_from_slice(&partition.to_le_bytes());
    buffer.extend_from_slice(&[1, 0, 0, 0]);
    buffer.extend_from_slice(&0_u64.to_le_bytes());
    buffer.extend_from_slice(&10_u32.to_le_bytes());
    for id in 0..10_u64 {
        buffer.extend_from_slice(&id.to_le_bytes());
        buffer.extend_from_slice(&(id + 1).to_le_bytes());
        buffer.extend_from_slice(&((id + 1) * (u64::from(partition) + 1)).to_le_bytes());
    }
    buffer
}

fn cell(partition: u32) -> Vec<u8> {
    let mut buffer = 2_u32.to_le_bytes().to_vec();
    [1_u64, 1, 1].iter().for_each(|word| buffer.extend_from_slice(&word.to_le_bytes()));
    [partition, TASKS, 0, 0].iter().for_each(|word| buffer.extend_from_slice(&word.to_le_bytes()));
    buffer.extend_from_slice(&u64::from(partition).to_le_bytes());
    buffer.push(1);
    buffer.extend_from_slice(&u64::MAX.to_le_bytes());
    buffer.extend_from_slice(&0_u16.to_le_bytes());
    buffer.extend_from_slice(&3_u16.to_le_bytes());
    for counter in 0..3_u16 {
        buffer.extend_from_slice(&counter.to_le_bytes());
        buffer.extend_from_slice(&5_i64.to_le_bytes());
    }
    buffer.extend_from_slice(&[0; 12]);
    buffer
}

fn task_ends(c: &mut Criterion) {
    let mut group = c.benchmark_group("metrics");
    group.measurement_time(Duration::from_secs(3)).throughput(Throughput::Elements(u64::from(TASKS)));
    let ends: Vec<Vec<u8>> = (0..TASKS).map(task_end).collect();
    let count = |app: &Application| {
        for buffer in &ends {
            if let Ok(event) = TaskEnd::decode(black_box(buffer)) {
                app.task_end(&event);
            }
        }
    };
    group.bench_function("task ends, ten updates, new partitions", |bencher| {
        bencher.iter_batched(application, |app| count(&app), BatchSize::PerIteration);
    });
    let app = application();
    group.bench_function("task ends, ten updates, again", |bencher| bencher.iter(|| count(&app)));
    let cells: Vec<Vec<u8>> = (0..TASKS).map(cell).collect();
    group.bench_function("step cells, new partitions", |bencher| {
        let merge =
            |app: std::sync::Arc<Application>| cells.iter().for_each(|cell| app.step_cell(black_box(cell)));
        bencher.iter_batched(application, merge, BatchSize::PerIteration);
    });
}

criterion_group!(benches, task_ends);
criterion_main!(benches);
