//! Series of gates, sinks and steps.

use super::*;
use crate::gauges::{Figure, Reading};

fn of<'a>(readings: &'a [Reading], name: &str) -> Vec<(&'a [(&'static str, String)], Figure)> {
    readings.iter().filter(|s| s.name == name).map(|s| (s.tags.as_slice(), s.value)).collect()
}

#[test]
fn a_step_is_told_as_it_counts() {
    let bench = Bench::new();
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":1}"#);
    bench.app.step_cell(&Filed::new(1, 0, 1, 1, 100, 5).bytes());
    // Another attempt of the same partition counts once in `in` and twice in `attempted`.
    bench.app.step_cell(&Filed::new(1, 0, 1, 2, 100, 5).bytes());
    let readings = bench.app.readings();
    let tags = [("step", "history".to_string())];
    for (name, value) in [
        ("andiron.step.in", Figure::Gauge(100.0)),
        ("andiron.step.out", Figure::Gauge(95.0)),
        ("andiron.step.dropped", Figure::Gauge(5.0)),
        ("andiron.step.dropRatio", Figure::Gauge(0.05)),
        ("andiron.step.attempted", Figure::Counter(200.0)),
    ] {
        assert_eq!(of(&readings, name), [(&tags[..], value)], "{name}");
    }
    assert_eq!(of(&readings, "andiron.log.appended").len(), 1);
}

#[test]
fn the_last_verdict_of_each_gate_is_told() {
    let bench = Bench::new();
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":1}"#);
    bench.app.step_cell(&Filed::new(1, 0, 1, 1, 100, 5).bytes());
    let judge = |gate: &str, most: f64| {
        let limits = json!({"gate": gate, "max_drop_ratio": most}).to_string();
        bench.app.judge("history", &Limits::parse(&limits).unwrap());
    };
    judge("commit", 0.01);
    judge("guard", 0.01);
    judge("commit", 0.1);
    // An early gate that passes gives no verdict.
    judge("early", 1.0);
    let readings = bench.app.readings();
    let tags = |gate: &str| vec![("step", "history".to_string()), ("gate", gate.to_string())];
    let (commit, guard) = (tags("commit"), tags("guard"));
    for (name, of_commit, of_guard) in [
        ("andiron.gate.passed", Figure::Gauge(1.0), Figure::Gauge(0.0)),
        ("andiron.gate.failed", Figure::Counter(1.0), Figure::Counter(1.0)),
        ("andiron.gate.ratio", Figure::Gauge(0.05), Figure::Gauge(0.05)),
        ("andiron.gate.limitRatio", Figure::Gauge(0.1), Figure::Gauge(0.01)),
    ] {
        assert_eq!(of(&readings, name), [(&commit[..], of_commit), (&guard[..], of_guard)], "{name}");
    }
    let read: Value = serde_json::from_str(&bench.app.gauges_json()).unwrap();
    assert_eq!(
        read[0],
        json!({"name": "andiron.gate.passed", "tags": [["step", "history"], ["gate", "commit"]], "value": 1.0})
    );
}
