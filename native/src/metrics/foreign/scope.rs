//! A terminal RDD with a kind of task: which task is kept for each partition, and a column for each accumulator.

use std::collections::{HashMap, HashSet};

use super::super::amount::ValueKind;
use super::super::decode::{TaskEnd, TaskKind, MOST_PARTITIONS};
use super::column::Column;

/// Partitions for which room is made when the first of them reports.
const TAKEN_AT_ONCE: u32 = 1 << 20;

/// What a stage says of its terminal RDD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::metrics) struct Facts {
    /// The stage's terminal RDD.
    pub(in crate::metrics) rdd: u64,
    /// Its partitions, if known.
    pub(in crate::metrics) partitions: u32,
    /// The action reads only a part of them.
    pub(in crate::metrics) partial: bool,
    /// Some RDD of the stage is computed more than once in it.
    pub(in crate::metrics) repeats: bool,
    /// A later attempt of the stage computes other rows, or in another order.
    pub(in crate::metrics) indeterminate: bool,
    /// The SQL execution that it belongs to.
    pub(in crate::metrics) execution: Option<u64>,
}

/// The task that is kept for a partition; arrival 0: none yet.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    arrival: u64,
    stage: u32,
    attempt: u32,
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
    /// Task ends that are missing, by stage.
    pub(in crate::metrics) missing: HashMap<u32, u32>,
    pub(in crate::metrics) repeats: bool,
    pub(in crate::metrics) rolled_back: bool,
    /// A partition had no room.
    pub(in crate::metrics) refused: bool,
    pub(in crate::metrics) execution: Option<u64>,
    partial_stages: HashSet<u32>,
    /// Partitions that a partial stage has computed last.
    pub(in crate::metrics) partial: u32,
}

impl Scope {
    pub(super) fn learn(&mut self, facts: &Facts) {
        self.total = self.total.max(facts.partitions.min(MOST_PARTITIONS));
        self.repeats |= facts.repeats;
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

    pub(super) fn attempt(&mut self, at: usize, bits: u64, event: &TaskEnd<'_>, arrival: u64) {
        self.dirty = true;
        if let Some(column) = self.columns.get_mut(at) {
            column.attempt(bits, (event.stage, event.stage_attempt), arrival);
        }
    }

    /// Keeps a successful task, if it is the one to keep. Gives the bytes that this took, at most `room`.
    pub(super) fn succeed(&mut self, event: &TaskEnd<'_>, facts: &Facts, arrival: u64, room: usize) -> usize {
        let new = Kept { arrival, stage: event.stage, attempt: event.stage_attempt };
        let partition = event.partition as usize;
        let old = self.kept.get(partition).copied().unwrap_or_default();
        if old.arrival != 0 && !newer(event.kind, old, new) {
            return 0;
        }
        let Some(took) = self.make_room(partition, arrival, room) else {
            (self.refused, self.dirty) = (true, true);
            return 0;
        };
        self.dirty = true;
        if facts.indeterminate && event.stage_attempt > 0 {
            self.rolled_back = true;
        }
        self.note_partial(old, new, facts);
        self.kept[partition] = new;
        let again = old.arrival != 0 && old.stage != new.stage && !self.partial_stages.contains(&old.stage);
        if old.arrival == 0 {
            self.reported += 1;
        }
        for column in &mut self.columns {
            let bits = column.incoming(arrival);
            let before = column.value(partition);
            if before != bits {
                column.differs |= again && !column.same(before, bits);
                column.set(partition, bits);
            }
        }
        took
    }

    fn note_partial(&mut self, old: Kept, new: Kept, facts: &Facts) {
        if facts.partial {
            self.partial_stages.insert(new.stage);
        }
        if old.arrival != 0 && self.partial_stages.contains(&old.stage) {
            self.partial -= 1;
        }
        if self.partial_stages.contains(&new.stage) {
            self.partial += 1;
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

/// Whether `new` is kept instead of `old`.
fn newer(kind: TaskKind, old: Kept, new: Kept) -> bool {
    match kind {
        TaskKind::Result => new.stage > old.stage,
        TaskKind::ShuffleMap => (new.stage, new.attempt) >= (old.stage, old.attempt),
    }
}
