//! Reliable metrics of one application: each row counts once, even if Spark computes it again.
//!
//! There are two kinds of counters. *Steps* are Andiron's own: tasks file cells, and the driver merges them
//! idempotently ([`steps`]), with samples of failed rows. Named *accumulators* of the user's program are counted
//! again from task ends ([`foreign`]). Each figure states whether it is exact, and if not, why. Changes are appended
//! to the ship log ([`ship`]).
//!
//! # Locks
//!
//! `listener` guards the state from task ends and stages, `steps` the filed cells, `shipping` the state of the
//! shipping thread. The shipping thread takes the first two for one figure at a time, so that threads of Spark wait
//! at most that long; nothing is written or logged under them. `pending` guards events that are complete on arrival,
//! `gates` the history of gates. Order: `shipping`, `steps`, `listener`; `pending` and `gates` are never held with
//! another lock.
//!
//! # Memory
//!
//! Accumulators: 16 bytes for each partition of a terminal RDD and 8 for each of its accumulators, at most 512 MiB;
//! of RDDs without accumulators the newest 16 MiB. Steps: about 150 bytes for each partition of an operator, at most
//! two million; 20,000 operators. Samples and stacks: 64 MiB. Stages, jobs and executions: the newest 5,000, 20,000
//! and 200. Beyond a bound figures are not exact and say so.

mod amount;
mod barrier;
mod decode;
mod events;
mod foreign;
mod gate;
mod gate_history;
mod json;
mod judge;
mod judged;
mod lines;
mod listener;
mod outgoing;
mod questions;
pub mod record;
mod revision;
mod series;
mod settings;
mod ship;
mod shipping;
mod stages;
mod steps;

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;
use serde_json::{json, Value};

pub use crate::shiplog::secret;
pub use amount::{Amount, ValueKind};
pub use decode::{Reason, StepCell, TaskEnd, TaskKind};
pub use gate::{Decision, Limits, Operator, Verdict};
pub use record::{Event, Kind, Record, Sequence};
pub use settings::MetricsSettings;
pub use steps::{Reached, Scope, StepFigures};

use crate::clock::unix_ms;
use crate::error::{Code, Error, Result};
use crate::event::{self, ApplicationBody, FailedRowBody};
use crate::samples::Samples;
use crate::shiplog::Options;
use crate::sinks::{self, Embedded, Sink};
use crate::sync::{lock, wait, Condvar, Mutex};
use barrier::Barrier;
use gate_history::Gates;
use json::object;
use listener::Listener;
use outgoing::{Pending, Shipping};
use record::Logged;
use ship::Identity;
use steps::StepBook;

/// The metrics of one application. Every function may be called from any thread; only functions with a timeout wait.
pub struct Application {
    identity: Identity,
    listener: Mutex<Listener>,
    steps: Mutex<StepBook>,
    barrier: Barrier,
    shipping: Mutex<Shipping>,
    pending: Mutex<Pending>,
    gates: Mutex<Gates>,
    log: Option<Arc<dyn Record>>,
    /// Whether the shipping thread has work or must end.
    wake: Mutex<Wake>,
    woken: Condvar,
}

#[derive(Default)]
struct Wake {
    now: bool,
    end: bool,
}

impl Application {
    /// Starts the metrics of an application. `facts` is the body of its Application event, without the fields that
    /// all events have. If the log cannot be opened, a warning is logged and the figures are kept only in memory.
    ///
    /// # Errors
    /// [`Code::BadArgument`] unless `facts` is a JSON object, [`Code::BadSetting`] for a sink that this build lacks.
    pub fn start(settings: &MetricsSettings, facts: &str) -> Result<Arc<Application>> {
        Application::start_shipping(settings, facts, sinks::of(&settings.sinks)?)
    }

    /// Starts them with these sinks in addition to the log.
    pub fn start_shipping(
        settings: &MetricsSettings,
        facts: &str,
        mut sinks: Vec<Box<dyn Sink>>,
    ) -> Result<Arc<Application>> {
        let facts = facts_of(facts)?;
        sinks.push(Box::new(Embedded));
        let log = settings.log_dir.as_ref().and_then(|root| open(root, settings, &facts, sinks));
        Ok(Application::with_record(settings, facts, log))
    }

    /// Starts them with another record than the ship log.
    pub fn start_with(
        settings: &MetricsSettings,
        facts: &str,
        log: Arc<dyn Record>,
    ) -> Result<Arc<Application>> {
        let facts = facts_of(facts)?;
        Ok(Application::with_record(settings, facts, Some(log)))
    }

