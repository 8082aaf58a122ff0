//! The log itself as a sink: durable events have arrived, and `andiron report` reads them there.

use super::sink::{ShipError, Sink};
use crate::event::Event;

/// The sink that is always present and needs no installation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Embedded;

impl Sink for Embedded {
    fn name(&self) -> &str {
        "embedded"
    }

    fn ship(&mut self, _events: &[Event]) -> Result<(), ShipError> {
        Ok(())
    }

    fn is_the_log(&self) -> bool {
        true
    }
}
