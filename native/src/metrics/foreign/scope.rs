//! A terminal RDD with a kind of task: which task is kept for each partition, and a column for each accumulator.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::amount::ValueKind;
use super::super::decode::{TaskEnd, TaskKind, MOST_PARTITIONS};
use super::branches::Branches;
use super::column::Column;
use super::hidden::{Hidden, ANY_CACHE};

/// Partitions for which room is made when the first of them reports.
const TAKEN_AT_ONCE: u32 = 1 << 20;
/// Caches of a scope that are told apart; beyond them all are one.
const MOST_CACHES: usize = 256;

/// What a stage says of its terminal RDD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::metrics) struct Facts {
    /// The stage's terminal RDD.
    pub(in crate::metrics) rdd: u64,
    /// Its partitions, if known.
    pub(in crate::metrics) partitions: u32,
    /// As result stage it reads only some of them.
    pub(in crate::metrics) partial: bool,
    /// The plan that it belongs to stops reading when it has enough rows.
    pub(in crate::metrics) limited: bool,
    /// Some RDD of the stage is computed more than once in it.
    pub(in crate::metrics) repeats: bool,
    /// A union in the stage may have branches of one plan.
    pub(in crate::metrics) unites: bool,
    /// It is one of Spark SQL's.
    pub(in crate::metrics) unites_plans: bool,
    /// The branches of the union that ends it, if each is counted by itself.
    pub(in crate::metrics) branches: Option<Branches>,
    /// Some RDD of the stage leaves partitions of another one out.
    pub(in crate::metrics) pruned: bool,
    /// A later attempt of the stage computes other rows, or in another order.
    pub(in crate::metrics) indeterminate: bool,
    /// The SQL execution that it belongs to.
    pub(in crate::metrics) execution: Option<u64>,
    /// The RDDs of the stage, by id, whose rows may come from a persisted block or a checkpoint.
    pub(in crate::metrics) caches: Option<Arc<[u64]>>,
    /// A task that reads such a block tells that it has read something.
    pub(in crate::metrics) caches_tell: bool,
    /// Task ends that had arrived before the stage began.
    pub(in crate::metrics) began: u64,
    /// The stage attempt has not ended.
    pub(in crate::metrics) running: bool,
    /// No job needs the stage any more: Spark drops what its tasks have updated.
    pub(in crate::metrics) gone: bool,
}

impl Facts {
    /// Whether a successful task may have read what another attempt has computed.
    fn may_be_answered(&self, event: &TaskEnd<'_>) -> bool {
        self.caches.is_some() && (event.has_read || !self.caches_tell)
    }
}

/// The task that is kept for a partition; arrival 0: none yet.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    arrival: u64,
    stage: u32,
    attempt: u16,
    /// Its rows may have come from a cache, and so its figures may be another attempt's.
    answered: bool,
    /// Its stage reads some of the partitions only.
    partial: bool,
}

impl Kept {
    fn is_there(self) -> bool {
        self.arrival != 0
    }
}

/// A terminal RDD with a kind of task.
#[derive(Debug, Default)]
pub(in crate::metrics) struct Scope {
    kept: Vec<Kept>,
    /// What its cells take.
    pub(super) bytes: usize,
    /// Partitions for which a task is kept.
    pub(in crate::metrics) reported: u32,
    /// Partitions in all, as far as known.
    pub(in crate::metrics) total: u32,
    pub(in crate::metrics) columns: Vec<Column>,
    places: HashMap<u64, u32>,
    /// Something has changed since it was last shipped.
    pub(in crate::metrics) dirty: bool,
    /// The stage that told last has not ended.
    pub(in crate::metrics) running: bool,
    /// Task ends that are missing, by stage.
    pub(in crate::metrics) missing: HashMap<u32, u32>,
    pub(in crate::metrics) repeats: bool,
    pub(in crate::metrics) unites: bool,
    pub(in crate::metrics) pruned: bool,
    pub(in crate::metrics) limited: bool,
    pub(in crate::metrics) rolled_back: bool,
    /// A partition had no room.
    pub(in crate::metrics) refused: bool,
    pub(in crate::metrics) execution: Option<u64>,
    /// Partitions whose figures come from a task that a cache may have answered.
    answered: u32,
    /// The caches that may have, each with the newest such task.
    caches: HashMap<u64, u64>,
}

impl Scope {
    pub(super) fn learn(&mut self, facts: &Facts) {
        self.total = self.total.max(facts.partitions.min(MOST_PARTITIONS));
        self.repeats |= facts.repeats;
        self.unites |= facts.unites;
        self.pruned |= facts.pruned;
        self.running = facts.running;
        self.execution = facts.execution.or(self.execution);
    }

    /// Where an accumulator's column is; `near` is where it would be if accumulators came in the order of the columns.
    pub(super) fn column(&self, acc: u64, near: usize) -> Option<usize> {
        if self.columns.get(near).is_some_and(|column| column.acc == acc) {
            return Some(near);
        }
        self.places.get(&acc).map(|at| *at as usize)
    }

    pub(super) fn add_column(&mut self, acc: u64, kind: ValueKind) -> usize {
        let at = self.columns.len();
        self.columns.push(Column::new(acc, kind));
        self.places.insert(acc, at as u32);
        at
    }

    pub(super) fn attempt(&mut self, at: usize, update: (u64, u64), event: &TaskEnd<'_>, arrival: u64) {
        self.dirty = true;
        if let Some(column) = self.columns.get_mut(at) {
            column.attempt(update, (event.stage, event.stage_attempt), arrival);
        }
    }

