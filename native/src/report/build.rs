//! From events to a view: the last revision of each id, in order.

use std::collections::{BTreeMap, HashMap};

use super::latest::Latest;
use super::model::{Application, LogLine, Outcome, Stage, StageLog, View};
use super::{failures, format, steps};
use crate::event::{Common, Event};

/// Lines that are kept for each stage, errors before warnings; without a stage the newest lines. The others are only
/// counted.
pub const LINES_PER_STAGE: usize = 50;

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
        view.last_ms = latest.last_ms;
        view.application = application(&mut latest);
        view.executions = latest.executions.take().collect();
        view.executions.sort_by_key(|execution| execution.id);
        view.jobs = latest.jobs.take().collect();
        view.jobs.sort_by_key(|job| job.id);
        (view.stages, view.skipped) = steps::stages(&mut latest);
        view.verdicts = steps::verdicts(&mut latest);
        view.gates = latest.gates.take().collect();
        view.gates.sort_by_key(|gate| gate.number);
        (view.steps, view.accumulators) = steps::figures(&mut latest, &view);
        let mut places: HashMap<String, usize> = HashMap::new();
        for (at, step) in view.steps.iter().enumerate() {
            places.entry(step.name.clone()).or_insert(at);
        }
        view.stages.iter_mut().for_each(|stage| in_order(stage, &places));
        view.failures = failures::groups(&mut latest);
        view.logs = logs(&mut latest);
        view.health = latest.healths.take().last();
        if let Some(health) = &mut view.health {
            health.log.lost.retain(|_, events| *events > 0);
        }
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

fn application(latest: &mut Latest) -> Application {
    latest.applications.take().last().unwrap_or_else(|| {
        // Any event names the application that it belongs to.
        let Common { app_id, app_attempt, .. } = latest.first.clone().unwrap_or_default();
        Application { id: app_id, attempt: app_attempt, ..Application::default() }
    })
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

fn logs(latest: &mut Latest) -> Vec<StageLog> {
    let mut by_stage: BTreeMap<Option<u64>, StageLog> = BTreeMap::new();
    for line in latest.log_lines.take() {
        let stage = line.stage;
        let log = by_stage.entry(stage).or_insert_with(|| StageLog { stage, ..StageLog::default() });
        let lines = line.left_out.unwrap_or(1);
        let (all, kept) = if line.is_error() {
            (&mut log.errors, &mut log.kept_errors)
        } else {
            (&mut log.warnings, &mut log.kept_warnings)
        };
        *all = all.saturating_add(lines);
        if line.left_out.is_some() {
            leave_out(&mut log.left_out, line.executor, lines);
        } else {
            *kept += 1;
            log.lines.push(line);
        }
    }
    let at = |line: &LogLine| line.at_ms.unwrap_or(0);
    for log in by_stage.values_mut() {
        let newest = log.stage.is_none();
        log.lines.sort_by_key(|line| (!line.is_error(), if newest { u64::MAX - at(line) } else { at(line) }));
        log.lines.truncate(LINES_PER_STAGE);
        log.lines.sort_by_key(at);
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
