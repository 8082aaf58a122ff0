//! Questions of the JVM beside verdicts: whether an instance has dropped all its rows (R6 of
//! docs/internals/gates.md), and the warning for results that no gate has judged (R7).

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{json, Value};

use super::gate::{self, Decision, Limits, Verdict};
use super::gate_history::GateWarning;
use super::json::{object, Object, Reads};
use super::steps::{Emptied, Reached, Whose};
use super::{bad, Application};
use crate::error::Result;
use crate::event::TopCause;
use crate::sync::lock;
use crate::words::some;

/// The `gate` of a verdict about dropped instances.
const LAYER: &str = "all dropped";
/// The limit of causes in a message.
const MOST_SAID: usize = 3;

/// An instance that has dropped all of its rows.
struct DroppedRows {
    step: u64,
    name: String,
    label: String,
    instance: u64,
    rows: i128,
    causes: Vec<TopCause>,
}

impl DroppedRows {
    fn causes(&self) -> String {
        let said: Vec<String> = self
            .causes
            .iter()
            .take(MOST_SAID)
            .map(|cause| format!("{} x {}", cause.count, cause.line()))
            .collect();
        if said.is_empty() {
            String::new()
        } else {
            let sampled: u64 = self.causes.iter().map(|cause| cause.count).sum();
            let whole = i128::from(sampled) >= self.rows;
            let of = if whole { String::new() } else { format!(" of {sampled} sampled rows") };
            format!("; causes{of}: {}", said.join(", "))
        }
    }

    fn message(&self) -> String {
        let DroppedRows { name, label, rows, .. } = self;
        let all = match rows {
            1 => "the one row".to_string(),
            rows => format!("every one of the {rows} rows"),
        };
        format!(
            "step '{name}' has dropped {all} that it has read ({label}): no row is left{}. If this is acceptable, set \
             spark.andiron.onAllDropped=warn, or put a gate on the step, which then decides",
            self.causes()
        )
    }

    fn verdict(&self) -> Result<Verdict> {
        let limits = Limits::parse(&json!({ "gate": LAYER }).to_string())?;
        Ok(Verdict {
            step: self.name.clone(),
            decision: Decision::Failed,
            passed: false,
            counts: Some((self.rows, self.rows)),
            site: Some(self.label.clone()),
            reason: "every row was dropped".to_string(),
            inexact: String::new(),
            operators: vec![gate::Operator {
                site: self.label.clone(),
                instance: self.instance,
                counts: [self.rows, 0, self.rows],
            }],
            top_causes: self.causes.clone(),
            stage: None,
            instance: Some(self.instance),
            limits,
        })
    }
}

impl Application {
    /// Answers the question that `ask` names; docs/internals/wire-format.md defines the questions.
    ///
    /// # Errors
    /// [`crate::error::Code::BadArgument`] for an unknown or malformed question.
    pub fn ask(&self, question: &str) -> Result<Value> {
        let question = object(question).ok_or_else(|| bad("a question is a JSON object"))?;
        match question.text("ask") {
            "emptied" => self.emptied(&question),
            "bypassed" => Ok(self.bypassed(&question)),
            "never asked" => Ok(json!({ "warn": lock(&self.gates).never_asked() })),
            other => Err(bad(&format!("no question is called '{other}'"))),
        }
    }

