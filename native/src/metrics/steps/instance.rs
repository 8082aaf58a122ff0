//! One physical execution of a step's operator: its partitions, and the sums over them.

use std::collections::{BTreeMap, HashMap};

use super::super::decode::MOST_COUNTERS;
use super::cell::{Cell, CellAttempt, Merged};
use super::counters::OUT;
use crate::samples::Bound;

/// Stages that an instance remembers.
const MOST_STAGES: usize = 1024;

/// A set of counters, one bit for each.
pub(in crate::metrics) type Mask = [u64; MOST_COUNTERS / 64];

/// Sums over cells, kept up to date by addition and subtraction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::metrics) struct Sums {
    /// By counter; missing entries are 0.
    pub(in crate::metrics) counters: Vec<i128>,
    /// Failed rows.
    pub(in crate::metrics) seen: i128,
    /// Cells whose input was read to its end.
    pub(in crate::metrics) covered: i64,
    /// Cells whose samples do not show every failed row, by [`Bound`].
    pub(in crate::metrics) cut: [i64; Bound::ALL.len()],
    /// Additions to counters from outside the step's functions.
    pub(in crate::metrics) outside: i64,
    /// Cells of which several differing evaluations may have been read.
    pub(in crate::metrics) disputed: i64,
}

impl Sums {
    fn change(&mut self, attempt: &CellAttempt, sign: i64) {
        if self.counters.len() < attempt.counters.len() {
            self.counters.resize(attempt.counters.len(), 0);
        }
        for (sum, value) in self.counters.iter_mut().zip(&attempt.counters) {
            *sum += i128::from(*value) * i128::from(sign);
        }
        self.seen += i128::from(attempt.seen) * i128::from(sign);
        self.covered += i64::from(attempt.complete) * sign;
        if !attempt.samples_whole {
            self.cut[attempt.bound as usize] += sign;
        }
        self.outside += attempt.outside * sign;
    }

    pub(in crate::metrics) fn of(&self, counter: usize) -> i128 {
        self.counters.get(counter).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, other: &Sums) {
        if self.counters.len() < other.counters.len() {
            self.counters.resize(other.counters.len(), 0);
        }
        for (sum, more) in self.counters.iter_mut().zip(&other.counters) {
            *sum += more;
        }
        self.seen += other.seen;
        self.covered += other.covered;
        self.cut.iter_mut().zip(other.cut).for_each(|(sum, more)| *sum += more);
        self.outside += other.outside;
        self.disputed += other.disputed;
    }
}

#[derive(Debug, Default)]
pub(super) struct Instance {
    /// The number of its partitions; known from its first cell.
    pub(super) total: u32,
    /// Sums over the attempts that count.
    pub(super) committed: Sums,
    /// Sums over all attempts.
    pub(super) attempted: Sums,
    /// The stage attempts in which it ran, and the counters that changed there.
    pub(super) stages: BTreeMap<(u32, u32), Mask>,
    cells: HashMap<u32, Cell>,
    settled: bool,
    /// The site's number of the last merge of an evaluation that counts.
    pub(super) touched: u64,
    /// An early gate has failed for this instance.
    pub(super) warned: bool,
}

impl Instance {
    /// Whether every partition was read to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.committed.covered >= i64::from(self.total)
    }

    /// Releases its cells; it no longer counts. Gives the number of cells.
    pub(super) fn settle(&mut self) -> usize {
        self.settled = true;
        std::mem::take(&mut self.cells).len()
    }

    /// Whether its cells were released.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    pub(super) fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Whether a partition has a cell already.
    pub(super) fn has(&self, partition: u32) -> bool {
        self.cells.contains_key(&partition)
    }

    /// The task attempt that counts for a partition.
    pub(super) fn kept(&self, partition: u32) -> Option<u64> {
        Some(self.cells.get(&partition)?.kept()?.task)
    }

    /// Whether an attempt of a stage has returned a row.
    pub(super) fn has_given(&self, stage: u32) -> bool {
        self.stages
            .range((stage, 0)..=(stage, u32::MAX))
            .any(|(_, mask)| mask[OUT / 64] >> (OUT % 64) & 1 == 1)
    }

    pub(super) fn attempts(&self, partition: u32) -> &[CellAttempt] {
        self.cells.get(&partition).map(Cell::attempts).unwrap_or_default()
    }

    /// Whether the predicate holds for any attempt.
    pub(super) fn any(&self, such: impl Fn(&CellAttempt) -> bool) -> bool {
        self.cells.values().flat_map(Cell::attempts).any(such)
    }

    /// Merges an attempt as the site's merge number `now`. False if this changes nothing.
    pub(super) fn merge(&mut self, partition: u32, attempt: CellAttempt, now: u64) -> bool {
        self.note_stage(&attempt);
        let cell = self.cells.entry(partition).or_default();
        let (before, disputed) = (cell.kept().cloned(), cell.is_disputed());
        let (new, stage) = (attempt.clone(), attempt.stage);
        match cell.merge(attempt) {
            Merged::Known => return false,
            Merged::Added => {}
            Merged::Replaced(old) => self.attempted.change(&old, -1),
        }
        self.attempted.change(&new, 1);
        if let Some(before) = before {
            self.committed.change(&before, -1);
        }
        if let Some(kept) = cell.kept() {
            self.committed.change(kept, 1);
            if kept.task == new.task {
                self.touched = now;
            }
        }
        self.committed.disputed += i64::from(cell.is_disputed()) - i64::from(disputed);
        debug_assert!(self.stages.len() >= MOST_STAGES || self.stages.contains_key(&stage));
        true
    }

    fn note_stage(&mut self, attempt: &CellAttempt) {
        if self.stages.len() >= MOST_STAGES && !self.stages.contains_key(&attempt.stage) {
            return;
        }
        let mask = self.stages.entry(attempt.stage).or_default();
        for (index, _) in attempt.counters.iter().enumerate().filter(|(_, value)| **value != 0) {
            mask[index / 64] |= 1 << (index % 64);
        }
    }
}
