//! Stages, jobs and executions: their relations, and the task ends that are missing.
//!
//! A stage belongs to the execution that its properties name, to the jobs that list it, and to the plan nodes with a
//! SQL metric that it changed. Memory: the newest [`MOST_STAGES`] stage attempts, [`MOST_JOBS`] jobs and
//! [`MOST_EXECUTIONS`] executions are kept.

mod execution;
mod lineage;
mod stage;
mod tree;
mod union;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::decode::{Reason, TaskEnd};
use super::foreign::Facts;
use super::json::{Object, Reads};
use super::revision::Shipped;
use crate::event::{read_object, JobBody, JobStatus};
use crate::words::cut;
pub(super) use execution::Execution;
use lineage::Lineage;
pub(super) use stage::Stage;
use stage::LONGEST;

const MOST_STAGES: usize = 5_000;
const MOST_JOBS: usize = 20_000;
const MOST_EXECUTIONS: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Job {
    pub(super) body: JobBody,
    pub(super) stages: Vec<u32>,
    pub(super) dirty: bool,
    ended: bool,
    pub(super) shipped: Shipped,
}

/// The state that all attempts of a stage share.
#[derive(Debug, Default)]
struct StageCommon {
    facts: Facts,
    latest: u32,
    /// Successes since the latest attempt was submitted.
    successes: i64,
    jobs: Vec<u64>,
    /// The number of these jobs that are running.
    open_jobs: u32,
}

/// The consequences of a stage attempt's end.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) stage: u32,
    pub(super) rdd: u64,
    /// Successful tasks whose ends have not arrived.
    pub(super) missing: u32,
    /// The attempt failed or was cancelled: tasks of it may still run, and their updates are not reported.
    pub(super) failed: bool,
    /// The stage ran again though its rows have another order each time.
    pub(super) rolled_back: bool,
}

/// The stages, jobs and executions of an application.
#[derive(Debug, Default)]
pub(super) struct Stages {
    pub(super) attempts: BTreeMap<(u32, u32), Stage>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) executions: BTreeMap<u64, Execution>,
    common: HashMap<u32, StageCommon>,
}

impl Stages {
    /// Notes that a stage attempt begins after `arrivals` task ends.
    pub(super) fn submitted(&mut self, json: &Object, arrivals: u64) {
        let (Some(id), Some(rdd)) = (json.number32("stage"), json.number("rdd")) else { return };
        let attempt = json.number32("attempt").unwrap_or(0);
        let stage = Stage::submitted(json, id);
        let is_first = !self.attempts.range((id, 0)..=(id, u32::MAX)).any(|(_, stage)| stage.has_run());
        let common = self.common.entry(id).or_default();
        let partitions = json.number32("partitions").unwrap_or(stage.tasks).max(stage.tasks);
        let execution = json.number("execution_id").or(common.facts.execution);
        let (lineage, before) = (Lineage::of(json), &common.facts);
        let caches = lineage.caches_and(before.caches.as_deref());
        let branches = || union::branches(json, caches.as_deref().unwrap_or_default());
        let branches = lineage.unites.then(branches).flatten();
        common.facts = Facts {
            rdd,
            partitions: partitions.max(before.partitions),
            partial: if is_first { stage.tasks < partitions } else { before.partial },
            repeats: lineage.repeats,
            unites: lineage.unites,
            unites_plans: lineage.unites_plans,
            branches,
            pruned: lineage.pruned,
            indeterminate: json.is("indeterminate"),
            execution,
            caches_tell: lineage.caches_tell && (is_first || before.caches.is_none() || before.caches_tell),
            caches,
            began: if is_first { arrivals } else { before.began },
            ..Facts::default()
        };
        (common.latest, common.successes) = (attempt, 0);
        for job in json.numbers("job_ids") {
            if !common.jobs.contains(&job) {
                common.jobs.push(job);
            }
        }
        self.attempts.insert((id, attempt), stage);
        if self.attempts.len() > MOST_STAGES {
            self.attempts.pop_first();
        }
        let oldest = self.attempts.first_key_value().map_or(0, |((id, _), _)| *id);
        if self.common.len() > 2 * MOST_STAGES {
            self.common.retain(|id, _| *id >= oldest);
        }
    }

    /// Notes that a stage attempt ends.
    pub(super) fn completed(&mut self, json: &Object) -> Option<Ended> {
        let id = json.number32("stage")?;
        let attempt = json.number32("attempt").unwrap_or(0);
        let stage = self.attempts.get_mut(&(id, attempt))?;
        stage.completed(json);
        let common = self.common.get(&id)?;
        let failed = stage.failed();
        let missing = if failed || attempt != common.latest {
            0
        } else {
            (i64::from(stage.tasks) - common.successes).clamp(0, i64::from(u32::MAX)) as u32
        };
        let rolled_back = common.facts.indeterminate && attempt > 0;
        Some(Ended { stage: id, rdd: common.facts.rdd, missing, failed, rolled_back })
    }

