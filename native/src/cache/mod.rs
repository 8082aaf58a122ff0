//! Shared versioned data: each version in use is in the process once, leased by tasks and charged to a budget.
//!
//! # States
//!
//! A [`slot`] moves `Absent -> Loading -> Resident -> Absent`, or `Loading -> Failed -> Absent`. A payload
//! that has left its slot while readers may still use it is *retired*: its pages are released, its addresses
//! stay valid until the last reference is dropped. A [`cursor`] moves `Idle -> Waiting -> Holding -> Idle`,
//! or `Waiting -> Failed -> Idle`.
//!
//! # Invariants
//!
//! 1. At most one load runs for a slot, on a loader thread, never on a task's thread.
//! 2. A cursor that waits for the budget holds nothing; a set is leased once all of it is reserved.
//! 3. Admitted bytes are those of resident versions, of loads, and of abandoned loads whose threads have not
//!    returned. They exceed the budget only by admissions that are counted.
//! 4. A version with a lease is never evicted.
//! 5. Any end of an attempt releases its leases; ending it twice is harmless.
//!
//! # Locks
//!
//! One mutex guards [`state::CacheState`]; one condition variable tells waiters about changes. While the mutex is
//! held, no other lock is taken, no callback is called, no payload is dropped and no message is logged: the
//! consequences of a transition are collected as effects and applied after the mutex is released.
//! `docs/internals/concurrency.md` argues why that is enough.

mod admission;
mod advice;
#[cfg(any(test, feature = "audit"))]
mod audit;
mod bytes;
mod catalog;
mod cursor;
mod eviction;
mod files;
mod in_flight;
mod listing;
mod load;
mod loading;
mod mapped;
mod moves;
mod probe;
pub mod process;
mod queue;
pub mod settings;
mod slab;
mod slot;
mod state;
mod stats;
pub mod store;
mod thrash;
mod trail;
mod views;

pub use bytes::Bytes;
pub use catalog::{Catalog, CatalogId, Listing};
pub use cursor::{Attempt, AttemptId, Cursor, CursorId};
pub use files::Files;
pub use settings::CacheSettings;
pub(crate) use slab::Slab;
pub use slab::{Handle, HandleKind};
pub use slot::{LoadId, Pages, Payload, PayloadKind, Residency, Slot, SlotId, SlotState, VersionKey};
pub use stats::{StatKind, Stats};

use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::sync::{lock, wait, Condvar, Mutex};
use cursor::Phase;
use state::{released, CacheState, Effects};
use std::sync::Arc;
use std::time::Duration;
use thrash::Thrash;
use trail::Trail;

/// Hands an admitted load to a loader thread. Called without any lock held; must not block.
pub type Launcher = Box<dyn Fn(LoadId) + Send + Sync>;

/// The shared versioned data of one process. All methods may be called from any thread; only [`Cache::wait`] blocks.
pub struct Cache {
    state: Mutex<CacheState>,
    changed: Condvar,
    clock: Clock,
    launch: Launcher,
    abandoned: Launcher,
}

impl Cache {
    /// An empty cache that is not configured yet.
    pub fn new(clock: Clock, launch: Launcher) -> Cache {
        let abandoned = Box::new(|_| {});
        Cache { state: Mutex::new(CacheState::new()), changed: Condvar::new(), clock, launch, abandoned }
    }

    /// Adds a callback for abandoned loads whose threads have not returned, called once for each: it must
    /// take away the load's files and mappings before another load of the version starts. Called without any
    /// lock held; must not block.
    pub fn on_abandoned(self, abandoned: Launcher) -> Cache {
        Cache { abandoned, ..self }
    }

    /// Sets the limits. Equal settings have no effect; different ones replace them while no catalog is open.
    /// Leases that outlive their catalogs do not prevent that: they stay charged, to the new budget, until
    /// their attempts end.
    ///
    /// # Errors
    /// [`Code::BadSetting`] while catalogs of an earlier configuration are open.
    pub fn configure(&self, settings: CacheSettings) -> Result<()> {
        let mut state = lock(&self.state);
        if state.configured && state.settings == settings {
            return Ok(());
        }
        if !state.catalogs.is_empty() {
            return Err(Error::new(
                Code::BadSetting,
                format!(
                    "this process already serves application {:?} with other settings; close its catalogs (or stop its \
                     SparkContext) first",
                    state.settings.application
                ),
            ));
        }
        state.stats = state.stats.anew(settings.budget_bytes);
        state.thrash = Thrash::default();
        state.warned_unsorted.clear();
        state.settings = settings;
        state.configured = true;
        Ok(())
    }

