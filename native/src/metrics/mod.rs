//! Reliable metrics of one application: each row once, though Spark computes it again.
//!
//! Two kinds of counters come together here. *Steps* are Andiron's own: cells that tasks file with an idempotent merge
//! ([`steps`]), with samples of the rows that failed. *Accumulators* of anybody else are counted again from the ends of tasks
//! ([`foreign`]). Each figure says whether it is exact, and if not, why. What has changed goes to the ship log ([`ship`]).
//!
//! # Locks
//!
//! `listener` guards what task ends and stages tell, `steps` what tasks file, `shipping` who ships. Whoever ships takes the
//! first two for one figure at a time, so that the threads of Spark wait for that long at most; nothing is written or logged
//! under them. `pending` guards events that are whole as they come, `gates` what was asked of gates. Order: `shipping`, `steps`, `listener`;
//! `pending` and `gates` alone.
//!
//! # Memory
//!
//! Accumulators: 16 bytes for each partition of a terminal RDD and 8 for each of its accumulators, at most 512 MiB; of RDDs
//! without accumulators the newest 16 MiB. Steps: about 150 bytes for each partition of an operator, at most two million; 20,000
//! operators. Samples and stacks: 64 MiB. Stages, jobs,
//! executions: the newest 5,000, 20,000 and 200. Past a bound figures are not exact and say so.

mod amount;
mod asked;
mod barrier;
mod decode;
mod events;
mod foreign;
mod gate;
mod json;
mod judge;
mod lines;
pub mod record;
mod series;
mod settings;
mod ship;
mod shipping;
mod stages;
mod steps;
mod told;

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use serde_json::{json, Value};

pub use crate::shiplog::secret;
pub use amount::{Amount, ValueKind};
pub use decode::{Reason, StepCell, TaskEnd, TaskKind};
pub use gate::{Decision, Limits, Operator, Verdict};
pub use record::{Event, Kind, Record, Sequence};
pub use settings::MetricsSettings;
pub use steps::{Reached, Scope, StepFigures};

use crate::error::{Code, Error, Result};
use crate::samples::Samples;
use crate::shiplog::Options;
use crate::sinks::{self, Embedded, Sink};
use crate::sync::{lock, wait, Condvar, Mutex};
use barrier::Barrier;
use events::Listener;
use json::{object, Object, Reads};
use record::Logged;
use ship::Identity;
use shipping::{Pending, Shipping};
use steps::StepBook;
use told::Gates;

/// The metrics of one application. All of it may be called from any thread; only what has a time-out waits.
pub struct Application {
    identity: Identity,
    listener: Mutex<Listener>,
    steps: Mutex<StepBook>,
    barrier: Barrier,
    shipping: Mutex<Shipping>,
    pending: Mutex<Pending>,
    gates: Mutex<Gates>,
    log: Option<Arc<dyn Record>>,
    /// Whether the shipping thread has something to do, or is to end.
    wake: Mutex<Wake>,
    woken: Condvar,
}

#[derive(Default)]
struct Wake {
    now: bool,
    end: bool,
}

impl Application {
    /// Begins the metrics of an application. `facts` is the body of its Application event, without what all events have. A log
    /// that cannot be opened is told in the process's log, and the figures are kept in memory only.
    ///
    /// # Errors
    /// [`Code::BadArgument`] for facts that are no JSON object, [`Code::BadSetting`] for a sink that this build lacks.
    pub fn start(settings: &MetricsSettings, facts: &str) -> Result<Arc<Application>> {
        Application::start_shipping(settings, facts, sinks::of(&settings.sinks)?)
    }

    /// The same with sinks beside the log itself.
    pub fn start_shipping(
        settings: &MetricsSettings,
        facts: &str,
        mut sinks: Vec<Box<dyn Sink>>,
    ) -> Result<Arc<Application>> {
        let facts = object(facts).ok_or_else(|| bad("the facts of an application are no JSON object"))?;
        sinks.push(Box::new(Embedded));
        let log = settings.log_dir.as_ref().and_then(|root| open(root, settings, &facts, sinks));
        Ok(Application::with_record(settings, facts, log))
    }

