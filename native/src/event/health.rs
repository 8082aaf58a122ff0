//! The event of the health of Andiron's own metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{reading, unknown, Body, Kind};

/// The counts of log, sinks and listener about themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct HealthBody {
    /// The ship log.
    pub log: LogHealth,
    /// The sinks, by name.
    #[serde(deserialize_with = "reading::map")]
    pub sinks: BTreeMap<String, SinkHealth>,
    /// Counts of the listener, by name: `events`; those `dropped` by Spark; those that came too `late`; updates of
    /// `unnamed` accumulators; those that were `unreadable`; `cells_refused`; `log_lines_left_out`.
    #[serde(deserialize_with = "reading::map")]
    pub listener: BTreeMap<String, u64>,
    /// Errors in callbacks.
    pub callbacks: CallbackHealth,
}

impl Body for HealthBody {
    const KIND: Kind = Kind::Health;
}

/// The counts of a ship log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LogHealth {
    /// Events that were taken.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub appended: Option<u64>,
    /// Bytes of segments that are durable.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub bytes: Option<u64>,
    /// Events that are durable.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub durable: Option<u64>,
    /// Writes and syncs that failed and were tried again.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub failures: Option<u64>,
    /// The last failure.
    #[serde(skip_serializing_if = "unknown")]
    pub last_failure: String,
    /// Lost events, by cause.
    #[serde(deserialize_with = "reading::map")]
    pub lost: BTreeMap<String, u64>,
    /// Groups of records that were made durable together.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(extend("required" = true)))]
    pub syncs: Option<u64>,
}

/// The counters of one sink since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SinkHealth {
    /// Events that the sink has taken, including those of earlier applications.
    pub sent: u64,
    /// Calls that failed and were repeated.
    pub retried: u64,
    /// Failed calls by cause.
    #[serde(deserialize_with = "reading::map")]
    pub failed: BTreeMap<String, u64>,
    /// Durable events of this application that the sink has not had.
    pub behind: u64,
    /// Events that the sink will never get, by cause: `refused`, `panic`, `gone` from the log, and the sink's own
    /// causes.
    #[serde(deserialize_with = "reading::map")]
    pub dropped: BTreeMap<String, u64>,
    /// The message of the last failure.
    #[serde(skip_serializing_if = "unknown")]
    pub last_failure: String,
}

/// Errors in callbacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CallbackHealth {
    /// Their number.
    pub errors: u64,
    /// The first of them.
    #[serde(skip_serializing_if = "unknown")]
    pub first: String,
}
