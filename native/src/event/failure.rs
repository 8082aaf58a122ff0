//! Events of failed rows: samples of them, and how many there were.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::id::RowHash;
use super::{read, reading, unknown, Body, Kind, StageId};

/// A failed row.
///
/// With `redact` of its step, the texts are redacted, and `key_hash` and the hash in the id are keyed with a secret of
/// the run; else they are hashes of the key alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct FailedRowBody {
    #[serde(rename = "ts_ms", skip_serializing)]
    #[allow(missing_docs, reason = "a field of all events")]
    pub at_ms: Option<u64>,
    /// The step.
    pub step: String,
    /// The operator.
    pub site: String,
    /// The class of the error.
    #[serde(rename = "error_class")]
    pub class: String,
    /// The message of the error.
    pub message: String,
    /// A hash of error class and frames.
    pub stack_hash: String,
    /// The stack, with one sample of each hash.
    #[serde(skip_serializing_if = "unknown")]
    pub stack: String,
    /// The user's name for the cause.
    #[serde(skip_serializing_if = "unknown")]
    pub group: String,
    /// The rows of the task with the same key, or with the same look.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub count: Option<u64>,
    /// The row's key.
    #[serde(rename = "row_key", skip_serializing_if = "unknown")]
    pub key: Option<String>,
    /// A hash of the row's key.
    #[serde(skip_serializing_if = "unknown")]
    pub key_hash: String,
    /// The row as text.
    #[serde(skip_serializing_if = "unknown")]
    pub record: Option<String>,
    /// Whether the record was cut or redacted.
    #[serde(rename = "record_cut")]
    pub cut: bool,
    /// The version of the side data that was in use.
    #[serde(skip_serializing_if = "unknown")]
    pub version: String,
    /// The stage.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub stage: Option<u64>,
    /// The stage's attempt.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub stage_attempt: Option<u64>,
    /// The partition.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub partition: Option<u64>,
    /// The task attempt: Spark's task id.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub task_attempt: Option<u64>,
    /// The executor.
    pub executor: String,
    /// The executor's host.
    #[serde(skip_serializing_if = "unknown")]
    pub host: String,
    /// Whether the attempt that saw the row is the one that counts.
    #[serde(default = "yes")]
    pub committed: bool,
}

impl Body for FailedRowBody {
    const KIND: Kind = Kind::Failure;

    fn at_ms(&self) -> Option<u64> {
        self.at_ms
    }
}

impl FailedRowBody {
    /// The stage attempt in which the row failed.
    pub fn stage_id(&self) -> Option<StageId> {
        Some(StageId { stage: self.stage?, attempt: self.stage_attempt.unwrap_or(0) })
    }
}

/// The failed rows of a step: how many there were, and which of those in the log are its sample.
///
/// The log also has rows that smaller hashes have displaced from the sample since. The sample of a step are the rows
/// whose hash, the last part of their id, is at most `ceiling`, compared as texts or as numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SampleSummaryBody {
    /// The step.
    pub step: String,
    /// The failed rows, each counted once.
    pub seen: u64,
    /// The samples.
    pub kept: u64,
    /// Whether the samples show every row that failed; rows that look alike are one sample.
    pub complete: bool,
    /// The bounds that have left out samples: `samples`, `task`, `result`, `memory`; the guide's page on the report
    /// explains them. Absent in logs of earlier releases.
    #[serde(skip_serializing_if = "unknown")]
    #[serde(deserialize_with = "reading::list")]
    pub cut_by: Vec<String>,
    /// The greatest hash of the sample, with 20 digits as in ids. Absent where no row is sampled, and in logs of
    /// earlier releases.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(with = "String", regex(pattern = "^[0-9]{20}$")))]
    pub ceiling: Option<RowHash>,
}

impl Body for SampleSummaryBody {
    const KIND: Kind = Kind::Failure;
}

impl SampleSummaryBody {
    /// Whether some failed rows are not shown though as many are kept as have failed: the two numbers alone do not
    /// say so.
    pub fn is_quietly_cut(&self) -> bool {
        !self.complete && self.kept >= self.seen
    }
}

/// An event of the kind Failure.
#[derive(Debug)]
pub enum FailureBody {
    /// A failed row.
    Row(Box<FailedRowBody>),
    /// The summary of a step.
    Summary(SampleSummaryBody),
}

impl FailureBody {
    /// Reads a body; `None` for text that is no JSON object.
    pub fn read(text: &str) -> Option<FailureBody> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Probe {
            seen: Option<IgnoredAny>,
        }
        match read::<Probe>(text)?.seen {
            Some(_) => Some(FailureBody::Summary(read(text)?)),
            None => Some(FailureBody::Row(Box::new(read(text)?))),
        }
    }
}

fn yes() -> bool {
    true
}
