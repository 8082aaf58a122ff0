//! A terminal RDD with a kind of task: the kept task of each partition, and a column for each accumulator.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::amount::ValueKind;
use super::super::decode::{TaskEnd, TaskKind, MOST_PARTITIONS};
use super::branches::Branches;
use super::column::Column;
use super::hidden::{Hidden, ANY_CACHE};

/// The most partitions for which room is made when the first of them reports.
const TAKEN_AT_ONCE: u32 = 1 << 20;
/// Caches of a scope with an entry of their own; all further ones share one.
const MOST_CACHES: usize = 256;

/// A stage's description of its terminal RDD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::metrics) struct Facts {
    /// The stage's terminal RDD.
    pub(in crate::metrics) rdd: u64,
    /// Its partitions; 0 if unknown.
    pub(in crate::metrics) partitions: u32,
    /// As a result stage it reads only some of them.
    pub(in crate::metrics) partial: bool,
    /// Its plan stops reading when it has enough rows.
    pub(in crate::metrics) limited: bool,
    /// Some RDD of the stage is computed more than once in it.
    pub(in crate::metrics) repeats: bool,
    /// A union in the stage may have branches with the same plan.
    pub(in crate::metrics) unites: bool,
    /// That union belongs to Spark SQL.
    pub(in crate::metrics) unites_plans: bool,
    /// The branches of the union that ends the stage, if each is counted separately.
    pub(in crate::metrics) branches: Option<Branches>,
    /// Some RDD of the stage skips partitions of another one.
    pub(in crate::metrics) pruned: bool,
    /// A later attempt of the stage computes other rows, or in another order.
    pub(in crate::metrics) indeterminate: bool,
    pub(in crate::metrics) execution: Option<u64>,
    /// The RDDs of the stage, by id, whose rows may come from a persisted block or a checkpoint.
    pub(in crate::metrics) caches: Option<Arc<[u64]>>,
    /// A task that reads a persisted block of these RDDs reports `has_read`.
    pub(in crate::metrics) caches_tell: bool,
    /// Task ends that had arrived before the stage began.
    pub(in crate::metrics) began: u64,
    /// The stage attempt is running.
    pub(in crate::metrics) running: bool,
    /// No job needs the stage any more: Spark drops the updates of its tasks.
    pub(in crate::metrics) gone: bool,
}

impl Facts {
    /// Whether a successful task may have read rows that another attempt computed.
    fn may_be_answered(&self, event: &TaskEnd<'_>) -> bool {
        self.caches.is_some() && (event.has_read || !self.caches_tell)
    }
}

/// The task that is kept for a partition; arrival 0 means none.
#[derive(Debug, Clone, Copy, Default)]
struct KeptCell {
    arrival: u64,
    stage: u32,
    attempt: u16,
    /// Its rows may come from a cache, and so its figures may be those of another attempt.
    answered: bool,
    /// Its stage reads only some of the partitions.
    partial: bool,
}

impl KeptCell {
    fn is_there(self) -> bool {
        self.arrival != 0
    }
}

/// A terminal RDD with a kind of task.
#[derive(Debug, Default)]
pub(in crate::metrics) struct AccumulatorScope {
    kept: Vec<KeptCell>,
    /// The bytes of its cells.
    pub(super) bytes: usize,
    /// Partitions that have a kept task.
    pub(in crate::metrics) reported: u32,
    /// Partitions in all, as far as is known.
    pub(in crate::metrics) total: u32,
    pub(in crate::metrics) columns: Vec<Column>,
    places: HashMap<u64, u32>,
    /// Something has changed since the scope was last shipped.
    pub(in crate::metrics) dirty: bool,
    /// The stage that reported last is running.
    pub(in crate::metrics) running: bool,
    /// The number of missing task ends by stage.
    pub(in crate::metrics) missing: HashMap<u32, u32>,
    pub(in crate::metrics) repeats: bool,
    pub(in crate::metrics) unites: bool,
    pub(in crate::metrics) pruned: bool,
    pub(in crate::metrics) limited: bool,
    pub(in crate::metrics) rolled_back: bool,
    /// A partition had no room.
    pub(in crate::metrics) refused: bool,
    pub(in crate::metrics) execution: Option<u64>,
    /// Partitions whose figures come from a task that may have read a cache.
    answered: u32,
    /// These caches, each with the arrival of the newest such task.
    caches: HashMap<u64, u64>,
}