    /// Counts a task end. Gives the facts that its scope needs; `None` if the stage was never announced.
    pub(super) fn task_end(&mut self, event: &TaskEnd<'_>) -> Option<Facts> {
        let common = self.common.get_mut(&event.stage)?;
        match event.reason {
            Reason::Success => common.successes += 1,
            Reason::Resubmitted => common.successes -= 1,
            _ => {}
        }
        let mut running = false;
        if let Some(stage) = self.attempts.get_mut(&(event.stage, event.stage_attempt)) {
            stage.task_end(event);
            running = stage.running;
        }
        let execution = common.facts.execution.and_then(|id| self.executions.get(&id));
        // The plan of a `Dataset.rdd` is unknown.
        let unites =
            common.facts.unites && execution.map_or(common.facts.unites_plans, Execution::unites_one_plan);
        let facts = common.facts.clone();
        Some(Facts {
            limited: execution.is_some_and(Execution::is_limited),
            unites,
            branches: facts.branches.filter(|branches| unites || branches.share),
            gone: common.open_jobs == 0 && !common.jobs.is_empty(),
            running,
            ..facts
        })
    }

    pub(super) fn job_started(&mut self, json: &Object) {
        let Some(id) = json.number("job") else { return };
        let job = self.jobs.entry(id).or_default();
        let JobBody { stages, execution, submitted_ms, mut call_site, .. } = read_object(json);
        cut(&mut call_site, LONGEST);
        job.body = JobBody { id, stages, execution, submitted_ms, call_site, ..JobBody::default() };
        job.stages = json.numbers("stages").into_iter().filter_map(|id| u32::try_from(id).ok()).collect();
        job.dirty = true;
        for stage in job.stages.clone() {
            let common = self.common.entry(stage).or_default();
            if !common.jobs.contains(&id) {
                common.jobs.push(id);
                common.open_jobs += 1;
            }
        }
        if self.jobs.len() > MOST_JOBS {
            self.jobs.pop_first();
        }
    }

    /// Notes that a job ends. Its stages that never began were skipped.
    pub(super) fn job_ended(&mut self, json: &Object) {
        let Some(job) = json.number("job").and_then(|id| self.jobs.get_mut(&id)) else { return };
        let told: JobBody = read_object(json);
        job.body.ended_ms = told.ended_ms.or(job.body.ended_ms);
        job.body.status = match told.status {
            JobStatus::Running if json.contains_key("failure") => JobStatus::Failed,
            JobStatus::Running => JobStatus::Succeeded,
            status => status,
        };
        if !told.failure.is_empty() {
            job.body.failure = told.failure;
            cut(&mut job.body.failure, LONGEST);
        }
        job.dirty = true;
        let stages = job.stages.clone();
        for stage in stages.iter().filter(|_| !std::mem::replace(&mut job.ended, true)) {
            if let Some(common) = self.common.get_mut(stage) {
                common.open_jobs = common.open_jobs.saturating_sub(1);
            }
        }
        if job.body.status != JobStatus::Succeeded {
            return;
        }
        let oldest = self.attempts.first_key_value().map_or(0, |((id, _), _)| *id);
        let forgotten = |id: u32, len: usize| len >= MOST_STAGES && id < oldest;
        for id in stages {
            let ran = self.attempts.range((id, 0)..=(id, u32::MAX)).next().is_some();
            if !ran && !forgotten(id, self.attempts.len()) {
                self.attempts.insert((id, 0), Stage::skipped(id));
            }
        }
    }

    /// Notes that an execution begins, has another plan, or ends.
    pub(super) fn execution(&mut self, json: &Object) {
        let Some(id) = json.number("execution") else { return };
        self.executions.entry(id).or_default().learn(json);
        if self.executions.len() > MOST_EXECUTIONS {
            self.executions.pop_first();
        }
    }

    /// Whether a stage attempt is running. One that is newer than all announced attempts counts as running.
    pub(super) fn runs(&self, id: (u32, u32)) -> bool {
        match self.attempts.get(&id) {
            Some(stage) => stage.running,
            None => self.attempts.last_key_value().is_none_or(|(last, _)| id > *last),
        }
    }

    /// Whether the latest attempt of a stage has failed.
    pub(super) fn has_failed(&self, stage: u32) -> bool {
        let attempts = self.attempts.range((stage, 0)..=(stage, u32::MAX));
        attempts.last().is_some_and(|(_, stage)| stage.failed())
    }

    /// A stage's description of its terminal RDD.
    pub(super) fn facts(&self, stage: u32) -> Option<&Facts> {
        Some(&self.common.get(&stage)?.facts)
    }

    pub(super) fn jobs_of(&self, stage: u32) -> &[u64] {
        self.common.get(&stage).map(|common| common.jobs.as_slice()).unwrap_or_default()
    }

    pub(super) fn execution_of(&self, stage: u32) -> Option<u64> {
        self.common.get(&stage)?.facts.execution
    }

    pub(super) fn of_execution(&self, execution: u64) -> HashSet<u32> {
        let common = self.common.iter().filter(|(_, common)| common.facts.execution == Some(execution));
        common.map(|(id, _)| *id).collect()
    }

    /// The ids of the plan nodes that ran in a stage attempt.
    pub(super) fn nodes_of(&self, id: (u32, u32)) -> Vec<u64> {
        let execution = self.execution_of(id.0).and_then(|execution| self.executions.get(&execution));
        let (Some(stage), Some(execution)) = (self.attempts.get(&id), execution) else { return Vec::new() };
        execution.nodes_with(&stage.metrics)
    }
}
