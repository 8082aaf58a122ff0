//! The event of a counter.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{reading, unknown, Body, Kind, Number};

/// The figures of one counter of one operator, or of one accumulator in one scope.
///
/// A step's counters are `in`, `out`, `dropped`, and the user's own as soon as they have counted something.
///
/// The scope of an accumulator is the terminal RDD of its stage: `rdd:<id>` for result stages, `rdd:<id>/shuffle` for
/// shuffle map stages. A union at its top that is counted by branches has `rdd:<id>/branch:<n>` and
/// `rdd:<id>/branch:<n>/shuffle`, where `n` begins with 1. Figures of several scopes are never added. For an
/// accumulator that is no sum, `committed` is Spark's value, and `attempted` is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct MetricBody {
    /// The kind of the counter.
    pub source: Source,
    /// The step, for a step's counter.
    #[serde(skip_serializing_if = "unknown")]
    pub step: String,
    /// The operator, for a step's counter: `map at Job.scala:12`; the nth such operator of a step ends in ` #n`.
    #[serde(skip_serializing_if = "unknown")]
    pub site: String,
    /// The counter's name; of several accumulators with one name, the nth that was made is `name #n`.
    #[serde(rename = "acc")]
    pub name: String,
    /// The type of the figures.
    #[serde(rename = "type")]
    pub number_type: NumberType,
    /// The scope: `step:<site>` for a step's counter.
    pub scope: String,
    /// The physical execution of the operator, for a step's counter; a greater number is newer.
    #[serde(skip_serializing_if = "unknown")]
    pub instance: Option<u64>,
    /// The sum over all evaluations; for a step's counter, over all instances. Absent: no finite number.
    #[serde(skip_serializing_if = "unknown")]
    pub attempted: Option<Number>,
    /// The sum over rows, each counted once; for a step's counter, of the newest instance that is covered whole, else
    /// of the newest. Absent: no finite number.
    #[serde(skip_serializing_if = "unknown")]
    pub committed: Option<Number>,
    /// The last execution that changed it.
    #[serde(rename = "execution_id", skip_serializing_if = "unknown")]
    pub execution: Option<u64>,
    /// Whether `committed` is exact.
    pub exact: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "unknown")]
    pub reason: String,
    /// The stage attempts that changed it.
    #[serde(deserialize_with = "reading::list")]
    pub stages: Vec<StageId>,
    /// A job of the last of them.
    #[serde(rename = "job_id", skip_serializing_if = "unknown")]
    pub job: Option<u64>,
    /// Nodes of the execution's plan that it belongs to.
    #[serde(deserialize_with = "reading::list")]
    pub plan_nodes: Vec<u64>,
    /// The instances besides the one of `committed`, the newest first, for a step's counter.
    #[serde(rename = "other_instances", skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(length(max = 16)))]
    #[serde(deserialize_with = "reading::list")]
    pub others: Vec<OtherInstance>,
    /// The partitions that have reported.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub partitions_reported: Option<u64>,
    /// All partitions.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub partitions_total: Option<u64>,
    /// Whether all partitions have reported.
    #[serde(rename = "final")]
    pub settled: bool,
    /// The number of scopes in which the accumulator is counted, each branch as one.
    #[serde(skip_serializing_if = "unknown")]
    pub scopes: Option<u64>,
    /// Events that Spark has dropped from the listener's queue; they do not concern steps.
    pub events_dropped: u64,
}

impl Body for MetricBody {
    const KIND: Kind = Kind::Metric;
}

impl MetricBody {
    /// The partitions that have reported, and all.
    pub fn partitions(&self) -> Option<(u64, u64)> {
        self.partitions_reported.zip(self.partitions_total)
    }
}

/// The kind of a counter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A counter of a step.
    #[default]
    Step,
    /// A named accumulator.
    Accumulator,
}

/// The type of a counter's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum NumberType {
    /// Whole numbers.
    #[default]
    Long,
    /// Floating point.
    Double,
}

/// One attempt of a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StageId {
    /// The stage.
    pub stage: u64,
    /// The attempt, from 0.
    #[serde(default)]
    pub attempt: u64,
}

/// The stage, and its attempt if that is not the first.
impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempt {
            0 => write!(f, "{}", self.stage),
            attempt => write!(f, "{}.{attempt}", self.stage),
        }
    }
}

/// Another physical execution of a step's operator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OtherInstance {
    /// Its number.
    pub instance: u64,
    /// Its committed figure.
    #[serde(skip_serializing_if = "unknown")]
    pub value: Option<Number>,
    /// The partitions that have reported.
    pub covered: u64,
    /// All partitions.
    pub total: u64,
}
