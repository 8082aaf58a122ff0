//! From events to a view: the last revision of each id, in order.

use std::collections::{BTreeMap, HashMap};

use super::json::Body;
use super::model::{
    Application, Execution, Health, Job, LogLine, Outcome, SinkHealth, Stage, StageLog, View,
};
use super::{failures, format, steps};
use crate::event::{Event, Kind};

/// Lines that are kept for each stage, errors before warnings; without a stage the newest lines. The others are only
/// counted.
pub const LINES_PER_STAGE: usize = 50;

/// The last revision of each event by kind and id, in the order in which ids first appeared.
#[derive(Default)]
pub(super) struct Latest {
    places: HashMap<(Kind, String), usize>,
    found: Vec<(Kind, String, u64, Body)>,
    read: u64,
    unreadable: u64,
}

impl Latest {
    pub(super) fn add(&mut self, event: Event) {
        self.read += 1;
        let Some(body) = Body::parse(&event.body) else {
            self.unreadable += 1;
            return;
        };
        match self.places.entry((event.kind, event.id.clone())) {
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(self.found.len());
                self.found.push((event.kind, event.id, event.revision, body));
            }
            std::collections::hash_map::Entry::Occupied(place) => {
                let held = &mut self.found[*place.get()];
                if event.revision >= held.2 {
                    *held = (event.kind, event.id, event.revision, body);
                }
            }
        }
    }

    /// Ids and bodies of one kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &Body)> {
        self.found
            .iter()
            .filter(move |(found, ..)| *found == kind)
            .map(|(_, id, _, body)| (id.as_str(), body))
    }
}

impl View {
    /// The view of `events`, in the order in which they were logged. `notes` become notes of the view.
    pub fn build(events: impl IntoIterator<Item = Event>, notes: Vec<String>) -> View {
        let mut latest = Latest::default();
        events.into_iter().for_each(|event| latest.add(event));
        let mut view = View { events: latest.read, notes, ..View::default() };
        if latest.unreadable > 0 {
            let left_out = format::some(latest.unreadable, "event is", "events are");
            view.notes.push(format!("{left_out} not a JSON object, and not shown"));
        }
        view.last_ms = latest.found.iter().filter_map(|(.., body)| body.count("ts_ms")).max().unwrap_or(0);
        view.application = application(&latest);
        view.executions = executions(&latest);
        view.jobs = jobs(&latest);
        (view.stages, view.skipped) = steps::stages(&latest);
        view.verdicts = steps::verdicts(&latest);
        view.gates = steps::gates(&latest);
        (view.steps, view.accumulators) = steps::figures(&latest, &view);
        let mut places: HashMap<String, usize> = HashMap::new();
        for (at, step) in view.steps.iter().enumerate() {
            places.entry(step.name.clone()).or_insert(at);
        }
        view.stages.iter_mut().for_each(|stage| in_order(stage, &places));
        view.failures = failures::groups(&latest);
        view.logs = logs(&latest);
        view.health = health(&latest);
        view.outcome = outcome(&view);
        view
    }
}

/// Sorts the counters that a stage changed by the order of steps; others follow in their own order.
fn in_order(stage: &mut Stage, places: &HashMap<String, usize>) {
    let place = |name: &str| places.get(name).copied().unwrap_or(usize::MAX);
    stage.steps.sort_by_key(|name| place(name));
    // A step's counter has the names of both.
    stage.changed.sort_by_key(|name| name.rsplit_once('.').map_or(usize::MAX, |(step, _)| place(step)));
}

fn application(latest: &Latest) -> Application {
    let Some((_, body)) = latest.of(Kind::Application).last() else {
        // Any event names the application that it belongs to.
        let (id, attempt) = latest
            .found
            .first()
            .map(|(.., body)| (body.text("app_id"), body.text("app_attempt")))
            .unwrap_or_default();
        return Application { id, attempt, ..Application::default() };
    };
    Application {
        id: body.text("app_id"),
        attempt: body.text("app_attempt"),
        name: body.text("app_name"),
        run: body.text("run_id"),
        user: body.text("user"),
        spark: body.text("spark"),
        scala: body.text("scala"),
        master: body.text("master"),
        started_ms: body.count("started_ms"),
        ended_ms: body.count("ended_ms"),
        exit_code: body.whole("exit_code"),
        ended_at_gate: body.text("ended_at_gate"),
        predecessor: body.text("predecessor"),
        settings: body.object("settings").pairs(),
    }
}

