//! One step from its cells through metrics and ship log to the report.

use std::time::Duration;

use andiron::metrics::{Application, Limits, MetricsSettings};
use andiron::report::command::report_text;
use andiron::report::text::Colour;
use serde_json::json;

/// A complete cell of step 1 at site 1: the only partition of its first execution, in stage 3.
fn cell(input: i64, dropped: i64, sample: &str) -> Vec<u8> {
    let mut cell = 2_u32.to_le_bytes().to_vec();
    [1_u64, 1, 1].iter().for_each(|word| cell.extend_from_slice(&word.to_le_bytes()));
    [0_u32, 1, 3, 0].iter().for_each(|word| cell.extend_from_slice(&word.to_le_bytes()));
    cell.extend_from_slice(&77_u64.to_le_bytes());
    cell.push(1);
    cell.extend_from_slice(&u64::MAX.to_le_bytes());
    cell.extend_from_slice(&0_u16.to_le_bytes());
    cell.extend_from_slice(&4_u16.to_le_bytes());
    for (counter, value) in [(0_u16, input), (1, input - dropped), (2, dropped), (3, dropped + 1)] {
        cell.extend_from_slice(&counter.to_le_bytes());
        cell.extend_from_slice(&value.to_le_bytes());
    }
    cell.extend_from_slice(&(dropped as u64).to_le_bytes());
    cell.extend_from_slice(&1_u32.to_le_bytes());
    cell.extend_from_slice(&(sample.len() as u32).to_le_bytes());
    cell.extend_from_slice(sample.as_bytes());
    cell
}

#[test]
fn one_step_one_counter_one_gate() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("logs");
    let settings = MetricsSettings {
        application: "app-1".to_string(),
        log_dir: Some(root.clone()),
        ship_every: None,
        ..MetricsSettings::for_tests()
    };
    let facts = json!({"app_name": "flights", "run_id": "nightly", "started_ms": 1_795_459_512_000_u64});
    let metrics = Application::start(&settings, &facts.to_string()).expect("metrics");
    metrics.step_declared(
        r#"{"step":"history","id":1,"counters":["misses"],"site":"map at Job.scala:12","site_id":1}"#,
    );
    let stage = json!({"stage": 3, "attempt": 0, "rdd": 9, "tasks": 1, "name": "save at Job.scala:20", "submitted_ms": 1_795_459_513_000_u64});
    metrics.stage_submitted(&stage.to_string());
    let sample = json!({"hash": "5", "key_hash": "8", "step": "history", "site": "map at Job.scala:12", "error_class": "java.lang.IllegalStateException",
        "message": "gone", "stack_hash": "ab12", "stack": "java.lang.IllegalStateException: gone\n\tat Job.run(Job.scala:13)",
        "row_key": "member-7", "record": "<script>", "stage": 3, "stage_attempt": 0, "partition": 0, "task_attempt": 77, "executor": "1"});
    metrics.step_cell(&cell(1000, 200, &sample.to_string()));
    let limits = Limits::parse(r#"{"gate":"guard","max_drop_ratio":0.001}"#).expect("limits");
    assert!(!metrics.judge("history", &limits).passed);
    metrics.stage_completed(r#"{"stage":3,"attempt":0,"completed_ms":1795459514000}"#);
    metrics.ship_changes();
    metrics.end(r#"{"ended_ms":1795459515000,"exit_code":1}"#, Duration::from_secs(30));
    let report = report_text(&root, "app-1", Colour::Plain).expect("the report");
    let said = [
        "flights  ENDED AT ITS GATE",
        "took 3.0 s",
        "FAILED  history dropped 200 of 1,000 rows, 20 % (limit 0.1 %)",
        "misses",
        "java.lang.IllegalStateException: gone",
        "1 sample in history, stack ab12",
        "at Job.run(Job.scala:13)",
        "- member-7: <script> (stage 3, partition 0)",
        "save at Job.scala:20",
    ];
    for line in said {
        assert!(report.contains(line), "no {line:?} in\n{report}");
    }
}
