//! Loads: one at a time for each slot, on threads that belong to no task.
//!
//! A load holds a reservation of the budget from its start until its thread returns, regardless of its
//! waiters. Its time-out counts from its start on a loader thread: until then its waiters have only their own
//! time-outs.
//!
//! A load that timed out, or whose catalog was closed, is *abandoned*: its slot forgets it, its files and
//! mappings are taken away, and a late result is dropped.
//!
//! A load whose result is so much larger than its reservation that the hard limit would be exceeded is
//! rejected: its size is remembered, and the next load reserves that.

use super::cursor::{AttemptId, Cursor, CursorId, Phase};
use super::load::Load;
use super::slot::LoadId;
use super::slot::{Payload, SlotId, SlotState};
use super::state::{CacheState, Effects};
use crate::clock::Moment;
use crate::error::{Code, Error, Result};
use std::sync::Arc;

impl CacheState {
    /// Starts the load of an absent slot with this reservation.
    pub(super) fn start_load(
        &mut self,
        slot_id: SlotId,
        reserved: u64,
        overdraft_of: Option<AttemptId>,
        fx: &mut Effects,
    ) {
        let Some(slot) = self.slots.get_mut(slot_id) else { return };
        let id = self.next_load;
        self.next_load += 1;
        if let SlotState::Failed { error, .. } = std::mem::replace(&mut slot.state, SlotState::Loading(id)) {
            fx.errors.push(error);
        }
        if let Some(eviction) = slot.evicted.take() {
            self.stats.reloads += 1;
            self.note_reload(slot_id, eviction, fx);
        }
        let name = self.slots.get(slot_id).map(|slot| slot.name()).unwrap_or_default();
        self.stats.charge(reserved);
        self.admitted_versions += 1;
        self.loads.insert(id, Load { slot: Some(slot_id), name, reserved, taken: None, overdraft_of });
        fx.started.push(id);
    }

    /// Makes the loaded version resident and leases it to all its waiters.
    pub(super) fn finish_load(
        &mut self,
        id: LoadId,
        payload: Arc<dyn Payload>,
        bytes: u64,
        now: Moment,
        fx: &mut Effects,
    ) -> Result<()> {
        let load = match self.take_load(id, now) {
            Ok(load) => load,
            Err(error) => {
                fx.retired.push(payload);
                return Err(error);
            }
        };
        let Some(slot_id) = load.slot else {
            self.stats.abandoned_loads += 1;
            fx.retired.push(payload);
            fx.warnings.push(format!("{}: the late result of an abandoned load was dropped", load.name));
            self.admit_waiting(now, fx);
            return Ok(());
        };
        let budget = self.settings.budget_bytes;
        if bytes > budget {
            let error = Error::new(
                Code::VersionLargerThanBudget,
                format!(
                    "{}: it turned out to have {bytes} bytes, more than the whole budget of {budget}; raise \
                     spark.andiron.cache.budgetBytes, and declare the size in the catalog",
                    load.name
                ),
            );
            fx.retired.push(payload);
            if let Some(slot) = self.slots.get_mut(slot_id) {
                slot.bytes = Some(bytes);
            }
            self.settle_failure(slot_id, error, now, fx);
            return Ok(());
        }
        let (least, _) = self.admitted_after_evictions(&[slot_id]);
        if bytes > load.reserved && least.saturating_add(bytes) > self.settings.hard_limit_bytes {
            fx.retired.push(payload);
            self.reject_oversized(slot_id, &load, bytes, now, fx);
            return Ok(());
        }
        self.stats.loads += 1;
        self.make_room(&[(slot_id, bytes)], &[slot_id], fx);
        self.stats.charge(bytes);
        self.admitted_versions += 1;
        let over = self.stats.reserved_bytes > budget;
        if over && (bytes > load.reserved || load.overdraft_of.is_some()) {
            self.stats.over_budget_admissions += u64::from(load.overdraft_of.is_none());
            if bytes > load.reserved {
                fx.warnings.push(format!(
                    "{}: {bytes} bytes were loaded but {} reserved; {} of {budget} bytes of the budget are \
                     admitted; declare the size in the catalog",
                    load.name, load.reserved, self.stats.reserved_bytes
                ));
            }
        }
        let residency = self.next_residency;
        self.next_residency += 1;
        self.stats.resident_bytes += bytes;
        self.stats.resident_versions += 1;
        self.stats.max_resident_bytes = self.stats.max_resident_bytes.max(self.stats.resident_bytes);
        self.stats.max_resident_versions = self.stats.max_resident_versions.max(self.stats.resident_versions);
        if let Some(slot) = self.slots.get_mut(slot_id) {
            slot.bytes = Some(bytes);
            self.stats.resident_object_bytes += slot.on_heap(bytes);
            slot.state = SlotState::Resident { residency, payload, bytes };
        }
        self.grant_waiters(slot_id, now);
        if !self.settings.keep_warm {
            self.evict(slot_id, fx);
        }
        self.refuse_groups_too_large(now, fx);
        self.admit_waiting(now, fx);
        fx.wake = true;
        Ok(())
    }

    /// Ends a load with an error for all its waiters, and for later requests for a short time.
    pub(super) fn fail_load(
        &mut self,
        id: LoadId,
        error: Error,
        now: Moment,
        fx: &mut Effects,
    ) -> Result<()> {
        let load = match self.take_load(id, now) {
            Ok(load) => load,
            Err(ended) => {
                fx.errors.push(error);
                return Err(ended);
            }
        };
        match load.slot {
            Some(slot_id) => self.settle_failure(slot_id, error, now, fx),
            None => {
                self.stats.abandoned_loads += 1;
                fx.warnings.push(format!("{}: an abandoned load ended late: {error}", load.name));
                self.admit_waiting(now, fx);
            }
        }
        Ok(())
    }

