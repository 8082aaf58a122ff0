//! Events of gates, and of their verdicts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{reading, unknown, Body, Kind};

/// A gate: its limits, and how often it has decided or was bypassed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct GateBody {
    /// The step.
    pub step: String,
    /// The number of the gate in the application, from 1.
    #[serde(rename = "gate_id")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub number: u64,
    /// Verdicts that let rows pass.
    pub passed: u64,
    /// Verdicts that did not.
    pub failed: u64,
    /// Verdicts on rows of which it is unknown whether they break a limit.
    pub unknown: u64,
    /// Actions that published rows without a verdict of the gate.
    pub bypassed: u64,
    /// The last of these actions.
    #[serde(skip_serializing_if = "unknown")]
    pub last_bypass: String,
    /// The greatest ratio of dropped rows to rows read.
    #[serde(skip_serializing_if = "unknown")]
    pub limit_ratio: Option<f64>,
    /// The greatest number of dropped rows.
    #[serde(skip_serializing_if = "unknown")]
    pub limit_rows: Option<u64>,
    /// The least number of rows read.
    #[serde(skip_serializing_if = "unknown")]
    pub min_rows: Option<u64>,
    /// The least ratio of rows given to rows read.
    #[serde(skip_serializing_if = "unknown")]
    pub min_out_ratio: Option<f64>,
    /// The greatest ratios of the user's counters to rows read, by name.
    #[serde(skip_serializing_if = "unknown")]
    #[serde(deserialize_with = "reading::map")]
    pub max_counters: BTreeMap<String, f64>,
    /// Whether a step that has read no row passes.
    #[serde(skip_serializing_if = "unknown")]
    pub zero_rows: Option<Choice>,
    /// Whether a step passes though it cannot be judged.
    #[serde(skip_serializing_if = "unknown")]
    pub unknown_rows: Option<Choice>,
}

impl Body for GateBody {
    const KIND: Kind = Kind::Gate;
}

impl GateBody {
    /// Whether it has never decided.
    pub fn is_idle(&self) -> bool {
        self.passed + self.failed + self.unknown == 0
    }

    /// The problem with it, if there is one.
    pub fn trouble(&self) -> Option<String> {
        match (self.bypassed, self.is_idle()) {
            (0, true) => Some("never asked".to_string()),
            (0, false) => None,
            (1, _) => Some("bypassed once".to_string()),
            (times, _) => Some(format!("bypassed {times} times")),
        }
    }
}

/// A setting of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// It passes.
    Pass,
    /// It fails.
    Fail,
}

/// A verdict on a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct VerdictBody {
    #[serde(rename = "ts_ms", skip_serializing)]
    #[allow(missing_docs, reason = "a field of all events")]
    pub at_ms: Option<u64>,
    /// The step.
    pub step: String,
    /// The operator of the counts, where several instances are judged.
    #[serde(skip_serializing_if = "unknown")]
    pub site: String,
    /// The layer that decided: `commit`, `guard`, `early`; `all dropped` is no gate, but a step that has dropped all
    /// of its rows.
    #[cfg_attr(test, schemars(extend("enum" = ["commit", "guard", "early", "all dropped"])))]
    pub gate: String,
    /// Whether the rows may pass.
    pub passed: bool,
    /// The decision.
    #[serde(skip_serializing_if = "unknown")]
    pub result: Option<Decision>,
    /// Rows read by the instance that dropped the greatest share of its rows. Absent: unknown.
    #[serde(rename = "in", skip_serializing_if = "unknown")]
    pub input: Option<u64>,
    /// Rows dropped by it. Absent: unknown.
    #[serde(skip_serializing_if = "unknown")]
    pub dropped: Option<u64>,
    /// `dropped` by `in`. Absent: unknown.
    #[serde(skip_serializing_if = "unknown")]
    pub ratio: Option<f64>,
    /// The greatest ratio of dropped rows to rows read.
    #[serde(skip_serializing_if = "unknown")]
    pub limit_ratio: Option<f64>,
    /// The greatest number of dropped rows.
    #[serde(skip_serializing_if = "unknown")]
    pub limit_rows: Option<u64>,
    /// The least number of rows read.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub min_rows: Option<u64>,
    /// The least ratio of rows given to rows read.
    #[serde(skip_serializing_if = "unknown")]
    pub min_out_ratio: Option<f64>,
    /// The greatest ratios of the user's counters to rows read, by name.
    #[serde(skip_serializing_if = "unknown")]
    #[serde(deserialize_with = "reading::map")]
    pub max_counters: BTreeMap<String, f64>,
    /// Why it passed or failed.
    pub reason: String,
    /// Whether the counts are exact.
    pub exact: bool,
    /// The destination of the write.
    #[serde(skip_serializing_if = "unknown")]
    pub write: String,
    /// The stage that an early verdict cancels.
    #[serde(skip_serializing_if = "unknown")]
    pub stage: Option<u64>,
    /// The instance that an early verdict is about.
    #[serde(skip_serializing_if = "unknown")]
    pub instance: Option<u64>,
    /// The judged instances, at most 20: those with the greatest share of dropped rows first.
    #[serde(skip_serializing_if = "unknown")]
    #[serde(deserialize_with = "reading::list")]
    pub operators: Vec<JudgedInstance>,
    /// The most frequent causes among the samples of the judged evaluations.
    #[serde(rename = "top_causes")]
    #[serde(deserialize_with = "reading::list")]
    pub causes: Vec<TopCause>,
}

