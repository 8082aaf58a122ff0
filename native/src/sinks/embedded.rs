//! The log itself as a sink: what is durable has arrived, and `andiron report` reads it there.

use super::{ShipError, Sink};
use crate::shiplog::Event;

/// The sink that is always there and needs nothing installed.
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