    /// Ends a load that fits the budget but not the current rest of the hard limit. The failure is not
    /// remembered: a new request waits for the true size.
    fn reject_oversized(&mut self, slot_id: SlotId, load: &Load, bytes: u64, now: Moment, fx: &mut Effects) {
        let error = Error::new(
            Code::BudgetDeadlock,
            format!(
                "{}: {bytes} bytes were loaded but {} reserved, and with {} bytes admitted they would exceed \
                 the hard limit of {}; it is tried again with its true size; declare the size in the catalog, \
                 or raise spark.andiron.cache.hardLimitBytes",
                load.name, load.reserved, self.stats.reserved_bytes, self.settings.hard_limit_bytes
            ),
        );
        fx.warnings.push(error.to_string());
        if let Some(slot) = self.slots.get_mut(slot_id) {
            slot.bytes = Some(bytes);
        }
        let wants = |cursor: &Cursor| {
            matches!(cursor.phase, Phase::Waiting { .. }) && cursor.slots.iter().any(|(id, _)| *id == slot_id)
        };
        self.stats.deadlock_kills += self.cursors.iter().filter(|(_, cursor)| wants(cursor)).count() as u64;
        self.settle_failure_until(slot_id, error, now, now, fx);
    }

    fn settle_failure(&mut self, slot_id: SlotId, error: Error, now: Moment, fx: &mut Effects) {
        self.settle_failure_until(slot_id, error, now + self.settings.failure_memory, now, fx);
    }

    fn settle_failure_until(
        &mut self,
        slot_id: SlotId,
        error: Error,
        until: Moment,
        now: Moment,
        fx: &mut Effects,
    ) {
        self.stats.load_failures += 1;
        if let Some(slot) = self.slots.get_mut(slot_id) {
            slot.state = SlotState::Failed { error: error.clone(), until };
        }
        self.fail_waiters(slot_id, &error, now, fx);
        self.admit_waiting(now, fx);
        fx.wake = true;
    }

    /// Removes the record and the charge of a load whose thread has returned.
    fn take_load(&mut self, id: LoadId, now: Moment) -> Result<Load> {
        let load = self.loads.remove(&id).ok_or_else(|| {
            Error::new(Code::BadHandle, format!("load {id} has already ended, or never began"))
        })?;
        self.stats.discharge(load.reserved);
        self.admitted_versions -= 1;
        self.stats.load_millis += load.taken.map_or(0, |taken| now.saturating_sub(taken).as_millis() as u64);
        Ok(load)
    }

    /// Makes the slot forget its load, which keeps its reservation until its thread returns.
    pub(super) fn abandon(&mut self, slot_id: SlotId, fx: &mut Effects) {
        let Some(slot) = self.slots.get_mut(slot_id) else { return };
        if let SlotState::Loading(id) = slot.state {
            slot.state = SlotState::Absent;
            if let Some(load) = self.loads.get_mut(&id) {
                load.slot = None;
                fx.abandoned.push(id);
            }
        }
    }

    /// Abandons loads that exceed their time-out; their waiters get a typed error.
    pub(super) fn expire_loads(&mut self, now: Moment, fx: &mut Effects) {
        let limit = self.settings.load_timeout;
        let late: Vec<(SlotId, String)> = self
            .loads
            .values()
            .filter(|load| load.taken.is_some_and(|taken| now.saturating_sub(taken) >= limit))
            .filter_map(|load| load.slot.map(|slot| (slot, load.name.clone())))
            .collect();
        for (slot_id, name) in late {
            self.abandon(slot_id, fx);
            let error = Error::new(
                Code::LoadTimedOut,
                format!(
                    "{name}: the load took longer than {} s; its reservation stays until its thread returns; see \
                     spark.andiron.cache.loadTimeout",
                    limit.as_secs_f64()
                ),
            );
            fx.warnings.push(error.to_string());
            self.settle_failure(slot_id, error, now, fx);
        }
    }

    /// Leases the slot to every cursor that waits for it, except for sets whose reservation is not made yet.
    fn grant_waiters(&mut self, slot_id: SlotId, now: Moment) {
        let waiters: Vec<CursorId> =
            self.cursors.iter().filter(|(_, cursor)| cursor.awaits(slot_id)).map(|(id, _)| id).collect();
        for id in waiters {
            let Some(cursor) = self.cursors.get(id) else { continue };
            let Phase::Waiting { since, admitted } = cursor.phase else { continue };
            if !admitted && cursor.slots.len() > 1 {
                continue;
            }
            let places: Vec<usize> =
                (0..cursor.slots.len()).filter(|place| cursor.slots[*place] == (slot_id, false)).collect();
            for place in places {
                self.grant(id, place);
            }
            self.note_granted(id, since, now);
        }
        self.queue.retain(|group| group.cursor.is_some() || group.slots != [slot_id]);
    }

    /// Counts the end of a wait, if it has ended.
    pub(super) fn note_granted(&mut self, id: CursorId, since: Moment, now: Moment) {
        if self.cursors.get(id).is_some_and(|cursor| matches!(cursor.phase, Phase::Holding)) {
            self.stats.waiting -= 1;
            self.stats.wait_millis += now.saturating_sub(since).as_millis() as u64;
        }
    }
}
