//! Where events are shipped to, and the threads that ship them.
//!
//! Each [`Sink`] has a thread of its own, which reads the log behind its writer, ships what is durable and keeps in a
//! small file how far it came. A sink that is down, refuses, panics or never returns holds up itself alone: the events
//! stay in the log, and the next start, or `andiron ship`, ships them. An event may be shipped more than once, always
//! with the same id and revision.
//!
//! | module | what it is |
//! |---|---|
//! | `delivery` | one batch to one sink, with back-off, whatever the sink does |
//! | `shipper` | the threads of a running application |
//! | `replay` | what earlier applications left |
//! | `embedded` | the log itself as a sink |
//! | `value` | an event as one JSON object |
//! | [`atlas`] | figures as they are now, for graphs: no sink of events, and never the record |
//! | `faulty`, `watched` | sinks that fail as tests want them to, in their process and from outside |

pub mod atlas;
mod delivery;
mod embedded;
#[cfg(any(test, feature = "test-hooks"))]
pub mod faulty;
mod replay;
mod shipper;
#[cfg(test)]
mod tests;
pub(crate) mod value;
#[cfg(feature = "test-hooks")]
mod watched;

pub use delivery::SinkHealth;
pub use embedded::Embedded;
pub use replay::{ship, Replay};
pub use shipper::Shipper;

use crate::shiplog::Event;

/// One place that events are shipped to. Called from one thread, one batch at a time.
pub trait Sink: Send {
    /// Names the sink in figures, messages and files; the same in every run.
    fn name(&self) -> &str;

    /// Ships a batch, in order. After an error the same batch is shipped again, also those events of it that the sink
    /// has had. May block: the application does not wait for it.
    fn ship(&mut self, events: &[Event]) -> Result<(), ShipError>;

    /// Whether the log is the sink's own store, so that what is durable needs no shipping.
    fn is_the_log(&self) -> bool {
        false
    }
}

/// The sinks of this process beside the log itself. There is none yet but, in the library built for tests, the one that
/// the environment names.
pub fn of_process() -> Vec<Box<dyn Sink>> {
    #[cfg(feature = "test-hooks")]
    return watched::sink().into_iter().collect();
    #[cfg(not(feature = "test-hooks"))]
    Vec::new()
}

/// Why a batch was not shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShipError {
    /// The sink is down or slow: the batch is shipped again later.
    Retry(String),
    /// The sink will never take this batch: its events are shipped one by one, and those that are refused dropped.
    Refused(String),
}
