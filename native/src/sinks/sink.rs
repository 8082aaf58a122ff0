//! The trait of a sink, its errors, and the entry of a kind of sink in the list of kinds.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::event::Event;

/// Settings of one kind of sink: keys without the kind's prefix, and their values.
pub(super) type Properties = BTreeMap<String, String>;

/// One kind of sink, as [`super::KINDS`] lists it.
pub(super) struct SinkKind {
    /// The beginning of the keys of its settings.
    pub(super) prefix: &'static str,
    /// Checks keys and values. An error names the key and never contains a secret; accepted properties hold none.
    pub(super) parse: fn(&Properties) -> Result<()>,
    /// Checks that a sink can be created: that secrets can be read, and that a client accepts its properties. Contacts
    /// no service.
    pub(super) check: fn(&Properties) -> Result<()>,
    /// Creates the sink. Contacts no service.
    pub(super) open: fn(&Properties) -> Result<Box<dyn Sink>>,
}

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
    Without(Vec<Rejected>),
}

/// One event of a batch that a sink refuses for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its index in the batch.
    pub at: usize,
    /// The cause by which such events are counted; one word.
    pub cause: &'static str,
    /// The reason, and advice.
    pub why: String,
}
