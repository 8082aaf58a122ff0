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
//! | `kafka` | events as messages of Kafka |
//! | `settings`, `value` | what sinks are made of; an event as one JSON object |
//! | [`atlas`] | figures as they are now, for graphs: no sink of events, and never the record |
//! | `faulty`, `watched` | sinks that fail as tests want them to, in their process and from outside |

pub mod atlas;
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
use crate::shiplog::Event;

/// One place that events are shipped to. Called from one thread, one batch at a time.
pub trait Sink: Send {
    /// Names the sink in figures, messages and files; the same in every run.
    fn name(&self) -> &str;

    /// Ships a batch, in order. After an error the same batch is shipped again, also those events of it that the sink
    /// has had. May block: the application does not wait for it.
    fn ship(&mut self, events: &[Event]) -> std::result::Result<(), ShipError>;

    /// The most events, and the most bytes of them, that one call is given.
    fn most(&self) -> (usize, usize) {
        (500, 1 << 20)
    }

    /// Whether the log is the sink's own store, so that what is durable needs no shipping.
    fn is_the_log(&self) -> bool {
        false
    }
}

/// The sinks that the settings name, beside the log itself; in the library built for tests also the one that the
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

/// Finds out whether sinks can be made of these settings: that secrets can be read, and that clients take what they are
/// given. Contacts nobody.
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
    Err(settings::bad("bootstrap.servers", "is set, and this build of Andiron has no client of Kafka"))
}

/// Why a batch was not shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShipError {
    /// The sink is down or slow: the batch is shipped again later.
    Retry {
        /// By which such failures are counted; one word.
        cause: &'static str,
        /// What failed, and what to do.
        why: String,
    },
    /// The sink will never take this batch: its events are shipped one by one, and those that are refused dropped.
    Refused(String),
    /// The sink has the batch but for these, which it will never take.
    Without(Vec<Left>),
}

/// One event of a batch that a sink will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its place in the batch.
    pub at: usize,
    /// By which such events are counted; one word.
    pub cause: &'static str,
    /// Why, and what to do.
    pub why: String,
}
