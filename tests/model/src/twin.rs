//! A cache and its model side by side: the same operations on both, with all observable state compared after
//! each.

use crate::model::{Index, Model, Outcome, Phase, Place, BYTES};
use crate::op::Op;
use andiron::cache::CacheSettings;
use andiron::cache::{
    AttemptId, Cache, CatalogId, CursorId, Handle, Listing, LoadId, Payload, PayloadKind, Residency, SlotId,
};
use andiron::clock::Clock;
use andiron::error::{Code, Error, Result};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const VERSIONS: u8 = 5;
const MOST: usize = 8;

/// Events of payloads and loads, in order.
#[derive(Default)]
struct Events {
    launched: Mutex<Vec<LoadId>>,
    evicted: Mutex<Vec<usize>>,
    freed: Mutex<BTreeSet<usize>>,
}

struct Tracked {
    serial: usize,
    kept: bool,
    events: Arc<Events>,
}

impl Payload for Tracked {
    fn evict(&self) {
        self.events.evicted.lock().unwrap().push(self.serial);
    }

    fn kept_by_attempts(&self) -> bool {
        self.kept
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        assert!(self.events.freed.lock().unwrap().insert(self.serial), "freed twice");
    }
}

/// Handles of one kind: the live ones, and all that ever existed.
struct Handles<T> {
    live: BTreeMap<Index, Handle<T>>,
    all: Vec<Handle<T>>,
}

impl<T> Default for Handles<T> {
    fn default() -> Handles<T> {
        Handles { live: BTreeMap::new(), all: Vec::new() }
    }
}

impl<T: andiron::cache::HandleKind> Handles<T> {
    fn add(&mut self, handle: Handle<T>) -> Index {
        let index = index_of(handle);
        self.live.insert(index, handle);
        if !self.all.contains(&handle) {
            self.all.push(handle);
        }
        index
    }

    /// A live handle, or now and then a stale one. The index is given for a live one only.
    fn choose(&self, number: u8) -> Option<(Handle<T>, Option<Index>)> {
        let number = usize::from(number);
        let live: Vec<&Handle<T>> = self.live.values().collect();
        let chosen = if number % 16 == 15 || live.is_empty() {
            *self.all.get(number % self.all.len().max(1))?
        } else {
            *live[number % live.len()]
        };
        let known = self.live.get(&index_of(chosen)) == Some(&chosen);
        Some((chosen, known.then(|| index_of(chosen))))
    }
}

fn index_of<T: andiron::cache::HandleKind>(handle: Handle<T>) -> Index {
    handle.raw() as u64 as Index
}

/// Bytes of a version, unless its load returns more.
fn natural_size(version: u8) -> u64 {
    3 + 4 * u64::from(version)
}

/// The cache and its model.
pub struct Twin {
    cache: Cache,
    clock: Clock,
    model: Model,
    events: Arc<Events>,
    payloads: usize,
    catalogs: Handles<andiron::cache::Catalog>,
    listed: BTreeMap<Index, Vec<Index>>,
    slots: Handles<andiron::cache::Slot>,
    attempts: Handles<andiron::cache::Attempt>,
    cursors: Handles<andiron::cache::Cursor>,
    opened: u64,
    last_ended: Option<LoadId>,
}

impl Twin {
    pub fn new(settings: CacheSettings) -> Twin {
        let clock = Clock::manual();
        let events: Arc<Events> = Arc::default();
        let launched = Arc::clone(&events);
        let launch = Box::new(move |load| launched.launched.lock().unwrap().push(load));
        let cache = Cache::new(clock.clone(), launch);
        cache.configure(settings.clone()).unwrap();
        Twin {
            cache,
            clock,
            model: Model::new(settings),
            events,
            payloads: 0,
            catalogs: Handles::default(),
            listed: BTreeMap::new(),
            slots: Handles::default(),
            attempts: Handles::default(),
            cursors: Handles::default(),
            opened: 0,
            last_ended: None,
        }
    }

    /// Runs one operation on both and compares them.
    pub fn apply(&mut self, op: &Op) {
        self.model.launched.clear();
        self.model.evicted.clear();
        self.events.launched.lock().unwrap().clear();
        self.events.evicted.lock().unwrap().clear();
        self.perform(op);
        self.forget_the_dead();
        self.compare(op);
    }

    /// Ends all objects, and asserts that nothing is left.
    pub fn end(mut self) {
        self.apply(&Op::CloseApplication);
        for number in 0..self.attempts.live.len() {
            let _ = number;
            self.apply(&Op::End(0));
        }
        while !self.model.loads.is_empty() {
            self.apply(&Op::Fail(0));
        }
        let stats = self.cache.stats();
        let left = (stats.reserved_bytes, stats.leases, stats.waiting, stats.attempts, stats.cursors);
        assert_eq!(left, (0, 0, 0, 0, 0));
        assert_eq!(self.events.freed.lock().unwrap().len(), self.payloads, "payloads leaked");
    }

