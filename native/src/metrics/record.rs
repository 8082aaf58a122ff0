//! The destination of events: the ship log, or a test's replacement.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Result;
pub use crate::event::{Event, Kind, Sequence};
use crate::event::{LogHealth, SinkHealth};
use crate::shiplog::{LossCause, Options, ShipLog};
use crate::sinks::{Shipper, Sink};

/// The least time for closing the log, even if the sinks have used up the whole timeout.
const LEAST_TO_CLOSE: Duration = Duration::from_millis(500);

/// A destination of events. Only [`Record::sync`] and [`Record::close`] block.
pub trait Record: Send + Sync {
    /// Takes an event. [`Sequence::NONE`] if it is lost, which the record counts.
    fn append(&self, event: Event) -> Sequence;

    /// Waits until all events taken so far survive a crash of the machine.
    fn sync(&self, timeout: Duration) -> Result<Sequence>;

    /// Takes no further event, and marks the application as ended.
    fn close(&self, timeout: Duration) -> Result<()>;

    /// The record's own counters, as in a Health event.
    fn health(&self) -> LogHealth;

    /// The counters of its sinks by name, as in a Health event.
    fn sinks(&self) -> BTreeMap<String, SinkHealth> {
        BTreeMap::new()
    }

    /// An application of the same run that never ended.
    fn predecessor(&self) -> Option<String>;
}

/// The ship log with the threads that ship its events.
pub(super) struct Logged {
    log: ShipLog,
    shipper: Option<Shipper>,
}

impl Logged {
    /// Opens the log and starts to ship it. If the sinks cannot be started, a warning is logged; their events stay in
    /// the ship log.
    pub(super) fn open(
        root: &Path,
        application: &str,
        options: Options,
        sinks: Vec<Box<dyn Sink>>,
    ) -> Result<Logged> {
        let log = ShipLog::open(root, application, options)?;
        let shipper = match Shipper::start(&log, sinks) {
            Ok(shipper) => Some(shipper),
            Err(error) => {
                log::warn!("metrics of {application} are logged and not shipped: {error}");
                None
            }
        };
        Ok(Logged { log, shipper })
    }
}

/// The share of the end's timeout that is reserved for closing the log.
fn to_close(timeout: Duration) -> Duration {
    (timeout / 20).min(LEAST_TO_CLOSE)
}

impl Record for Logged {
    fn append(&self, event: Event) -> Sequence {
        self.log.append(event)
    }

    fn sync(&self, timeout: Duration) -> Result<Sequence> {
        self.log.sync(timeout)
    }

    fn close(&self, timeout: Duration) -> Result<()> {
        let start = Instant::now();
        let durable = self.log.sync(timeout);
        if let Some(shipper) = &self.shipper {
            let rest = timeout.saturating_sub(start.elapsed());
            let late = shipper.stop(rest.saturating_sub(to_close(timeout)));
            if !late.is_empty() {
                log::warn!(
                    "the next start, or `andiron ship`, ships what these have not had: {}",
                    late.join(", ")
                );
            }
        }
        self.log.close(timeout.saturating_sub(start.elapsed()).max(LEAST_TO_CLOSE))?;
        durable.map(drop)
    }

    fn health(&self) -> LogHealth {
        let health = self.log.health();
        let lost = LossCause::ALL.iter().map(|cause| (cause.name().to_string(), health.lost(*cause)));
        LogHealth {
            lost: lost.filter(|(_, events)| *events > 0).collect(),
            appended: Some(health.appended),
            bytes: Some(health.bytes),
            durable: Some(health.durable),
            failures: Some(health.failures),
            last_failure: health.last_failure.unwrap_or_default(),
            syncs: Some(health.syncs),
        }
    }

    fn sinks(&self) -> BTreeMap<String, SinkHealth> {
        self.shipper.as_ref().map(Shipper::health).unwrap_or_default()
    }

    fn predecessor(&self) -> Option<String> {
        self.log.predecessor().map(str::to_string)
    }
}