    /// The same with another record than the ship log.
    pub fn start_with(
        settings: &MetricsSettings,
        facts: &str,
        log: Arc<dyn Record>,
    ) -> Result<Arc<Application>> {
        let facts = object(facts).ok_or_else(|| bad("the facts of an application are no JSON object"))?;
        Ok(Application::with_record(settings, facts, Some(log)))
    }

    fn with_record(
        settings: &MetricsSettings,
        mut facts: Object,
        log: Option<Arc<dyn Record>>,
    ) -> Arc<Application> {
        if let Some(predecessor) = log.as_ref().and_then(|log| log.predecessor()) {
            facts.insert("predecessor".to_string(), json!(predecessor));
        }
        let samples = Samples::new(settings.samples, settings.record_bytes);
        let application = Arc::new(Application {
            identity: Identity {
                application: settings.application.clone(),
                attempt: settings.attempt.clone(),
            },
            listener: Mutex::new(Listener::new()),
            steps: Mutex::new(StepBook::new(samples, steps::MOST_CELLS, steps::MOST_SITES)),
            barrier: Barrier::default(),
            shipping: Mutex::new(Shipping::new(facts)),
            pending: Mutex::new(Pending::default()),
            gates: Mutex::new(Gates::default()),
            log,
            wake: Mutex::new(Wake::default()),
            woken: Condvar::new(),
        });
        application.ship_changes();
        if let Some(every) = settings.ship_every.filter(|_| application.log.is_some()) {
            application.ship_regularly(every);
        }
        application
    }

    /// Names a step (`step`, `id`), its counters (`counters`), one of its operators (`site`, `site_id`) or a gate on it (`gate`), or says that no job
    /// of it will run any more (`id`, `closed`).
    pub fn step_declared(&self, json: &str) {
        let Some(declaration) = object(json) else { return self.unreadable() };
        lock(&self.gates).declare(&declaration);
        lock(&self.steps).declare(&declaration);
    }

    /// Merges a cell of a step. One that cannot be read is counted; nothing is thrown, since the scheduler calls this.
    pub fn step_cell(&self, cell: &[u8]) {
        match StepCell::decode(cell) {
            Ok(cell) => lock(&self.steps).merge(&cell),
            Err(error) => {
                lock(&self.steps).refuse();
                self.callback_failed(error.message());
            }
        }
    }

    /// What all steps of a name have counted.
    pub fn step_figures(&self, step: &str) -> StepFigures {
        let (book, listener) = (lock(&self.steps), lock(&self.listener));
        book.figures(step, None, &listener.stages)
    }

    /// What one step has counted, whatever others with its name have.
    ///
    /// # Errors
    /// [`Code::BadArgument`] for a step that was never declared.
    pub fn figures_of(&self, step: u64) -> Result<StepFigures> {
        let book = lock(&self.steps);
        let name = book.name(step).ok_or_else(|| bad(&format!("no step has the number {step}")))?;
        Ok(book.figures(&name, Some(step), &lock(&self.listener).stages))
    }

    /// The samples of failed rows that a step of this number has, or all steps, as a JSON list of Failure bodies. Each has its
    /// application and run too, and its stack as long as that is kept.
    pub fn failures_json(&self, step: Option<u64>) -> String {
        let run_id = lock(&self.shipping).facts().text("run_id").to_string();
        let mut all = lock(&self.steps).failures(step);
        for body in &mut all {
            body.insert("app_id".to_string(), json!(self.identity.application));
            body.insert("app_attempt".to_string(), json!(self.identity.attempt));
            body.insert("run_id".to_string(), json!(run_id));
        }
        json!(all).to_string()
    }

    /// Judges a step, and ships the verdict. Of early verdicts only those that fail are shipped.
    pub fn judge(&self, step: &str, limits: &Limits) -> Verdict {
        let verdict = self.look(step, limits);
        if !verdict.passed || limits.gate != "early" {
            lock(&self.gates).judged(&verdict);
            self.tell(&verdict);
        }
        verdict
    }

    /// Judges a step, and tells nobody.
    fn look(&self, step: &str, limits: &Limits) -> Verdict {
        let mut book = lock(&self.steps);
        let pictures = book.pictures(step, limits);
        let matter = judge::Matter {
            step,
            pictures: &pictures,
            is_refused: book.is_refused(step, limits.part()),
            counters: limits.max_counters.iter().map(|(name, _)| book.place_of(step, name)).collect(),
        };
        let verdict = judge::judge(&matter, limits, |shown| book.causes(step, shown, gate::MOST_CAUSES));
        if let Some(instance) = verdict.instance {
            book.warn(instance);
        }
        verdict
    }

