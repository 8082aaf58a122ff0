//! Gates: limits, verdicts, and their JSON. [`super::judge`] decides.

use serde_json::Value;

use super::amount::long;
use super::json::{object, Object, Reads};
use super::steps::{Part, Reached, Scope};
use crate::error::{Code, Error, Result};
pub use crate::event::Decision;
use crate::event::{JudgedInstance, TopCause, VerdictBody};

/// The limit of causes in a verdict.
pub(super) const MOST_CAUSES: usize = 5;
/// The limit of operators in a verdict.
pub(super) const MOST_OPERATORS: usize = 20;

/// The limits of a gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// The layer that asks: `commit`, `guard`, `early`, or `all dropped`. An early gate fails only for dropped rows,
    /// since no later row makes up for them.
    pub gate: String,
    /// The maximum of dropped / in.
    pub max_drop_ratio: Option<f64>,
    /// The maximum of dropped rows.
    pub max_dropped: Option<u64>,
    /// The minimum of rows read.
    pub min_rows: u64,
    /// The minimum of out / in.
    pub min_out_ratio: Option<f64>,
    /// The maximum of user counter / in, by counter name.
    pub max_counters: Vec<(String, f64)>,
    /// Whether a step without any row read passes.
    pub zero_rows_pass: bool,
    /// Whether a step with unknown counts passes.
    pub unknown_passes: bool,
    /// The step to judge; `None` for all steps with the name.
    pub step: Option<u64>,
    /// The operators to judge; `None` for all operators of the step.
    pub sites: Option<Vec<u64>>,
    /// The scope whose evaluations are judged; `None` for all evaluations.
    pub scope: Option<Scope>,
    /// The instances to judge; `None` for the instance of each operator whose evaluations ended last.
    pub reached: Option<Vec<Reached>>,
    /// The stages that wrote the shuffles that are read; `None` if any stage may have.
    pub kept_by: Option<Vec<u32>>,
    /// The plan proves that only a part is read.
    pub partial: bool,
    /// Why the reached instances are unknown; empty if they are known.
    pub incomplete: String,
    /// The target of the write.
    pub write: Option<String>,
    /// The gate's number, if it has one.
    pub number: Option<u64>,
}

impl Limits {
    /// Reads `{"gate","max_drop_ratio"?,"max_dropped"?,"min_rows"?,"min_out_ratio"?,"max_counters"?: {name:
    /// ratio},"zero_rows": "pass"|"fail","unknown"?,"step_id"?,"sites"?,"scope"?: {"execution"|"guard":
    /// n},"reached"?: [{"site","instance","behind",
    /// "partial","partitions"?}],"shuffle_stages"?,"partial"?,"incomplete"?,"write"?,"gate_id"?}`.
    ///
    /// # Errors
    /// [`Code::BadArgument`] for any other text, or for a ratio outside its range.
    pub fn parse(text: &str) -> Result<Limits> {
        let bad = |why: &str| Error::new(Code::BadArgument, format!("limits of a gate: {why}"));
        let json = object(text).ok_or_else(|| bad("not a JSON object"))?;
        let ratio = |name: &str| json.get(name).and_then(Value::as_f64);
        let max_drop_ratio = ratio("max_drop_ratio");
        if max_drop_ratio.is_some_and(|ratio| !(0.0..=1.0).contains(&ratio)) {
            return Err(bad("a ratio is between 0 and 1"));
        }
        let counters = json.get("max_counters").and_then(Value::as_object).into_iter().flatten();
        let max_counters: Vec<(String, f64)> =
            counters.filter_map(|(name, most)| Some((name.clone(), most.as_f64()?))).collect();
        let others = max_counters.iter().map(|(_, most)| *most).chain(ratio("min_out_ratio"));
        if others.into_iter().any(|ratio| !ratio.is_finite() || ratio < 0.0) {
            return Err(bad("the ratio of a counter is not negative"));
        }
        let passes = |name: &str| match json.text(name) {
            "" | "fail" => Ok(false),
            "pass" => Ok(true),
            other => Err(bad(&format!("{name} is {other:?}, which is neither \"pass\" nor \"fail\""))),
        };
        Ok(Limits {
            gate: json.text("gate").to_string(),
            max_drop_ratio,
            max_dropped: json.number("max_dropped").filter(|rows| *rows < i64::MAX as u64),
            min_rows: json.number("min_rows").unwrap_or(0),
            min_out_ratio: ratio("min_out_ratio").filter(|least| *least > 0.0),
            max_counters,
            zero_rows_pass: passes("zero_rows")?,
            unknown_passes: passes("unknown")?,
            step: json.number("step_id"),
            sites: json.contains_key("sites").then(|| json.numbers("sites")),
            scope: json.get("scope").and_then(Value::as_object).and_then(scope),
            reached: json
                .contains_key("reached")
                .then(|| json.list("reached").iter().filter_map(reached).collect()),
            kept_by: json.contains_key("shuffle_stages").then(|| {
                json.numbers("shuffle_stages").iter().filter_map(|n| u32::try_from(*n).ok()).collect()
            }),
            partial: json.is("partial"),
            incomplete: json.text("incomplete").to_string(),
            write: Some(json.text("write").to_string()).filter(|write| !write.is_empty()),
            number: json.number("gate_id"),
        })
    }

