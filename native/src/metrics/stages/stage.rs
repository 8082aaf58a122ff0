//! One stage attempt.

use serde_json::{json, Value};

use super::super::decode::{Reason, TaskEnd};
use super::super::json::{copy, Object, Reads};
use super::super::ship::Shipped;
use super::LONGEST;

/// The limit of SQL metrics that a stage remembers.
const MOST_METRICS: usize = 10_000;
/// The limit of the stack of a stage's call site, in bytes.
const LONGEST_DETAILS: usize = 4 << 10;
#[derive(Debug, Default)]
pub(in crate::metrics) struct Stage {
    pub(in crate::metrics) body: Object,
    pub(in crate::metrics) tasks: u32,
    pub(in crate::metrics) running: bool,
    /// SQL metrics that it changed, in ascending order.
    pub(in crate::metrics) metrics: Vec<u64>,
    pub(in crate::metrics) dirty: bool,
    pub(in crate::metrics) shipped: Shipped,
    succeeded_tasks: u64,
    failed_tasks: u64,
}

impl Stage {
    pub(super) fn submitted(json: &Object, id: u32) -> Stage {
        let mut stage = Stage {
            tasks: json.number32("tasks").unwrap_or(0),
            running: true,
            dirty: true,
            ..Stage::default()
        };
        stage.body.insert("stage".to_string(), Value::from(id));
        stage.body.insert("attempt".to_string(), Value::from(json.number32("attempt").unwrap_or(0)));
        copy(
            json,
            &mut stage.body,
            &["name", "call_site", "execution_id", "rdd", "tasks", "submitted_ms"],
            LONGEST,
        );
        copy(json, &mut stage.body, &["details"], LONGEST_DETAILS);
        stage.status("running");
        stage
    }

    /// A stage that was skipped, since its output was already there.
    pub(super) fn skipped(id: u32) -> Stage {
        let mut stage = Stage { dirty: true, ..Stage::default() };
        stage.body.insert("stage".to_string(), Value::from(id));
        stage.body.insert("attempt".to_string(), Value::from(0));
        stage.status("skipped");
        stage
    }

    /// False for one that was skipped.
    pub(super) fn has_run(&self) -> bool {
        self.body.text("status") != "skipped"
    }

    pub(super) fn completed(&mut self, json: &Object) {
        copy(json, &mut self.body, &["submitted_ms", "completed_ms", "failure"], LONGEST_DETAILS);
        self.metrics = json.numbers("accumulables");
        self.metrics.sort_unstable();
        self.metrics.truncate(MOST_METRICS);
        self.status(if self.failed() { "failed" } else { "succeeded" });
        (self.running, self.dirty) = (false, true);
    }

    pub(super) fn failed(&self) -> bool {
        !self.body.text("failure").is_empty()
    }

    pub(super) fn task_end(&mut self, event: &TaskEnd<'_>) {
        match event.reason {
            Reason::Success => self.succeeded_tasks += 1,
            Reason::Resubmitted => {}
            _ => self.failed_tasks += 1,
        }
        // While the stage is running, further figures of its tasks do not make it dirty.
        self.dirty |= !self.running;
    }

    fn status(&mut self, status: &str) {
        self.body.insert("status".to_string(), Value::from(status));
    }

    /// The body of its Stage event, without the fields that come from jobs, executions and steps.
    pub(in crate::metrics) fn event(&self) -> Object {
        let mut body = self.body.clone();
        if self.has_run() {
            body.insert("succeeded_tasks".to_string(), json!(self.succeeded_tasks));
            body.insert("failed_tasks".to_string(), json!(self.failed_tasks));
        }
        body
    }
}
