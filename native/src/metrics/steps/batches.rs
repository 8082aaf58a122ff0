//! Micro-batches: an operator that is created for a batch of a query counts for that batch. If the batch is executed
//! again, the counts of the new execution replace those of the old one.
//!
//! A query that is restarted executes its last batch again, in another *run*, unless the batch was committed. The nth
//! operator at a place of the program in one run corresponds to the nth at that place in the other. The new operator
//! takes over the label at once, and the figure with its first cell.

use std::sync::Arc;

use super::batch::{LastBatch, OfBatch, Placement};
use super::StepBook;

/// The limit of queries with a step whose last batch is remembered.
const MOST_QUERIES: usize = 10_000;

impl StepBook {
    /// Records an operator of a batch.
    pub(super) fn place(&mut self, name: &Arc<str>, id: u64, label: &str, of: OfBatch) -> Placement {
        let key = (Arc::clone(name), of.query);
        let mut batch = self.batches.remove(&key).unwrap_or_default();
        // A thread that has outlived its batch declares an operator of an older one.
        if of.number < batch.number {
            self.batches.insert(key, batch);
            let label = self.unlike_others(name, label);
            return Placement { label, replaces: Vec::new(), unclear: true };
        }
        let unknown = self.batches.len() >= MOST_QUERIES;
        if batch.number != of.number {
            batch = LastBatch { number: of.number, runs: Vec::new() };
        }
        if batch.runs.last().is_none_or(|(run, _)| *run != of.run) {
            // An operator that was never executed replaces nothing.
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
        Placement { label: taken.unwrap_or_else(|| self.unlike_others(name, label)), replaces, unclear }
    }

    /// Notes that a site has counted: the sites that it replaces no longer count.
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
