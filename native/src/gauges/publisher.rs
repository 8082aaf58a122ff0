//! The thread that publishes once in each step.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use super::api::{self, Answer, Api};
use super::book::{step_of, Book, Point};
use super::health::AtlasHealth;
use super::reading::Reading;
use super::settings::{AtlasSettings, Target};
use super::spectatord::{datagrams, Agent};
use crate::error::{Error, Result};
use crate::sync::held;

/// Gives the current figures of the process, the most important first.
pub type ReadingSource = Box<dyn FnMut() -> Vec<Reading> + Send>;

/// The timeout of one answer.
const ANSWER: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The processes of a job publish at different times within the first `1 / SPREAD` of a step.
const SPREAD: u32 = 5;

/// A thread that publishes until it is stopped. Dropping it asks the thread to end without waiting.
pub struct Publisher {
    shared: Arc<PublisherShared>,
}

#[derive(Default)]
struct PublisherShared {
    state: Mutex<PublisherState>,
    changed: Condvar,
}

#[derive(Default)]
struct PublisherState {
    health: AtlasHealth,
    /// The deadline of the thread's end, if it was asked to end.
    stop: Option<Instant>,
    ended: bool,
}

impl Publisher {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system cannot create a thread.
    pub fn start(settings: AtlasSettings, source: ReadingSource) -> Result<Publisher> {
        let shared = Arc::new(PublisherShared::default());
        let way = match &settings.target {
            Target::Api(base) => Way::Api(Api::new(base)),
            Target::Udp(address) => Way::Agent(Agent::udp(address.clone())),
            Target::Unix(path) => Way::Agent(Agent::unix(path.clone())),
        };
        let work = PublisherThread {
            shared: Arc::clone(&shared),
            book: Book::new(settings.common.clone(), settings.most_series),
            settings,
            source,
            way,
            last: None,
            failing: false,
            refusal_told: false,
        };
        let spawned = std::thread::Builder::new().name("andiron-atlas".to_string()).spawn(move || work.run());
        spawned.map_err(|error| Error::io("start the thread andiron-atlas", &error))?;
        Ok(Publisher { shared })
    }

    /// The counters so far.
    pub fn health(&self) -> AtlasHealth {
        self.shared.lock().health.clone()
    }

    /// Publishes the current figures once more and ends the thread, within `timeout`. Returns whether it has ended;
    /// if not, the thread is waiting for an answer, and ends after it.
    pub fn stop(&self, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        self.shared.ask_to_stop(end);
        let mut state = self.shared.lock();
        while !state.ended {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = held(self.shared.changed.wait_timeout(state, left)).0;
        }
        true
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.ask_to_stop(Instant::now());
    }
}

impl PublisherShared {
    fn lock(&self) -> MutexGuard<'_, PublisherState> {
        held(self.state.lock())
    }

    /// Sets the deadline; the first one holds.
    fn ask_to_stop(&self, end: Instant) {
        self.lock().stop.get_or_insert(end);
        self.changed.notify_all();
    }

    fn stop(&self) -> Option<Instant> {
        self.lock().stop
    }

    /// Sleeps until `pause` has passed or the thread must stop. Returns whether it must stop.
    fn sleep(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), pause, |state| state.stop.is_none());
        held(waited).0.stop.is_some()
    }

    fn count(&self, change: impl FnOnce(&mut AtlasHealth)) {
        change(&mut self.lock().health);
    }
}

enum Way {
    Api(Api),
    Agent(Agent),
}

/// The state of the thread.
struct PublisherThread {
    shared: Arc<PublisherShared>,
    settings: AtlasSettings,
    source: ReadingSource,
    book: Book,
    way: Way,
    /// The step that was published last.
    last: Option<Duration>,
    failing: bool,
    refusal_told: bool,
}

