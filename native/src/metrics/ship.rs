//! Changes as events.
//!
//! Each subject keeps the signature of its last shipped state and the number of its revisions: it is shipped again
//! only if the signature differs. Times are not part of a signature. The coverage of a figure is shipped once its
//! stages have ended, and before that only together with another change; `at_once` ships it immediately.

use super::amount::Amount;
use super::foreign::{column_reason, AccumulatorScope, NamedAccumulator, ScopeId};
use super::revision::{Revision, Shipped};
use super::stages::Stages;
use super::steps::{reasons, Site, SiteFigure, OWN};
use crate::event::id::{self, RowHash};
use crate::event::{
    Body, Common, Event, FailedRowBody, Kind, LogLineBody, MetricBody, NumberType, OtherInstance,
    SampleSummaryBody, Source, StageId,
};

/// An event without the fields that all events have.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    /// The part of the id after the application.
    pub(super) id: String,
    pub(super) revision: u64,
    /// The time of the event; `None` for the time at which it is shipped.
    at_ms: Option<u64>,
    pub(super) body: String,
}

impl Draft {
    /// A revision of a subject.
    pub(super) fn of<T: Body>(id: String, revision: u64, body: &T) -> Draft {
        Draft { kind: T::KIND, id, revision, at_ms: body.at_ms(), body: body.json() }
    }

    /// The next revision of a subject, if it differs from the last shipped one.
    pub(super) fn revised<T: Body>(id: String, body: &T, shipped: &mut Shipped) -> Option<Draft> {
        let text = body.json();
        let revision = shipped.revise(&text)?;
        Some(Draft { kind: T::KIND, id, revision, at_ms: body.at_ms(), body: text })
    }
}

/// The application of all events.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) application: String,
    pub(super) attempt: String,
}

impl Identity {
    /// The event of a draft.
    pub(super) fn event(&self, draft: Draft, now_ms: u64) -> Event {
        let Draft { kind, id, revision, at_ms, body } = draft;
        let id = id::of(&self.application, &self.attempt, &id);
        let ts_ms = at_ms.unwrap_or(now_ms);
        Event { kind, id, revision, body: Common::of(&self.application, &self.attempt, ts_ms).with(&body) }
    }
}

/// The Metric of one accumulator in one scope, if it differs from the last shipped one.
pub(super) fn column(
    id: ScopeId,
    scope: &mut AccumulatorScope,
    at: usize,
    (accumulator, doubtful): (&NamedAccumulator, bool),
    stages: &Stages,
    events_dropped: u64,
    at_once: bool,
) -> Option<Draft> {
    let reason = column_reason(scope, scope.columns.get(at)?, accumulator, doubtful, events_dropped);
    let (reported, total, execution) = (scope.reported, scope.total.max(scope.reported), scope.execution);
    let column = scope.columns.get_mut(at)?;
    let committed = column.committed();
    let stage_ids = column.stages.clone();
    let mut plan_nodes: Vec<u64> = Vec::new();
    for node in stage_ids.iter().flat_map(|id| stages.nodes_of(*id)) {
        if !plan_nodes.contains(&node) {
            plan_nodes.push(node);
        }
    }
    let mut body = MetricBody {
        source: Source::Accumulator,
        name: accumulator.name.to_string(),
        number_type: if matches!(committed, Amount::Double(_)) {
            NumberType::Double
        } else {
            NumberType::Long
        },
        scope: id.to_string(),
        attempted: column.attempted().and_then(Amount::number),
        committed: committed.number(),
        execution,
        plan_nodes,
        scopes: Some(accumulator.scopes.len() as u64),
        events_dropped,
        ..figure((reported.into(), total.into()), reason, &stage_ids, stages)
    };
    let at_rest = at_once || !stage_ids.iter().any(|id| stages.runs(*id));
    let revision = match column.shipped.revise_figure(&mut body, at_rest) {
        Revision::New(revision) => revision,
        Revision::Behind => {
            scope.dirty = true;
            return None;
        }
        Revision::Shipped => return None,
    };
    Some(Draft::of(id::accumulator(&accumulator.name, &body.scope), revision, &body))
}

/// The fields that figures of steps and accumulators share: the partitions `reported` and in all, why the figure is
/// not exact, the stages that changed it, and the job of the last of them.
fn figure((reported, total): (i64, i64), reason: String, ids: &[(u32, u32)], stages: &Stages) -> MetricBody {
    let id = |&(stage, attempt): &(u32, u32)| StageId { stage: stage.into(), attempt: attempt.into() };
    let count = |n: i64| Some(u64::try_from(n).unwrap_or(0));
    MetricBody {
        exact: reason.is_empty(),
        reason,
        stages: ids.iter().map(id).collect(),
        job: ids.last().and_then(|(stage, _)| stages.jobs_of(*stage).first().copied()),
        partitions_reported: count(reported),
        partitions_total: count(total),
        settled: reported >= total,
        ..MetricBody::default()
    }
}

