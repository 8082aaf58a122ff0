//! A figure that is expensive to measure, with a limit on the frequency of measurements.

use crate::clock::{Clock, Moment};
use crate::sync::try_held;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::time::Duration;

/// The shortest time between two measurements.
const SHORTEST: Duration = Duration::from_secs(1);
/// Measuring takes at most 1/50 of the time.
const PARTS: u32 = 50;

/// The last measurement, and the due time of the next one.
#[derive(Default)]
pub(super) struct CountedProbe {
    figure: AtomicU64,
    due: Mutex<Moment>,
}

impl CountedProbe {
    /// The figure. Measures on the calling thread when that is due and no other thread does so; never waits
    /// for another thread.
    pub(super) fn read(&self, clock: &Clock, measure: impl FnOnce() -> u64) -> u64 {
        if let Some(mut due) = try_held(self.due.try_lock()) {
            let begun = clock.now();
            if begun >= *due {
                self.figure.store(measure(), Ordering::Relaxed);
                let ended = clock.now();
                *due = ended + SHORTEST.max((ended - begun) * PARTS);
            }
        }
        self.figure.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn it_is_measured_once_a_second_at_most_and_a_fiftieth_of_the_time() {
        let (probe, clock) = (CountedProbe::default(), Clock::manual());
        let turn = |millis| clock.turn(Duration::from_millis(millis));
        assert_eq!(probe.read(&clock, || 1), 1);
        turn(999);
        assert_eq!(probe.read(&clock, || 2), 1);
        turn(1);
        let slow = || {
            turn(100);
            3
        };
        assert_eq!(probe.read(&clock, slow), 3);
        turn(4_999);
        assert_eq!(probe.read(&clock, || 4), 3);
        turn(1);
        assert_eq!(probe.read(&clock, || 4), 4);
    }

    #[test]
    fn who_comes_while_it_is_measured_gets_the_figure_before() {
        let (probe, clock) = (CountedProbe::default(), Clock::manual());
        let outer = probe.read(&clock, || {
            assert_eq!(probe.read(&clock, || 9), 0);
            5
        });
        assert_eq!(outer, 5);
    }
}
