//! The memory of the ends of many tasks with many accumulators: by the kernel, and by the core's own account.
//!
//! `cargo bench -p andiron --bench metrics_memory` writes `build/bench-metrics-memory.json`: `tasks`,
//! `accumulators`, `rss_bytes` (growth of resident memory), `own_bytes` (from `Application::figures_json`)
//! and `seconds`. `BENCH_MEMORY_TASKS` (100,000) and `BENCH_MEMORY_ACCUMULATORS` (50) set the sizes.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

use std::path::Path;
use std::time::Instant;

use andiron::metrics::{Application, MetricsSettings, TaskEnd, ValueKind};

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Writes the end of a successful shuffle map task over `buffer`.
fn task_end(buffer: &mut Vec<u8>, partition: u32, updates: u32) {
    buffer.clear();
    [2, 0, 0].iter().for_each(|word: &u32| buffer.extend_from_slice(&word.to_le_bytes()));
    buffer.extend_from_slice(&u64::from(partition).to_le_bytes());
    buffer.extend_from_slice(&partition.to_le_bytes());
    buffer.extend_from_slice(&[1, 0, 0, 0]);
    buffer.extend_from_slice(&0_u64.to_le_bytes());
    buffer.extend_from_slice(&updates.to_le_bytes());
    for id in 0..u64::from(updates) {
        buffer.extend_from_slice(&id.to_le_bytes());
        buffer.extend_from_slice(&(id + 1).to_le_bytes());
        buffer.extend_from_slice(&((id + 1) * (u64::from(partition) + 1)).to_le_bytes());
    }
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn main() {
    // `cargo test` runs benches too, with other arguments: then small.
    let whole = std::env::args().any(|argument| argument == "--bench");
    let (tasks, accumulators) = if whole {
        (number("BENCH_MEMORY_TASKS", 100_000), number("BENCH_MEMORY_ACCUMULATORS", 50))
    } else {
        (100, 5)
    };
    let settings =
        MetricsSettings { application: "app".into(), ship_every: None, ..MetricsSettings::for_tests() };
    let app = Application::start(&settings, "{}").unwrap();
    for id in 0..accumulators {
        app.accumulator(u64::from(id), &format!("acc {id}"), ValueKind::Long);
    }
    app.stage_submitted(&format!(r#"{{"stage":0,"attempt":0,"rdd":1,"tasks":{tasks}}}"#));
    let mut buffer = Vec::new();
    task_end(&mut buffer, 0, accumulators);
    let (before, start) = (resident(), Instant::now());
    for partition in 0..tasks {
        task_end(&mut buffer, partition, accumulators);
        app.task_end(&TaskEnd::decode(&buffer).unwrap());
    }
    let (seconds, rss) = (start.elapsed().as_secs_f64(), resident().saturating_sub(before));
    let figures: serde_json::Value = serde_json::from_str(&app.figures_json()).unwrap();
    let own = figures["listener"]["bytes"].as_u64().unwrap();
    let text = format!(
        "{{\"tasks\":{tasks},\"accumulators\":{accumulators},\"rss_bytes\":{rss},\"own_bytes\":{own},\"seconds\":{seconds:.6}}}\n"
    );
    print!("{text}");
    if whole {
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("build");
        std::fs::create_dir_all(&build).unwrap();
        std::fs::write(build.join("bench-metrics-memory.json"), text).unwrap();
    }
}