    fn with_record(
        settings: &MetricsSettings,
        mut facts: ApplicationBody,
        log: Option<Arc<dyn Record>>,
    ) -> Arc<Application> {
        if let Some(predecessor) = log.as_ref().and_then(|log| log.predecessor()) {
            facts.predecessor = predecessor;
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

    /// Registers a step (`step`, `id`), its counters (`counters`), one of its operators (`site`, `site_id`) or a gate
    /// on it (`gate`), or notes that no further job of it will run (`id`, `closed`).
    pub fn step_declared(&self, json: &str) {
        let Some(declaration) = object(json) else { return self.unreadable() };
        lock(&self.gates).declare(&declaration);
        lock(&self.steps).declare(&declaration);
    }

    /// Merges a cell of a step. A malformed cell is counted and gives no error, since the caller is Spark's
    /// scheduler.
    pub fn step_cell(&self, cell: &[u8]) {
        match StepCell::decode(cell) {
            Ok(cell) => lock(&self.steps).merge(&cell),
            Err(error) => {
                lock(&self.steps).refuse();
                self.callback_failed(error.message());
            }
        }
    }

    /// The figures of all steps with a name together.
    pub fn step_figures(&self, step: &str) -> StepFigures {
        let (book, listener) = (lock(&self.steps), lock(&self.listener));
        book.figures(step, None, &listener.stages)
    }

    /// The figures of one step, without others that have its name.
    ///
    /// # Errors
    /// [`Code::BadArgument`] for a step that was never declared.
    pub fn figures_of(&self, step: u64) -> Result<StepFigures> {
        let book = lock(&self.steps);
        let name = book.name(step).ok_or_else(|| bad(&format!("no step has the number {step}")))?;
        Ok(book.figures(&name, Some(step), &lock(&self.listener).stages))
    }

    /// The samples of failed rows of one step, or of all steps, as a JSON list of Failure bodies. Each has its
    /// application and run too, and its stack as long as that is kept.
    pub fn failures_json(&self, step: Option<u64>) -> String {
        let run_id = lock(&self.shipping).facts().run.clone();
        let all = lock(&self.steps).failures(step);
        let rows: Vec<FailedRow<'_>> = all
            .iter()
            .map(|row| FailedRow {
                app_id: &self.identity.application,
                app_attempt: &self.identity.attempt,
                run_id: &run_id,
                ts_ms: row.at_ms,
                row,
            })
            .collect();
        json!(rows).to_string()
    }

    /// Judges a step and ships the verdict. Of early verdicts only failed ones are shipped.
    pub fn judge(&self, step: &str, limits: &Limits) -> Verdict {
        let verdict = self.look(step, limits);
        if !verdict.passed || limits.gate != "early" {
            lock(&self.gates).judged(&verdict);
            self.tell(&verdict);
        }
        verdict
    }

    /// Judges a step without shipping the verdict.
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

    fn tell(&self, verdict: &Verdict) {
        lock(&self.gates).decided(verdict, unix_ms());
        lock(&self.pending).verdict(verdict, self.log.is_some());
        self.ship_changes();
    }

    /// Ships all changes and waits until they survive a crash of the machine. Returns whether that was in time.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.ship_all();
        self.ship_health();
        let Some(log) = &self.log else { return false };
        log.sync(timeout).is_ok()
    }

    /// Notes that the application has ended; `json` adds to its Application event. Ships all changes and closes the
    /// log. Later events are counted, and not shipped.
    pub fn end(&self, json: &str, timeout: Duration) {
        let mut end: ApplicationBody = event::read_given(json).unwrap_or_default();
        end.ended_at_gate = lock(&self.gates).ended_at().unwrap_or_default().to_string();
        self.wake(|wake| wake.end = true);
        lock(&self.shipping).ended(end);
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

    /// Ships at least once in each interval, and soon after the end of a stage or job, on a thread of its own that
    /// ends with the application.
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
    facts: &ApplicationBody,
    sinks: Vec<Box<dyn Sink>>,
) -> Option<Arc<dyn Record>> {
    let run_id = if settings.run_id.is_empty() { &facts.run } else { &settings.run_id };
    let options = Options {
        attempt: settings.attempt.clone(),
        run_id: run_id.to_string(),
        ..Options::new(settings.segment_bytes, settings.retention, settings.most_bytes)
    };
    match Logged::open(root, &settings.application, options, sinks) {
        Ok(log) => Some(Arc::new(log)),
        Err(error) => {
            log::warn!("metrics of {} are kept in memory only: {error}", settings.application);
            None
        }
    }
}

/// A failed row in the form for the application's own code.
#[derive(Serialize)]
struct FailedRow<'a> {
    app_id: &'a str,
    app_attempt: &'a str,
    run_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts_ms: Option<u64>,
    #[serde(flatten)]
    row: &'a FailedRowBody,
}

fn facts_of(json: &str) -> Result<ApplicationBody> {
    event::read_given(json).ok_or_else(|| bad("the facts of an application are not a JSON object"))
}

fn bad(why: &str) -> Error {
    Error::new(Code::BadArgument, why)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
