//! Events: their kinds, their ids, the fields of each kind, and their places in the log.
//!
//! One struct for each kind is the format of its body. The writer fills it, the report reads it, and
//! wire-format.schema.json and the tables of wire-format.md are made from it and its documentation.
//! A field that is unknown is absent from JSON, never null; a reader takes a damaged field for unknown.

mod application;
mod failure;
pub(crate) mod gate;
mod health;
pub mod id;
mod log_line;
mod metric;
mod reading;
#[cfg(test)]
mod schema;
mod stage;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use application::ApplicationBody;
pub use failure::{FailedRowBody, FailureBody, SampleSummaryBody};
pub use gate::{Choice, Decision, GateBody, JudgedInstance, TopCause, VerdictBody};
pub use health::{CallbackHealth, HealthBody, LogHealth, SinkHealth};
pub use log_line::{Level, LogLineBody};
pub use metric::{MetricBody, NumberType, OtherInstance, Source, StageId};
pub use reading::read;
pub(crate) use reading::{read_given, read_object};
pub use stage::{ExecutionBody, JobBody, JobStatus, PlanNode, StageBody, StageStatus};

/// The counters that every step has.
pub const OWN_COUNTERS: [&str; 3] = ["in", "out", "dropped"];

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)+) => {
        /// The subject of an event, as a number that never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $name = $number,)+
        }

        impl Kind {
            /// Every kind, in ascending order.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),+];

            /// The kind with this number; `None` for kinds of later releases.
            pub fn from_number(number: u8) -> Option<Kind> {
                match number {
                    $($number => Some(Kind::$name),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// An application: user, versions, master, settings, start, and how it ended.
    Application = 1,
    /// The figures of one counter in one scope.
    Metric = 2,
    /// A failed row, or the number of failed rows.
    Failure = 3,
    /// A stage attempt.
    Stage = 4,
    /// A job.
    Job = 5,
    /// An execution of a query, with its plan.
    Execution = 6,
    /// The decision of a gate.
    Verdict = 7,
    /// A warning or an error from a log of the driver or an executor.
    LogLine = 8,
    /// The state of the log, the sinks and the listener.
    Health = 9,
    /// A gate: its limits, and its counts of decisions.
    Gate = 10,
}

/// One occurrence, as it is shipped.
///
/// Two events with the same id are two states of one subject: the one with the greater `revision` holds, and
/// of equal revisions the later one. An id is derived from the subject alone, so a replay produces the same
/// id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The subject's kind.
    pub kind: Kind,
    /// Identifies the subject, at most 64 KiB; the same in every replay.
    pub id: String,
    /// The number of this state of the subject.
    pub revision: u64,
    /// One JSON object without line breaks, at most 8 MiB.
    pub body: String,
}

/// The body of events of one kind.
pub trait Body: Serialize + DeserializeOwned + Default {
    /// The kind of its events.
    const KIND: Kind;

    /// `ts_ms` of its event, unless that is the time at which the event is made.
    fn at_ms(&self) -> Option<u64> {
        None
    }

    /// The body as JSON, without the fields that all events have.
    fn json(&self) -> String {
        // Only a map whose keys are no texts cannot be written.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_string())
    }
}

/// The fields that all events have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Common {
    /// The version of the format.
    pub v: u64,
    /// Spark's id of the application.
    pub app_id: String,
    /// The attempt of the application; empty where there is none.
    pub app_attempt: String,
    /// The time of the event, in milliseconds since 1970.
    pub ts_ms: u64,
}

impl Common {
    /// The version of the format that is written.
    pub const VERSION: u64 = 1;

    /// Those of an event of this application, at this time.
    pub(crate) fn of(application: &str, attempt: &str, ts_ms: u64) -> Common {
        let (app_id, app_attempt) = (application.to_string(), attempt.to_string());
        Common { v: Common::VERSION, app_id, app_attempt, ts_ms }
    }

    /// A whole body: `body` with the fields that all events have.
    pub(crate) fn with(&self, body: &str) -> String {
        let mut common = serde_json::to_string(self).unwrap_or_default();
        if body != "{}" {
            common.pop();
            common.push(',');
            common.push_str(body.get(1..).unwrap_or("}"));
        }
        common
    }
}

/// A number as it was written: whole numbers stay exact.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// A whole number.
    Whole(i64),
    /// A finite number.
    Real(f64),
}

impl Number {
    /// The nearest floating-point number.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Whole(n) => n as f64,
            Number::Real(x) => x,
        }
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.as_f64() == 0.0
    }
}

/// Whether a field is absent from JSON.
fn unknown<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The place of an event in its log, counted from 1. 0 is no place: the event was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The place of a rejected event.
    pub const NONE: Sequence = Sequence(0);

    /// Whether the event was rejected.
    pub fn is_none(self) -> bool {
        self == Sequence::NONE
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
