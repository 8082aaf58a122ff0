//! Logged events, their kinds, and their sequence numbers in the log.

pub mod id;

use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_number() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(*kind as u8), Some(*kind));
        }
        assert_eq!(Kind::from_number(0), None);
        assert_eq!(Kind::from_number(11), None);
    }
}
