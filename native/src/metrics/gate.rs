//! Gates: whether a step has dropped too much.
//!
//! Each operator of the step is judged by itself for the ratio and for the rows that it has read (of these the operator
//! that reads most counts), and all together for the rows that they have dropped. Unknown is failed.

use serde_json::{json, Value};

use super::amount::long;
use super::json::{object, Object, Reads};
use super::steps::{Part, SiteFigure};
use crate::error::{Code, Error, Result};
use crate::samples::Cause;

/// Causes that a verdict names.
pub(super) const MOST_CAUSES: usize = 5;
const IN: usize = 0;
const DROPPED: usize = 2;

/// What a gate lets pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Which layer asks: `commit`, `guard` or `early`. An early gate fails for dropped rows only, since no later row mends that.
    pub gate: String,
    /// The most of dropped / in.
    pub max_drop_ratio: Option<f64>,
    /// The most dropped rows.
    pub max_dropped: Option<u64>,
    /// The fewest rows read.
    pub min_rows: u64,
    /// Whether a step passes that has read no row.
    pub zero_rows_pass: bool,
    /// Whether a step passes of which nothing is known.
    pub unknown_passes: bool,
    /// The step to judge, where there are several of its name; else all of them.
    pub step: Option<u64>,
    /// The operators to judge, where they are known; else all of the step.
    pub sites: Option<Vec<u64>>,
    /// The instances to judge, where they are known; else each operator's newest that is covered whole.
    pub instances: Option<Vec<u64>>,
    /// What is to be written.
    pub write: Option<String>,
}

impl Limits {
    /// Reads `{"gate","max_drop_ratio"?,"max_dropped"?,"min_rows"?,"zero_rows"?: "pass"|"fail","unknown"?,"step_id"?,"sites"?,
    /// "instances"?,"write"?}`.
    ///
    /// # Errors
    /// [`Code::BadArgument`] for what is no such object, or has a ratio outside 0 to 1.
    pub fn parse(text: &str) -> Result<Limits> {
        let bad = |why: &str| Error::new(Code::BadArgument, format!("limits of a gate: {why}"));
        let json = object(text).ok_or_else(|| bad("not a JSON object"))?;
        let max_drop_ratio = json.get("max_drop_ratio").and_then(Value::as_f64);
        if max_drop_ratio.is_some_and(|ratio| !(0.0..=1.0).contains(&ratio)) {
            return Err(bad("a ratio is between 0 and 1"));
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
            zero_rows_pass: passes("zero_rows")?,
            unknown_passes: passes("unknown")?,
            step: json.number("step_id"),
            sites: json.contains_key("sites").then(|| json.numbers("sites")),
            instances: json.contains_key("instances").then(|| json.numbers("instances")),
            write: Some(json.text("write").to_string()).filter(|write| !write.is_empty()),
        })
    }
}

impl Limits {
    /// What of a step is judged.
    pub(super) fn part(&self) -> Part<'_> {
        Part { step: self.step, sites: self.sites.as_deref(), instances: self.instances.as_deref() }
    }
}

/// What a gate decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The step.
    pub step: String,
    /// Whether it may go on.
    pub passed: bool,
    /// Rows read and dropped by the operator that dropped most of what it read; `None`: unknown.
    pub counts: Option<(i128, i128)>,
    /// That operator, where the step has several.
    pub site: Option<String>,
    /// Why it passed or failed.
    pub reason: String,
    /// Why the figures are not exact, or empty.
    pub inexact: String,
    /// The most frequent among the samples.
    pub top_causes: Vec<Cause>,
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
        put("step", Some(json!(self.step)));
        put("site", self.site.as_ref().map(|site| json!(site)));
        put("gate", Some(json!(self.limits.gate)));
        put("passed", Some(json!(self.passed)));
        put("in", self.counts.map(|(rows, _)| long(rows)));
        put("dropped", self.counts.map(|(_, dropped)| long(dropped)));
        put("ratio", self.ratio().map(|ratio| json!(ratio)));
        put("limit_ratio", self.limits.max_drop_ratio.map(|ratio| json!(ratio)));
        put("limit_rows", self.limits.max_dropped.map(|rows| json!(rows)));
        put("min_rows", Some(json!(self.limits.min_rows)));
        put("reason", Some(json!(self.reason)));
        put("exact", Some(json!(self.counts.is_some() && self.inexact.is_empty())));
        put("write", self.limits.write.as_ref().map(|write| json!(write)));
        let causes = self.top_causes.iter().map(|cause| {
            json!({"stack_hash": cause.stack_hash, "error_class": cause.error_class, "message": cause.message, "count": cause.count})
        });
        put("top_causes", Some(causes.collect()));
        body
    }
}

