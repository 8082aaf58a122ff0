//! Counters of the fate of points.

use super::reading::Reading;

/// Counters of one publisher since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtlasHealth {
    /// Points that Atlas accepted; with the agent, points that were sent.
    pub sent: u64,
    /// Points that Atlas refused for good.
    pub refused: u64,
    /// Points whose step ended before Atlas had answered.
    pub unanswered: u64,
    /// Points that were never offered, since their step had ended.
    pub late: u64,
    /// Calls that failed and were repeated.
    pub retried: u64,
    /// Series beyond the limit.
    pub left_out: u64,
    /// Times that the process could not give its figures.
    pub unread: u64,
    /// The message of the last failure.
    pub last_failure: Option<String>,
}

impl AtlasHealth {
    /// These counters as series.
    pub(super) fn readings(&self) -> Vec<Reading> {
        let outcomes = [
            ("sent", self.sent),
            ("refused", self.refused),
            ("unanswered", self.unanswered),
            ("late", self.late),
        ];
        let points = |(outcome, count): (&str, u64)| {
            Reading::counter("andiron.atlas.points", count as f64).tag("outcome", outcome)
        };
        let mut readings: Vec<Reading> = outcomes.into_iter().map(points).collect();
        readings.push(Reading::gauge("andiron.atlas.seriesLeftOut", self.left_out as f64));
        readings
    }
}