/// The Metrics of a site that differ from what was shipped: `counters` by name, and how many additions to them were not counted.
pub(super) fn site(
    site: &mut Site,
    figure: &SiteFigure,
    stages: &Stages,
    at_once: bool,
    (counters, outside): (&[String], u64),
) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let at_rest = at_once || !reasons::is_running(figure, stages);
    let reason = reasons::of(figure, stages);
    site.is_behind = false;
    site.is_one_of_several |= reasons::in_query(figure, stages) > 1;
    site.shipped.resize(counters.len(), Shipped::default());
    let here: Vec<(u32, u32)> = figure.stages.iter().map(|(id, _)| *id).collect();
    let (execution, plan_nodes) = step_nodes(site, &here, stages);
    for (counter, name) in counters.iter().enumerate() {
        let uncounted = if counter < OWN.len() { String::new() } else { reasons::of_outside(outside) };
        let unshown = Amount::Long(figure.committed.of(counter)).unshown();
        let all = [reason.as_str(), &uncounted, unshown].into_iter().filter(|one| !one.is_empty());
        let why = all.collect::<Vec<&str>>().join("; ");
        let changed =
            |mask: &[u64]| mask.get(counter / 64).is_some_and(|word| word >> (counter % 64) & 1 == 1);
        let ids: Vec<(u32, u32)> =
            figure.stages.iter().filter(|(_, mask)| changed(mask)).map(|(id, _)| *id).collect();
        let number = |rows: i128| Amount::Long(rows).number();
        let others = figure.others.iter().map(|other| OtherInstance {
            instance: other.instance,
            value: number(other.committed.of(counter)),
            covered: u64::try_from(other.committed.covered).unwrap_or(0),
            total: other.total.into(),
        });
        let mut body = MetricBody {
            source: Source::Step,
            step: site.name.to_string(),
            site: site.label.clone(),
            name: name.clone(),
            scope: format!("step:{}", site.label),
            instance: Some(figure.instance),
            attempted: number(figure.attempted.of(counter)),
            committed: number(figure.committed.of(counter)),
            execution,
            plan_nodes: plan_nodes.clone(),
            others: others.collect(),
            ..self::figure((figure.committed.covered, figure.total.into()), why, &ids, stages)
        };
        let Some(shipped) = site.shipped.get_mut(counter) else { continue };
        match shipped.revise_figure(&mut body, at_rest) {
            Revision::New(revision) => {
                drafts.push(Draft::of(id::counter(&site.name, name, &site.label), revision, &body));
            }
            Revision::Behind => site.is_behind = true,
            Revision::Shipped => {}
        }
    }
    drafts
}

/// The execution, and the nodes of its plan that are this operator.
fn step_nodes(site: &Site, ids: &[(u32, u32)], stages: &Stages) -> (Option<u64>, Vec<u64>) {
    let execution = ids.iter().rev().find_map(|(stage, _)| stages.execution_of(*stage));
    let name = format!("AndironStep {}: {}", site.name, site.plain());
    let nodes = execution.and_then(|id| stages.executions.get(&id)).map(|e| e.nodes_named(&name));
    (execution, nodes.unwrap_or_default())
}

/// The Stage of an attempt, if it differs from the last shipped one. `changed`: names of steps, and of counters.
pub(super) fn stage(
    id: (u32, u32),
    stages: &mut Stages,
    (mut steps, mut changed): (Vec<String>, Vec<String>),
) -> Option<Draft> {
    let jobs = stages.jobs_of(id.0).to_vec();
    let stage = stages.attempts.get_mut(&id)?;
    steps.sort_unstable();
    steps.dedup();
    changed.sort_unstable();
    (stage.body.jobs, stage.body.steps, stage.body.changed) = (jobs, steps, changed);
    Draft::revised(id::stage(id.0.into(), id.1.into()), &stage.body, &mut stage.shipped)
}

/// The Jobs and Executions that differ from the last shipped ones.
pub(super) fn jobs_and_executions(stages: &mut Stages) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (id, job) in stages.jobs.iter_mut().filter(|(_, job)| job.dirty) {
        job.dirty = false;
        drafts.extend(Draft::revised(id::job(*id), &job.body, &mut job.shipped));
    }
    for (id, execution) in stages.executions.iter_mut().filter(|(_, execution)| execution.dirty) {
        execution.dirty = false;
        drafts.extend(Draft::revised(id::execution(*id), &execution.body, &mut execution.shipped));
    }
    drafts
}

/// The numbers of a step's failed rows and of its samples, and the greatest hash that is kept.
pub(super) fn samples_summary(summary: &SampleSummaryBody, shipped: &mut Shipped) -> Option<Draft> {
    Draft::revised(id::failures(&summary.step), summary, shipped)
}

/// A failed row.
pub(super) fn failure(step: &str, hash: u64, revision: u64, committed: bool, body: FailedRowBody) -> Draft {
    let body = FailedRowBody { step: step.to_string(), committed, ..body };
    Draft::of(id::failure(step, RowHash(hash)), revision, &body)
}

/// A line of a log; `number` counts those of its executor.
pub(super) fn log_line(body: &LogLineBody, number: u64) -> Draft {
    Draft::of(id::log_line(&body.executor, number), 1, body)
}
