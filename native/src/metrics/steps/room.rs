//! Releases memory of finished steps, so that a driver that runs for months counts its last step as exactly as its
//! first.

use super::super::decode::StepCell;
use super::StepBook;

/// The number of refused cells between two attempts to make room.
const PATIENCE: u64 = 1024;

impl StepBook {
    /// Notes that no further job of the step will run. Its instances that are covered whole release their cells: a
    /// recomputation of them changes nothing.
    pub(super) fn close(&mut self, step: u64) {
        if let Some(step) = self.steps.get_mut(&step) {
            step.closed = true;
        }
        let sites = self.sites.values_mut().filter(|site| site.step == step);
        let freed: usize = sites.map(|site| site.settle(false)).sum();
        self.cells -= freed;
    }

    /// Makes room for a new cell. After a failure this is tried again only once in [`PATIENCE`] refusals.
    pub(super) fn want_room(&mut self, cell: &StepCell<'_>) {
        let is_new = self.sites.get(&cell.site).is_none_or(|site| !site.has(cell.instance, cell.partition));
        if !is_new || !self.refused.is_multiple_of(PATIENCE) {
            return;
        }
        let wanted = self.most_cells - (self.most_cells / 8).max(1);
        for unfinished in [false, true] {
            for site in self.sites.values_mut() {
                if self.cells <= wanted {
                    return;
                }
                if !unfinished || self.steps.get(&site.step).is_some_and(|step| step.closed) {
                    self.cells -= site.settle(unfinished);
                }
            }
        }
    }

    /// Folds the oldest site whose figure is exact, else the oldest site of a closed step, into the sums of its step.
    /// False if there is none.
    pub(super) fn fold(&mut self) -> bool {
        let closed = |step: u64| self.steps.get(&step).is_some_and(|step| step.closed);
        let exact = self.sites.iter().find(|(_, site)| site.is_exact());
        let found = exact.or_else(|| self.sites.iter().find(|(_, site)| closed(site.step)));
        let Some(id) = found.map(|(id, _)| *id) else { return false };
        let Some(site) = self.sites.remove(&id) else { return false };
        self.folded_to = self.folded_to.max(id);
        self.cells -= site.cells();
        if site.replaced_by.is_some() {
            return true;
        }
        if let (Some(step), Some(sums)) = (self.steps.get_mut(&site.step), site.committed()) {
            step.refused |= !site.is_exact();
            step.folded.get_or_insert_default().add(sums);
        }
        true
    }
}
