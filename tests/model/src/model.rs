//! The cache's intended behaviour in maps and loops. No figure is stored that can be counted.
//!
//! Objects are named by the index in their handles, since the cache breaks ties by it.

use andiron::cache::CacheSettings;
use andiron::error::Code;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The index part of a handle.
pub type Index = u32;

/// The dataset whose versions are bytes off the heap; the versions of the other one are objects.
pub const BYTES: u8 = 0;

/// The state of a version.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Absent,
    Loading(u64),
    Resident { payload: usize, bytes: u64 },
    Failed { code: Code, until: Duration },
}

#[derive(Clone, Debug)]
pub struct Slot {
    pub dataset: u8,
    pub version: u8,
    pub known: Option<u64>,
    pub declared: Option<u64>,
    pub catalogs: usize,
    pub hint: u64,
    pub place: Place,
    pub last_used: u64,
    pub evicted: bool,
}

/// The activity of a cursor.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    Idle,
    Waiting { since: Duration, admitted: bool },
    Holding,
    Failed(Code),
}

#[derive(Clone, Debug)]
pub struct Cursor {
    pub attempt: Index,
    /// Its position in the order of opening.
    pub opened: u64,
    pub ordered: bool,
    pub position: Option<Index>,
    pub phase: Phase,
    pub slots: Vec<(Index, bool)>,
}

#[derive(Clone, Debug)]
pub struct Load {
    pub slot: Option<Index>,
    pub reserved: u64,
    /// The time when a loader thread took it.
    pub taken: Option<Duration>,
    pub overdraft: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub slots: Vec<Index>,
    pub cursor: Option<Index>,
    pub since: Duration,
}

/// Figures that only grow, and thus cannot be counted from the current state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    pub hits: u64,
    pub loads: u64,
    pub failures: u64,
    pub evictions: u64,
    pub reloads: u64,
    pub over_budget: u64,
    pub abandoned: u64,
    pub gave_way: u64,
    pub most_reserved: u64,
    pub most_leased: u64,
    pub most_resident: u64,
}

/// The model. The effects of the last operation are in `launched` and `evicted`.
#[derive(Clone, Debug)]
pub struct Model {
    pub settings: CacheSettings,
    pub now: Duration,
    pub slots: BTreeMap<Index, Slot>,
    pub attempts: BTreeMap<Index, Option<Index>>,
    /// Attempts of a barrier stage, which wait for each other while they hold versions.
    pub barrier: BTreeSet<Index>,
    pub cursors: BTreeMap<Index, Cursor>,
    pub loads: BTreeMap<u64, Load>,
    pub queue: Vec<Group>,
    pub counters: Counters,
    pub next_load: u64,
    pub tick: u64,
    pub launched: Vec<u64>,
    pub evicted: Vec<usize>,
    /// Payloads off the heap that an attempt has leased.
    pub kept: BTreeMap<Index, BTreeSet<usize>>,
}

/// `Ok(true)`: granted; `Ok(false)`: waits.
pub type Outcome = Result<bool, Code>;

impl Model {
    pub fn new(settings: CacheSettings) -> Model {
        Model {
            settings,
            now: Duration::ZERO,
            slots: BTreeMap::new(),
            attempts: BTreeMap::new(),
            barrier: BTreeSet::new(),
            cursors: BTreeMap::new(),
            loads: BTreeMap::new(),
            queue: Vec::new(),
            counters: Counters::default(),
            next_load: 1,
            tick: 0,
            launched: Vec::new(),
            evicted: Vec::new(),
            kept: BTreeMap::new(),
        }
    }

    pub fn leases(&self, slot: Index) -> usize {
        self.cursors.values().flat_map(|cursor| &cursor.slots).filter(|held| **held == (slot, true)).count()
    }

    pub fn leases_of(&self, attempt: Index) -> usize {
        let own = self.cursors.values().filter(|cursor| cursor.attempt == attempt);
        own.flat_map(|cursor| &cursor.slots).filter(|held| held.1).count()
    }

    /// Whether leases are kept as long as the attempt waits.
    pub fn holds_up(&self, attempt: Index) -> bool {
        let others = || self.barrier.iter().any(|other| *other != attempt && self.leases_of(*other) > 0);
        self.leases_of(attempt) > 0 || (self.barrier.contains(&attempt) && others())
    }