    fn perform(&mut self, op: &Op) {
        match op {
            Op::Open { dataset, versions, sized } => self.open(*dataset, *versions, *sized),
            Op::Close(number) => {
                let Some((catalog, known)) = self.catalogs.choose(*number) else { return };
                self.cache.close_catalog(catalog);
                if let Some(slots) = known.and_then(|index| self.listed.remove(&index)) {
                    self.catalogs.live.remove(&index_of(catalog));
                    self.model.close(&slots);
                }
            }
            Op::CloseApplication => {
                self.cache.close_application("app");
                self.catalogs.live.clear();
                for slots in std::mem::take(&mut self.listed).into_values() {
                    self.model.close(&slots);
                }
            }
            Op::Demand(number, tasks) => {
                let Some((slot, known)) = self.slots.choose(*number) else { return };
                let open = known.filter(|slot| self.model.open(*slot));
                let told = self.cache.set_demand(slot, u64::from(*tasks % 4));
                assert_eq!(told.is_ok(), open.is_some());
                if let Some(slot) = open.and_then(|slot| self.model.slots.get_mut(&slot)) {
                    slot.hint = u64::from(*tasks % 4);
                }
            }
            Op::Begin(barrier) if self.attempts.live.len() < MOST => {
                let attempt: AttemptId = if *barrier {
                    self.cache.begin_barrier_attempt("task")
                } else {
                    self.cache.begin_attempt("task")
                };
                let index = self.attempts.add(attempt);
                self.model.attempts.insert(index, None);
                if *barrier {
                    self.model.barrier.insert(index);
                }
            }
            Op::Begin(_) => {}
            Op::End(number) => {
                let Some((attempt, known)) = self.attempts.choose(*number) else { return };
                let expected = known.map_or(0, |index| self.model.end(index));
                assert_eq!(self.cache.end_attempt(attempt), expected, "leases at the end of an attempt");
            }
            Op::OpenCursor(number, ordered) => self.open_cursor(*number, *ordered),
            Op::CloseCursor(number) => {
                let Some((cursor, known)) = self.cursors.choose(*number) else { return };
                self.cache.close_cursor(cursor);
                if let Some(index) = known {
                    self.model.close_cursor(index);
                }
            }
            Op::Release(number) => {
                let Some((cursor, known)) = self.cursors.choose(*number) else { return };
                self.cache.release(cursor);
                if let Some(index) = known {
                    self.model.release(index);
                }
            }
            Op::Advance(number, slot) => self.advance(*number, std::slice::from_ref(slot), true),
            Op::AdvanceAll(number, slots) => self.advance(*number, slots, false),
            Op::Wait(number) => {
                let Some((cursor, known)) = self.cursors.choose(*number) else { return };
                let real = self.cache.wait(cursor, Duration::ZERO);
                let expected = match known {
                    Some(index) => self.model.wait(index),
                    None => {
                        self.model.pass_time();
                        Err(Code::Released)
                    }
                };
                assert_eq!(outcome(&real), expected);
            }
            Op::Leased(number, place) => {
                let Some((cursor, _)) = self.cursors.choose(*number) else { return };
                self.compare_lease(cursor, usize::from(*place));
            }
            Op::Take(number) => {
                let Some((load, _)) = self.choose_load(*number) else { return };
                self.cache.load_taken(load);
                self.model.loads.get_mut(&load).unwrap().taken = Some(self.model.now);
            }
            Op::GiveBack(number) => {
                let Some((load, slot)) = self.choose_load(*number) else { return };
                assert_eq!(self.cache.load_given_back(load).is_ok(), slot.is_some());
                if slot.is_some() {
                    self.model.loads.get_mut(&load).unwrap().taken = None;
                }
            }
            Op::Finish(number, more) => {
                let Some((load, slot)) = self.choose_load(*number) else { return };
                let version = slot.map_or(0, |slot| self.model.slots[&slot].version);
                let bytes = natural_size(version) + u64::from(*more);
                let kept = slot.is_none_or(|slot| self.model.slots[&slot].dataset == BYTES);
                let (payload, serial) = self.payload(kept);
                self.cache.finish_load(load, payload, bytes).unwrap();
                self.model.finish(load, serial, bytes).unwrap();
                self.last_ended = Some(load);
            }
            Op::Fail(number) => {
                let Some((load, _)) = self.choose_load(*number) else { return };
                self.cache.fail_load(load, Error::new(Code::LoadFailed, "injected")).unwrap();
                self.model.fail(load, Code::LoadFailed).unwrap();
                self.last_ended = Some(load);
            }
            Op::FinishAgain => {
                let Some(load) = self.last_ended else { return };
                let (payload, serial) = self.payload(true);
                let refused = self.cache.finish_load(load, payload, 1).unwrap_err();
                assert_eq!(Err(refused.code()), self.model.finish(load, serial, 1));
                assert!(self.cache.fail_load(load, Error::new(Code::LoadFailed, "again")).is_err());
            }
            Op::Turn(millis) => {
                self.clock.turn(Duration::from_millis(u64::from(*millis)));
                self.model.now += Duration::from_millis(u64::from(*millis));
            }
            Op::PassTime => {
                self.cache.pass_time();
                self.model.pass_time();
            }
        }
    }

