//! The destinations of events, and the threads that ship to them.
//!
//! Each [`Sink`] has a thread of its own, which reads the log behind its writer, ships durable events and keeps its
//! position in a small file. A sink that is down, refuses, panics or never returns delays no other sink: its events
//! stay in the log, and the next start, or `andiron ship`, ships them. An event may be shipped more than once, always
//! with the same id and revision.
//!
//! | module | contents |
//! |---|---|
//! | `delivery` | delivery of one batch to one sink, with back-off |
//! | `shipper` | the threads of a running application |
//! | `replay` | the logs of earlier applications |
//! | `embedded` | the log itself as a sink |
//! | `kafka` | events as Kafka messages |
//! | `settings`, `value` | the settings of sinks; an event as one JSON object |
//! | [`atlas`] | current figures for graphs: not a sink of events, and never the record |
//! | `faulty`, `watched` | sinks that fail on command, within the process and from outside |

mod delivery;
mod embedded;
#[cfg(any(test, feature = "test-hooks"))]
pub mod faulty;
#[cfg(feature = "kafka")]
mod kafka;
mod replay;
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "only the client reads all of it"))]
mod settings;
mod shipper;
#[cfg(test)]
mod tests;
pub(crate) mod value;
#[cfg(feature = "test-hooks")]
mod watched;

pub use delivery::SinkHealth;
pub use embedded::Embedded;
#[cfg(feature = "kafka")]
pub use kafka::Kafka;
pub use replay::{ship, Replay};
pub use settings::SinkSettings;
pub use shipper::Shipper;

use crate::error::Result;
use crate::event::Event;

/// A destination of events. Called from one thread, one batch at a time.
pub trait Sink: Send {
    /// The name of the sink in figures, messages and files; the same in every run.
    fn name(&self) -> &str;

    /// Ships a batch, in order. After an error the same batch is shipped again, including those of its events that
    /// the sink has taken. May block: the application does not wait for it.
    fn ship(&mut self, events: &[Event]) -> std::result::Result<(), ShipError>;

    /// The limits of one call: events, and their bytes.
    fn most(&self) -> (usize, usize) {
        (500, 1 << 20)
    }

    /// Whether the log is the sink's own store, so that durable events need no shipping.
    fn is_the_log(&self) -> bool {
        false
    }
}

/// The sinks that the settings name, without the log itself; in the library built for tests also the sink that the
/// environment names.
///
/// # Errors
/// [`Code::BadSetting`](crate::error::Code::BadSetting) for a sink that this build lacks.
pub fn of(settings: &SinkSettings) -> Result<Vec<Box<dyn Sink>>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    #[cfg(feature = "test-hooks")]
    sinks.extend(watched::sink());
    if let Some(kafka) = &settings.kafka {
        sinks.push(of_kafka(kafka)?);
    }
    Ok(sinks)
}

/// Checks that sinks can be created from these settings: that secrets can be read, and that clients accept their
/// properties. Contacts no service.
///
/// # Errors
/// [`Code::BadSetting`](crate::error::Code::BadSetting), which names the key.
pub fn check(settings: &SinkSettings) -> Result<()> {
    #[cfg(feature = "kafka")]
    if let Some(kafka) = &settings.kafka {
        Kafka::check(kafka)?;
    }
    of(settings).map(drop)
}

#[cfg(feature = "kafka")]
fn of_kafka(settings: &settings::KafkaSettings) -> Result<Box<dyn Sink>> {
    Ok(Box::new(Kafka::new(settings.clone())))
}

#[cfg(not(feature = "kafka"))]
fn of_kafka(_settings: &settings::KafkaSettings) -> Result<Box<dyn Sink>> {
    Err(settings::bad("bootstrap.servers", "is set, and this build of Andiron has no Kafka client"))
}

/// Why a batch was not shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShipError {
    /// The sink is down or slow: the batch is shipped again later.
    Retry {
        /// The cause by which such failures are counted; one word.
        cause: &'static str,
        /// The failure, and advice.
        why: String,
    },
    /// The sink refuses this batch for good: its events are shipped one by one, and refused ones are dropped.
    Refused(String),
    /// The sink has taken the batch except for these events, which it refuses for good.
    Without(Vec<Left>),
}

/// One event of a batch that a sink refuses for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its index in the batch.
    pub at: usize,
    /// The cause by which such events are counted; one word.
    pub cause: &'static str,
    /// The reason, and advice.
    pub why: String,
}