    pub fn resident(&self) -> impl Iterator<Item = (Index, u64)> + '_ {
        self.slots.iter().filter_map(|(id, slot)| match slot.place {
            Place::Resident { bytes, .. } => Some((*id, bytes)),
            _ => None,
        })
    }

    pub fn resident_bytes(&self) -> u64 {
        self.resident().map(|(_, bytes)| bytes).sum()
    }

    pub fn leased_bytes(&self) -> u64 {
        self.resident().filter(|(id, _)| self.leases(*id) > 0).map(|(_, bytes)| bytes).sum()
    }

    pub fn reserved(&self) -> u64 {
        self.resident_bytes() + self.loads.values().map(|load| load.reserved).sum::<u64>()
    }

    pub fn admitted_versions(&self) -> u64 {
        (self.resident().count() + self.loads.len()) as u64
    }

    pub fn waiting(&self) -> usize {
        self.cursors.values().filter(|cursor| matches!(cursor.phase, Phase::Waiting { .. })).count()
    }

    /// Payloads that may still be read.
    pub fn alive(&self) -> BTreeSet<usize> {
        let resident = self.slots.values().filter_map(|slot| match slot.place {
            Place::Resident { payload, .. } => Some(payload),
            _ => None,
        });
        resident.chain(self.kept.values().flatten().copied()).collect()
    }

    /// Updates the maxima; called whenever a figure may have risen.
    pub fn look(&mut self) {
        self.counters.most_reserved = self.counters.most_reserved.max(self.reserved());
        self.counters.most_leased = self.counters.most_leased.max(self.leased_bytes());
        self.counters.most_resident = self.counters.most_resident.max(self.resident_bytes());
    }

    /// Lists a version, possibly again in this catalog. `Err`: its size contradicts the known one.
    pub fn add_version(
        &mut self,
        id: Index,
        dataset: u8,
        version: u8,
        bytes: Option<u64>,
        listed: bool,
    ) -> Result<(), Code> {
        let slot = self.slots.entry(id).or_insert(Slot {
            dataset,
            version,
            known: bytes,
            declared: bytes,
            catalogs: 0,
            hint: 0,
            place: Place::Absent,
            last_used: 0,
            evicted: false,
        });
        assert_eq!((slot.dataset, slot.version), (dataset, version), "the handle of another version");
        if slot.contradicts(bytes) {
            return Err(Code::SourceSizeMismatch);
        }
        slot.catalogs += usize::from(!listed);
        slot.declared = slot.declared.or(bytes);
        slot.known = slot.known.or(bytes);
        self.refuse_too_large();
        self.pump();
        Ok(())
    }

    /// Ends the waits of groups that, now that a size is known, cannot be admitted any more.
    fn refuse_too_large(&mut self) {
        for group in self.queue.clone() {
            if self.too_large(&group.slots) && self.queue.contains(&group) {
                match group.cursor {
                    Some(cursor) => self.fail_cursor(cursor, Code::VersionLargerThanBudget),
                    None => self.fail_waiters(group.slots[0], Code::VersionLargerThanBudget),
                }
            }
        }
    }

    pub fn close(&mut self, slots: &[Index]) {
        let mut doomed = Vec::new();
        for id in slots {
            let slot = self.slots.get_mut(id).unwrap();
            slot.catalogs -= 1;
            if slot.catalogs == 0 {
                doomed.push(*id);
                self.abandon(*id);
            }
        }
        for id in doomed {
            self.fail_waiters(id, Code::CatalogClosed);
            if self.slots.contains_key(&id) && self.leases(id) == 0 {
                self.evict(id);
                self.slots.remove(&id);
            }
        }
        self.pump();
    }

    pub fn end(&mut self, attempt: Index) -> usize {
        if !self.attempts.contains_key(&attempt) {
            return 0;
        }
        let held = self.leases_of(attempt);
        let mut own: Vec<(u64, Index)> = Vec::new();
        own.extend(
            self.cursors.iter().filter(|(_, at)| at.attempt == attempt).map(|(id, at)| (at.opened, *id)),
        );
        own.sort_unstable();
        for (_, cursor) in own {
            self.close_cursor(cursor);
        }
        self.attempts.remove(&attempt);
        self.barrier.remove(&attempt);
        self.kept.remove(&attempt);
        held
    }

    pub fn close_cursor(&mut self, cursor: Index) {
        self.release(cursor);
        self.cursors.remove(&cursor);
    }

    /// `wanted` is `None` if some of the slots no longer exist.
    pub fn advance(&mut self, cursor: Index, wanted: Option<&[Index]>) -> Outcome {
        let Some(at) = self.cursors.get(&cursor) else { return Err(Code::Released) };
        let open = wanted.is_some_and(|slots| slots.iter().all(|slot| self.open(*slot)));
        let slots = wanted.unwrap_or_default();
        if at.phase == Phase::Holding && at.slots.iter().map(|(slot, _)| slot).eq(slots) {
            return if open { Ok(true) } else { Err(Code::CatalogClosed) };
        }
        let left = self.leave(cursor);
        let outcome = self.outcome(cursor, slots, open);
        if outcome == Ok(true) {
            self.cursors.get_mut(&cursor).unwrap().slots = slots.iter().map(|slot| (*slot, false)).collect();
            self.lease_all(cursor);
            self.counters.hits += 1;
        }
        self.forget_overdraft(cursor, &left);
        let waits = outcome == Ok(false);
        self.free(&left, if waits { slots } else { &[] });
        if waits {
            let (since, alone) = (self.now, slots.len() == 1);
            let at = self.cursors.get_mut(&cursor).unwrap();
            at.slots = slots.iter().map(|slot| (*slot, false)).collect();
            at.phase = Phase::Waiting { since, admitted: false };
            let group = Group { slots: slots.to_vec(), cursor: (!alone).then_some(cursor), since };
            let loading = alone && matches!(self.slots[&slots[0]].place, Place::Loading(_));
            let queued =
                alone && self.queue.iter().any(|other| other.cursor.is_none() && other.slots == slots);
            if !loading && !queued {
                self.queue.push(group);
            }
        }
        self.pump();
        self.free(&left, &[]);
        outcome
    }

    /// The outcome for a cursor without leases that requests these slots.
    fn outcome(&mut self, cursor: Index, slots: &[Index], open: bool) -> Outcome {
        if !open {
            return Err(Code::CatalogClosed);
        }
        if self.too_large(slots) {
            return Err(Code::VersionLargerThanBudget);
        }
        self.cursors.get_mut(&cursor).unwrap().position = slots.last().copied();
        let failure = slots.iter().find_map(|slot| self.failure(*slot));
        failure.map_or(Ok(slots.iter().all(|slot| self.is_resident(*slot))), Err)
    }

    pub fn wait(&mut self, cursor: Index) -> Outcome {
        self.pass_time();
        match self.cursors.get(&cursor).map(|at| at.phase.clone()) {
            None | Some(Phase::Idle) => Err(Code::Released),
            Some(Phase::Holding) => Ok(true),
            Some(Phase::Waiting { .. }) => Ok(false),
            Some(Phase::Failed(code)) => {
                self.cursors.get_mut(&cursor).unwrap().phase = Phase::Idle;
                Err(code)
            }
        }
    }

    /// Ends a load with a payload of this size. `Err`: there is no such load.
    pub fn finish(&mut self, load: u64, payload: usize, bytes: u64) -> Result<(), Code> {
        let Some(ended) = self.loads.remove(&load) else {
            self.evicted.push(payload);
            return Err(Code::BadHandle);
        };
        let Some(slot) = ended.slot else {
            self.counters.abandoned += 1;
            self.evicted.push(payload);
            self.pump();
            return Ok(());
        };
        if bytes > self.settings.budget_bytes {
            self.evicted.push(payload);
            self.slots.get_mut(&slot).unwrap().known = Some(bytes);
            self.fail_slot(slot, Code::VersionLargerThanBudget);
            return Ok(());
        }
        let idle: u64 = self.idle(&[slot]).iter().map(|(_, bytes)| bytes).sum();
        if bytes > ended.reserved && self.reserved() - idle + bytes > self.settings.hard_limit_bytes {
            self.evicted.push(payload);
            self.slots.get_mut(&slot).unwrap().known = Some(bytes);
            let wanting = self.cursors.values().filter(|cursor| cursor.wants(slot)).count();
            self.counters.gave_way += wanting as u64;
            self.fail_slot_until(slot, Code::BudgetDeadlock, self.now);
            return Ok(());
        }
        self.counters.loads += 1;
        self.make_room(&[bytes], &[slot]);
        let at = self.slots.get_mut(&slot).unwrap();
        at.known = Some(bytes);
        at.place = Place::Resident { payload, bytes };
        self.look();
        if self.reserved() > self.settings.budget_bytes && bytes > ended.reserved && !ended.overdraft {
            self.counters.over_budget += 1;
        }
        let waiters: Vec<Index> = self.waiters(slot);
        for cursor in waiters {
            let at = &self.cursors[&cursor];
            if at.slots.len() == 1 || matches!(at.phase, Phase::Waiting { admitted: true, .. }) {
                self.lease_all(cursor);
            }
        }
        self.queue.retain(|group| group.cursor.is_some() || group.slots != [slot]);
        if !self.settings.keep_warm && self.leases(slot) == 0 {
            self.evict(slot);
        }
        self.refuse_too_large();
        self.pump();
        Ok(())
    }

    pub fn fail(&mut self, load: u64, code: Code) -> Result<(), Code> {
        let ended = self.loads.remove(&load).ok_or(Code::BadHandle)?;
        match ended.slot {
            Some(slot) => self.fail_slot(slot, code),
            None => {
                self.counters.abandoned += 1;
                self.pump();
            }
        }
        Ok(())
    }

    /// Leases all resident slots of the cursor.
    pub fn lease_all(&mut self, cursor: Index) {
        let slots = self.cursors[&cursor].slots.clone();
        for (place, (slot, leased)) in slots.iter().enumerate() {
            if !leased && self.is_resident(*slot) {
                self.tick += 1;
                self.slots.get_mut(slot).unwrap().last_used = self.tick;
                let at = self.cursors.get_mut(&cursor).unwrap();
                at.slots[place].1 = true;
                let slot = &self.slots[slot];
                if let (Place::Resident { payload, .. }, BYTES) = (&slot.place, slot.dataset) {
                    self.kept.entry(at.attempt).or_default().insert(*payload);
                }
            }
        }
        let at = self.cursors.get_mut(&cursor).unwrap();
        if at.slots.iter().all(|(_, leased)| *leased) {
            at.phase = Phase::Holding;
        }
        self.look();
    }

    /// Ends the cursor's activity.
    pub fn release(&mut self, cursor: Index) {
        if self.cursors.get(&cursor).is_none_or(|at| at.phase == Phase::Idle) {
            return;
        }
        let left = self.leave(cursor);
        self.forget_overdraft(cursor, &left);
        self.free(&left, &[]);
        self.pump();
    }

    /// Takes away a cursor's leases and its wait, and returns its slots.
    fn leave(&mut self, cursor: Index) -> Vec<(Index, bool)> {
        let at = self.cursors.get_mut(&cursor).unwrap();
        let waited = matches!(at.phase, Phase::Waiting { .. });
        at.phase = Phase::Idle;
        let slots = std::mem::take(&mut at.slots);
        for (id, _) in slots.iter().filter(|(_, leased)| *leased) {
            self.tick += 1;
            self.slots.get_mut(id).unwrap().last_used = self.tick;
        }
        if waited {
            let alone = (slots.len() == 1).then(|| slots[0].0);
            let others =
                alone.is_some_and(|slot| self.waiters(slot).iter().any(|c| self.cursors[c].slots.len() == 1));
            self.queue.retain(|group| match group.cursor {
                Some(of) => of != cursor,
                None => others || alone != Some(group.slots[0]),
            });
        }
        slots
    }

    /// An admission over the budget ends when no cursor of the attempt uses its slot.
    fn forget_overdraft(&mut self, cursor: Index, left: &[(Index, bool)]) {
        let attempt = self.cursors[&cursor].attempt;
        let Some(Some(over)) = self.attempts.get(&attempt).copied() else { return };
        let mut own = self.cursors.values().filter(|cursor| cursor.attempt == attempt);
        let used = own.any(|cursor| cursor.slots.iter().any(|(slot, _)| *slot == over));
        if !used && left.iter().any(|(slot, _)| *slot == over) {
            self.attempts.insert(attempt, None);
        }
    }

    /// Evicts slots that lost their last lease and may not stay, except for the wanted ones.
    fn free(&mut self, left: &[(Index, bool)], wanted: &[Index]) {
        for (id, leased) in left {
            let Some(slot) = self.slots.get(id) else { continue };
            let doomed = slot.catalogs == 0;
            let goes = doomed || !self.settings.keep_warm;
            if *leased && goes && self.leases(*id) == 0 && !wanted.contains(id) {
                self.evict(*id);
                if doomed {
                    self.slots.remove(id);
                }
            }
        }
    }

    pub fn fail_cursor(&mut self, cursor: Index, code: Code) {
        self.release(cursor);
        self.cursors.get_mut(&cursor).unwrap().phase = Phase::Failed(code);
    }

    pub fn fail_waiters(&mut self, slot: Index, code: Code) {
        let all: Vec<Index> = self.cursors.iter().filter(|(_, c)| c.wants(slot)).map(|(id, _)| *id).collect();
        for cursor in all {
            self.fail_cursor(cursor, code);
        }
    }

    pub fn fail_slot(&mut self, slot: Index, code: Code) {
        self.fail_slot_until(slot, code, self.now + self.settings.failure_memory);
    }

    /// Until then all requests get the same error.
    fn fail_slot_until(&mut self, slot: Index, code: Code, until: Duration) {
        self.counters.failures += 1;
        self.slots.get_mut(&slot).unwrap().place = Place::Failed { code, until };
        self.fail_waiters(slot, code);
        self.pump();
    }

    /// Takes a version without leases out of memory.
    pub fn evict(&mut self, slot: Index) {
        let at = self.slots.get_mut(&slot).unwrap();
        if let Place::Resident { payload, .. } = at.place {
            at.place = Place::Absent;
            self.counters.evictions += u64::from(at.catalogs > 0);
            self.evicted.push(payload);
        }
    }

    pub fn abandon(&mut self, slot: Index) {
        let at = self.slots.get_mut(&slot).unwrap();
        if let Place::Loading(load) = at.place {
            at.place = Place::Absent;
            self.loads.get_mut(&load).unwrap().slot = None;
        }
    }

    /// The cursors that wait for a lease of this slot.
    pub fn waiters(&self, slot: Index) -> Vec<Index> {
        let waits = |cursor: &Cursor| cursor.wants(slot) && cursor.slots.contains(&(slot, false));
        self.cursors.iter().filter(|(_, cursor)| waits(cursor)).map(|(id, _)| *id).collect()
    }

    pub fn open(&self, slot: Index) -> bool {
        self.slots.get(&slot).is_some_and(|slot| slot.catalogs > 0)
    }

    pub fn is_resident(&self, slot: Index) -> bool {
        matches!(self.slots[&slot].place, Place::Resident { .. })
    }

    pub fn failure(&self, slot: Index) -> Option<Code> {
        match self.slots[&slot].place {
            Place::Failed { code, until } if self.now < until => Some(code),
            _ => None,
        }
    }

    pub fn too_large(&self, slots: &[Index]) -> bool {
        let mut distinct = slots.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let bytes: u64 = distinct.iter().filter_map(|slot| self.slots[slot].known).sum();
        bytes > self.settings.budget_bytes
            || self.settings.budget_versions.is_some_and(|most| distinct.len() as u64 > most)
    }
}

impl Slot {
    /// For bytes the known size counts; for an object only the declared one, since a measured size is no
    /// contradiction.
    pub fn contradicts(&self, bytes: Option<u64>) -> bool {
        let known = if self.dataset == BYTES { self.known } else { self.declared };
        bytes.is_some() && known.is_some() && bytes != known
    }
}

impl Cursor {
    /// Whether it waits and the slot is among the requested ones.
    pub fn wants(&self, slot: Index) -> bool {
        matches!(self.phase, Phase::Waiting { .. }) && self.slots.iter().any(|(wanted, _)| *wanted == slot)
    }
}
