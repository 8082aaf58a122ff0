//! The cache's whole state behind one lock, and the transitions of all operations.
//!
//! Actions that must not run under the lock (dropping payloads, handing loads to loader threads, logging,
//! waking) are collected in [`Effects`] and run after it is released.

use super::catalog::Catalog;
use super::cursor::{Attempt, Cursor, CursorId, Phase};
use super::load::Load;
use super::queue::WaitGroup;
use super::settings::CacheSettings;
use super::slab::Slab;
use super::slot::LoadId;
use super::slot::{Payload, Residency, Slot, SlotId, SlotState, VersionKey};
use super::stats::Stats;
use super::thrash::Thrash;
use crate::clock::Moment;
use crate::error::{Code, Error, Result};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

/// The actions to run after the lock is released.
#[derive(Default)]
pub(super) struct Effects {
    /// Loads to hand to the loader threads.
    pub started: Vec<LoadId>,
    /// Abandoned loads whose threads have not returned.
    pub abandoned: Vec<LoadId>,
    /// Payloads that left their slot: their pages are released, and payloads without other references are
    /// freed.
    pub retired: Vec<Arc<dyn Payload>>,
    /// References to drop.
    pub dropped: Vec<Arc<dyn Payload>>,
    /// Errors to drop, with their causes.
    pub errors: Vec<Error>,
    pub warnings: Vec<String>,
    /// Whether a waiter may see a change.
    pub wake: bool,
}

pub(super) struct CacheState {
    pub settings: CacheSettings,
    pub configured: bool,
    pub slots: Slab<Slot>,
    pub by_key: HashMap<VersionKey, SlotId>,
    pub catalogs: Slab<Catalog>,
    pub attempts: Slab<Attempt>,
    pub cursors: Slab<Cursor>,
    pub loads: BTreeMap<LoadId, Load>,
    pub queue: VecDeque<WaitGroup>,
    /// Slots that are loading or resident, and abandoned loads that still run.
    pub admitted_versions: u64,
    pub tick: u64,
    pub next_residency: Residency,
    pub next_load: LoadId,
    pub retired: Vec<Weak<dyn Payload>>,
    pub thrash: Thrash,
    /// Datasets with a warning about unsorted rows.
    pub warned_unsorted: HashSet<String>,
    pub stats: Stats,
}

impl CacheState {
    pub(super) fn new() -> CacheState {
        CacheState {
            settings: CacheSettings::unconfigured(),
            configured: false,
            slots: Slab::new(),
            by_key: HashMap::new(),
            catalogs: Slab::new(),
            attempts: Slab::new(),
            cursors: Slab::new(),
            loads: BTreeMap::new(),
            queue: VecDeque::new(),
            admitted_versions: 0,
            tick: 0,
            next_residency: 1,
            next_load: 1,
            retired: Vec::new(),
            thrash: Thrash::default(),
            warned_unsorted: HashSet::new(),
            stats: Stats::default(),
        }
    }

    pub(super) fn cursor(&self, id: CursorId) -> Result<&Cursor> {
        self.cursors.get(id).ok_or_else(|| released("cursor"))
    }

    /// The slot, if a catalog that lists it is open.
    pub(super) fn open_slot(&self, id: SlotId) -> Result<&Slot> {
        self.slots.get(id).filter(|slot| !slot.doomed()).ok_or_else(|| {
            Error::new(
                Code::CatalogClosed,
                "the catalog of this version was closed, or its application has ended; make a new catalog",
            )
        })
    }

    /// The payload of one of a cursor's leases.
    pub(super) fn leased(&self, id: CursorId, index: usize) -> Result<(Residency, Arc<dyn Payload>)> {
        let cursor = self.cursor(id)?;
        let held = matches!(cursor.phase, Phase::Holding).then(|| cursor.slots.get(index)).flatten();
        let slot = held.and_then(|(slot, _)| self.slots.get(*slot));
        match slot.map(|slot| &slot.state) {
            Some(SlotState::Resident { residency, payload, .. }) => Ok((*residency, Arc::clone(payload))),
            _ => Err(released("lease")),
        }
    }

    /// The residency that a cursor in [`Phase::Holding`] leases first.
    pub(super) fn residency(&self, cursor: &Cursor) -> Residency {
        let first = cursor.slots.first().and_then(|(slot, _)| self.slots.get(*slot));
        match first.map(|slot| &slot.state) {
            Some(SlotState::Resident { residency, .. }) => *residency,
            _ => 0,
        }
    }

    /// Leases the resident slot at position `index` of the cursor.
    pub(super) fn grant(&mut self, cursor_id: CursorId, index: usize) {
        let Some(cursor) = self.cursors.get_mut(cursor_id) else { return };
        let slot_id = cursor.slots[index].0;
        let Some(slot) = self.slots.get_mut(slot_id) else { return };
        let SlotState::Resident { payload, bytes, .. } = &slot.state else { return };
        cursor.slots[index].1 = true;
        self.tick += 1;
        slot.last_used = self.tick;
        if slot.leases == 0 {
            self.stats.leased_bytes += *bytes;
            self.stats.max_leased_bytes = self.stats.max_leased_bytes.max(self.stats.leased_bytes);
        }
        slot.leases += 1;
        self.stats.leases += 1;
        if let Some(attempt) = self.attempts.get_mut(cursor.attempt) {
            attempt.leases += 1;
            if payload.kept_by_attempts() && !attempt.kept.iter().any(|kept| Arc::ptr_eq(kept, payload)) {
                attempt.kept.push(Arc::clone(payload));
            }
        }
        if cursor.slots.iter().all(|(_, leased)| *leased) {
            cursor.phase = Phase::Holding;
        }
    }

    /// Ends the wait of a cursor with an error, and releases its partial leases.
    pub(super) fn fail_cursor(&mut self, cursor_id: CursorId, error: Error, now: Moment, fx: &mut Effects) {
        self.release(cursor_id, now, fx);
        if let Some(cursor) = self.cursors.get_mut(cursor_id) {
            cursor.phase = Phase::Failed(error);
            fx.wake = true;
        }
    }

    /// The figures, with the current counts of live objects.
    pub(super) fn snapshot(&mut self) -> Stats {
        self.retired.retain(|payload| payload.strong_count() > 0);
        let resident = |payload: &Weak<dyn Payload>| {
            self.slots.iter().any(|(_, slot)| match &slot.state {
                SlotState::Resident { payload: here, .. } => {
                    std::ptr::addr_eq(payload.as_ptr(), Arc::as_ptr(here))
                }
                _ => false,
            })
        };
        self.stats.retired_mappings = self.retired.iter().filter(|payload| !resident(payload)).count() as u64;
        self.stats.attempts = self.attempts.len() as u64;
        self.stats.cursors = self.cursors.len() as u64;
        self.stats.budget_bytes = self.settings.budget_bytes;
        self.stats.clone()
    }
}

/// The error for calls on an object that was released or never existed.
pub(super) fn released(what: &str) -> Error {
    Error::new(
        Code::Released,
        format!(
            "this {what} was released: its task completed, or it was closed; nothing may be read through it"
        ),
    )
}