    /// The settings in force; `None` before the first [`Cache::configure`].
    pub fn settings(&self) -> Option<CacheSettings> {
        let state = lock(&self.state);
        state.configured.then(|| state.settings.clone())
    }

    /// Opens a catalog without versions.
    ///
    /// # Errors
    /// [`Code::NotConfigured`] before [`Cache::configure`].
    pub fn open_catalog(
        &self,
        application: &str,
        dataset: &str,
        kind: PayloadKind,
        loader_scope: u64,
    ) -> Result<CatalogId> {
        let mut state = lock(&self.state);
        if !state.configured {
            return Err(Error::new(
                Code::NotConfigured,
                format!(
                    "dataset {dataset:?}: no SparkContext with Andiron enabled has configured this process"
                ),
            ));
        }
        Ok(state.catalogs.insert(Catalog {
            application: application.to_string(),
            dataset: dataset.to_string(),
            kind,
            loader_scope,
            slots: Vec::new(),
        }))
    }

    /// Lists a version in a catalog. Listing the same key twice gives the same slot, with the size that
    /// either listing declares. The size is part of the digest's meaning, so two sizes for one key are a
    /// contradiction, not two slots.
    ///
    /// # Errors
    /// [`Code::SourceSizeMismatch`] when the listing declares a size different from the known one: for bytes
    /// their length, for objects the size of an earlier listing (the size measured by a load is no
    /// contradiction; it is the charge to the budget). [`Code::BadArgument`] for an empty name,
    /// [`Code::CatalogClosed`].
    pub fn add_version(&self, catalog: CatalogId, listing: &Listing<'_>) -> Result<SlotId> {
        self.act(|state, now, fx| state.add_version(catalog, listing, now, fx))
    }

    /// Declares how many tasks will need a version, in addition to the demand of live cursors.
    pub fn set_demand(&self, slot: SlotId, tasks: u64) -> Result<()> {
        let mut state = lock(&self.state);
        state.open_slot(slot)?;
        if let Some(slot) = state.slots.get_mut(slot) {
            slot.demand_hint = tasks;
        }
        Ok(())
    }

    /// Closes a catalog: waits end with [`Code::CatalogClosed`], versions are removed with their last lease.
    /// Idempotent.
    pub fn close_catalog(&self, catalog: CatalogId) {
        self.act(|state, now, fx| state.close_catalog(catalog, now, fx));
    }

    /// Closes every catalog of an application. Attempts are not assigned to applications: the code that began
    /// them ends them, and their versions are removed with the last lease.
    pub fn close_application(&self, application: &str) {
        self.act(|state, now, fx| {
            let of_it: Vec<CatalogId> = state
                .catalogs
                .iter()
                .filter(|(_, catalog)| catalog.application == application)
                .map(|(id, _)| id)
                .collect();
            for catalog in of_it {
                state.close_catalog(catalog, now, fx);
            }
        });
    }

    /// Begins an attempt: a task attempt, or the driver outside any task. `name` is for messages.
    pub fn begin_attempt(&self, name: &str) -> AttemptId {
        self.begin(name, false)
    }

    /// Begins an attempt of a barrier stage: other tasks of the stage may wait for it at a barrier while they
    /// hold versions.
    pub fn begin_barrier_attempt(&self, name: &str) -> AttemptId {
        self.begin(name, true)
    }

    fn begin(&self, name: &str, barrier: bool) -> AttemptId {
        lock(&self.state).attempts.insert(Attempt {
            name: name.to_string(),
            barrier,
            cursors: Vec::new(),
            leases: 0,
            overdraft: None,
            kept: Vec::new(),
        })
    }

    /// Ends an attempt and releases its leases; returns their number. Idempotent.
    pub fn end_attempt(&self, attempt: AttemptId) -> usize {
        self.act(|state, now, fx| {
            let Some(entry) = state.attempts.get_mut(attempt) else { return 0 };
            let held = entry.leases;
            for cursor in std::mem::take(&mut entry.cursors) {
                state.note_end(cursor, fx);
                state.release(cursor, now, fx);
                state.cursors.remove(cursor);
            }
            if let Some(entry) = state.attempts.remove(attempt) {
                fx.dropped.extend(entry.kept);
            }
            fx.wake = true;
            held
        })
    }

