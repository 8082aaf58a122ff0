//! One partition of one instance: what each task attempt counted there, and which of them counts.

use super::super::decode::{StepCell, OUTSIDE};

/// Attempts that a cell remembers. Of one that is forgotten the counts stay in what was attempted.
const MOST_ATTEMPTS: usize = 16;

/// What one task attempt counted in one partition. The order is that of a merge: of two that one attempt filed the
/// greater holds, so that merging them again, or the other way round, changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attempt {
    pub(super) task: u64,
    pub(super) failed: bool,
    pub(super) complete: bool,
    pub(super) samples_whole: bool,
    pub(super) stage: (u32, u32),
    pub(super) seen: u64,
    pub(super) counters: Box<[i64]>,
    /// Additions to counters that were not counted.
    pub(super) outside: i64,
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
            failed: cell.failed,
            complete: cell.complete,
            samples_whole: cell.samples_whole || cell.samples().count() as u64 >= cell.seen,
            stage: (cell.stage, cell.stage_attempt),
            seen: cell.seen,
            counters,
            outside: cell.counters().find(|(index, _)| *index == OUTSIDE).map_or(0, |(_, n)| n),
        }
    }
}

/// The attempts of one partition.
#[derive(Debug, Default)]
pub(super) struct Cell {
    attempts: Vec<Attempt>,
}

impl Cell {
    /// The attempt that counts: complete beats partial, and then the newest wins. None: all have failed.
    pub(super) fn kept(&self) -> Option<&Attempt> {
        let successful = self.attempts.iter().filter(|attempt| !attempt.failed);
        successful.max_by_key(|attempt| (attempt.complete, attempt.task))
    }

    /// Merges an attempt. Gives what it replaces, which is the attempt itself where it changes nothing.
    pub(super) fn merge(&mut self, attempt: Attempt) -> Merged {
        if let Some(known) = self.attempts.iter_mut().find(|known| known.task == attempt.task) {
            if *known >= attempt {
                return Merged::Known;
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

    fn forget(&mut self) {
        let rank = |attempt: &Attempt| (!attempt.failed, attempt.complete, attempt.task);
        let least = (0..self.attempts.len()).min_by_key(|at| rank(&self.attempts[*at]));
        if let Some(at) = least {
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
