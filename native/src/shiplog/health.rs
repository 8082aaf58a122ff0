//! What a log counts of itself.

use std::io;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Why events were lost.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cause {
            $($(#[$doc])* $name,)+
        }

        impl Cause {
            /// Every cause.
            pub const ALL: &'static [Cause] = &[$(Cause::$name),+];

            /// The name that figures of health use.
            pub fn name(self) -> &'static str {
                match self {
                    $(Cause::$name => $text,)+
                }
            }
        }
    };
}

causes! {
    /// The queue to the log's thread was full, and the disk was at work.
    QueueFull = "queue_full",
    /// The disk or quota was full, and so was the queue.
    DiskFull = "disk_full",
    /// The disk refused for another reason, and the queue was full.
    Io = "io",
    /// The id or body was longer than a record can hold.
    TooLarge = "too_large",
    /// The body was not one line that begins and ends as a JSON object does.
    Malformed = "malformed",
    /// The log was closed, or is too late.
    Closed = "closed",
}

impl Cause {
    pub(super) fn of(error: &io::Error) -> Cause {
        match rustix::io::Errno::from_io_error(error) {
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => Cause::DiskFull,
            _ => Cause::Io,
        }
    }
}

/// The figures of one log since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Events that were taken.
    pub appended: u64,
    /// Of these, events that survive a crash of the machine.
    pub durable: u64,
    /// Bytes of segments that survive one.
    pub bytes: u64,
    /// Groups of records that were made durable together.
    pub syncs: u64,
    /// Segments that were begun.
    pub segments: u64,
    /// Events that wait in memory.
    pub waiting: u64,
    /// Writes and syncs that failed and were tried again.
    pub failures: u64,
    /// What the last of them said.
    pub last_failure: Option<String>,
    pub(super) lost: [u64; Cause::ALL.len()],
}

impl Health {
    /// Events lost for this cause.
    pub fn lost(&self, cause: Cause) -> u64 {
        self.lost[cause as usize]
    }

    /// Events lost for any cause.
    pub fn lost_in_all(&self) -> u64 {
        self.lost.iter().sum()
    }
}
