//! The limits of the report for a terminal.

use crate::report::clean::Limit;

pub(super) const STEPS: usize = 200;
pub(super) const COUNTERS: usize = 60;
pub(super) const GROUPS: usize = 10;
pub(super) const SAMPLES: usize = 3;
pub(super) const STACK_LINES: usize = 6;
pub(super) const STAGES: usize = 100;
pub(super) const ACCUMULATORS: usize = 60;
pub(super) const SCOPES: usize = 20;
pub(super) const LOG_STAGES: usize = 100;
pub(super) const LOG_LINES: usize = 20;
pub(super) const LINKS: usize = 12;

/// The limit of a row or message within a line of text.
pub(super) const SHORT: Limit = Limit { characters: 100, lines: false };
