//! The figures of an application as series for graphs: gates, sinks, and the sums of each step.

use std::collections::BTreeMap;

use serde_json::{json, Value};

use super::gate::Verdict;
use super::Application;
use crate::event::{LogHealth, SinkHealth};
use crate::gauges::Reading;
use crate::sync::lock;

/// Gates whose last verdict is kept.
const MOST_GATES: usize = 1000;

/// The last verdicts, by step and layer.
#[derive(Debug, Default)]
pub(super) struct Judged(BTreeMap<(String, String), Last>);

#[derive(Debug, Default)]
struct Last {
    passed: bool,
    ratio: Option<f64>,
    limit: Option<f64>,
    failed: u64,
}

impl Judged {
    pub(super) fn note(&mut self, verdict: &Verdict) {
        let key = (verdict.step.clone(), verdict.limits.gate.clone());
        if self.0.len() >= MOST_GATES && !self.0.contains_key(&key) {
            return;
        }
        let last = self.0.entry(key).or_default();
        last.passed = verdict.passed;
        (last.ratio, last.limit) = (verdict.ratio(), verdict.limits.max_drop_ratio);
        last.failed += u64::from(!verdict.passed);
    }

    fn readings(&self) -> Vec<Reading> {
        let of_gate = |((step, gate), last): (&(String, String), &Last)| {
            let passed = Reading::gauge("andiron.gate.passed", f64::from(u8::from(last.passed)));
            let failed = Reading::counter("andiron.gate.failed", last.failed as f64);
            let ratio = last.ratio.map(|ratio| Reading::gauge("andiron.gate.ratio", ratio));
            let limit = last.limit.map(|limit| Reading::gauge("andiron.gate.limitRatio", limit));
            let all = [Some(passed), Some(failed), ratio, limit].into_iter().flatten();
            all.map(|reading| reading.tag("step", step).tag("gate", gate)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_gate).collect()
    }
}

impl Application {
    /// All series, the most important first: the last verdict of each gate, sinks, log and listener, then each step
    /// in the order of its first operator. The rows of a step are the committed ones; `attempted` are all rows read.
    pub fn readings(&self) -> Vec<Reading> {
        let mut readings = lock(&self.pending).judged.readings();
        if let Some(log) = &self.log {
            readings.extend(of_sinks(&log.sinks()));
            readings.extend(of_log(&log.health()));
        }
        let (events, dropped) = {
            let listener = lock(&self.listener);
            (listener.events, listener.dropped)
        };
        readings.push(Reading::counter("andiron.listener.events", events as f64));
        readings.push(Reading::counter("andiron.listener.dropped", dropped as f64));
        let steps = lock(&self.steps).totals();
        for (step, totals) in steps {
            let [read, given, dropped] = totals.committed.map(|rows| rows as f64);
            let ratio = if read > 0.0 { dropped / read } else { 0.0 };
            let of_step = [
                Reading::gauge("andiron.step.dropRatio", ratio),
                Reading::gauge("andiron.step.in", read),
                Reading::gauge("andiron.step.out", given),
                Reading::gauge("andiron.step.dropped", dropped),
                Reading::counter("andiron.step.attempted", totals.attempted as f64),
            ];
            readings.extend(of_step.map(|reading| reading.tag("step", &*step)));
        }
        readings
    }

    /// All series as a JSON list of `name`, `tags` (each a list of key and value) and `value`.
    pub fn gauges_json(&self) -> String {
        let told = |reading: Reading| {
            let number = reading.value.number();
            json!({"name": reading.name, "tags": reading.tags, "value": number})
        };
        Value::Array(self.readings().into_iter().map(told).collect()).to_string()
    }
}

/// The sum over causes.
fn sum(causes: &BTreeMap<String, u64>) -> f64 {
    causes.values().map(|events| *events as f64).sum()
}

fn of_sinks(sinks: &BTreeMap<String, SinkHealth>) -> Vec<Reading> {
    let of_sink = |(name, sink): (&String, &SinkHealth)| {
        let all = [
            Reading::gauge("andiron.sink.behind", sink.behind as f64),
            Reading::counter("andiron.sink.sent", sink.sent as f64),
            Reading::counter("andiron.sink.retried", sink.retried as f64),
            Reading::counter("andiron.sink.dropped", sum(&sink.dropped)),
        ];
        all.map(|reading| reading.tag("sink", name))
    };
    sinks.iter().flat_map(of_sink).collect()
}

fn of_log(log: &LogHealth) -> [Reading; 4] {
    [
        Reading::counter("andiron.log.appended", log.appended as f64),
        Reading::counter("andiron.log.durable", log.durable as f64),
        Reading::counter("andiron.log.failures", log.failures as f64),
        Reading::counter("andiron.log.lost", sum(&log.lost)),
    ]
}
