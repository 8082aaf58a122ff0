//! The entry points for the listener's events. None of them throws, does I/O or waits for the shipping thread.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::decode::TaskEnd;
use super::json::{cut, object, Object, Reads};
use super::listener::Listener;
use super::{Application, ValueKind};
use crate::error::Result;
use crate::event::{read_given, LogLineBody};
use crate::sync::lock;

impl Application {
    /// Takes the values of accumulators on the driver: `values`, each with `acc` and `long` or `double`.
    pub fn accumulator_values(&self, json: &str) {
        self.listen(json, |listener, json| {
            for each in json.list("values").iter().filter_map(Value::as_object) {
                let long = each.get("long").and_then(Value::as_i64).map(|n| n as u64);
                let bits = long.or_else(|| each.get("double").and_then(Value::as_f64).map(f64::to_bits));
                if let (Some(id), Some(bits)) = (each.number("acc"), bits) {
                    listener.foreign.on_driver(id, bits);
                }
            }
        });
    }

    /// Notes that a speculative copy of a task of `stage` will run.
    pub fn speculation(&self, json: &str) {
        self.listen(json, |listener, json| {
            let facts = json.number32("stage").and_then(|stage| listener.stages.facts(stage));
            if let Some(facts) = facts {
                listener.foreign.hide(facts);
            }
        });
    }

    /// Names an accumulator before its first update. Of several with one name the first that is registered keeps it.
    pub fn accumulator(&self, id: u64, name: &str, kind: ValueKind) {
        lock(&self.listener).foreign.name(id, name, kind);
    }

    /// Counts the end of a task. Does not allocate for known partitions and accumulators.
    pub fn task_end(&self, event: &TaskEnd<'_>) {
        lock(&self.listener).task_end(event);
    }

    /// Counts the consecutive task ends of a buffer.
    ///
    /// # Errors
    /// [`Code::BadArgument`](crate::error::Code) for a malformed task end; those before it are counted.
    pub fn task_ends(&self, buffer: &[u8]) -> Result<()> {
        let mut listener = lock(&self.listener);
        TaskEnd::all(buffer).try_for_each(|event| event.map(|event| listener.task_end(&event)))
    }

    /// Notes that a stage attempt begins: a Stage body with, if known, `partitions` of its terminal RDD, `rdds` (each
    /// with `id`, `name`, `parents`) and `indeterminate`.
    pub fn stage_submitted(&self, json: &str) {
        self.listen(json, |listener, json| listener.stages.submitted(json, listener.foreign.arrivals()));
    }

    /// Notes that a stage attempt ends: a Stage body with, if known, `accumulables` (SQL metrics that it changed) and
    /// `collected` (accumulators that were garbage collected).
    pub fn stage_completed(&self, json: &str) {
        let mut rolled_back = None;
        self.listen(json, |listener, json| {
            let Some(ended) = listener.stages.completed(json) else { return };
            json.numbers("collected").into_iter().for_each(|id| listener.foreign.collected(id));
            listener.foreign.stage_ended(ended.rdd, ended.stage, ended.missing);
            if let Some(facts) = listener.stages.facts(ended.stage).filter(|_| ended.failed) {
                listener.foreign.hide(facts);
            }
            rolled_back = ended.rolled_back.then_some(ended.stage);
        });
        if let Some(stage) = rolled_back {
            lock(&self.steps).rolled_back(stage);
        }
        self.wake(|wake| wake.now = true);
    }

    /// Notes that a job begins: a Job body.
    pub fn job_start(&self, json: &str) {
        let mut began = None;
        self.listen(json, |listener, json| {
            began = json.number("submitted_ms");
            listener.stages.job_started(json);
        });
        if let Some(at_ms) = began {
            lock(&self.gates).job_began(at_ms);
        }
    }

    /// Notes that a job ends: a Job body with `status`.
    pub fn job_end(&self, json: &str) {
        self.listen(json, |listener, json| listener.stages.job_ended(json));
        self.wake(|wake| wake.now = true);
    }

    /// Notes that an execution begins, has another plan, or ends: the new fields of an Execution body.
    pub fn execution(&self, json: &str) {
        let mut stages = HashSet::new();
        self.listen(json, |listener, json| {
            listener.stages.execution(json);
            let ended = json.number("execution").filter(|_| json.contains_key("ended_ms"));
            if let Some(id) = ended {
                stages = listener.stages.of_execution(id);
                let scopes = listener.foreign.scopes();
                scopes
                    .filter(|(_, scope)| scope.execution == Some(id))
                    .for_each(|(_, scope)| scope.dirty = true);
            }
        });
        // Its last plan is now known, so figures may belong to other nodes.
        if !stages.is_empty() {
            let mut steps = lock(&self.steps);
            let here = steps.sites().filter(|(_, site)| site.ran_in_any(&stages));
            here.for_each(|(_, site)| site.dirty = true);
        }
    }

    /// Takes a line of a log: a LogLine body. With `left_out` it is the number of further such lines that the process
    /// has left out since its last report.
    pub fn log_line(&self, json: &str) {
        let Some(line) = read_given::<LogLineBody>(json) else { return self.unreadable() };
        if self.log.is_some() {
            lock(&self.pending).log_line(&line);
        }
    }

    /// Notes that a numbered event has arrived, and thereby all events posted before it.
    pub fn sentinel(&self, number: u64) {
        self.barrier.sentinel(number);
    }

    /// Waits at most `timeout` for a numbered event. Returns whether it has arrived.
    pub fn reached(&self, number: u64, timeout: Duration) -> bool {
        self.barrier.reached(number, timeout)
    }

    /// Takes the total number of events that Spark has dropped.
    pub fn dropped_events(&self, count: u64) {
        let mut guard = lock(&self.listener);
        let listener = &mut *guard;
        if count > listener.dropped {
            if listener.dropped == 0 {
                listener.foreign.scopes().for_each(|(_, scope)| scope.dirty = true);
            }
            listener.dropped = count;
        }
    }

    /// Counts a failure of Andiron's own code in a callback of Spark.
    pub fn callback_failed(&self, what: &str) {
        let mut listener = lock(&self.listener);
        listener.callback_errors += 1;
        listener.first_error.get_or_insert_with(|| cut(what, 1024).to_string());
    }

    fn listen(&self, json: &str, action: impl FnOnce(&mut Listener, &Object)) {
        let Some(json) = object(json) else { return self.unreadable() };
        let mut listener = lock(&self.listener);
        listener.events += 1;
        action(&mut listener, &json);
    }

    pub(super) fn unreadable(&self) {
        lock(&self.listener).unreadable += 1;
    }
}
