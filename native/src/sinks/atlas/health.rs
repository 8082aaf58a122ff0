//! What has become of the points.

use super::sample::Sample;

/// Counts of one publisher since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtlasHealth {
    /// Points that were taken; by the agent's datagrams: that were sent.
    pub sent: u64,
    /// Points that Atlas refused, and will never take.
    pub refused: u64,
    /// Points of a step that ended before Atlas had answered for them.
    pub unanswered: u64,
    /// Points that were not even offered, since their step had ended.
    pub late: u64,
    /// Calls that failed and were made again.
    pub retried: u64,
    /// Series beyond the limit.
    pub left_out: u64,
    /// Times that the process could not tell its figures.
    pub untold: u64,
    /// What the last failure said.
    pub last_failure: Option<String>,
}

impl AtlasHealth {
    /// As series of their own.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let outcomes = [
            ("sent", self.sent),
            ("refused", self.refused),
            ("unanswered", self.unanswered),
            ("late", self.late),
        ];
        let points = |(outcome, count): (&str, u64)| {
            Sample::counter("andiron.atlas.points", count as f64).tag("outcome", outcome)
        };
        let mut samples: Vec<Sample> = outcomes.into_iter().map(points).collect();
        samples.push(Sample::gauge("andiron.atlas.seriesLeftOut", self.left_out as f64));
        samples
    }
}