impl AccumulatorScope {
    pub(super) fn learn(&mut self, facts: &Facts) {
        self.total = self.total.max(facts.partitions.min(MOST_PARTITIONS));
        self.repeats |= facts.repeats;
        self.unites |= facts.unites;
        self.pruned |= facts.pruned;
        self.running = facts.running;
        self.execution = facts.execution.or(self.execution);
    }

    /// The index of an accumulator's column. `near` is the expected index, right if accumulators arrive in the order
    /// of the columns.
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

    /// Whether Spark ignores this successful task: of a result partition only a stage's first success counts.
    pub(super) fn is_passed_over(&self, event: &TaskEnd<'_>) -> bool {
        let old = self.kept.get(event.partition as usize).copied().unwrap_or_default();
        event.kind == TaskKind::Result && old.is_there() && old.stage == event.stage
    }

    /// Whether figures come from a task that may have read cached rows whose updates were never reported.
    pub(in crate::metrics) fn is_doubtful(&self, hidden: &Hidden) -> bool {
        let since = |(cache, newest): (&u64, &u64)| hidden.since(*cache).is_some_and(|since| *newest > since);
        self.answered > 0 && self.caches.iter().any(since)
    }

    pub(super) fn reads(&self, cache: u64) -> bool {
        self.answered > 0 && (self.caches.contains_key(&cache) || self.caches.contains_key(&ANY_CACHE))
    }

    /// Counts a successful task. Gives the additional bytes, at most `room`.
    pub(super) fn succeed(&mut self, event: &TaskEnd<'_>, facts: &Facts, arrival: u64, room: usize) -> usize {
        let new = KeptCell {
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
            // Spark uses the output that arrives last, from any attempt of the stage.
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
        // A task that may have read a cache is no evidence against a known attempt.
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
        self.kept[partition] = KeptCell { answered, ..newest };
        took
    }

    /// Takes the updates of the task `new` into the columns. Returns whether a column has changed.
    fn take(&mut self, partition: usize, old: KeptCell, new: KeptCell, newer: bool) -> bool {
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
                    // The rows came from a block, and were counted when they were computed.
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

    /// Makes room for the partition in the scope and in the columns that are updated. `None` if there is none.
    fn make_room(&mut self, partition: usize, arrival: u64, room: usize) -> Option<usize> {
        if partition >= MOST_PARTITIONS as usize {
            return None;
        }
        let length = if partition < self.kept.len() {
            self.kept.len()
        } else if partition < self.total as usize && self.total <= TAKEN_AT_ONCE {
            self.total as usize
        } else {
            // The number is unknown or implausible: an eighth more than needed, so that growing seldom copies.
            partition + 1 + partition / 8
        };
        let wanted = |column: &Column| column.incoming(arrival) != 0;
        let more = length.saturating_sub(self.kept.capacity()) * size_of::<KeptCell>()
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
            self.kept.resize(length, KeptCell::default());
        }
        self.columns.iter_mut().filter(|column| wanted(column)).for_each(|column| column.grow(length));
        Some(more)
    }
}

/// Whether `new` replaces `old`. A stage that reads some partitions does not replace the report of one that reads
/// all.
fn is_newer(kind: TaskKind, old: KeptCell, new: KeptCell) -> bool {
    match kind {
        TaskKind::Result => (!new.partial, new.stage) > (!old.partial, old.stage),
        TaskKind::ShuffleMap => (new.stage, new.attempt) >= (old.stage, old.attempt),
    }
}
