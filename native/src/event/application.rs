//! The event of an application.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{reading, unknown, Body, Kind};

/// An application: its identity, its settings, its start, and its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ApplicationBody {
    #[serde(rename = "app_id", skip_serializing)]
    #[allow(missing_docs, reason = "a field of all events")]
    pub id: String,
    #[serde(rename = "app_attempt", skip_serializing)]
    #[allow(missing_docs, reason = "a field of all events")]
    pub attempt: String,
    /// The application's name in Spark.
    #[serde(rename = "app_name")]
    pub name: String,
    /// The id of the run, by which an application and its successor belong together; may be empty.
    #[serde(rename = "run_id")]
    pub run: String,
    /// Spark's user.
    pub user: String,
    /// Spark's version.
    pub spark: String,
    /// Scala's version.
    pub scala: String,
    /// Spark's master.
    pub master: String,
    /// The application's start, in milliseconds since 1970.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub started_ms: Option<u64>,
    /// The settings of Andiron, without secrets.
    #[serde(deserialize_with = "reading::map")]
    pub settings: BTreeMap<String, String>,
    /// An application of the same run that never ended.
    #[serde(skip_serializing_if = "unknown")]
    pub predecessor: String,
    /// The application's end.
    #[serde(skip_serializing_if = "unknown")]
    pub ended_ms: Option<u64>,
    /// The exit code of the driver.
    #[serde(skip_serializing_if = "unknown")]
    pub exit_code: Option<i64>,
    /// The step of the last verdict, if that refused and no job began after it.
    #[serde(skip_serializing_if = "unknown")]
    pub ended_at_gate: String,
}

impl Body for ApplicationBody {
    const KIND: Kind = Kind::Application;
}