    /// Whether the task, a success, is one that Spark has passed over: of a result partition only a stage's first success counts.
    pub(super) fn is_passed_over(&self, event: &TaskEnd<'_>) -> bool {
        let old = self.kept.get(event.partition as usize).copied().unwrap_or_default();
        event.kind == TaskKind::Result && old.is_there() && old.stage == event.stage
    }

    /// Whether figures come from a task that a cache may have answered with rows whose computation nobody has told.
    pub(in crate::metrics) fn is_doubtful(&self, hidden: &Hidden) -> bool {
        let since = |(cache, newest): (&u64, &u64)| hidden.since(*cache).is_some_and(|since| *newest > since);
        self.answered > 0 && self.caches.iter().any(since)
    }

    pub(super) fn reads(&self, cache: u64) -> bool {
        self.answered > 0 && (self.caches.contains_key(&cache) || self.caches.contains_key(&ANY_CACHE))
    }

    /// Counts a successful task. Gives the bytes that this took, at most `room`.
    pub(super) fn succeed(&mut self, event: &TaskEnd<'_>, facts: &Facts, arrival: u64, room: usize) -> usize {
        let new = Kept {
            arrival,
            stage: event.stage,
            attempt: u16::try_from(event.stage_attempt).unwrap_or(u16::MAX),
            answered: facts.may_be_answered(event),
            partial: event.kind == TaskKind::Result && facts.partial,
        };
        let partition = event.partition as usize;
        let old = self.kept.get(partition).copied().unwrap_or_default();
        let newer = !old.is_there() || is_newer(event.kind, old, new);
        if !newer && !old.answered {
            // Spark uses the output that arrives last, whichever attempt of the stage it is from.
            let overtaken = event.kind == TaskKind::ShuffleMap && old.stage == new.stage && !new.answered;
            for column in self.columns.iter_mut().filter(|_| overtaken) {
                let bits = column.incoming(arrival);
                column.overtaken |= !column.same(column.value(partition), bits);
            }
            return 0;
        }
        let Some(took) = self.make_room(partition, arrival, room) else {
            (self.refused, self.dirty) = (true, true);
            return 0;
        };
        self.dirty = true;
        self.rolled_back |= facts.indeterminate && event.stage_attempt > 0;
        self.limited |= facts.limited;
        let changed = self.take(partition, old, new, newer);
        self.reported += u32::from(!old.is_there());
        // What a cache may have answered tells nothing against an attempt that is known.
        let answered = match (newer, changed) {
            (true, false) => new.answered && (!old.is_there() || old.answered),
            (_, true) => new.answered,
            (false, false) => old.answered,
        };
        self.answered = self.answered + u32::from(answered) - u32::from(old.answered);
        if answered && (changed || !old.is_there()) {
            self.note_caches(facts, arrival);
        }
        if self.answered == 0 {
            self.caches.clear();
        }
        let newest = if newer { new } else { old };
        self.kept[partition] = Kept { answered, ..newest };
        took
    }

    /// Takes what the task `new` has told into the columns. Whether one of them has changed.
    fn take(&mut self, partition: usize, old: Kept, new: Kept, newer: bool) -> bool {
        let mut changed = false;
        let again = old.is_there() && old.stage != new.stage && !old.partial;
        for column in &mut self.columns {
            let (bits, before) = (column.incoming(new.arrival), column.value(partition));
            if bits == before {
                continue;
            }
            let unknown = old.answered && before == 0;
            if !newer || new.answered {
                if bits == 0 {
                    // A block answered: its rows are those that were counted before.
                    continue;
                }
                if before != 0 {
                    column.mixed |= !column.same(before, bits);
                    continue;
                }
            }
            column.differs |= again && !unknown && !column.same(before, bits);
            changed = true;
            column.set(partition, bits);
        }
        changed
    }

    fn note_caches(&mut self, facts: &Facts, arrival: u64) {
        for cache in facts.caches.iter().flat_map(|caches| caches.iter()) {
            let full = self.caches.len() >= MOST_CACHES && !self.caches.contains_key(cache);
            self.caches.insert(if full { ANY_CACHE } else { *cache }, arrival);
        }
    }

    /// Room for the partition in the scope and in the columns that are updated. `None`: there is none.
    fn make_room(&mut self, partition: usize, arrival: u64, room: usize) -> Option<usize> {
        if partition >= MOST_PARTITIONS as usize {
            return None;
        }
        let length = if partition < self.kept.len() {
            self.kept.len()
        } else if partition < self.total as usize && self.total <= TAKEN_AT_ONCE {
            self.total as usize
        } else {
            // Not known beforehand, or not to be believed: an eighth more than is needed, so that growing seldom copies.
            partition + 1 + partition / 8
        };
        let wanted = |column: &Column| column.incoming(arrival) != 0;
        let more = length.saturating_sub(self.kept.capacity()) * size_of::<Kept>()
            + self
                .columns
                .iter()
                .filter(|column| wanted(column))
                .map(|column| column.growth(length))
                .sum::<usize>();
        if more > room {
            return None;
        }
        if length > self.kept.len() {
            self.kept.reserve_exact(length - self.kept.len());
            self.kept.resize(length, Kept::default());
        }
        self.columns.iter_mut().filter(|column| wanted(column)).for_each(|column| column.grow(length));
        Some(more)
    }
}

/// Whether `new` is kept instead of `old`. A stage that reads some partitions does not replace what one that reads all has told.
fn is_newer(kind: TaskKind, old: Kept, new: Kept) -> bool {
    match kind {
        TaskKind::Result => (!new.partial, new.stage) > (!old.partial, old.stage),
        TaskKind::ShuffleMap => (new.stage, new.attempt) >= (old.stage, old.attempt),
    }
}