    fn open(&mut self, dataset: u8, versions: u8, sized: u8) {
        if self.catalogs.live.len() >= 4 {
            return;
        }
        let (name, kind) =
            if dataset == BYTES { ("bytes", PayloadKind::Bytes) } else { ("objects", PayloadKind::Object) };
        let catalog: CatalogId = self.cache.open_catalog("app", name, kind, 0).unwrap();
        let at = self.catalogs.add(catalog);
        self.listed.insert(at, Vec::new());
        for version in (0..VERSIONS).filter(|version| versions >> version & 1 == 1) {
            let bytes = (sized >> version & 1 == 1).then(|| natural_size(version));
            let name = format!("v{version}");
            let listing = Listing { version: &name, digest: &name, bytes, label: "memory" };
            let added = self.cache.add_version(catalog, &listing);
            let known =
                self.model.slots.iter().find(|(_, slot)| {
                    (slot.dataset, slot.version) == (dataset, version) && slot.catalogs > 0
                });
            if let Some(index) = known.filter(|(_, slot)| slot.contradicts(bytes)).map(|(index, _)| *index) {
                let refused = self.model.add_version(index, dataset, version, bytes, false);
                assert_eq!(added.map_err(|error| error.code()).map(drop), refused);
                continue;
            }
            let slot: SlotId = added.unwrap();
            let index = self.slots.add(slot);
            self.listed.get_mut(&at).unwrap().push(index);
            self.model.add_version(index, dataset, version, bytes, false).unwrap();
            assert_eq!(self.cache.add_version(catalog, &listing).unwrap(), slot, "listed twice, one slot");
            self.model.add_version(index, dataset, version, bytes, true).unwrap();
        }
    }

    fn open_cursor(&mut self, number: u8, ordered: bool) {
        let Some((attempt, known)) = self.attempts.choose(number) else { return };
        if known.is_some() && self.cursors.live.len() >= 2 * MOST {
            return;
        }
        let opened = self.cache.open_cursor(attempt, ordered);
        assert_eq!(opened.is_ok(), known.is_some());
        if let (Ok(cursor), Some(attempt)) = (opened, known) {
            let index = self.cursors.add(cursor);
            self.opened += 1;
            let (phase, slots) = (Phase::Idle, Vec::new());
            let at =
                crate::model::Cursor { attempt, opened: self.opened, ordered, position: None, phase, slots };
            self.model.cursors.insert(index, at);
        }
    }

    fn advance(&mut self, number: u8, slots: &[u8], alone: bool) {
        let Some((cursor, known)) = self.cursors.choose(number) else { return };
        let chosen: Option<Vec<_>> = slots.iter().map(|slot| self.slots.choose(*slot)).collect();
        let Some(chosen) = chosen else { return };
        let handles: Vec<SlotId> = chosen.iter().map(|(slot, _)| *slot).collect();
        let real = if alone {
            self.cache.advance(cursor, handles[0])
        } else {
            self.cache.advance_all(cursor, &handles)
        };
        let indices: Option<Vec<Index>> = chosen.iter().map(|(_, index)| *index).collect();
        let expected = match known {
            None => Err(Code::Released),
            Some(cursor) => self.model.advance(cursor, indices.as_deref()),
        };
        assert_eq!(outcome(&real), expected);
    }

    fn choose_load(&self, number: u8) -> Option<(LoadId, Option<Index>)> {
        let loads: Vec<(&u64, &crate::model::Load)> = self.model.loads.iter().collect();
        let (load, at) = loads.get(usize::from(number) % loads.len().max(1))?;
        Some((**load, at.slot))
    }

    fn payload(&mut self, kept: bool) -> (Arc<dyn Payload>, usize) {
        let serial = self.payloads;
        self.payloads += 1;
        (Arc::new(Tracked { serial, kept, events: Arc::clone(&self.events) }), serial)
    }