    /// The part of a step that is judged.
    pub(super) fn part(&self) -> Part<'_> {
        Part { step: self.step, sites: self.sites.as_deref() }
    }
}

pub(super) fn scope(json: &Object) -> Option<Scope> {
    let execution = json.number("execution").map(Scope::Execution);
    execution.or_else(|| json.number("guard").map(Scope::Guard))
}

pub(super) fn reached(json: &Value) -> Option<Reached> {
    let json = json.as_object()?;
    Some(Reached {
        site: json.number("site")?,
        instance: json.number("instance")?,
        behind: json.is("behind"),
        partial: json.is("partial"),
        discarded: json.is("discarded"),
        partitions: json.number32("partitions"),
    })
}

/// A judged instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// The label of the operator.
    pub site: String,
    /// The instance's number.
    pub instance: u64,
    /// Rows read, returned and dropped; the worst case where evaluations differ.
    pub counts: [i128; 3],
}

/// The decision of a gate and its grounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The step's name.
    pub step: String,
    /// The decision.
    pub decision: Decision,
    /// Whether the write or guard may proceed.
    pub passed: bool,
    /// Rows read and dropped by the instance with the greatest share of dropped rows; `None` if unknown.
    pub counts: Option<(i128, i128)>,
    /// The operator of these counts, if several instances are judged.
    pub site: Option<String>,
    /// Why the gate passed or failed.
    pub reason: String,
    /// Why the figures are not exact; empty if they are.
    pub inexact: String,
    /// The judged instances, the worst first; at most [`MOST_OPERATORS`].
    pub operators: Vec<Operator>,
    /// The most frequent causes among the samples of the judged evaluations.
    pub top_causes: Vec<TopCause>,
    /// The stage that a failed early gate cancels.
    pub stage: Option<u32>,
    /// The instance for which an early gate failed.
    pub instance: Option<u64>,
    /// The limits by which it was judged.
    pub limits: Limits,
}

impl Verdict {
    /// dropped / in.
    pub fn ratio(&self) -> Option<f64> {
        self.counts.filter(|(rows, _)| *rows > 0).map(|(rows, dropped)| dropped as f64 / rows as f64)
    }

    /// The body of its event, which the JVM gets too.
    pub fn body(&self) -> VerdictBody {
        let limits = &self.limits;
        let rows = |n: i128| u64::try_from(long(n)).unwrap_or(0);
        let judged = |operator: &Operator| {
            let [input, output, dropped] = operator.counts.map(long);
            JudgedInstance {
                site: operator.site.clone(),
                instance: operator.instance,
                input,
                output,
                dropped,
            }
        };
        VerdictBody {
            at_ms: None,
            step: self.step.clone(),
            site: self.site.clone().unwrap_or_default(),
            gate: limits.gate.clone(),
            passed: self.passed,
            result: Some(self.decision),
            input: self.counts.map(|(input, _)| rows(input)),
            dropped: self.counts.map(|(_, dropped)| rows(dropped)),
            ratio: self.ratio(),
            limit_ratio: limits.max_drop_ratio,
            limit_rows: limits.max_dropped,
            min_rows: Some(limits.min_rows),
            min_out_ratio: limits.min_out_ratio,
            max_counters: limits.max_counters.iter().cloned().collect(),
            reason: self.reason.clone(),
            exact: self.counts.is_some() && self.inexact.is_empty(),
            write: limits.write.clone().unwrap_or_default(),
            stage: self.stage.map(u64::from),
            instance: self.instance,
            operators: self.operators.iter().map(judged).collect(),
            causes: self.top_causes.clone(),
        }
    }
}
