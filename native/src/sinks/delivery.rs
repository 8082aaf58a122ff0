//! One batch to one sink, with back-off, whatever the sink does.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{ShipError, Sink};
use crate::shiplog::{Event, Sequence};
use crate::words::some;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After so many panics over one batch its events are shipped one by one, and after so many over one event it is
/// dropped: a sink that is down says so, one that panics may never get better.
const MOST_PANICS: u32 = 4;

/// The figures of one sink since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkHealth {
    /// Events that the sink has taken, those of earlier applications included.
    pub sent: u64,
    /// Calls that failed and were made again.
    pub retried: u64,
    /// Calls that failed, by cause.
    pub failed: BTreeMap<&'static str, u64>,
    /// Events that the sink will never have, by cause: `refused`, `panic`, `gone` from the log, and what the sink says.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Durable events of this application that the sink has not had.
    pub behind: u64,
    /// What the last failure said.
    pub last_failure: Option<String>,
}

/// What a sink's thread and the application share.
#[derive(Default)]
pub(super) struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    health: SinkHealth,
    reached: Sequence,
    /// When the call that is under way began.
    calling: Option<Instant>,
    failing: bool,
    stop: bool,
    /// Nobody waits any more: what the thread still does must not be seen.
    abandoned: bool,
    ended: bool,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The sink has the events, or refused them for ever.
    Done,
    /// It has not, and there is no time left.
    Stopped,
}

impl Line {
    pub(super) fn health(&self) -> SinkHealth {
        self.lock().health.clone()
    }

    /// For the thread: the sink has had the log of the running application up to here.
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
        self.lock().health.last_failure = Some(failure);
    }

    /// Whether the thread is to end once it has nothing to ship, or the sink fails.
    pub(super) fn stopping(&self) -> bool {
        self.lock().stop
    }

    pub(super) fn abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Counts a call that failed. Whether it is the first since the sink worked, and whether none follows it. Nothing is
    /// logged here: an appender that stalls must not hold up who asks for the sink's health.
    fn failed(&self, cause: &'static str, why: &str, last_try: bool) -> (bool, bool) {
        let mut state = self.lock();
        let is_first = !std::mem::replace(&mut state.failing, true);
        *state.health.failed.entry(cause).or_default() += 1;
        state.health.last_failure = Some(why.to_string());
        let stopped = last_try || state.abandoned;
        state.health.retried += u64::from(!stopped);
        (is_first, stopped)
    }

    /// Counts what the sink took. Whether it had failed before.
    fn taken(&self, events: u64) -> bool {
        let mut state = self.lock();
        state.health.sent += events;
        std::mem::replace(&mut state.failing, false)
    }

    /// Counts events that the sink will never have. Whether they are the first of their cause.
    fn dropped(&self, cause: &'static str, events: u64, why: &str) -> bool {
        let mut state = self.lock();
        state.health.last_failure = Some(why.to_string());
        let dropped = state.health.dropped.entry(cause).or_default();
        *dropped += events;
        *dropped == events
    }

    /// For the thread, last.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Sleeps, at most until it is time to stop.
    pub(super) fn sleep(&self, pause: Duration) {
        let waited = self.changed.wait_timeout_while(self.lock(), pause, |state| !state.stop);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Asks the thread to ship what is there and to end.
    pub(super) fn ask_to_stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    /// Waits for the thread's end until `end`, but for a call that is under way no longer than `patience` since its
    /// beginning. False if the thread is left behind.
    pub(super) fn wait_ended(&self, end: Instant, patience: Duration) -> bool {
        let mut state = self.lock();
        while !state.ended {
            let end = state.calling.map_or(end, |since| end.min(since + patience));
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.abandoned = true;
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One sink, and what its thread knows of it.
pub(super) struct Delivery {
    pub(super) sink: Box<dyn Sink>,
    pub(super) line: Arc<Line>,
    pub(super) name: String,
    random: u64,
}

impl Delivery {
    pub(super) fn new(sink: Box<dyn Sink>) -> Delivery {
        let name = sink.name().to_string();
        let random = RandomState::new().hash_one(&name) | 1;
        Delivery { sink, line: Arc::default(), name, random }
    }

    /// Ships a batch, again and again until the sink has it or its line stops. When it stops, a sink that fails gets
    /// one more try.
    pub(super) fn deliver(&mut self, events: &[Event]) -> Outcome {
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
                Err(ShipError::Refused(why)) => return self.apart(events, "refused", why),
                Err(ShipError::Retry { cause, why }) => (cause, why),
            };
            if cause == PANIC {
                panics += 1;
                if panics >= MOST_PANICS {
                    return self.apart(events, PANIC, failure);
                }
            }
            let (is_first, stopped) = self.line.failed(cause, &failure, last_try);
            if is_first {
                log::warn!("sink {} fails, what it misses stays in the log: {failure}", self.name);
            }
            if stopped {
                return Outcome::Stopped;
            }
            let pause_now = self.jitter(pause);
            self.line.sleep(pause_now);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The sink has so many events more.
    fn taken(&self, events: usize) -> Outcome {
        if self.line.taken(events as u64) {
            log::info!("sink {} works again", self.name);
        }
        Outcome::Done
    }

    /// The sink will never have this event. The first of each cause is told.
    fn drop_one(&self, event: &Event, cause: &'static str, why: String) {
        if self.line.dropped(cause, 1, &why) {
            log::warn!("sink {} never gets {:?} {}: {why}", self.name, event.kind, event.id);
        }
    }

    /// Counts events that were no longer in the log when their turn came. The first time is told.
    pub(super) fn pass_over(&self, events: u64, log: &Path) {
        if events == 0 {
            return;
        }
        let why = "they are gone from the log: raise spark.andiron.log.maxBytes, or look after its disk";
        if self.line.dropped(GONE, events, why) {
            let events = some(events, "event", "events");
            log::warn!("sink {} never gets {events} of {}: {why}", self.name, log.display());
        }
    }

    /// Ships the events of a batch one by one; drops the only one of a batch.
    fn apart(&mut self, events: &[Event], cause: &'static str, why: String) -> Outcome {
        if let [event] = events {
            self.drop_one(event, cause, why);
            return Outcome::Done;
        }
        let stopped = |event: &Event| self.deliver(std::slice::from_ref(event)) == Outcome::Stopped;
        if events.iter().any(stopped) {
            return Outcome::Stopped;
        }
        Outcome::Done
    }

    fn call(&mut self, events: &[Event]) -> Result<(), ShipError> {
        self.line.lock().calling = Some(Instant::now());
        let called = catch_unwind(AssertUnwindSafe(|| self.sink.ship(events)));
        self.line.lock().calling = None;
        self.line.changed.notify_all();
        called
            .unwrap_or_else(|_| Err(ShipError::Retry { cause: PANIC, why: "the sink panicked".to_string() }))
    }

    /// Between half of `pause` and all of it, so that sinks of many applications do not come back together.
    fn jitter(&mut self, pause: Duration) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        pause.mul_f64(0.5 + (self.random >> 11) as f64 / (1u64 << 54) as f64)
    }
}

const PANIC: &str = "panic";
const GONE: &str = "gone";

/// How far a sink has come is saved no more often than this while there is more to ship.
pub(super) const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Where a log is read up to when nobody writes it.
pub(super) const TO_THE_END: Sequence = Sequence(u64::MAX);