/// Judges the figures of a step's operators. `is_refused`: others had no room.
pub(super) fn judge(
    step: &str,
    sites: &[(String, SiteFigure)],
    is_refused: bool,
    limits: &Limits,
    top_causes: Vec<Cause>,
) -> Verdict {
    let ratio_of = |figure: &SiteFigure| {
        let (rows, dropped) = (figure.committed.of(IN), figure.committed.of(DROPPED));
        if rows > 0 {
            dropped as f64 / rows as f64
        } else {
            0.0
        }
    };
    let worst = sites.iter().max_by(|(_, a), (_, b)| {
        ratio_of(a).total_cmp(&ratio_of(b)).then(a.committed.of(IN).cmp(&b.committed.of(IN)))
    });
    let inexact: Vec<&str> =
        sites.iter().map(|(_, figure)| figure.reason.as_str()).filter(|reason| !reason.is_empty()).collect();
    let mut verdict = Verdict {
        step: step.to_string(),
        passed: false,
        counts: worst.map(|(_, figure)| (figure.committed.of(IN), figure.committed.of(DROPPED))),
        site: worst.filter(|_| sites.len() > 1).map(|(site, _)| site.clone()),
        reason: String::new(),
        inexact: inexact.join("; "),
        top_causes,
        limits: limits.clone(),
    };
    let early = limits.gate == "early";
    let known = !is_refused && !sites.is_empty() && sites.iter().all(|(_, figure)| figure.is_trusted);
    if !known && !early {
        verdict.counts = None;
        verdict.passed = limits.unknown_passes;
        verdict.reason = match inexact.first() {
            Some(reason) => format!("what the step has counted is not known: {reason}"),
            None => "what the step has counted is not known: no operator of it has been executed".to_string(),
        };
        return verdict;
    }
    (verdict.passed, verdict.reason) = decide(sites, limits, verdict.ratio(), early);
    if !verdict.inexact.is_empty() && !early {
        verdict.reason = format!("{} (of what was read: {})", verdict.reason, verdict.inexact);
    }
    verdict
}

fn decide(
    sites: &[(String, SiteFigure)],
    limits: &Limits,
    ratio: Option<f64>,
    early: bool,
) -> (bool, String) {
    let rows = sites.iter().map(|(_, figure)| figure.committed.of(IN)).max().unwrap_or(0);
    let dropped: i128 = sites
        .iter()
        .map(|(_, figure)| if early { figure.most_dropped } else { figure.committed.of(DROPPED) })
        .sum();
    if let Some(most) = limits.max_dropped.filter(|most| dropped > i128::from(*most)) {
        return (false, format!("{dropped} rows were dropped, more than {most}"));
    }
    if early {
        return (true, format!("{dropped} rows were dropped so far"));
    }
    if rows < i128::from(limits.min_rows) {
        return (false, format!("{rows} rows were read, fewer than {}", limits.min_rows));
    }
    if rows == 0 {
        return (limits.zero_rows_pass, "no row was read".to_string());
    }
    if let (Some(ratio), Some(most)) = (ratio, limits.max_drop_ratio) {
        if ratio > most {
            return (
                false,
                format!("{} of the rows were dropped, more than {}", percent(ratio), percent(most)),
            );
        }
    }
    (true, format!("{dropped} rows were dropped"))
}

/// A share with as many digits as tell it from its neighbours.
fn percent(ratio: f64) -> String {
    let text = format!("{:.4}", ratio * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}
