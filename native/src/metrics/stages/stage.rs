//! One stage attempt.

use super::super::decode::{Reason, TaskEnd};
use super::super::json::{Object, Reads};
use super::super::revision::Shipped;
use crate::event::{read_object, StageBody, StageStatus};
use crate::words::cut;

/// The limit of most texts, in bytes.
pub(super) const LONGEST: usize = 1 << 10;
/// The limit of SQL metrics that a stage remembers.
const MOST_METRICS: usize = 10_000;
/// The limit of the stack of a stage's call site, in bytes.
const LONGEST_DETAILS: usize = 4 << 10;
#[derive(Debug, Default)]
pub(in crate::metrics) struct Stage {
    pub(in crate::metrics) body: StageBody,
    pub(in crate::metrics) tasks: u32,
    pub(in crate::metrics) running: bool,
    /// SQL metrics that it changed, in ascending order.
    pub(in crate::metrics) metrics: Vec<u64>,
    pub(in crate::metrics) dirty: bool,
    pub(in crate::metrics) shipped: Shipped,
}

impl Stage {
    pub(super) fn submitted(json: &Object, id: u32) -> Stage {
        let StageBody { mut name, mut call_site, mut details, execution, rdd, tasks, submitted_ms, .. } =
            read_object(json);
        cut(&mut name, LONGEST);
        cut(&mut call_site, LONGEST);
        cut(&mut details, LONGEST_DETAILS);
        let body = StageBody {
            stage: Some(id.into()),
            attempt: json.number32("attempt").unwrap_or(0).into(),
            name,
            call_site,
            details,
            execution,
            rdd,
            tasks,
            submitted_ms,
            succeeded_tasks: Some(0),
            failed_tasks: Some(0),
            ..StageBody::default()
        };
        let tasks = json.number32("tasks").unwrap_or(0);
        Stage { body, tasks, running: true, dirty: true, ..Stage::default() }
    }

    /// A stage that did not run, since its output existed.
    pub(super) fn skipped(id: u32) -> Stage {
        let body = StageBody { stage: Some(id.into()), status: StageStatus::Skipped, ..StageBody::default() };
        Stage { body, dirty: true, ..Stage::default() }
    }

    /// False for one that was skipped.
    pub(super) fn has_run(&self) -> bool {
        self.body.status != StageStatus::Skipped
    }

    pub(super) fn completed(&mut self, json: &Object) {
        let told: StageBody = read_object(json);
        self.body.submitted_ms = told.submitted_ms.or(self.body.submitted_ms);
        self.body.completed_ms = told.completed_ms.or(self.body.completed_ms);
        if !told.failure.is_empty() {
            self.body.failure = told.failure;
            cut(&mut self.body.failure, LONGEST_DETAILS);
        }
        self.metrics = json.numbers("accumulables");
        self.metrics.sort_unstable();
        self.metrics.truncate(MOST_METRICS);
        self.body.status = if self.failed() { StageStatus::Failed } else { StageStatus::Succeeded };
        (self.running, self.dirty) = (false, true);
    }

    pub(super) fn failed(&self) -> bool {
        !self.body.failure.is_empty()
    }

    pub(super) fn task_end(&mut self, event: &TaskEnd<'_>) {
        let tasks = match event.reason {
            Reason::Success => &mut self.body.succeeded_tasks,
            Reason::Resubmitted => &mut None,
            _ => &mut self.body.failed_tasks,
        };
        if let Some(tasks) = tasks {
            *tasks += 1;
        }
        // While the stage is running, further figures of its tasks do not make it dirty.
        self.dirty |= !self.running;
    }
}
