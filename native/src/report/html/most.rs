//! The limits of a page. It counts the items beyond them.

pub(super) const VERDICTS: usize = 200;
pub(super) const CAUSES: usize = 10;
pub(super) const STEPS: usize = 400;
pub(super) const COUNTERS: usize = 200;
pub(super) const ACCUMULATORS: usize = 400;
pub(super) const SCOPES: usize = 200;
pub(super) const LINKS: usize = 24;
pub(super) const GROUPS: usize = 100;
pub(super) const SAMPLES_PER_GROUP: usize = 500;
pub(super) const SAMPLES: usize = 2_000;
pub(super) const STAGES: usize = 1_000;
pub(super) const BARS: usize = 400;
pub(super) const EXECUTIONS: usize = 50;
pub(super) const LOG_STAGES: usize = 200;
pub(super) const LOG_LINES: usize = 1_000;
pub(super) const NOTES: usize = 20;
pub(super) const SETTINGS: usize = 200;
