//! The figures of an application as series for graphs: gates, sinks, and the sums of each step.

use std::collections::BTreeMap;

use serde_json::{json, Value};

use super::Application;
use crate::event::{LogHealth, SinkHealth};
use crate::gauges::Reading;
use crate::sync::lock;

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
        Reading::counter("andiron.log.appended", log.appended.unwrap_or_default() as f64),
        Reading::counter("andiron.log.durable", log.durable.unwrap_or_default() as f64),
        Reading::counter("andiron.log.failures", log.failures.unwrap_or_default() as f64),
        Reading::counter("andiron.log.lost", sum(&log.lost)),
    ]
}