    /// Objects that the model has removed are stale from now on.
    fn forget_the_dead(&mut self) {
        let model = &self.model;
        self.slots.live.retain(|index, _| model.slots.contains_key(index));
        self.attempts.live.retain(|index, _| model.attempts.contains_key(index));
        self.cursors.live.retain(|index, _| model.cursors.contains_key(index));
    }

    fn compare(&self, op: &Op) {
        let model = &self.model;
        assert_eq!(*self.events.launched.lock().unwrap(), model.launched, "loads launched by {op:?}");
        assert_eq!(*self.events.evicted.lock().unwrap(), model.evicted, "payloads evicted by {op:?}");
        let alive = model.alive();
        let freed: BTreeSet<usize> = (0..self.payloads).filter(|serial| !alive.contains(serial)).collect();
        assert_eq!(*self.events.freed.lock().unwrap(), freed, "payloads freed after {op:?}");
        for (load, at) in &model.loads {
            let slot = self.cache.load_slot(*load).ok().map(|(slot, _)| index_of(slot));
            assert_eq!(slot, at.slot, "the slot of load {load} after {op:?}");
        }
        for cursor in self.cursors.live.values() {
            self.compare_lease(*cursor, 0);
            let (id, at) = (index_of(*cursor), &model.cursors[&index_of(*cursor)]);
            let on_its_own = matches!(at.phase, Phase::Waiting { admitted: false, .. })
                && model.place_in_queue(id).is_some()
                && model.leases_of(at.attempt) > 0;
            assert_eq!(self.cache.waits_on_its_own(*cursor), on_its_own, "{id} after {op:?}");
        }
        self.compare_stats(op);
    }

    fn compare_lease(&self, cursor: CursorId, place: usize) {
        let live = self.cursors.live.get(&index_of(cursor)) == Some(&cursor);
        let at = live.then(|| self.model.cursors.get(&index_of(cursor))).flatten();
        let expected =
            at.filter(|at| at.phase == Phase::Holding).and_then(|at| at.slots.get(place)).map(|(slot, _)| {
                match self.model.slots[slot].place {
                    Place::Resident { payload, .. } => payload,
                    _ => panic!("the model leases a version that is not resident"),
                }
            });
        let real = self.cache.leased(cursor, place);
        let real = real.map(|(_, payload)| payload.as_any().downcast_ref::<Tracked>().unwrap().serial);
        assert_eq!(real.map_err(|error| error.code()), expected.ok_or(Code::Released));
    }

    fn compare_stats(&self, op: &Op) {
        let (model, stats) = (&self.model, self.cache.stats());
        let counted = &model.counters;
        let objects = |(slot, _): &(Index, u64)| model.slots[slot].dataset != BYTES;
        let resident: BTreeSet<usize> = self.model.alive();
        let real = [
            ("resident bytes", stats.resident_bytes, model.resident_bytes()),
            (
                "object bytes",
                stats.resident_object_bytes,
                model.resident().filter(objects).map(|(_, b)| b).sum(),
            ),
            ("resident versions", stats.resident_versions, model.resident().count() as u64),
            ("reserved bytes", stats.reserved_bytes, model.reserved()),
            ("most reserved", stats.max_reserved_bytes, counted.most_reserved),
            ("most leased", stats.max_leased_bytes, counted.most_leased),
            ("most resident", stats.max_resident_bytes, counted.most_resident),
            ("leased bytes", stats.leased_bytes, model.leased_bytes()),
            ("leases", stats.leases, model.slots.keys().map(|slot| model.leases(*slot) as u64).sum()),
            ("attempts", stats.attempts, model.attempts.len() as u64),
            ("cursors", stats.cursors, model.cursors.len() as u64),
            ("waiting", stats.waiting, model.waiting() as u64),
            ("hits", stats.hits, counted.hits),
            ("loads", stats.loads, counted.loads),
            ("load failures", stats.load_failures, counted.failures),
            ("evictions", stats.evictions, counted.evictions),
            ("reloads", stats.reloads, counted.reloads),
            ("over budget", stats.over_budget_admissions, counted.over_budget),
            (
                "most over budget",
                stats.max_over_budget_bytes,
                counted.most_reserved.saturating_sub(model.settings.budget_bytes),
            ),
            ("abandoned", stats.abandoned_loads, counted.abandoned),
            ("gave way", stats.deadlock_kills, counted.gave_way),
            ("retired", stats.retired_mappings, resident.len() as u64 - model.resident().count() as u64),
        ];
        for (name, real, expected) in real {
            assert_eq!(real, expected, "{name} after {op:?}");
        }
    }
}

fn outcome(real: &Result<Option<Residency>>) -> Outcome {
    real.as_ref().map(Option::is_some).map_err(|error| error.code())
}
