//! Delivery of one batch to one sink, with back-off.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::sink::{ShipError, Sink};
use crate::event::{Event, Sequence, SinkHealth};
use crate::sync::held;
use crate::words::some;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After this number of panics over one batch its events are shipped one by one, and after this number over one event
/// it is dropped: a sink that is down reports it, and a sink that panics may never recover.
const MOST_PANICS: u32 = 4;

/// Progress that a sink's thread shares with the application.
#[derive(Default)]
pub(super) struct SinkState {
    state: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    health: SinkHealth,
    reached: Sequence,
    /// The start of the current call.
    calling: Option<Instant>,
    failing: bool,
    stop: bool,
    /// No caller waits for the thread any more: its further work must not be visible.
    abandoned: bool,
    ended: bool,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// The sink has taken the events, or refused them for good.
    Done,
    /// The sink has not taken them, and there is no time left.
    Stopped,
}

impl SinkState {
    pub(super) fn health(&self) -> SinkHealth {
        self.lock().health.clone()
    }

    /// Called by the thread: the sink has taken the log of the running application up to here.
    pub(super) fn reach(&self, sequence: Sequence) {
        self.lock().reached = sequence;
    }

    pub(super) fn reached(&self) -> Sequence {
        self.lock().reached
    }

    pub(super) fn add_behind(&self, events: u64) {
        self.lock().health.behind += events;
    }

    pub(super) fn note(&self, failure: String) {
        self.lock().health.last_failure = failure;
    }

    /// Whether the thread must end once it has nothing to ship, or once the sink fails.
    pub(super) fn stopping(&self) -> bool {
        self.lock().stop
    }

    pub(super) fn abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Counts a failed call. Returns whether it is the first since the sink last worked, and whether it is the last
    /// one. Nothing is logged here: a log appender that blocks must not delay readers of the sink's health.
    fn failed(&self, cause: &'static str, why: &str, last_try: bool) -> (bool, bool) {
        let mut state = self.lock();
        let is_first = !std::mem::replace(&mut state.failing, true);
        *state.health.failed.entry(cause.to_string()).or_default() += 1;
        state.health.last_failure = why.to_string();
        let stopped = last_try || state.abandoned;
        state.health.retried += u64::from(!stopped);
        (is_first, stopped)
    }

    /// Counts events that the sink took. Returns whether it had failed before.
    fn taken(&self, events: u64) -> bool {
        let mut state = self.lock();
        state.health.sent += events;
        std::mem::replace(&mut state.failing, false)
    }

    /// Counts events that the sink will never get. Returns whether they are the first of their cause.
    fn dropped(&self, cause: &'static str, events: u64, why: &str) -> bool {
        let mut state = self.lock();
        state.health.last_failure = why.to_string();
        let dropped = state.health.dropped.entry(cause.to_string()).or_default();
        *dropped += events;
        *dropped == events
    }

    /// Called by the thread as its last action.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Sleeps until `pause` has passed or the thread must stop.
    pub(super) fn sleep(&self, pause: Duration) {
        let waited = self.changed.wait_timeout_while(self.lock(), pause, |state| !state.stop);
        drop(held(waited));
    }

    /// Asks the thread to ship the remaining events and to end.
    pub(super) fn ask_to_stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    /// Waits for the thread's end until `end`, but for a running call at most `patience` from its start. False if the
    /// thread is left behind.
    pub(super) fn wait_ended(&self, end: Instant, patience: Duration) -> bool {
        let mut state = self.lock();
        while !state.ended {
            let end = state.calling.map_or(end, |since| end.min(since + patience));
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.abandoned = true;
                return false;
            }
            state = held(self.changed.wait_timeout(state, left)).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        held(self.state.lock())
    }
}

/// One sink and its thread's state.
pub(super) struct Delivery {
    pub(super) sink: Box<dyn Sink>,
    pub(super) line: Arc<SinkState>,
    pub(super) name: String,
}

