//! The state that the listener's events have built.

use super::decode::TaskEnd;
use super::foreign::{self, SparkAccumulators};
use super::stages::Stages;

/// The state that the listener's events have built.
pub(super) struct Listener {
    pub(super) foreign: SparkAccumulators,
    pub(super) stages: Stages,
    pub(super) events: u64,
    pub(super) late: u64,
    pub(super) dropped: u64,
    pub(super) unreadable: u64,
    pub(super) callback_errors: u64,
    pub(super) first_error: Option<String>,
}

impl Listener {
    pub(super) fn new() -> Listener {
        Listener {
            foreign: SparkAccumulators::new(foreign::MOST_BYTES),
            stages: Stages::default(),
            events: 0,
            late: 0,
            dropped: 0,
            unreadable: 0,
            callback_errors: 0,
            first_error: None,
        }
    }
}

impl Listener {
    pub(super) fn task_end(&mut self, event: &TaskEnd<'_>) {
        self.events += 1;
        match self.stages.task_end(event) {
            Some(facts) => self.foreign.task_end(event, &facts),
            None => self.late += 1,
        }
    }
}
