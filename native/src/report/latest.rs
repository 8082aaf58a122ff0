//! The last revision of each event, by kind.

use std::collections::hash_map::Entry;
use std::collections::HashMap;

use crate::event::{
    read, ApplicationBody, Body, Common, Event, ExecutionBody, FailedRowBody, FailureBody, GateBody,
    HealthBody, JobBody, Kind, LogLineBody, MetricBody, SampleSummaryBody, StageBody, VerdictBody,
};

/// The last revision of each body of one kind, in the order in which ids first appeared.
#[derive(Debug)]
pub(super) struct Bodies<T> {
    places: HashMap<String, usize>,
    found: Vec<(String, u64, T)>,
}

impl<T> Default for Bodies<T> {
    fn default() -> Bodies<T> {
        Bodies { places: HashMap::new(), found: Vec::new() }
    }
}

impl<T> Bodies<T> {
    pub(super) fn add(&mut self, id: String, revision: u64, body: T) {
        match self.places.entry(id) {
            Entry::Vacant(place) => {
                self.found.push((place.key().clone(), revision, body));
                place.insert(self.found.len() - 1);
            }
            Entry::Occupied(place) => {
                let (_, known, held) = &mut self.found[*place.get()];
                if revision >= *known {
                    (*known, *held) = (revision, body);
                }
            }
        }
    }

    /// The body with this id.
    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.found.get(*self.places.get(id)?).map(|(_, _, body)| body)
    }

    /// Ids and bodies.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.found.iter().map(|(id, _, body)| (id.as_str(), body))
    }

    /// Ids and bodies.
    pub(super) fn take_with_ids(&mut self) -> impl Iterator<Item = (String, T)> {
        self.places.clear();
        std::mem::take(&mut self.found).into_iter().map(|(id, _, body)| (id, body))
    }

    /// The bodies.
    pub(super) fn take(&mut self) -> impl Iterator<Item = T> {
        self.take_with_ids().map(|(_, body)| body)
    }
}

impl<T: Body> Bodies<T> {
    fn read(&mut self, id: String, revision: u64, text: &str) {
        if let Some(body) = read(text) {
            self.add(id, revision, body);
        }
    }
}

/// The last revision of each event.
#[derive(Default)]
pub(super) struct Latest {
    pub(super) applications: Bodies<ApplicationBody>,
    pub(super) metrics: Bodies<MetricBody>,
    pub(super) rows: Bodies<FailedRowBody>,
    pub(super) summaries: Bodies<SampleSummaryBody>,
    pub(super) stages: Bodies<StageBody>,
    pub(super) jobs: Bodies<JobBody>,
    pub(super) executions: Bodies<ExecutionBody>,
    pub(super) verdicts: Bodies<VerdictBody>,
    pub(super) log_lines: Bodies<LogLineBody>,
    pub(super) healths: Bodies<HealthBody>,
    pub(super) gates: Bodies<GateBody>,
    /// The fields that all events have, of the first event.
    pub(super) first: Option<Common>,
    pub(super) last_ms: u64,
    pub(super) read: u64,
    pub(super) unreadable: u64,
}

impl Latest {
    pub(super) fn add(&mut self, event: Event) {
        let Event { kind, id, revision, body } = event;
        self.read += 1;
        let Some(common) = read::<Common>(&body) else {
            self.unreadable += 1;
            return;
        };
        self.last_ms = self.last_ms.max(common.ts_ms);
        self.first.get_or_insert(common);
        match kind {
            Kind::Application => self.applications.read(id, revision, &body),
            Kind::Metric => self.metrics.read(id, revision, &body),
            Kind::Failure => {
                if let Some(body) = FailureBody::read(&body) {
                    self.add_failure(id, revision, body);
                }
            }
            Kind::Stage => self.stages.read(id, revision, &body),
            Kind::Job => self.jobs.read(id, revision, &body),
            Kind::Execution => self.executions.read(id, revision, &body),
            Kind::Verdict => self.verdicts.read(id, revision, &body),
            Kind::LogLine => self.log_lines.read(id, revision, &body),
            Kind::Health => self.healths.read(id, revision, &body),
            Kind::Gate => self.gates.read(id, revision, &body),
        }
    }

    /// A failed row, or a summary of them.
    pub(super) fn add_failure(&mut self, id: String, revision: u64, body: FailureBody) {
        match body {
            FailureBody::Row(row) => self.rows.add(id, revision, *row),
            FailureBody::Summary(summary) => self.summaries.add(id, revision, summary),
        }
    }
}
