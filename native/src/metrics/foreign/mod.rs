//! Named accumulators of the user's program, counted again from task ends, so that updates that Spark counts twice
//! count once.
//!
//! A *scope* is a terminal RDD with a kind of task, or one branch of a union at its top. A cell of a scope is one
//! accumulator in one partition. One successful task of each partition is kept. Among result tasks this is a task of
//! the newest stage that reads all partitions, or else of the newest stage, and the first one of that stage. Among
//! shuffle map tasks it is the one with the greatest stage, stage attempt and arrival. The kept task replaces the
//! whole cell: an accumulator that it does not update is 0. Beside the committed value is the attempted one: every
//! update of every task, as Spark sums it.
//!
//! # Caches
//! If a stage has a persisted RDD or a checkpoint, a task that may have read from it does not replace a cell with 0:
//! its rows were computed by an earlier task, whose figure stays. If that earlier task failed, was killed or was
//! lost, its updates never arrive: [`Hidden`] records this, and figures that depend on it are not exact.
//!
//! A listener cannot know *for* which result a task's partition was computed, so a figure may be wrong where one
//! computation is counted in several scopes. Each such figure is marked as not exact, with the reason.
//! docs/guide/steps-and-gates.md lists all reasons.
//!
//! # Memory
//! A scope takes 16 bytes for each partition, and 8 for each partition and accumulator: 100,000 tasks with 50
//! accumulators take 41.6 MB. Of scopes without accumulators only the newest [`MOST_BARE_BYTES`] are kept. Beyond
//! [`MOST_BYTES`] no new cell is stored; figures that this affects are not exact.

mod accumulator;
mod branches;
mod column;
mod exactness;
mod hidden;
mod scope;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{json, Value};

use super::amount::{Amount, ValueKind};
use super::decode::{Reason, TaskEnd, TaskKind};
pub(super) use accumulator::{NamedAccumulator, ScopeId};
use branches::BranchPlace;
pub(super) use branches::Branches;
pub(super) use exactness::column_reason;
pub(super) use hidden::Hidden;
pub(super) use scope::{AccumulatorScope, Facts};

/// The limit of the bytes of all cells.
pub(super) const MOST_BYTES: usize = 512 << 20;
/// The limit of accumulators that are counted.
const MOST_ACCUMULATORS: usize = 20_000;
/// The limit of the bytes of scopes without a column. Most stages update no accumulator, and a driver may live for
/// months.
const MOST_BARE_BYTES: usize = 16 << 20;
/// The charge for a scope and for a column, in addition to their cells.
const SCOPE_BYTES: usize = 512;
const COLUMN_BYTES: usize = 256;

/// All named accumulators of the application and their scopes.
#[derive(Debug)]
pub(super) struct SparkAccumulators {
    accumulators: HashMap<u64, NamedAccumulator>,
    names: HashMap<String, u32>,
    scopes: BTreeMap<ScopeId, AccumulatorScope>,
    /// Scopes that had no column when last inspected, oldest first, and their bytes.
    bare: VecDeque<ScopeId>,
    bare_bytes: usize,
    arrivals: u64,
    bytes: usize,
    most_bytes: usize,
    /// Updates of accumulators without a name.
    unnamed: u64,
    hidden: Hidden,
}

impl SparkAccumulators {
    pub(super) fn new(most_bytes: usize) -> SparkAccumulators {
        SparkAccumulators {
            accumulators: HashMap::new(),
            names: HashMap::new(),
            scopes: BTreeMap::new(),
            bare: VecDeque::new(),
            bare_bytes: 0,
            arrivals: 0,
            bytes: 0,
            most_bytes,
            unnamed: 0,
            hidden: Hidden::default(),
        }
    }

    /// Names an accumulator. Of several with one name the first that is registered keeps it. Registering it again
    /// sets its kind, if that was unknown.
    pub(super) fn name(&mut self, id: u64, name: &str, kind: ValueKind) {
        if let Some(known) = self.accumulators.get_mut(&id) {
            if known.kind == ValueKind::Other {
                known.kind = kind;
            }
            return;
        }
        if self.accumulators.len() >= MOST_ACCUMULATORS {
            return;
        }
        let name = self.unlike_others(name);
        self.accumulators.insert(
            id,
            NamedAccumulator { name, kind, scopes: Vec::new(), collected: false, refused: false },
        );
    }

    /// The name, with a number appended if another accumulator has it.
    fn unlike_others(&mut self, name: &str) -> Arc<str> {
        loop {
            let same = self.names.entry(name.to_string()).or_insert(0);
            *same += 1;
            if *same == 1 {
                return name.into();
            }
            let numbered = format!("{name} #{same}");
            if !self.names.contains_key(&numbered) {
                self.names.insert(numbered.clone(), 1);
                return numbered.into();
            }
        }
    }

