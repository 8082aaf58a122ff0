//! What is logged: events, their kinds, and their place in the log.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)+) => {
        /// What an event is about, as a number that never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $name = $number,)+
        }

        impl Kind {
            /// Every kind, in ascending order.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),+];

            /// The kind with this number; `None` for those of later releases.
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
    /// An application: who, where, since when, and how it ended.
    Application = 1,
    /// The figures of one counter in one scope.
    Metric = 2,
    /// A failed row, or how many there were.
    Failure = 3,
    /// A stage attempt.
    Stage = 4,
    /// A job.
    Job = 5,
    /// An execution of a query, with its plan.
    Execution = 6,
    /// What a gate decided.
    Verdict = 7,
    /// A warning or an error from a log of the driver or an executor.
    LogLine = 8,
    /// How log, sinks and listener are.
    Health = 9,
    /// A gate: its limits, and what was asked of it.
    Gate = 10,
}

/// One thing that happened, as it is shipped.
///
/// Two events with one id are two states of one thing: of these the greatest `revision` holds, and of equal
/// revisions the later. An id is made from what the event is about and nothing else, so that a replay writes it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub kind: Kind,
    /// Names the thing, at most 64 KiB; the same in every replay.
    pub id: String,
    /// Which state of the thing this is.
    pub revision: u64,
    /// One JSON object without line breaks, at most 8 MiB.
    pub body: String,
}

/// The place of an event in its log: 1 for the first, then one more for each. 0 is no place: the event was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The place of an event that was not taken.
    pub const NONE: Sequence = Sequence(0);

    /// Whether the event was refused.
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