    /// Opens a cursor. `ordered` promises that it visits versions in the order of their names.
    ///
    /// # Errors
    /// [`Code::Released`] when the attempt has ended.
    pub fn open_cursor(&self, attempt: AttemptId, ordered: bool) -> Result<CursorId> {
        let mut state = lock(&self.state);
        state.attempts.get(attempt).ok_or_else(|| released("task attempt"))?;
        let id = state.cursors.insert(Cursor {
            attempt,
            ordered,
            position: None,
            trail: Trail::default(),
            phase: Phase::Idle,
            slots: Vec::new(),
        });
        if let Some(attempt) = state.attempts.get_mut(attempt) {
            attempt.cursors.push(id);
        }
        Ok(id)
    }

    /// Releases the cursor's leases and moves it to another version. `None`: it waits; continue with
    /// [`Cache::wait`].
    ///
    /// # Errors
    /// [`Code::VersionLargerThanBudget`], a remembered failure of the load, [`Code::CatalogClosed`],
    /// [`Code::Released`].
    pub fn advance(&self, cursor: CursorId, slot: SlotId) -> Result<Option<Residency>> {
        self.act(|state, now, fx| state.move_to(cursor, &[slot], now, fx))
    }

    /// Moves to several versions, which are admitted together or not at all. A held version that is requested
    /// again is not loaded again, unless the cursor has to wait and a group before it needs the bytes.
    pub fn advance_all(&self, cursor: CursorId, slots: &[SlotId]) -> Result<Option<Residency>> {
        self.act(|state, now, fx| {
            state.cursor(cursor)?;
            if slots.is_empty() {
                return Err(Error::new(Code::BadArgument, "acquireAll needs at least one version"));
            }
            state.move_to(cursor, slots, now, fx)
        })
    }

    /// Waits at most `slice` for the requested versions. `None`: it still waits.
    ///
    /// # Errors
    /// The reason why the wait ended: the load's failure or time-out, [`Code::WaitTimedOut`],
    /// [`Code::BudgetDeadlock`], [`Code::CatalogClosed`]; [`Code::Released`] when the cursor was released or
    /// does not wait.
    pub fn wait(&self, cursor: CursorId, slice: Duration) -> Result<Option<Residency>> {
        self.act(|state, now, fx| state.pass_time(now, fx));
        let mut state = lock(&self.state);
        for waited in [false, true] {
            if let Some(outcome) = outcome(&mut state, cursor) {
                return outcome.map(Some);
            }
            if !waited {
                state = wait(&self.changed, state, slice);
            }
        }
        Ok(None)
    }

    /// Whether the cursor waits for the budget while other cursors of its attempt hold versions: releasing
    /// one of them may help it.
    pub fn waits_on_its_own(&self, cursor: CursorId) -> bool {
        lock(&self.state).waits_on_its_own(cursor)
    }

    /// Releases the cursor's leases or withdraws its wait. Harmless when it has neither, or is closed.
    pub fn release(&self, cursor: CursorId) {
        self.act(|state, now, fx| {
            state.release(cursor, now, fx);
            if let Some(cursor) = state.cursors.get_mut(cursor) {
                cursor.phase = Phase::Idle;
            }
            fx.wake = true;
        });
    }

    /// Releases and closes a cursor. Idempotent.
    pub fn close_cursor(&self, cursor: CursorId) {
        self.act(|state, now, fx| {
            state.note_end(cursor, fx);
            state.release(cursor, now, fx);
            let Some(closed) = state.cursors.remove(cursor) else { return };
            if let Some(attempt) = state.attempts.get_mut(closed.attempt) {
                attempt.cursors.retain(|other| *other != cursor);
            }
            fx.wake = true;
        });
    }

    /// The residency and payload at position `index` of the cursor's set.
    pub fn leased(&self, cursor: CursorId, index: usize) -> Result<(Residency, Arc<dyn Payload>)> {
        lock(&self.state).leased(cursor, index)
    }