impl Body for VerdictBody {
    const KIND: Kind = Kind::Verdict;

    fn at_ms(&self) -> Option<u64> {
        self.at_ms
    }
}

/// The decision of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The rows are counted whole, and within the limits.
    Passed,
    /// A limit is broken, however the unknown rest may be.
    Failed,
    /// It is unknown whether a limit is broken.
    Unknown,
}

/// One judged instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct JudgedInstance {
    /// The operator.
    pub site: String,
    /// Its physical execution.
    pub instance: u64,
    /// Rows read.
    #[serde(rename = "in")]
    pub input: i64,
    /// Rows given.
    #[serde(rename = "out")]
    pub output: i64,
    /// Rows dropped.
    pub dropped: i64,
}

impl JudgedInstance {
    /// Dropped by in; unknown without rows.
    pub fn ratio(&self) -> Option<f64> {
        (self.input > 0).then(|| self.dropped as f64 / self.input as f64)
    }
}

/// A frequent cause of failed rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct TopCause {
    /// A hash of error class and frames; with `group`, that of its first sample.
    #[serde(rename = "stack_hash")]
    pub hash: String,
    /// The class of the error of the first sample.
    #[serde(rename = "error_class")]
    pub class: String,
    /// The message of the first sample.
    pub message: String,
    /// The number of different messages.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub messages: u64,
    /// The failed rows that its samples represent.
    pub count: u64,
    /// The user's name for the cause.
    #[serde(skip_serializing_if = "unknown")]
    pub group: String,
}

impl TopCause {
    /// The name before a message: the user's name for the cause, or the class.
    pub fn name(&self) -> &str {
        if self.group.is_empty() {
            &self.class
        } else {
            &self.group
        }
    }

    /// The text after the name.
    pub fn text(&self) -> String {
        text(&self.group, &self.class, self.messages, &self.message)
    }

    /// One line about the cause, without its number.
    pub fn line(&self) -> String {
        format!("{}: {}", self.name(), self.text())
    }
}

/// The message, or the number of messages with an example.
pub(crate) fn text(group: &str, class: &str, messages: u64, message: &str) -> String {
    let example = if group.is_empty() { message.to_string() } else { format!("{class}: {message}") };
    match messages {
        0 | 1 => example,
        n => format!("{n} different messages, for example: {example}"),
    }
}

/// One cause has one message, as in logs that do not count them.
impl Default for TopCause {
    fn default() -> TopCause {
        let text = String::new;
        TopCause { hash: text(), class: text(), message: text(), messages: 1, count: 0, group: text() }
    }
}
