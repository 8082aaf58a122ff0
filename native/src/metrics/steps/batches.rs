//! Micro-batches: an operator that is made for a batch of a query counts for that batch, and once more executed replaces what
//! was counted when the batch was executed before.
//!
//! A query that is restarted executes its last batch again, in another *run*, unless the batch was committed. The nth operator
//! at a place of the program in one run is the nth at that place in the other. It takes over the other's label, and with its
//! first cell its figure.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::StepBook;
use crate::metrics::json::Reads;

/// Queries with a step, of which the last batch is known.
const MOST_QUERIES: usize = 10_000;

/// The batch that an operator is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OfBatch {
    query: String,
    number: u64,
    /// Of the query; empty where that cannot be told.
    run: String,
}

impl OfBatch {
    /// As a declaration tells it.
    pub(super) fn of(declaration: &Map<String, Value>) -> Option<OfBatch> {
        let (query, run) = (declaration.text("query").to_string(), declaration.text("run").to_string());
        Some(OfBatch { number: declaration.number("batch").filter(|_| !query.is_empty())?, query, run })
    }
}

/// The last batch of a query, with the operators that were made for it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    number: u64,
    runs: Vec<(String, Vec<u64>)>,
}

/// What an operator that is made for a batch is called, and what of earlier runs it stands for.
pub(super) struct Place {
    pub(super) label: String,
    pub(super) replaces: Vec<u64>,
    /// It may be another execution of the batch, or another operator.
    pub(super) unclear: bool,
}

impl StepBook {
    /// Notes an operator of a batch.
    pub(super) fn place(&mut self, name: &Arc<str>, id: u64, label: &str, of: OfBatch) -> Place {
        let key = (Arc::clone(name), of.query);
        let mut batch = self.batches.remove(&key).unwrap_or_default();
        // A thread that has outlived the batch that it was started in tells an older one.
        if of.number < batch.number {
            self.batches.insert(key, batch);
            let label = self.unlike_others(name, label);
            return Place { label, replaces: Vec::new(), unclear: true };
        }
        let unknown = self.batches.len() >= MOST_QUERIES;
        if batch.number != of.number {
            batch = Batch { number: of.number, runs: Vec::new() };
        }
        if batch.runs.last().is_none_or(|(run, _)| *run != of.run) {
            // What was never executed has nothing to replace.
            let ran = |id: &u64| self.sites.get(id).is_some_and(|site| site.committed().is_some());
            batch.runs.iter_mut().for_each(|(_, sites)| sites.retain(|id| ran(id)));
            batch.runs.retain(|(_, sites)| !sites.is_empty());
            batch.runs.push((of.run.clone(), Vec::new()));
        }
        let same = |id: &&u64| self.sites.get(*id).is_some_and(|site| site.plain() == label);
        let here = batch.runs.last().map_or(0, |(_, sites)| sites.iter().filter(same).count());
        let (earlier, known) = (batch.runs.len() - 1, !of.run.is_empty());
        let nth = |(_, sites): &(String, Vec<u64>)| sites.iter().filter(same).nth(here).copied();
        let replaces: Vec<u64> = batch.runs.iter().take(earlier).filter_map(nth).filter(|_| known).collect();
        let unclear =
            unknown || (!known && batch.runs.iter().any(|(_, sites)| sites.iter().any(|id| same(&id))));
        let standing =
            replaces.iter().filter_map(|id| self.sites.get(id)).find(|site| site.replaced_by.is_none());
        let taken = standing.map(|site| site.label.clone());
        if let Some((_, sites)) = batch.runs.last_mut() {
            sites.push(id);
        }
        if !unknown {
            self.batches.insert(key, batch);
        }
        Place { label: taken.unwrap_or_else(|| self.unlike_others(name, label)), replaces, unclear }
    }

    /// A site has counted: what it replaces no longer does.
    pub(super) fn take_over(&mut self, id: u64) {
        let Some(site) = self.sites.get_mut(&id) else { return };
        let (step, replaces) = (site.step, std::mem::take(&mut site.replaces));
        for old in replaces {
            let Some(old) = self.sites.get_mut(&old).filter(|old| old.replaced_by.is_none()) else {
                continue;
            };
            old.replaced_by = Some(step);
            let shipped = std::mem::take(&mut old.shipped);
            if let Some(site) = self.sites.get_mut(&id) {
                site.shipped = shipped;
            }
        }
    }
}
