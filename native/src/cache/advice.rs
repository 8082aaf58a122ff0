//! Warnings about avoidable loads: limits that are too small for the order of rows, and rows that are not
//! sorted by version. The warnings are rare, since thrashing can go on for hours.

use super::cursor::CursorId;
use super::slot::SlotId;
use super::state::{CacheState, Effects};
use super::thrash::{BudgetBound, Eviction};
use super::trail::Trail;

impl CacheState {
    /// Learns from the reload of an evicted version which budget would have kept it, and raises the thrash
    /// alarm: first when there were more reloads than versions, then whenever their number has doubled.
    pub(super) fn note_reload(&mut self, slot_id: SlotId, eviction: Eviction, fx: &mut Effects) {
        let used_since =
            self.slots.iter().filter(|(id, other)| *id == slot_id || other.last_used > eviction.last_used);
        let (bytes, versions) = used_since
            .filter_map(|(_, other)| other.bytes)
            .fold((0u64, 0u64), |(bytes, versions), more| (bytes.saturating_add(more), versions + 1));
        self.stats.sufficient_bytes = self.stats.sufficient_bytes.max(bytes);
        let thrash = &mut self.thrash;
        thrash.sufficient_versions = thrash.sufficient_versions.max(versions);
        thrash.bound.bytes |= eviction.bound.bytes;
        thrash.bound.versions |= eviction.bound.versions;
        let least = (self.slots.len() as u64).max(4).max(thrash.reloads_at_alarm);
        if self.stats.reloads - thrash.reloads_at_alarm > least {
            thrash.reloads_at_alarm = self.stats.reloads;
            let bound = std::mem::take(&mut thrash.bound);
            self.stats.thrash_alarms += 1;
            fx.warnings.push(self.thrash_warning(bound));
        }
    }

    pub(super) fn thrash_warning(&self, bound: BudgetBound) -> String {
        let most = self.settings.budget_versions.unwrap_or(u64::MAX);
        let (bytes, versions) = (
            format!("the budget of {} bytes", self.settings.budget_bytes),
            format!("the limit of {most} version{}", if most == 1 { "" } else { "s" }),
        );
        let (bytes_key, versions_key) =
            ("spark.andiron.cache.budgetBytes", "spark.andiron.cache.budgetVersions");
        let (limit, keys) = match bound {
            BudgetBound { bytes: true, versions: true } => {
                (format!("{bytes} and {versions} are"), format!("{bytes_key} and {versions_key}"))
            }
            BudgetBound { versions: true, .. } => (format!("{versions} is"), versions_key.to_string()),
            _ => (format!("{bytes} is"), bytes_key.to_string()),
        };
        format!(
            "versions are evicted and loaded again ({} reloads so far): {limit} too small for the order in \
             which tasks need them; {} bytes in {} versions would have sufficed; raise {keys} or sort by \
             version; the next alarm comes when the reloads have doubled",
            self.stats.reloads, self.stats.sufficient_bytes, self.thrash.sufficient_versions
        )
    }

    /// Warns, once for a dataset, when a cursor ends that went through its versions repeatedly.
    pub(super) fn note_end(&mut self, cursor_id: CursorId, fx: &mut Effects) {
        let Some(cursor) = self.cursors.get(cursor_id).filter(|cursor| cursor.trail.is_unsorted()) else {
            return;
        };
        let Some(slot) = cursor.position.and_then(|slot| self.slots.get(slot)) else { return };
        let dataset = slot.key.dataset.clone();
        if self.warned_unsorted.contains(&dataset) {
            return;
        }
        let task = self.attempts.get(cursor.attempt).map_or("", |attempt| attempt.name.as_str());
        let Trail { visited, returns, loads } = &cursor.trail;
        let warning = format!(
            "dataset {dataset:?}: the rows of {task} are not sorted by version: its cursor waited for {loads} \
             loads of {} versions, and returned {returns} times to a version visited before; sort within \
             partitions by version first (sortWithinPartitions), or use mapWithVersion, which sorts; logged \
             once for each dataset in this process",
            visited.len()
        );
        self.warned_unsorted.insert(dataset);
        fx.warnings.push(warning);
    }
}