    /// The question is `{"reached": [...], "stage"? | "scope"?, "shuffle_stages"?, "only_look"?, "partial"?,
    /// "streaming"?, "warns"?}`. The answer has the `state` `all`, `survived`, `open`, or `gated` if every step has a
    /// gate; `fail` with the reason for which the job must fail; `warn` with warnings for the log.
    fn emptied(&self, question: &Object) -> Result<Value> {
        let gated = lock(&self.gates).steps();
        let scope = question.get("scope").and_then(Value::as_object).and_then(gate::scope);
        let kept_by: Option<Vec<u32>> = question.contains_key("shuffle_stages").then(|| {
            question.numbers("shuffle_stages").into_iter().filter_map(|n| u32::try_from(n).ok()).collect()
        });
        let whose = question.number32("stage").map_or(Whose::Scope(scope, kept_by.as_deref()), Whose::Stage);
        let (mut gone, mut partly, mut state) = (None, None, "gated");
        for reached in question.list("reached").iter().filter_map(gate::reached) {
            let book = lock(&self.steps);
            let Some(site) = book.site_of(reached.site).filter(|site| !gated.contains(&site.step)) else {
                continue;
            };
            let told = |rows: i128| DroppedRows {
                step: site.step,
                name: site.name.to_string(),
                label: site.label.clone(),
                instance: reached.instance,
                rows,
                causes: book.causes_of(&site.name, reached.site, reached.instance, gate::MOST_CAUSES),
            };
            match site.emptied(reached, whose) {
                Emptied::All(rows) => {
                    state = "all";
                    gone.get_or_insert_with(|| told(rows));
                }
                Emptied::Open => {
                    state = if state == "all" { state } else { "open" };
                    partly.get_or_insert_with(|| told(question.number("rows").map_or(0, i128::from)));
                }
                Emptied::Survived => state = if state == "gated" { "survived" } else { state },
            }
        }
        let mut answer = json!({ "state": state });
        if question.is("only_look") {
            return Ok(answer);
        }
        let lenient = question.is("partial") || question.is("streaming") || question.is("warns");
        match (gone, partly.filter(|part| question.is("partial") && part.rows > 0)) {
            (Some(gone), _) if !lenient => {
                if lock(&self.gates).is_new(gone.instance) {
                    self.tell(&gone.verdict()?);
                }
                answer["step"] = json!(gone.name);
                answer["fail"] = json!(gone.message());
            }
            (Some(gone), _) | (None, Some(gone)) => {
                if lock(&self.gates).may_warn(GateWarning::AllDropped, gone.step, Instant::now()) {
                    answer["warn"] = json!([gone.message()]);
                }
            }
            (None, None) => {}
        }
        Ok(answer)
    }

    /// The question is `{"reached": [...], "action", "streaming"?, "scope"?, "judged"?: [step]}`. The answer warns of
    /// rows that passed the gates of steps without a verdict.
    fn bypassed(&self, question: &Object) -> Value {
        let (judged, action) = (question.numbers("judged"), question.text("action"));
        let mut steps: BTreeMap<u64, (String, Vec<Reached>)> = BTreeMap::new();
        for reached in question.list("reached").iter().filter_map(gate::reached) {
            let book = lock(&self.steps);
            let Some(site) = book.site_of(reached.site) else { continue };
            let of = steps.entry(site.step).or_insert_with(|| (site.name.to_string(), Vec::new()));
            of.1.push(Reached { partial: true, ..reached });
        }
        let gated = lock(&self.gates).steps();
        let mut said = Vec::new();
        for (step, (name, reached)) in steps {
            if !gated.contains(&step) || judged.contains(&step) {
                continue;
            }
            let may_warn = {
                let mut gates = lock(&self.gates);
                gates.bypassed(step, action);
                !question.is("streaming") || gates.may_warn(GateWarning::Bypassed, step, Instant::now())
            };
            if may_warn {
                said.push(self.what_went_past(step, &name, reached, question));
            }
        }
        json!({ "warn": said })
    }

    fn what_went_past(&self, step: u64, name: &str, reached: Vec<Reached>, question: &Object) -> String {
        let action = question.text("action");
        let limits =
            Limits::parse(&json!({"gate": "told", "step_id": step}).to_string()).map(|limits| Limits {
                scope: question.get("scope").and_then(Value::as_object).and_then(gate::scope),
                reached: Some(reached),
                ..limits
            });
        let counts = limits.ok().and_then(|limits| self.look(name, &limits).counts);
        let dropped = counts.map_or_else(
            || "it is not known how many rows were dropped".to_string(),
            |(rows, dropped)| format!("{dropped} of {} dropped", some(rows, "row", "rows")),
        );
        format!("gate of step '{name}' did not judge this ({action}): {dropped}; wrap the action in Andiron.guard")
    }
}
