//! What has changed, as events.
//!
//! A thing keeps the signature of what was last shipped of it and how often that was: it is shipped again only if its
//! signature differs. A time is no part of a signature. How far a figure's partitions have come is shipped when its stages
//! have ended, and before that with what differs besides; `at_once` ships it now.

use serde_json::{json, Value};
use twox_hash::XxHash3_64;

use super::amount::{long, Amount};
use super::foreign::{Accumulator, Column, Places, Scope, ScopeId};
use super::json::{Object, Reads};
use super::record::{Event, Kind};
use super::stages::Stages;
use super::steps::{reasons, Site, SiteFigure, Summary, OWN};
use crate::event::id;
use crate::words::some;

/// What was last shipped of a thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shipped {
    revision: u64,
    signature: u64,
    coverage: u64,
}

/// What a figure is to be shipped with.
enum Revision {
    /// It was shipped as it is.
    Shipped,
    /// It was, but for how far its partitions have come.
    Behind,
    /// It differs.
    New(u64),
}

impl Shipped {
    /// The revision to ship it with, unless it was shipped with this signature.
    pub(super) fn revise(&mut self, signature: &str) -> Option<u64> {
        let signature = XxHash3_64::oneshot(signature.as_bytes());
        if self.revision > 0 && self.signature == signature {
            return None;
        }
        *self = Shipped { revision: self.revision + 1, signature, coverage: 0 };
        Some(self.revision)
    }

    /// A figure's revision. How far its partitions have come, and what is said of that, makes one only if they have come to
    /// rest.
    fn revise_figure(&mut self, body: &Object, at_rest: bool) -> Revision {
        let (values, coverage) = parts(body);
        let hash = |object: Object| XxHash3_64::oneshot(Value::Object(object).to_string().as_bytes());
        let (signature, coverage) = (hash(values), hash(coverage));
        if self.revision > 0 && self.signature == signature {
            if self.coverage == coverage {
                return Revision::Shipped;
            }
            if !at_rest {
                return Revision::Behind;
            }
        }
        *self = Shipped { revision: self.revision + 1, signature, coverage };
        Revision::New(self.revision)
    }
}

/// An event but for what all events of the application have.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    /// What follows the application in the id.
    pub(super) id: String,
    pub(super) revision: u64,
    pub(super) body: Object,
}

/// What all events of an application have.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) application: String,
    pub(super) attempt: String,
}

impl Identity {
    /// The event of a draft.
    pub(super) fn event(&self, draft: Draft, now_ms: u64) -> Event {
        let Draft { kind, id, revision, mut body } = draft;
        body.insert("v".to_string(), json!(1));
        body.insert("app_id".to_string(), json!(self.application));
        body.insert("app_attempt".to_string(), json!(self.attempt));
        body.entry("ts_ms").or_insert_with(|| json!(now_ms));
        let id = id::of(&self.application, &self.attempt, &id);
        Event { kind, id, revision, body: Value::Object(body).to_string() }
    }
}

