//! The last verdict of each gate, for graphs.

use std::collections::BTreeMap;

use super::gate::Verdict;
use crate::gauges::Reading;

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

    pub(super) fn readings(&self) -> Vec<Reading> {
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
