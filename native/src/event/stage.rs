//! Events of stages, jobs, and executions of queries.

use serde::{Deserialize, Serialize};

use super::{reading, unknown, Body, Kind, StageId};

/// A stage attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct StageBody {
    /// The stage.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub stage: Option<u64>,
    /// The attempt, from 0.
    pub attempt: u64,
    /// The state of the attempt.
    pub status: StageStatus,
    /// The stage's name. This and the following up to `failed_tasks` are absent in a stage that was skipped.
    #[serde(skip_serializing_if = "unknown")]
    pub name: String,
    /// The call site.
    #[serde(skip_serializing_if = "unknown")]
    pub call_site: String,
    /// The stack of the call site.
    #[serde(skip_serializing_if = "unknown")]
    pub details: String,
    /// The execution that it belongs to.
    #[serde(rename = "execution_id", skip_serializing_if = "unknown")]
    pub execution: Option<u64>,
    /// The terminal RDD.
    #[serde(skip_serializing_if = "unknown")]
    pub rdd: Option<u64>,
    /// The number of tasks.
    #[serde(skip_serializing_if = "unknown")]
    pub tasks: Option<u64>,
    /// The submission, in milliseconds since 1970.
    #[serde(skip_serializing_if = "unknown")]
    pub submitted_ms: Option<u64>,
    /// The completion.
    #[serde(skip_serializing_if = "unknown")]
    pub completed_ms: Option<u64>,
    /// Why the attempt failed.
    #[serde(skip_serializing_if = "unknown")]
    pub failure: String,
    /// Tasks that succeeded.
    #[serde(skip_serializing_if = "unknown")]
    pub succeeded_tasks: Option<u64>,
    /// Task attempts that did not succeed.
    #[serde(skip_serializing_if = "unknown")]
    pub failed_tasks: Option<u64>,
    /// The jobs that list the stage.
    #[serde(rename = "job_ids")]
    #[serde(deserialize_with = "reading::list")]
    pub jobs: Vec<u64>,
    /// The steps whose counters it changed.
    #[serde(deserialize_with = "reading::list")]
    pub steps: Vec<String>,
    /// The counters that it changed: of steps as `<step>.<counter>`, and accumulators.
    #[serde(deserialize_with = "reading::list")]
    pub changed: Vec<String>,
}

impl Body for StageBody {
    const KIND: Kind = Kind::Stage;
}

impl StageBody {
    /// Stage and attempt.
    pub fn id(&self) -> StageId {
        StageId { stage: self.stage.unwrap_or(0), attempt: self.attempt }
    }
}

/// The state of a stage attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StageStatus {
    /// It runs.
    #[default]
    Running,
    /// It has succeeded.
    Succeeded,
    /// It has failed.
    Failed,
    /// It did not run, since its output existed.
    Skipped,
    /// A state of a later version of Andiron.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

impl StageStatus {
    /// The text in events.
    pub fn as_str(self) -> &'static str {
        match self {
            StageStatus::Running => "running",
            StageStatus::Succeeded => "succeeded",
            StageStatus::Failed => "failed",
            StageStatus::Skipped => "skipped",
            StageStatus::Unknown => "unknown",
        }
    }
}

/// A job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct JobBody {
    /// The job.
    #[serde(rename = "job")]
    pub id: u64,
    /// Its stages.
    #[serde(deserialize_with = "reading::list")]
    pub stages: Vec<u64>,
    /// The state of the job.
    pub status: JobStatus,
    /// The execution that it belongs to.
    #[serde(rename = "execution_id", skip_serializing_if = "unknown")]
    pub execution: Option<u64>,
    /// The submission, in milliseconds since 1970.
    #[serde(skip_serializing_if = "unknown")]
    pub submitted_ms: Option<u64>,
    /// The end.
    #[serde(skip_serializing_if = "unknown")]
    pub ended_ms: Option<u64>,
    /// The call site of its last stage.
    #[serde(skip_serializing_if = "unknown")]
    pub call_site: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "unknown")]
    pub failure: String,
}

impl Body for JobBody {
    const KIND: Kind = Kind::Job;
}

/// The state of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// It runs.
    #[default]
    Running,
    /// It has succeeded.
    Succeeded,
    /// It has failed.
    Failed,
    /// A state of a later version of Andiron.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

/// An execution of a query, with its last plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ExecutionBody {
    /// The execution.
    #[serde(rename = "execution")]
    pub id: u64,
    /// Spark's description of it.
    #[serde(skip_serializing_if = "unknown")]
    pub description: String,
    /// The physical plan, at most 64 KiB.
    #[serde(skip_serializing_if = "unknown")]
    pub plan: String,
    /// The nodes of the plan.
    #[serde(deserialize_with = "reading::list")]
    pub nodes: Vec<PlanNode>,
    /// The start, in milliseconds since 1970.
    #[serde(skip_serializing_if = "unknown")]
    pub started_ms: Option<u64>,
    /// The end.
    #[serde(skip_serializing_if = "unknown")]
    pub ended_ms: Option<u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "unknown")]
    pub failure: String,
}

impl Body for ExecutionBody {
    const KIND: Kind = Kind::Execution;
}

/// A node of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PlanNode {
    /// Its place in the plan.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub id: Option<u64>,
    /// Its name.
    pub name: String,
    /// Ids of its SQL metrics.
    #[serde(deserialize_with = "reading::list")]
    pub metrics: Vec<u64>,
}