/// The Metric of one accumulator in one scope, if it differs from what was shipped.
pub(super) fn column(
    id: ScopeId,
    scope: &mut Scope,
    at: usize,
    (accumulator, doubtful): (&Accumulator, bool),
    stages: &Stages,
    events_dropped: u64,
    at_once: bool,
) -> Option<Draft> {
    let reason = column_reason(scope, scope.columns.get(at)?, accumulator, doubtful, events_dropped);
    let (reported, total, execution) = (scope.reported, scope.total.max(scope.reported), scope.execution);
    let column = scope.columns.get_mut(at)?;
    let committed = column.committed();
    let mut body = Object::new();
    put(&mut body, "source", Some(json!("accumulator")));
    put(&mut body, "acc", Some(json!(*accumulator.name)));
    put(
        &mut body,
        "type",
        Some(json!(if matches!(committed, Amount::Double(_)) { "double" } else { "long" })),
    );
    put(&mut body, "scope", Some(json!(id.to_string())));
    put(&mut body, "attempted", column.attempted().and_then(Amount::json));
    put(&mut body, "committed", committed.json());
    put(&mut body, "execution_id", execution.map(|id| json!(id)));
    exactness(&mut body, &reason);
    let stage_ids = column.stages.clone();
    place(&mut body, &stage_ids, stages);
    let mut nodes: Vec<Value> = Vec::new();
    for node in stage_ids.iter().flat_map(|id| stages.nodes_of(*id)) {
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    put(&mut body, "plan_nodes", Some(Value::from(nodes)));
    coverage(&mut body, i64::from(reported), i64::from(total));
    put(&mut body, "scopes", Some(json!(accumulator.scopes.len())));
    put(&mut body, "events_dropped", Some(json!(events_dropped)));
    let at_rest = at_once || !stage_ids.iter().any(|id| stages.runs(*id));
    let revision = match column.shipped.revise_figure(&body, at_rest) {
        Revision::New(revision) => revision,
        Revision::Behind => {
            scope.dirty = true;
            return None;
        }
        Revision::Shipped => return None,
    };
    Some(Draft {
        kind: Kind::Metric,
        id: id::accumulator(&accumulator.name, &id.to_string()),
        revision,
        body,
    })
}

/// Why an accumulator's figure is not exact, or nothing. `doubtful`: blocks may have answered that an attempt has filled whose
/// updates never arrived.
pub(super) fn column_reason(
    scope: &Scope,
    column: &Column,
    accumulator: &Accumulator,
    doubtful: bool,
    events_dropped: u64,
) -> String {
    let mut reasons: Vec<String> = Vec::new();
    let mut say = |holds: bool, text: &dyn Fn() -> String| {
        if holds {
            reasons.push(text());
        }
    };
    let places = accumulator.places();
    say(events_dropped > 0, &|| "Spark dropped events of the listener's queue".to_string());
    if !accumulator.kind.is_sum() {
        say(true, &|| "it is no sum that Andiron knows, and shown as Spark has merged it".to_string());
        return reasons.join("; ");
    }
    let unshown = column.committed().unshown();
    say(!unshown.is_empty(), &|| unshown.to_string());
    let missing: u64 = scope.missing.values().map(|n| u64::from(*n)).sum();
    say(missing > 0, &|| format!("{} never arrived", some(missing, "end of a task", "ends of tasks")));
    say(accumulator.collected, &|| {
        "the program let go of the accumulator, and Spark drops its updates".to_string()
    });
    say(scope.refused || accumulator.refused, &|| "more partitions than the driver keeps".to_string());
    // Of several scopes each has a part of what was updated.
    let outside =
        column.outside().filter(|_| places == Places::One && events_dropped == 0 && !accumulator.refused);
    say(outside.is_some(), &|| outside.map(outside_reason).unwrap_or_default());
    say(doubtful, &|| {
        "cached rows may be those of an attempt that failed, was killed or was lost: its updates never arrived"
            .to_string()
    });
    say(column.mixed, &|| "a cache may have answered a part of a later attempt".to_string());
    say(column.overtaken, &|| "attempts of one stage that overlapped have counted differently".to_string());
    say(scope.rolled_back, &|| {
        "a stage whose rows come in another order each time was rolled back".to_string()
    });
    say(scope.limited, &|| "a part was read: its plan has a limit".to_string());
    say(scope.pruned, &|| "a part was read: partitions were pruned".to_string());
    say(scope.repeats, &|| {
        "a stage computes the same rows several times (cartesian product, union with itself)".to_string()
    });
    say(scope.unites, &|| "a union has several branches of one plan, and each is counted".to_string());
    say(column.differs, &|| {
        "a later job computed it again with another result (a cache, or other rows)".to_string()
    });
    say(places == Places::Several, &|| {
        "it is counted at several terminal RDDs, whose rows may be the same".to_string()
    });
    say(places == Places::Whole, &|| {
        "it is counted for a union as a whole, and for its branches".to_string()
    });
    let (reported, total) = (scope.reported, scope.total);
    say(reported < total && scope.running, &|| {
        format!("{reported} of {} reported so far", some(total, "partition has", "partitions have"))
    });
    say(reported < total && !scope.running, &|| {
        format!("a part was read: {reported} of {}", some(total, "partition", "partitions"))
    });
    reasons.join("; ")
}

fn outside_reason(outside: Amount) -> String {
    let (amount, verb) = match outside {
        Amount::Long(n) if n < 0 => ((-n).to_string(), "taken off"),
        Amount::Long(n) => (n.to_string(), "added"),
        Amount::Double(x) if x < 0.0 => ((-x).to_string(), "taken off"),
        Amount::Double(x) => (x.to_string(), "added"),
    };
    format!("{amount} were {verb} on the driver, outside tasks")
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
    for (counter, acc) in counters.iter().enumerate() {
        let mut body = Object::new();
        put(&mut body, "source", Some(json!("step")));
        put(&mut body, "step", Some(json!(*site.name)));
        put(&mut body, "site", Some(json!(site.label)));
        put(&mut body, "acc", Some(json!(acc)));
        put(&mut body, "type", Some(json!("long")));
        put(&mut body, "scope", Some(json!(format!("step:{}", site.label))));
        put(&mut body, "instance", Some(json!(figure.instance)));
        put(&mut body, "attempted", Some(long(figure.attempted.of(counter))));
        put(&mut body, "committed", Some(long(figure.committed.of(counter))));
        let uncounted = if counter < OWN.len() { String::new() } else { reasons::of_outside(outside) };
        let unshown = Amount::Long(figure.committed.of(counter)).unshown();
        let all = [reason.as_str(), &uncounted, unshown].into_iter().filter(|one| !one.is_empty());
        exactness(&mut body, &all.collect::<Vec<&str>>().join("; "));
        let changed =
            |mask: &[u64]| mask.get(counter / 64).is_some_and(|word| word >> (counter % 64) & 1 == 1);
        let ids: Vec<(u32, u32)> =
            figure.stages.iter().filter(|(_, mask)| changed(mask)).map(|(id, _)| *id).collect();
        place(&mut body, &ids, stages);
        let here: Vec<(u32, u32)> = figure.stages.iter().map(|(id, _)| *id).collect();
        step_nodes(&mut body, site, &here, stages);
        let others = figure.others.iter().map(|other| {
            json!({
                "instance": other.instance,
                "value": long(other.committed.of(counter)),
                "covered": other.committed.covered.max(0),
                "total": other.total,
            })
        });
        put(&mut body, "other_instances", Some(others.collect()));
        coverage(&mut body, figure.committed.covered, i64::from(figure.total));
        put(&mut body, "events_dropped", Some(json!(0)));
        let Some(shipped) = site.shipped.get_mut(counter) else { continue };
        let revision = match shipped.revise_figure(&body, at_rest) {
            Revision::New(revision) => revision,
            Revision::Behind => {
                site.is_behind = true;
                continue;
            }
            Revision::Shipped => continue,
        };
        let id = id::counter(&site.name, acc, &site.label);
        drafts.push(Draft { kind: Kind::Metric, id, revision, body });
    }
    drafts
}

/// The execution, and the nodes of its plan that are this operator.
fn step_nodes(body: &mut Object, site: &Site, ids: &[(u32, u32)], stages: &Stages) {
    let execution = ids.iter().rev().find_map(|(stage, _)| stages.execution_of(*stage));
    put(body, "execution_id", execution.map(|id| json!(id)));
    let name = format!("AndironStep {}: {}", site.name, site.plain());
    let nodes = execution.and_then(|id| stages.executions.get(&id)).map(|e| e.nodes_named(&name));
    put(body, "plan_nodes", Some(Value::from(nodes.unwrap_or_default())));
}

/// The stages that changed it, and the job of the last.
fn place(body: &mut Object, ids: &[(u32, u32)], stages: &Stages) {
    let list = ids.iter().map(|(stage, attempt)| json!({"stage": stage, "attempt": attempt}));
    put(body, "stages", Some(list.collect()));
    let job = ids.last().and_then(|(stage, _)| stages.jobs_of(*stage).first());
    put(body, "job_id", job.map(|job| json!(job)));
}

fn exactness(body: &mut Object, reason: &str) {
    put(body, "exact", Some(json!(reason.is_empty())));
    put(body, "reason", Some(json!(reason)).filter(|_| !reason.is_empty()));
}

fn coverage(body: &mut Object, reported: i64, total: i64) {
    put(body, "partitions_reported", Some(json!(reported.max(0))));
    put(body, "partitions_total", Some(json!(total)));
    put(body, "final", Some(json!(reported >= total)));
}

/// A figure's values, and how far its partitions have come.
fn parts(body: &Object) -> (Object, Object) {
    let (mut values, mut coverage) = (body.clone(), Object::new());
    // They come with what differs besides.
    ["scopes", "events_dropped"].iter().for_each(|name| drop(values.remove(*name)));
    for name in ["reason", "partitions_reported", "partitions_total"] {
        if let Some(value) = values.remove(name) {
            coverage.insert(name.to_string(), value);
        }
    }
    let others = values.get_mut("other_instances").and_then(Value::as_array_mut).into_iter().flatten();
    let covered: Vec<Value> = others.filter_map(|other| other.as_object_mut()?.remove("covered")).collect();
    put(&mut coverage, "covered", Some(Value::from(covered)));
    (values, coverage)
}

/// The Stage of an attempt, if it differs from what was shipped. `changed`: names of steps, and of counters.
pub(super) fn stage(
    id: (u32, u32),
    stages: &mut Stages,
    (mut steps, mut changed): (Vec<String>, Vec<String>),
) -> Option<Draft> {
    let jobs = stages.jobs_of(id.0).to_vec();
    let stage = stages.attempts.get_mut(&id)?;
    let mut body = stage.event();
    steps.sort_unstable();
    steps.dedup();
    changed.sort_unstable();
    put(&mut body, "job_ids", Some(json!(jobs)));
    put(&mut body, "steps", Some(json!(steps)));
    put(&mut body, "changed", Some(json!(changed)));
    let revision = stage.shipped.revise(&Value::Object(body.clone()).to_string())?;
    Some(Draft { kind: Kind::Stage, id: id::stage(id.0.into(), id.1.into()), revision, body })
}

/// The Jobs and Executions that differ from what was shipped.
pub(super) fn jobs_and_executions(stages: &mut Stages) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (id, job) in stages.jobs.iter_mut().filter(|(_, job)| job.dirty) {
        job.dirty = false;
        if let Some(revision) = job.shipped.revise(&Value::Object(job.body.clone()).to_string()) {
            drafts.push(Draft { kind: Kind::Job, id: id::job(*id), revision, body: job.body.clone() });
        }
    }
    for (id, execution) in stages.executions.iter_mut().filter(|(_, execution)| execution.dirty) {
        execution.dirty = false;
        let body = execution.event();
        if let Some(revision) = execution.shipped.revise(&Value::Object(body.clone()).to_string()) {
            drafts.push(Draft { kind: Kind::Execution, id: id::execution(*id), revision, body });
        }
    }
    drafts
}