    /// Notes that Spark no longer applies an accumulator's updates.
    pub(super) fn collected(&mut self, id: u64) {
        let Some(accumulator) = self.accumulators.get_mut(&id) else { return };
        accumulator.collected = true;
        for scope in &accumulator.scopes {
            if let Some(scope) = self.scopes.get_mut(scope) {
                scope.dirty = true;
            }
        }
    }

    /// The number of task ends that have arrived.
    pub(super) fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Takes an accumulator's value on the driver.
    pub(super) fn on_driver(&mut self, id: u64, value: u64) {
        let Some(accumulator) = self.accumulators.get(&id) else { return };
        for scope in &accumulator.scopes {
            let Some(scope) = self.scopes.get_mut(scope) else { continue };
            let Some(at) = scope.column(id, 0) else { continue };
            scope.columns[at].on_driver(value, self.arrivals);
            scope.dirty = true;
        }
    }

    /// Notes that attempts of a stage may have stored blocks of its caches without reporting their updates.
    pub(super) fn hide(&mut self, facts: &Facts) {
        for cache in facts.caches.iter().flat_map(|caches| caches.iter()) {
            if self.hidden.add(*cache, facts.began) {
                let reading = self.scopes.values_mut().filter(|scope| scope.reads(*cache));
                reading.for_each(|scope| scope.dirty = true);
            }
        }
    }

    /// Counts a task end; `facts` describe its stage.
    pub(super) fn task_end(&mut self, event: &TaskEnd<'_>, facts: &Facts) {
        let place = facts.branches.as_ref().and_then(|branches| branches.place(event.partition));
        match place {
            None => self.count(ScopeId { rdd: facts.rdd, kind: event.kind, branch: 0 }, event, facts),
            Some(BranchPlace { branch, partition, partitions }) => {
                let facts = Facts { partitions, ..facts.clone() };
                let id = ScopeId { rdd: facts.rdd, kind: event.kind, branch };
                self.count(id, &event.at(partition), &facts);
            }
        }
    }

    /// Counts a task end in a scope; `event` has the partition and `facts` the number of partitions within that
    /// scope.
    fn count(&mut self, id: ScopeId, event: &TaskEnd<'_>, facts: &Facts) {
        if !self.scopes.contains_key(&id) {
            if self.bytes + SCOPE_BYTES > self.most_bytes {
                return self.no_room(event);
            }
            self.bytes += SCOPE_BYTES;
            self.bare_bytes += SCOPE_BYTES;
            self.bare.push_back(id);
        }
        let scope = self.scopes.entry(id).or_default();
        let was_bare = scope.columns.is_empty();
        scope.learn(facts);
        self.arrivals += 1;
        let mut not_alone = Vec::new();
        // Spark does not add the updates that a Resubmitted task end repeats.
        if event.reason != Reason::Resubmitted {
            let mut next = 0;
            for (acc, bits, merged) in event.updates() {
                let known = match scope.column(acc, next) {
                    Some(at) => Some(at),
                    None if self.bytes + COLUMN_BYTES > self.most_bytes => {
                        if let Some(accumulator) = self.accumulators.get_mut(&acc) {
                            accumulator.refused = true;
                        }
                        None
                    }
                    None => {
                        let before = self.accumulators.get(&acc).map(NamedAccumulator::places);
                        let added = add_column(&mut self.accumulators, scope, id, acc, &mut self.unnamed);
                        self.bytes += added.map_or(0, |_| COLUMN_BYTES);
                        // The places of this accumulator have changed, which may change the reasons of its other
                        // figures.
                        let accumulator = self.accumulators.get(&acc);
                        let accumulator = accumulator.filter(|known| Some(known.places()) != before);
                        not_alone.extend(accumulator.iter().flat_map(|known| known.scopes.iter().copied()));
                        added
                    }
                };
                let Some(at) = known else { continue };
                next = at + 1;
                scope.attempt(at, (bits, merged), event, self.arrivals);
            }
        }
        let hidden = match event.reason {
            Reason::Success => facts.gone || scope.is_passed_over(event),
            Reason::Resubmitted => false,
            _ => true,
        };
        if event.reason == Reason::Success && !hidden {
            let room = self.most_bytes.saturating_sub(self.bytes);
            let took = scope.succeed(event, facts, self.arrivals, room);
            self.bytes += took;
            scope.bytes += took;
            self.bare_bytes += if was_bare { took } else { 0 };
        }
        if was_bare && !scope.columns.is_empty() {
            self.bare_bytes = self.bare_bytes.saturating_sub(SCOPE_BYTES + scope.bytes);
        }
        if was_bare {
            self.strip();
        }
        if hidden {
            self.hide(facts);
        }
        for id in not_alone {
            if let Some(scope) = self.scopes.get_mut(&id) {
                scope.dirty = true;
            }
        }
    }

