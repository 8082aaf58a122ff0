//! The gates of an application and their history: rule R7 of docs/internals/gates.md.
//!
//! A gate is known once it is created. The questions it was asked, and the results that bypassed it, are counted and
//! shipped.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::gate::{Decision, Verdict};
use super::json::{cut, Object, Reads};
use super::ship::Draft;
use crate::event::{id, read_object, GateBody};

/// The limit of gates that are counted; later gates work, and are not listed.
const MOST_GATES: usize = 10_000;
/// The interval between two warnings of one kind for a step.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// The limit of an action's name, in bytes.
const LONGEST_ACTION: usize = 512;

#[derive(Debug, Default)]
struct Standing {
    step: u64,
    closed: bool,
    /// Its limits and counts, by its number in the application.
    body: GateBody,
    revision: u64,
    dirty: bool,
}

impl Standing {
    fn was_asked(&self) -> bool {
        self.body.passed + self.body.failed + self.body.unknown > 0
    }

    fn draft(&mut self) -> Draft {
        self.dirty = false;
        self.revision += 1;
        Draft::of(id::gate(self.body.number), self.revision, &self.body)
    }
}

/// The kinds of warnings that are limited in frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum GateWarning {
    /// An instance has dropped all its rows.
    AllDropped,
    /// A batch of a stream bypassed its gate.
    Bypassed,
}

#[derive(Debug, Default)]
pub(super) struct Gates {
    standing: BTreeMap<u64, Standing>,
    told: HashMap<(GateWarning, u64), Instant>,
    emptied: HashSet<u64>,
    /// The step and the time of the last verdict, if it refused.
    refused: Option<(String, u64)>,
    /// The time at which the last job began.
    last_job_ms: u64,
}

impl Gates {
    /// Takes a step's declaration, which may have a gate, or say that the step and its gates are closed.
    pub(super) fn declare(&mut self, declaration: &Object) {
        let Some(step) = declaration.number("id") else { return };
        if declaration.is("closed") {
            self.standing.values_mut().filter(|gate| gate.step == step).for_each(|gate| gate.closed = true);
            return;
        }
        let gate = declaration.get("gate").and_then(serde_json::Value::as_object);
        let Some((gate, number)) = gate.and_then(|gate| Some((gate, gate.number("number")?))) else { return };
        if self.standing.len() >= MOST_GATES || self.standing.contains_key(&number) {
            return;
        }
        let limits: GateBody = read_object(gate);
        let body = GateBody {
            step: declaration.text("step").to_string(),
            number: self.standing.len() as u64 + 1,
            ..limits
        };
        self.standing.insert(number, Standing { step, body, dirty: true, ..Standing::default() });
    }

    /// Counts a gate's decision.
    pub(super) fn judged(&mut self, verdict: &Verdict) {
        let gate = verdict.limits.number.and_then(|number| self.standing.get_mut(&number));
        let Some(gate) = gate else { return };
        *match verdict.decision {
            Decision::Passed => &mut gate.body.passed,
            Decision::Failed => &mut gate.body.failed,
            Decision::Unknown => &mut gate.body.unknown,
        } += 1;
        gate.dirty = true;
    }

    /// Notes that a verdict is shipped.
    pub(super) fn decided(&mut self, verdict: &Verdict, now_ms: u64) {
        self.refused = (!verdict.passed).then(|| (verdict.step.clone(), now_ms));
    }

    pub(super) fn job_began(&mut self, at_ms: u64) {
        self.last_job_ms = self.last_job_ms.max(at_ms);
    }

    /// The step of the last verdict, if it refused and no job has begun after it.
    pub(super) fn ended_at(&self) -> Option<&str> {
        let (step, at_ms) = self.refused.as_ref()?;
        (*at_ms >= self.last_job_ms).then_some(step)
    }

    /// The steps with an open gate.
    pub(super) fn steps(&self) -> HashSet<u64> {
        self.standing.values().filter(|gate| !gate.closed).map(|gate| gate.step).collect()
    }

    /// Notes that a result bypassed the gates of a step.
    pub(super) fn bypassed(&mut self, step: u64, action: &str) {
        for gate in self.standing.values_mut().filter(|gate| gate.step == step && !gate.closed) {
            gate.body.bypassed += 1;
            gate.body.last_bypass = cut(action, LONGEST_ACTION).to_string();
            gate.dirty = true;
        }
    }

    /// Whether a warning of this kind may be logged for a step now.
    pub(super) fn may_warn(&mut self, what: GateWarning, step: u64, now: Instant) -> bool {
        let last = self.told.get(&(what, step));
        let may = last.is_none_or(|last| now.saturating_duration_since(*last) >= WARN_EVERY);
        if may {
            self.told.insert((what, step), now);
        }
        may
    }

    /// Whether this is the first refusal of an instance; notes it.
    pub(super) fn is_new(&mut self, instance: u64) -> bool {
        self.emptied.insert(instance)
    }

    /// Warnings about gates that were never asked.
    pub(super) fn never_asked(&self) -> Vec<String> {
        let idle = self.standing.values().filter(|gate| !gate.was_asked() && gate.body.bypassed == 0);
        let said = idle.map(|gate| {
            format!(
                "the gate of step '{}' was never asked: no write of its rows was committed, and no \
                 Andiron.guard had it",
                gate.body.step
            )
        });
        said.collect()
    }

    /// Events for the gates that have changed.
    pub(super) fn drafts(&mut self) -> Vec<Draft> {
        self.standing.values_mut().filter(|gate| gate.dirty).map(Standing::draft).collect()
    }
}
