//! One partition of one instance: what each task attempt counted there, and which of them counts.

use std::cmp::Reverse;

use super::super::decode::{StepCell, OUTSIDE};
use crate::samples::Bound;

/// Attempts that a cell remembers. Of one that is forgotten the counts stay in what was attempted.
const MOST_ATTEMPTS: usize = 32;
/// The counter of rows read, and that of dropped rows.
pub(super) const IN: usize = 0;
pub(super) const DROPPED: usize = 2;

/// How an attempt ended. The order is that of a merge: what is known later holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// It had read its input to the end; more is not known.
    Early,
    Succeeded,
    /// It failed or was killed.
    Failed,
}

/// What one task attempt counted in one partition. The order is that of a merge: of two that one attempt filed the
/// greater holds, so that merging them again, or the other way round, changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attempt {
    pub(super) task: u64,
    pub(super) outcome: Outcome,
    pub(super) complete: bool,
    /// A persisted RDD lies downstream in the task.
    pub(super) kept: bool,
    /// The task has evaluated the partition several times, with other results; these are the worst.
    pub(super) differs: bool,
    pub(super) samples_whole: bool,
    pub(super) stage: (u32, u32),
    pub(super) execution: Option<u64>,
    pub(super) seen: u64,
    pub(super) counters: Box<[i64]>,
    /// Additions to counters that were not counted.
    pub(super) outside: i64,
    pub(super) guards: Box<[u64]>,
    /// Which bound has left out samples, if they do not show every row that failed.
    pub(super) bound: Bound,
}

impl Attempt {
    pub(super) fn of(cell: &StepCell<'_>) -> Attempt {
        let counted = || cell.counters().filter(|(index, _)| *index != OUTSIDE);
        let length = counted().map(|(index, _)| index + 1).max().unwrap_or(0);
        let mut counters = vec![0_i64; length].into_boxed_slice();
        for (index, value) in counted() {
            counters[index] = counters[index].saturating_add(value);
        }
        Attempt {
            task: cell.task_attempt,
            outcome: match (cell.early, cell.failed) {
                (true, _) => Outcome::Early,
                (_, true) => Outcome::Failed,
                _ => Outcome::Succeeded,
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

    /// A counter.
    pub(super) fn of_counter(&self, counter: usize) -> i64 {
        self.counters.get(counter).copied().unwrap_or(0)
    }

    pub(super) fn succeeded(&self) -> bool {
        self.outcome == Outcome::Succeeded
    }

    /// Whether it read its input to the end and a block may hold its rows, though it is not known to have succeeded.
    pub(super) fn is_stored(&self) -> bool {
        !self.succeeded() && self.complete && self.kept
    }

    /// The worse of two that may both have been read comes last.
    fn harm(&self) -> (i64, Reverse<i64>) {
        (self.of_counter(DROPPED), Reverse(self.of_counter(IN)))
    }
}

/// The attempts of one partition.
#[derive(Debug, Default)]
pub(super) struct Cell {
    attempts: Vec<Attempt>,
}

impl Cell {
    /// The attempt that a figure counts: of the successful ones a complete one before a partial one, and then the newest. Where
    /// none has succeeded, one whose rows a block may hold, the worst if they differ. None: none of these.
    pub(super) fn kept(&self) -> Option<&Attempt> {
        let successful = self.attempts.iter().filter(|attempt| attempt.succeeded());
        successful
            .max_by_key(|attempt| (attempt.complete, attempt.task))
            .or_else(|| self.stored().max_by_key(|attempt| (attempt.harm(), attempt.task)))
    }

    /// Whether the attempt that a figure counts is one of several evaluations that differ, and any of them may have been read.
    pub(super) fn is_disputed(&self) -> bool {
        if self.kept().is_some_and(|attempt| attempt.differs) {
            return true;
        }
        if self.attempts.len() < 2 || self.attempts.iter().any(Attempt::succeeded) {
            return false;
        }
        let mut stored = self.stored().map(|attempt| &attempt.counters);
        stored.next().is_some_and(|first| stored.any(|other| other != first))
    }

    fn stored(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.is_stored())
    }

    /// All that it remembers.
    pub(super) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Merges an attempt. Gives what it replaces, which is the attempt itself where it changes nothing.
    pub(super) fn merge(&mut self, mut attempt: Attempt) -> Merged {
        if let Some(known) = self.attempts.iter_mut().find(|known| known.task == attempt.task) {
            // What one report has said of these holds for the attempt, whatever the next one says.
            attempt.kept |= known.kept;
            attempt.differs |= known.differs;
            if *known >= attempt {
                let (kept, differs) = (attempt.kept, attempt.differs);
                if (known.kept, known.differs) == (kept, differs) {
                    return Merged::Known;
                }
                attempt = Attempt { kept, differs, ..known.clone() };
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

    /// Forgets the least of them; never that which has dropped most, which a gate may have to take.
    fn forget(&mut self) {
        let worst = (0..self.attempts.len()).max_by_key(|at| self.attempts[*at].harm());
        let rank = |attempt: &Attempt| (attempt.kept, attempt.succeeded(), attempt.complete, attempt.task);
        let others = (0..self.attempts.len()).filter(|at| Some(*at) != worst);
        if let Some(at) = others.min_by_key(|at| rank(&self.attempts[*at])) {
            self.attempts.swap_remove(at);
        }
    }
}

/// What a merge did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// Nothing: the same, or more of the same attempt, was there.
    Known,
    /// A first report of the attempt.
    Added,
    /// Another report of it, instead of this one.
    Replaced(Attempt),
}