impl PublisherThread {
    fn run(mut self) {
        let step = self.settings.step;
        let offset = (step / SPREAD).mul_f64(fastrand::f64());
        loop {
            let now = since_1970();
            let stopped = self.shared.sleep((step_of(now, step) + step + offset).saturating_sub(now));
            let at = step_of(since_1970(), step);
            if stopped {
                break;
            }
            // The clock may have been set back slightly during the sleep.
            if self.last != Some(at) {
                let left = (at + step).saturating_sub(since_1970());
                self.publish(at, Instant::now() + left.mul_f64(0.9));
            }
        }
        if let Some(end) = self.shared.stop().filter(|end| *end > Instant::now()) {
            // Figures within a step that is already published belong to the next one.
            let at = step_of(since_1970(), step);
            let at = if self.last.is_some_and(|last| last >= at) { at + step } else { at };
            self.publish(at, end);
        }
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
    }

    fn publish(&mut self, at: Duration, end: Instant) {
        let mut readings = match catch_unwind(AssertUnwindSafe(&mut self.source)) {
            Ok(readings) => readings,
            Err(payload) => {
                // Dropping a panic's payload may itself panic.
                std::mem::forget(payload);
                let unread = {
                    let mut state = self.shared.lock();
                    state.health.unread += 1;
                    state.health.unread
                };
                if unread == 1 {
                    log::error!("Atlas: the figures of this process could not be read; please report this");
                }
                Vec::new()
            }
        };
        let own = self.shared.lock().health.readings();
        readings.splice(0..0, own);
        let points = self.book.points(readings);
        let left_out = self.book.left_out();
        self.shared.count(|health| health.left_out = left_out);
        let steps =
            self.last.map_or(1, |last| at.saturating_sub(last).as_millis() / self.settings.step.as_millis());
        self.last = Some(at);
        let rate = 1.0 / (self.settings.step.as_secs_f64() * steps.max(1) as f64);
        let batches: Vec<(String, u64)> = match &self.way {
            Way::Api(_) => points
                .chunks(api::BATCH)
                .map(|batch: &[Point]| {
                    (api::body(&self.settings.common, batch, at, rate), batch.len() as u64)
                })
                .collect(),
            Way::Agent(agent) => datagrams(&points, self.settings.step, agent.most_bytes()),
        };
        for (body, points) in &batches {
            let end = self.shared.stop().map_or(end, |stop| end.min(stop));
            if Instant::now() >= end {
                self.shared.count(|health| health.late += points);
            } else {
                self.deliver(body, *points, end);
            }
        }
    }

    /// Offers a batch until it is accepted or refused, or its step ends.
    fn deliver(&mut self, body: &str, points: u64, end: Instant) {
        let mut pause = FIRST_PAUSE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let answer = match &mut self.way {
                Way::Api(api) => api.send(body, points as usize, left.min(ANSWER)),
                Way::Agent(agent) => agent.send(body).map_or_else(Answer::Unavailable, |()| Answer::Taken),
            };
            let why = match answer {
                Answer::Taken => {
                    self.shared.count(|health| health.sent += points);
                    self.works();
                    return;
                }
                Answer::Partly(refused, why) => {
                    self.shared.count(|health| health.sent += points - refused);
                    self.works();
                    return self.refuse(refused, why);
                }
                Answer::Refused(why) => return self.refuse(points, why),
                Answer::Unavailable(why) => why,
            };
            if !self.failing {
                self.failing = true;
                log::warn!("Atlas does not answer; the points of a step are dropped at its end: {why}");
            }
            self.shared.count(|health| health.last_failure = Some(why));
            let left = end.saturating_duration_since(Instant::now());
            // The last call of an application already has a deadline, so waiting for one returns at once.
            let stopping = self.shared.stop().is_some();
            if left <= pause || (stopping && pause > FIRST_PAUSE) {
                break;
            }
            if stopping {
                std::thread::sleep(pause);
            } else if self.shared.sleep(pause) {
                break;
            }
            self.shared.count(|health| health.retried += 1);
            pause *= 2;
        }
        self.shared.count(|health| health.unanswered += points);
    }

    fn works(&mut self) {
        if self.failing {
            log::info!("Atlas answers again");
        }
        self.failing = false;
    }

    fn refuse(&mut self, points: u64, why: String) {
        if !self.refusal_told {
            self.refusal_told = true;
            log::warn!("Atlas refuses {points} points; further refusals are only counted: {why}");
        }
        self.shared.count(|health| {
            health.refused += points;
            health.last_failure = Some(why);
        });
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