    /// The slot of a load; an error once it was abandoned.
    pub fn load_slot(&self, load: LoadId) -> Result<(SlotId, LoadOrder)> {
        let state = lock(&self.state);
        let abandoned = || {
            let why = "it took too long, or its catalog was closed";
            Error::new(Code::CatalogClosed, format!("load {load} was abandoned ({why}); drop its result"))
        };
        let slot_id = state.loads.get(&load).and_then(|load| load.slot).ok_or_else(abandoned)?;
        let slot = state.slots.get(slot_id).ok_or_else(abandoned)?;
        let order = LoadOrder {
            digest: slot.key.digest.clone(),
            name: slot.name(),
            bytes: slot.bytes,
            timeout: state.settings.load_timeout,
        };
        Ok((slot_id, order))
    }

    /// Records that a loader thread has taken the load: its time-out counts from now. Harmless when it has
    /// ended.
    pub fn load_taken(&self, load: LoadId) {
        self.act(|state, now, _| {
            if let Some(load) = state.loads.get_mut(&load) {
                load.taken = Some(now);
            }
        });
    }

    /// Records that the taker cannot run the load: it waits for another thread, as before it was taken.
    ///
    /// # Errors
    /// [`Code::CatalogClosed`] once it was abandoned: end it instead.
    pub fn load_given_back(&self, load: LoadId) -> Result<()> {
        self.load_slot(load)?;
        if let Some(load) = lock(&self.state).loads.get_mut(&load) {
            load.taken = None;
        }
        Ok(())
    }

    /// Ends a load with its result. A late result of an abandoned load is dropped and counted.
    ///
    /// # Errors
    /// [`Code::BadHandle`] when the load has ended already.
    pub fn finish_load(&self, load: LoadId, payload: Arc<dyn Payload>, bytes: u64) -> Result<()> {
        self.act(|state, now, fx| state.finish_load(load, payload, bytes, now, fx))
    }

    /// Ends a load with an error, which all of its waiters share.
    pub fn fail_load(&self, load: LoadId, error: Error) -> Result<()> {
        self.act(|state, now, fx| state.fail_load(load, error, now, fx))
    }

    /// Applies the passage of time when no cursor waits: time-outs, and admissions over the budget.
    pub fn pass_time(&self) {
        self.act(|state, now, fx| state.pass_time(now, fx));
    }

    /// The counters and gauges now.
    pub fn stats(&self) -> Stats {
        lock(&self.state).snapshot()
    }

    /// Runs a transition under the lock, and its effects after releasing it.
    fn act<R>(&self, transition: impl FnOnce(&mut CacheState, Duration, &mut Effects) -> R) -> R {
        let mut fx = Effects::default();
        let result = {
            let mut state = lock(&self.state);
            // Read under the lock, so that times never decrease from one transition to the next.
            let now = self.clock.now();
            let result = transition(&mut state, now, &mut fx);
            #[cfg(any(test, feature = "audit"))]
            state.audit(now);
            result
        };
        if fx.wake {
            self.changed.notify_all();
        }
        // Memory is released before a load that counts on it is started.
        for payload in fx.retired {
            payload.evict();
        }
        drop(fx.dropped);
        drop(fx.errors);
        for load in fx.abandoned {
            (self.abandoned)(load);
        }
        for load in fx.started {
            (self.launch)(load);
        }
        for warning in fx.warnings {
            log::warn!("{warning}");
        }
        result
    }
}

/// The description of a load for the loader thread that took it.
pub struct LoadOrder {
    /// See [`VersionKey::digest`].
    pub digest: String,
    /// Dataset, version and source, for messages.
    pub name: String,
    /// The declared size.
    pub bytes: Option<u64>,
    /// The longest total time of the load, measured from when it was taken.
    pub timeout: Duration,
}

/// The outcome of a cursor's wait; `None` while it waits.
fn outcome(state: &mut CacheState, id: CursorId) -> Option<Result<Residency>> {
    let cursor = match state.cursor(id) {
        Ok(cursor) => cursor,
        Err(error) => return Some(Err(error)),
    };
    match &cursor.phase {
        Phase::Waiting { .. } => None,
        Phase::Holding => Some(Ok(state.residency(cursor))),
        Phase::Idle => Some(Err(released("cursor's wait"))),
        Phase::Failed(error) => {
            let error = error.clone();
            if let Some(cursor) = state.cursors.get_mut(id) {
                cursor.phase = Phase::Idle;
            }
            Some(Err(error))
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