impl Delivery {
    pub(super) fn new(sink: Box<dyn Sink>) -> Delivery {
        let name = sink.name().to_string();
        Delivery { sink, line: Arc::default(), name }
    }

    /// Ships a batch repeatedly until the sink has taken it or its thread must stop. Then a failing sink gets one
    /// more try.
    pub(super) fn deliver(&mut self, events: &[Event]) -> Delivered {
        let (mut pause, mut panics) = (FIRST_PAUSE, 0);
        loop {
            let last_try = self.line.stopping();
            let (cause, failure) = match self.call(events) {
                Ok(()) => return self.taken(events.len()),
                Err(ShipError::Without(left)) => {
                    for left in &left {
                        if let Some(event) = events.get(left.at) {
                            self.drop_one(event, left.cause, left.why.clone());
                        }
                    }
                    return self.taken(events.len().saturating_sub(left.len()));
                }
                Err(ShipError::Refused(why)) => return self.deliver_individually(events, "refused", why),
                Err(ShipError::Retry { cause, why }) => (cause, why),
            };
            if cause == PANIC {
                panics += 1;
                if panics >= MOST_PANICS {
                    return self.deliver_individually(events, PANIC, failure);
                }
            }
            let (is_first, stopped) = self.line.failed(cause, &failure, last_try);
            if is_first {
                log::warn!("sink {} fails; its events stay in the log: {failure}", self.name);
            }
            if stopped {
                return Delivered::Stopped;
            }
            self.line.sleep(jitter(pause));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Counts events that the sink has taken.
    fn taken(&self, events: usize) -> Delivered {
        if self.line.taken(events as u64) {
            log::info!("sink {} works again", self.name);
        }
        Delivered::Done
    }

    /// Drops an event for good. The first of each cause is logged.
    fn drop_one(&self, event: &Event, cause: &'static str, why: String) {
        if self.line.dropped(cause, 1, &why) {
            log::warn!("sink {} never gets {:?} {}: {why}", self.name, event.kind, event.id);
        }
    }

    /// Counts events that were no longer in the log when their turn came. The first time is logged.
    pub(super) fn pass_over(&self, events: u64, log: &Path) {
        if events == 0 {
            return;
        }
        let why = "they are gone from the log: raise spark.andiron.log.maxBytes, or check its disk";
        if self.line.dropped(GONE, events, why) {
            let events = some(events, "event", "events");
            log::warn!("sink {} never gets {events} of {}: {why}", self.name, log.display());
        }
    }

    /// Ships the events of a batch one by one; drops the event of a batch of one.
    fn deliver_individually(&mut self, events: &[Event], cause: &'static str, why: String) -> Delivered {
        if let [event] = events {
            self.drop_one(event, cause, why);
            return Delivered::Done;
        }
        let stopped = |event: &Event| self.deliver(std::slice::from_ref(event)) == Delivered::Stopped;
        if events.iter().any(stopped) {
            return Delivered::Stopped;
        }
        Delivered::Done
    }

    fn call(&mut self, events: &[Event]) -> Result<(), ShipError> {
        self.line.lock().calling = Some(Instant::now());
        let called = catch_unwind(AssertUnwindSafe(|| self.sink.ship(events)));
        self.line.lock().calling = None;
        self.line.changed.notify_all();
        called
            .unwrap_or_else(|_| Err(ShipError::Retry { cause: PANIC, why: "the sink panicked".to_string() }))
    }
}

/// A random duration between half of `pause` and all of it, so that the sinks of many applications do not retry
/// together.
fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

const PANIC: &str = "panic";
const GONE: &str = "gone";

/// The least interval between two saves of a sink's position while there is more to ship.
pub(super) const SAVE_EVERY: Duration = Duration::from_secs(1);
/// The end of a log that has no writer.
pub(super) const TO_THE_END: Sequence = Sequence(u64::MAX);
