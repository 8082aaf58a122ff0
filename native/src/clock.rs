//! The core's time: monotonic, and replaceable by a clock that tests advance by hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A point in time, as the duration since the clock's start.
pub type Moment = Duration;

/// A monotonic clock. Clones show the same time. Any thread may read it.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's monotonic clock, from this start.
    System(Instant),
    /// Nanoseconds that only [`Clock::turn`] changes.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's monotonic clock, starting now.
    pub fn system() -> Clock {
        Clock::System(Instant::now())
    }

    /// A clock that stands still until it is turned.
    pub fn manual() -> Clock {
        Clock::Manual(Arc::new(AtomicU64::new(0)))
    }

    /// The time now.
    pub fn now(&self) -> Moment {
        match self {
            Clock::System(start) => start.elapsed(),
            Clock::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::SeqCst)),
        }
    }

    /// Advances a manual clock; has no effect on the system's.
    pub fn turn(&self, by: Duration) {
        if let Clock::Manual(nanos) = self {
            nanos.fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
        }
    }
}

/// Milliseconds since 1970 by the clock of the machine.
pub fn unix_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_turned() {
        let clock = Clock::manual();
        let twin = clock.clone();
        assert_eq!(clock.now(), Duration::ZERO);
        clock.turn(Duration::from_millis(7));
        assert_eq!(twin.now(), Duration::from_millis(7));
    }
}
