//! One partition of one instance: the counts of each task attempt, and the attempt that counts.

use std::cmp::Reverse;

use super::super::decode::{StepCell, OUTSIDE};
use crate::samples::Bound;

/// Attempts that a cell remembers. The counts of a forgotten attempt remain in the attempted sums.
const MOST_ATTEMPTS: usize = 32;
/// The indices of the counters of rows read and of dropped rows.
pub(super) const IN: usize = super::counters::ROWS;
pub(super) const DROPPED: usize = super::counters::LOST;

/// How an attempt ended. The order is that of a merge: a later variant replaces an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TaskOutcome {
    /// It had read its input to the end; its own end is unknown.
    Early,
    Succeeded,
    /// It failed or was killed.
    Failed,
}

/// The counts of one task attempt in one partition. The order is that of a merge: of two reports of one attempt the
/// greater one holds, so that merging is idempotent and independent of the order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CellAttempt {
    pub(super) task: u64,
    pub(super) outcome: TaskOutcome,
    pub(super) complete: bool,
    /// A persisted RDD is downstream in the task.
    pub(super) kept: bool,
    /// The task has evaluated the partition several times with different results; these are the worst.
    pub(super) differs: bool,
    pub(super) samples_whole: bool,
    pub(super) stage: (u32, u32),
    pub(super) execution: Option<u64>,
    pub(super) seen: u64,
    pub(super) counters: Box<[i64]>,
    /// Additions to counters from outside the step's functions.
    pub(super) outside: i64,
    pub(super) guards: Box<[u64]>,
    /// The bound that has left out samples, if they do not show every failed row.
    pub(super) bound: Bound,
}

impl CellAttempt {
    pub(super) fn of(cell: &StepCell<'_>) -> CellAttempt {
        let counted = || cell.counters().filter(|(index, _)| *index != OUTSIDE);
        let length = counted().map(|(index, _)| index + 1).max().unwrap_or(0);
        let mut counters = vec![0_i64; length].into_boxed_slice();
        for (index, value) in counted() {
            counters[index] = counters[index].saturating_add(value);
        }
        CellAttempt {
            task: cell.task_attempt,
            outcome: match (cell.early, cell.failed) {
                (true, _) => TaskOutcome::Early,
                (_, true) => TaskOutcome::Failed,
                _ => TaskOutcome::Succeeded,
            },
            complete: cell.complete,
            kept: cell.kept,
            differs: cell.differs,
            samples_whole: cell.samples_whole || cell.samples().count() as u64 >= cell.seen,
            stage: (cell.stage, cell.stage_attempt),
            execution: cell.execution,
            seen: cell.seen,
            counters,
            outside: cell.counters().find(|(index, _)| *index == OUTSIDE).map_or(0, |(_, n)| n),
            guards: cell.guards().collect(),
            bound: cell.bound,
        }
    }

    pub(super) fn of_counter(&self, counter: usize) -> i64 {
        self.counters.get(counter).copied().unwrap_or(0)
    }

    pub(super) fn succeeded(&self) -> bool {
        self.outcome == TaskOutcome::Succeeded
    }

    /// Whether it read its input to the end and a block may hold its rows, though it did not succeed as far as is
    /// known.
    pub(super) fn is_stored(&self) -> bool {
        !self.succeeded() && self.complete && self.kept
    }

    /// The order of two attempts that may both have been read; the worse one is greater.
    fn harm(&self) -> (i64, Reverse<i64>) {
        (self.of_counter(DROPPED), Reverse(self.of_counter(IN)))
    }
}

#[derive(Debug, Default)]
pub(super) struct Cell {
    attempts: Vec<CellAttempt>,
}

impl Cell {
    /// The attempt that a figure counts. Of the successful ones a complete attempt precedes a partial one, and then
    /// the newest holds. If none has succeeded, it is an attempt whose rows a block may hold, the worst if they
    /// differ.
    pub(super) fn kept(&self) -> Option<&CellAttempt> {
        let successful = self.attempts.iter().filter(|attempt| attempt.succeeded());
        successful
            .max_by_key(|attempt| (attempt.complete, attempt.task))
            .or_else(|| self.stored().max_by_key(|attempt| (attempt.harm(), attempt.task)))
    }

    /// Whether the attempt that a figure counts is one of several evaluations that differ, any of which may have been
    /// read.
    pub(super) fn is_disputed(&self) -> bool {
        if self.kept().is_some_and(|attempt| attempt.differs) {
            return true;
        }
        if self.attempts.len() < 2 || self.attempts.iter().any(CellAttempt::succeeded) {
            return false;
        }
        let mut stored = self.stored().map(|attempt| &attempt.counters);
        stored.next().is_some_and(|first| stored.any(|other| other != first))
    }

    fn stored(&self) -> impl Iterator<Item = &CellAttempt> {
        self.attempts.iter().filter(|attempt| attempt.is_stored())
    }

    /// The attempts that the cell remembers.
    pub(super) fn attempts(&self) -> &[CellAttempt] {
        &self.attempts
    }

    /// Merges an attempt. Gives the report that it replaces.
    pub(super) fn merge(&mut self, mut attempt: CellAttempt) -> Merged {
        if let Some(known) = self.attempts.iter_mut().find(|known| known.task == attempt.task) {
            // These flags hold for the attempt once any of its reports has set them.
            attempt.kept |= known.kept;
            attempt.differs |= known.differs;
            if *known >= attempt {
                let (kept, differs) = (attempt.kept, attempt.differs);
                if (known.kept, known.differs) == (kept, differs) {
                    return Merged::Known;
                }
                attempt = CellAttempt { kept, differs, ..known.clone() };
            }
            return Merged::Replaced(std::mem::replace(known, attempt));
        }
        if self.attempts.is_empty() {
            self.attempts.reserve_exact(1);
        }
        self.attempts.push(attempt);
        if self.attempts.len() > MOST_ATTEMPTS {
            self.forget();
        }
        Merged::Added
    }

    /// Forgets the least attempt, but never the one with the most dropped rows, which a gate may have to take.
    fn forget(&mut self) {
        let worst = (0..self.attempts.len()).max_by_key(|at| self.attempts[*at].harm());
        let rank =
            |attempt: &CellAttempt| (attempt.kept, attempt.succeeded(), attempt.complete, attempt.task);
        let others = (0..self.attempts.len()).filter(|at| Some(*at) != worst);
        if let Some(at) = others.min_by_key(|at| rank(&self.attempts[*at])) {
            self.attempts.swap_remove(at);
        }
    }
}

/// The effect of a merge.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// None: the same report, or a greater one of the same attempt, was there.
    Known,
    /// The first report of the attempt.
    Added,
    /// It replaces this report of the attempt.
    Replaced(CellAttempt),
}
