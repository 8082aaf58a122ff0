//! Events of log lines.

use serde::{Deserialize, Serialize};

use super::{unknown, Body, Kind};

/// A warning or an error from a log of the driver or an executor, or the number of those that are not in the log.
///
/// Lines are bounded by stage. With `left_out` the event is no line, but the number of lines of that executor, stage
/// and level that are not in the log, as `message` says too; its last revision counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LogLineBody {
    #[serde(rename = "ts_ms", skip_serializing)]
    #[allow(missing_docs, reason = "a field of all events")]
    pub at_ms: Option<u64>,
    /// The executor; `driver` for the driver, `others` where very many executors have lines that are left out.
    pub executor: String,
    /// The level.
    pub level: Level,
    /// The logger.
    pub logger: String,
    /// The message.
    pub message: String,
    /// The stage.
    #[serde(skip_serializing_if = "unknown")]
    pub stage: Option<u64>,
    /// The partition.
    #[serde(skip_serializing_if = "unknown")]
    pub partition: Option<u64>,
    /// The thread.
    #[serde(skip_serializing_if = "unknown")]
    pub thread: String,
    /// The number of lines that are left out.
    #[serde(skip_serializing_if = "unknown")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub left_out: Option<u64>,
}

impl Body for LogLineBody {
    const KIND: Kind = Kind::LogLine;

    fn at_ms(&self) -> Option<u64> {
        self.at_ms
    }
}

impl LogLineBody {
    /// Whether it is worse than a warning.
    pub fn is_error(&self) -> bool {
        self.level != Level::Warn
    }
}

/// The level of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// A warning.
    Warn,
    /// An error.
    #[default]
    Error,
    /// An error that ends its process.
    Fatal,
}

impl Level {
    /// The text in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }
}