fn outcome(view: &View) -> Outcome {
    let application = &view.application;
    if application.ended_ms.is_some() && !application.ended_at_gate.is_empty() {
        return Outcome::EndedAtGate;
    }
    if view.verdicts.iter().any(|verdict| !verdict.passed) {
        return Outcome::GateFailed;
    }
    match (application.exit_code, application.ended_ms) {
        (Some(code), _) if code != 0 => Outcome::Failed(code),
        (_, None) => Outcome::Open,
        _ if view.gates.iter().any(|gate| gate.trouble().is_some()) => Outcome::Ungated,
        _ if view.verdicts.is_empty() => Outcome::Ended,
        _ => Outcome::Passed,
    }
}

fn executions(latest: &Latest) -> Vec<Execution> {
    let mut found: Vec<Execution> = latest
        .of(Kind::Execution)
        .map(|(_, body)| Execution {
            id: body.count("execution").unwrap_or(0),
            description: body.text("description"),
            plan: body.text("plan"),
            nodes: body.objects("nodes").iter().map(|node| (node.text("id"), node.text("name"))).collect(),
            started_ms: body.count("started_ms"),
            ended_ms: body.count("ended_ms"),
            failure: body.text("failure"),
        })
        .collect();
    found.sort_by_key(|execution| execution.id);
    found
}

fn jobs(latest: &Latest) -> Vec<Job> {
    let mut found: Vec<Job> = latest
        .of(Kind::Job)
        .map(|(_, body)| Job {
            id: body.count("job").unwrap_or(0),
            status: body.text("status"),
            call_site: body.text("call_site"),
            stages: body.counts("stages"),
            execution: body.count("execution_id"),
            submitted_ms: body.count("submitted_ms"),
            ended_ms: body.count("ended_ms"),
        })
        .collect();
    found.sort_by_key(|job| job.id);
    found
}

fn logs(latest: &Latest) -> Vec<StageLog> {
    let mut by_stage: BTreeMap<Option<u64>, StageLog> = BTreeMap::new();
    for (_, body) in latest.of(Kind::LogLine) {
        let stage = body.count("stage");
        let log = by_stage.entry(stage).or_insert_with(|| StageLog { stage, ..StageLog::default() });
        let error = body.text("level") != "WARN";
        let left_out = body.count("left_out");
        let lines = left_out.unwrap_or(1);
        let (all, kept) = if error {
            (&mut log.errors, &mut log.kept_errors)
        } else {
            (&mut log.warnings, &mut log.kept_warnings)
        };
        *all = all.saturating_add(lines);
        if left_out.is_some() {
            leave_out(&mut log.left_out, body.text("executor"), lines);
            continue;
        }
        *kept += 1;
        log.lines.push(LogLine {
            at_ms: body.count("ts_ms").unwrap_or(0),
            executor: body.text("executor"),
            error,
            logger: body.text("logger"),
            message: body.text("message"),
            thread: body.text("thread"),
        });
    }
    for log in by_stage.values_mut() {
        let newest = log.stage.is_none();
        log.lines.sort_by_key(|line| (!line.error, if newest { u64::MAX - line.at_ms } else { line.at_ms }));
        log.lines.truncate(LINES_PER_STAGE);
        log.lines.sort_by_key(|line| line.at_ms);
        log.left_out.sort_by_key(|(_, lines)| u64::MAX - lines);
    }
    by_stage.into_values().collect()
}

fn leave_out(by_executor: &mut Vec<(String, u64)>, executor: String, lines: u64) {
    match by_executor.iter_mut().find(|(other, _)| *other == executor) {
        Some((_, all)) => *all = all.saturating_add(lines),
        None => by_executor.push((executor, lines)),
    }
}

fn health(latest: &Latest) -> Option<Health> {
    let (_, body) = latest.of(Kind::Health).last()?;
    let log = body.object("log");
    let losses = |body: &Body, key: &str| -> Vec<(String, u64)> {
        let causes = body.object(key);
        causes.keys().filter_map(|cause| Some((cause.clone(), causes.count(cause)?))).collect()
    };
    let all = body.object("sinks");
    let sinks = all.keys().map(|name| {
        let sink = all.object(name);
        SinkHealth {
            name: name.clone(),
            sent: sink.count("sent").unwrap_or(0),
            retried: sink.count("retried").unwrap_or(0),
            behind: sink.count("behind").unwrap_or(0),
            last_failure: sink.text("last_failure"),
            failed: losses(&sink, "failed"),
            dropped: losses(&sink, "dropped"),
        }
    });
    let (listener, callbacks) = (body.object("listener"), body.object("callbacks"));
    Some(Health {
        lost: losses(&log, "lost").into_iter().filter(|(_, n)| *n > 0).collect(),
        log: log.pairs().into_iter().filter(|(key, _)| key != "lost").collect(),
        sinks: sinks.collect(),
        listener: listener.keys().filter_map(|name| Some((name.clone(), listener.count(name)?))).collect(),
        callback_errors: callbacks.count("errors").unwrap_or(0),
        first_error: callbacks.text("first"),
    })
}
