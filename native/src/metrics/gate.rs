//! Gates: what they let pass, what they decide, and what is told of it. [`super::judge`] decides.

use serde_json::{json, Value};

use super::amount::long;
use super::json::{object, Object, Reads};
use super::steps::{Part, Reached, Scope};
use crate::error::{Code, Error, Result};
use crate::samples::Cause;

/// Causes that a verdict names.
pub(super) const MOST_CAUSES: usize = 5;
/// Operators that a verdict lists.
pub(super) const MOST_OPERATORS: usize = 20;

/// What a gate lets pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Which layer asks: `commit`, `guard`, `early`, or `all dropped`. An early gate fails for dropped rows only, since no later row mends that.
    pub gate: String,
    /// The most of dropped / in.
    pub max_drop_ratio: Option<f64>,
    /// The most dropped rows.
    pub max_dropped: Option<u64>,
    /// The fewest rows read.
    pub min_rows: u64,
    /// The least of out / in.
    pub min_out_ratio: Option<f64>,
    /// The most of a counter of the step's own / in, by name.
    pub max_counters: Vec<(String, f64)>,
    /// Whether a step passes that has read no row.
    pub zero_rows_pass: bool,
    /// Whether a step passes of which it is not known what was counted.
    pub unknown_passes: bool,
    /// The step to judge, where there are several of its name; else all of them.
    pub step: Option<u64>,
    /// The operators to judge, where they are known; else all of the step.
    pub sites: Option<Vec<u64>>,
    /// Whose evaluations are judged; all without it.
    pub scope: Option<Scope>,
    /// The instances to judge; without it each operator's whose evaluations ended last.
    pub reached: Option<Vec<Reached>>,
    /// The stages that wrote the shuffles which are read; without it any may have.
    pub kept_by: Option<Vec<u32>>,
    /// The plan proves that a part is read.
    pub partial: bool,
    /// Why it is not known which instances are reached, or empty.
    pub untold: String,
    /// What is to be written.
    pub write: Option<String>,
    /// The gate's number, where it has one.
    pub number: Option<u64>,
}

impl Limits {
    /// Reads `{"gate","max_drop_ratio"?,"max_dropped"?,"min_rows"?,"min_out_ratio"?,"max_counters"?: {name: ratio},"zero_rows":
    /// "pass"|"fail","unknown"?,"step_id"?,"sites"?,"scope"?: {"execution"|"guard": n},"reached"?: [{"site","instance","behind",
    /// "partial","partitions"?}],"shuffle_stages"?,"partial"?,"untold"?,"write"?,"gate_id"?}`.
    ///
    /// # Errors
    /// [`Code::BadArgument`] for what is no such object, or has a ratio outside its range.
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
            untold: json.text("untold").to_string(),
            write: Some(json.text("write").to_string()).filter(|write| !write.is_empty()),
            number: json.number("gate_id"),
        })
    }

    /// What of a step is judged.
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

/// What a gate decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The rows are counted whole, and within the limits.
    Passed,
    /// A limit is broken whatever else may be.
    Failed,
    /// It is not known whether a limit is broken.
    Unknown,
}

impl Decision {
    /// As it is shipped.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Passed => "passed",
            Decision::Failed => "failed",
            Decision::Unknown => "unknown",
        }
    }
}

/// One judged instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// The operator.
    pub site: String,
    /// Which execution of it.
    pub instance: u64,
    /// Rows read, given and dropped; the worst where evaluations differ.
    pub counts: [i128; 3],
}

/// What a gate decided, and by what.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The step.
    pub step: String,
    /// What it decided.
    pub decision: Decision,
    /// Whether it may go on.
    pub passed: bool,
    /// Rows read and dropped by the instance that dropped most of what it read; `None`: not known.
    pub counts: Option<(i128, i128)>,
    /// Its operator, where several instances are judged.
    pub site: Option<String>,
    /// Why it passed or failed.
    pub reason: String,
    /// Why the figures are not exact, or empty.
    pub inexact: String,
    /// The judged instances; the worst first, at most [`MOST_OPERATORS`].
    pub operators: Vec<Operator>,
    /// The most frequent among the samples of the judged evaluations.
    pub top_causes: Vec<Cause>,
    /// The stage to cancel, where an early gate fails.
    pub stage: Option<u32>,
    /// The instance for which an early gate fails.
    pub instance: Option<u64>,
    /// What it was judged by.
    pub limits: Limits,
}

impl Verdict {
    /// Dropped / in.
    pub fn ratio(&self) -> Option<f64> {
        self.counts.filter(|(rows, _)| *rows > 0).map(|(rows, dropped)| dropped as f64 / rows as f64)
    }

    /// As it is shipped and handed to the JVM.
    pub fn json(&self) -> Object {
        let mut body = Object::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_string(), value);
            }
        };
        let limits = &self.limits;
        put("step", Some(json!(self.step)));
        put("site", self.site.as_ref().map(|site| json!(site)));
        put("gate", Some(json!(limits.gate)));
        put("passed", Some(json!(self.passed)));
        put("result", Some(json!(self.decision.name())));
        put("in", self.counts.map(|(rows, _)| long(rows)));
        put("dropped", self.counts.map(|(_, dropped)| long(dropped)));
        put("ratio", self.ratio().map(|ratio| json!(ratio)));
        put("limit_ratio", limits.max_drop_ratio.map(|ratio| json!(ratio)));
        put("limit_rows", limits.max_dropped.map(|rows| json!(rows)));
        put("min_rows", Some(json!(limits.min_rows)));
        put("min_out_ratio", limits.min_out_ratio.map(|ratio| json!(ratio)));
        let counters: Object =
            limits.max_counters.iter().map(|(name, most)| (name.clone(), json!(most))).collect();
        put("max_counters", Some(Value::Object(counters)).filter(|_| !limits.max_counters.is_empty()));
        put("reason", Some(json!(self.reason)));
        put("exact", Some(json!(self.counts.is_some() && self.inexact.is_empty())));
        put("write", limits.write.as_ref().map(|write| json!(write)));
        put("stage", self.stage.map(|stage| json!(stage)));
        put("instance", self.instance.map(|instance| json!(instance)));
        let operators = self.operators.iter().map(|operator| {
            let [rows, out, dropped] = operator.counts.map(long);
            json!({"site": operator.site, "instance": operator.instance, "in": rows, "out": out, "dropped": dropped})
        });
        put("operators", Some(operators.collect()).filter(|_| !self.operators.is_empty()));
        let causes = self.top_causes.iter().map(|cause| {
            let mut said = json!({"stack_hash": cause.stack_hash, "error_class": cause.error_class, "message": cause.message,
                "messages": cause.messages, "count": cause.count});
            if !cause.group.is_empty() {
                said["group"] = json!(cause.group);
            }
            said
        });
        put("top_causes", Some(causes.collect()));
        body
    }
}