/// How many failed rows of a step were seen and kept, and up to which hash.
pub(super) fn samples_summary(step: &str, summary: &Summary, shipped: &mut Shipped) -> Option<Draft> {
    let mut body = Object::new();
    put(&mut body, "step", Some(json!(step)));
    put(&mut body, "seen", Some(long(summary.seen)));
    put(&mut body, "kept", Some(json!(summary.kept)));
    put(&mut body, "complete", Some(json!(summary.complete)));
    let cut_by: Vec<&str> = summary.cut_by.iter().map(|bound| bound.name()).collect();
    put(&mut body, "cut_by", Some(json!(cut_by)).filter(|_| !cut_by.is_empty()));
    put(&mut body, "ceiling", summary.ceiling.map(|hash| json!(id::hash(hash))));
    let revision = shipped.revise(&Value::Object(body.clone()).to_string())?;
    Some(Draft { kind: Kind::Failure, id: id::failures(step), revision, body })
}

/// A failed row.
pub(super) fn failure(step: &str, hash: u64, revision: u64, committed: bool, mut body: Object) -> Draft {
    put(&mut body, "step", Some(json!(step)));
    put(&mut body, "committed", Some(json!(committed)));
    Draft { kind: Kind::Failure, id: id::failure(step, hash), revision, body }
}

/// A line of a log; `number` counts those of its executor.
pub(super) fn log_line(mut body: Object, number: u64) -> Draft {
    let executor = body.text("executor").to_string();
    body.retain(|_, value| !value.is_null());
    Draft { kind: Kind::LogLine, id: id::log_line(&executor, number), revision: 1, body }
}

fn put(body: &mut Object, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        body.insert(name.to_string(), value);
    }
}