    /// Drops the oldest scopes without updates. An accumulator that is later updated in one of them is not exact.
    fn strip(&mut self) {
        while self.bare_bytes > MOST_BARE_BYTES && self.bare.len() > 1 {
            let Some(id) = self.bare.pop_front() else { return };
            let Some(scope) = self.scopes.get(&id).filter(|scope| scope.columns.is_empty()) else { continue };
            let bytes = SCOPE_BYTES + scope.bytes;
            self.scopes.remove(&id);
            self.bytes -= bytes;
            self.bare_bytes -= bytes;
        }
    }

    fn no_room(&mut self, event: &TaskEnd<'_>) {
        for (acc, ..) in event.updates() {
            if let Some(accumulator) = self.accumulators.get_mut(&acc) {
                accumulator.refused = true;
            }
        }
    }

    /// Notes that a stage has ended while the ends of `missing` of its successful tasks have not arrived.
    pub(super) fn stage_ended(&mut self, rdd: u64, stage: u32, missing: u32) {
        for kind in [TaskKind::Result, TaskKind::ShuffleMap] {
            for (_, scope) in self.scopes.range_mut(ScopeId::all(rdd, kind)) {
                if missing > 0 {
                    scope.missing.insert(stage, missing);
                } else {
                    scope.missing.remove(&stage);
                }
                (scope.running, scope.dirty) = (false, true);
            }
        }
    }

    /// The accumulators that a stage attempt changed.
    pub(super) fn changed_in(&self, rdd: u64, stage: (u32, u32)) -> Vec<String> {
        let kinds = [TaskKind::Result, TaskKind::ShuffleMap];
        let scopes = kinds.into_iter().flat_map(|kind| self.scopes.range(ScopeId::all(rdd, kind)));
        let columns =
            scopes.flat_map(|(_, scope)| &scope.columns).filter(|column| column.stages.contains(&stage));
        let accumulators: BTreeSet<u64> = columns.map(|column| column.acc).collect();
        let known = accumulators.iter().filter_map(|acc| self.accumulators.get(acc));
        known.map(|accumulator| accumulator.name.to_string()).collect()
    }

    /// The scopes, in ascending order.
    pub(super) fn ids(&self) -> Vec<ScopeId> {
        self.scopes.keys().copied().collect()
    }

    /// The figures of a scope. `events_dropped`: events that Spark's listener bus has dropped.
    pub(super) fn json(&self, id: ScopeId, events_dropped: u64) -> Vec<Value> {
        let doubtful = self.scopes.get(&id).is_some_and(|scope| scope.is_doubtful(&self.hidden));
        let Some(scope) = self.scopes.get(&id) else { return Vec::new() };
        let figures = scope.columns.iter().filter_map(|column| {
            let accumulator = self.accumulators.get(&column.acc)?;
            let reason = column_reason(scope, column, accumulator, doubtful, events_dropped);
            let mut figure = json!({
                "acc": *accumulator.name,
                "scope": id.to_string(),
                "scopes": accumulator.scopes.len(),
                "exact": reason.is_empty(),
                "reason": reason,
                "partitions_reported": scope.reported,
                "partitions_total": scope.total.max(scope.reported),
            });
            for (name, amount) in [("committed", Some(column.committed())), ("attempted", column.attempted())]
            {
                if let Some(amount) = amount.and_then(Amount::number) {
                    figure[name] = json!(amount);
                }
            }
            Some(figure)
        });
        figures.collect()
    }

    pub(super) fn scopes(&mut self) -> impl Iterator<Item = (ScopeId, &mut AccumulatorScope)> {
        self.scopes.iter_mut().map(|(id, scope)| (*id, scope))
    }

    /// A scope with the accumulators that it refers to, and whether it is doubtful.
    pub(super) fn scope_and_names(
        &mut self,
        id: ScopeId,
    ) -> Option<(&mut AccumulatorScope, &HashMap<u64, NamedAccumulator>, bool)> {
        let scope = self.scopes.get_mut(&id)?;
        let doubtful = scope.is_doubtful(&self.hidden);
        Some((scope, &self.accumulators, doubtful))
    }

    /// The approximate bytes of all scopes: the cells' own bytes, plus [`SCOPE_BYTES`] and [`COLUMN_BYTES`].
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Updates of accumulators without a name.
    pub(super) fn unnamed(&self) -> u64 {
        self.unnamed
    }
}

/// Adds a column for an accumulator that is new in a scope. The number of its scopes affects the figures in all of
/// them.
fn add_column(
    accumulators: &mut HashMap<u64, NamedAccumulator>,
    scope: &mut AccumulatorScope,
    id: ScopeId,
    acc: u64,
    unnamed: &mut u64,
) -> Option<usize> {
    let Some(accumulator) = accumulators.get_mut(&acc) else {
        *unnamed += 1;
        return None;
    };
    if accumulator.kind == ValueKind::Other {
        return None;
    }
    accumulator.scopes.push(id);
    Some(scope.add_column(acc, accumulator.kind))
}
