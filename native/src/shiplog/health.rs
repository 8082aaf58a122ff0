//! Counters of a log about itself.

use std::io;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// The cause of a loss of events.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum LossCause {
            $($(#[$doc])* $name,)+
        }

        impl LossCause {
            /// Every cause.
            pub const ALL: &'static [LossCause] = &[$(LossCause::$name),+];

            /// The name of the cause in health figures.
            pub fn name(self) -> &'static str {
                match self {
                    $(LossCause::$name => $text,)+
                }
            }
        }
    };
}

causes! {
    /// The queue to the log's thread was full while the disk worked.
    QueueFull = "queue_full",
    /// The disk or quota was full, and so was the queue.
    DiskFull = "disk_full",
    /// The disk failed for another reason, and the queue was full.
    Io = "io",
    /// The id or body was longer than the limit of a record.
    TooLarge = "too_large",
    /// The body was not a single line that begins and ends like a JSON object.
    Malformed = "malformed",
    /// The log was closed, or closing exceeded its deadline.
    Closed = "closed",
}

impl LossCause {
    pub(super) fn of(error: &io::Error) -> LossCause {
        match rustix::io::Errno::from_io_error(error) {
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => LossCause::DiskFull,
            _ => LossCause::Io,
        }
    }
}

/// The figures of one log since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Accepted events.
    pub appended: u64,
    /// Accepted events that survive a crash of the machine.
    pub durable: u64,
    /// Bytes of segments that survive a crash of the machine.
    pub bytes: u64,
    /// Groups of records that were made durable together.
    pub syncs: u64,
    /// Segments that were begun.
    pub segments: u64,
    /// Events that wait in memory.
    pub waiting: u64,
    /// Writes and syncs that failed and were retried.
    pub failures: u64,
    /// The message of the last failure.
    pub last_failure: Option<String>,
    pub(super) lost: [u64; LossCause::ALL.len()],
}

impl Health {
    /// Events lost for this cause.
    pub fn lost(&self, cause: LossCause) -> u64 {
        self.lost[cause as usize]
    }

    /// Events lost for any cause.
    pub fn lost_in_all(&self) -> u64 {
        self.lost.iter().sum()
    }
}