    /// Ships a verdict.
    fn tell(&self, verdict: &Verdict) {
        lock(&self.gates).decided(verdict, now_ms());
        lock(&self.pending).verdict(verdict, self.log.is_some());
        self.ship_changes();
    }

    /// Ships what has changed and waits until it survives a crash of the machine; whether that was in time.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.ship_all();
        self.ship_health();
        let Some(log) = &self.log else { return false };
        log.sync(timeout).is_ok()
    }

    /// The application has ended; `json` adds to its Application event. Ships what has changed, and closes the log. What still
    /// arrives is counted, and no longer shipped.
    pub fn end(&self, json: &str, timeout: Duration) {
        let mut ended = object(json).unwrap_or_default();
        if let Some(step) = lock(&self.gates).ended_at() {
            ended.insert("ended_at_gate".to_string(), json!(step));
        }
        self.wake(|wake| wake.end = true);
        lock(&self.shipping).ended(ended);
        self.ship_all();
        self.ship_health();
        if let Some(log) = &self.log {
            if let Err(error) = log.close(timeout) {
                log::warn!("metrics of {}: {error}", self.identity.application);
            }
        }
    }

    /// All figures, as JSON.
    pub fn figures_json(&self) -> String {
        let steps: Vec<Value> = {
            let (book, listener) = (lock(&self.steps), lock(&self.listener));
            book.names().iter().map(|name| book.figures(name, None, &listener.stages).json()).collect()
        };
        let scopes = lock(&self.listener).foreign.ids();
        let figures_of = |id| {
            let listener = lock(&self.listener);
            listener.foreign.json(id, listener.dropped)
        };
        let accumulators: Vec<Value> = scopes.into_iter().flat_map(figures_of).collect();
        let listener = lock(&self.listener);
        let figures = json!({
            "steps": steps,
            "accumulators": accumulators,
            "listener": {
                "events": listener.events,
                "dropped": listener.dropped,
                "late": listener.late,
                "unnamed": listener.foreign.unnamed(),
                "bytes": listener.foreign.bytes(),
            },
        });
        figures.to_string()
    }

    fn wake(&self, change: impl FnOnce(&mut Wake)) {
        change(&mut lock(&self.wake));
        self.woken.notify_all();
    }

    /// Ships at least every so often, and soon after stages and jobs have ended, on a thread of its own that ends with the
    /// application.
    fn ship_regularly(self: &Arc<Application>, every: Duration) {
        let application = Arc::downgrade(self);
        let run =
            move || while let Some(()) = Weak::upgrade(&application).and_then(|a| a.ship_next(every)) {};
        let spawned = std::thread::Builder::new().name("andiron-metrics".to_string()).spawn(run);
        if let Err(error) = spawned {
            log::warn!(
                "metrics are shipped only at the end: {}",
                Error::io("start the thread andiron-metrics", &error)
            );
        }
    }

    fn ship_next(&self, every: Duration) -> Option<()> {
        {
            let mut wake = lock(&self.wake);
            if !wake.now && !wake.end {
                wake = wait(&self.woken, wake, every);
            }
            wake.now = false;
            if wake.end {
                return None;
            }
        }
        self.ship_changes();
        self.ship_trouble();
        Some(())
    }
}

fn open(
    root: &Path,
    settings: &MetricsSettings,
    facts: &Object,
    sinks: Vec<Box<dyn Sink>>,
) -> Option<Arc<dyn Record>> {
    let run_id = if settings.run_id.is_empty() { facts.text("run_id") } else { &settings.run_id };
    let options = Options {
        attempt: settings.attempt.clone(),
        run_id: run_id.to_string(),
        segment_bytes: settings.segment_bytes,
        retention: settings.retention,
        most_bytes: settings.most_bytes,
        ..Options::default()
    };
    match Logged::open(root, &settings.application, options, sinks) {
        Ok(log) => Some(Arc::new(log)),
        Err(error) => {
            log::warn!("metrics of {} are kept in memory only: {error}", settings.application);
            None
        }
    }
}

fn bad(why: &str) -> Error {
    Error::new(Code::BadArgument, why)
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
