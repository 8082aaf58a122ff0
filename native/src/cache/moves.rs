//! Moves of cursors: released, kept and requested versions.
//!
//! A cursor that moves returns all of its leases and takes the requested ones in one transition: a version
//! that it holds and requests again stays in memory unless a group that is served first needs the bytes. It
//! never waits while it holds a lease from before.

use super::cursor::{AttemptId, CursorId, Phase};
use super::queue::WaitGroup;
use super::slot::{Residency, SlotId, SlotState};
use super::state::{CacheState, Effects};
use crate::clock::Moment;
use crate::error::{Error, Result};

/// The slots that a cursor had before it moved.
struct Released {
    attempt: AttemptId,
    /// Each with whether it was leased.
    slots: Vec<(SlotId, bool)>,
}

impl CacheState {
    /// Moves a cursor to these slots. `Some` residency when they are leased at once. After an error it holds
    /// nothing, unless it requested exactly the slots that it holds.
    pub(super) fn move_to(
        &mut self,
        cursor_id: CursorId,
        slots: &[SlotId],
        now: Moment,
        fx: &mut Effects,
    ) -> Result<Option<Residency>> {
        let at = self.cursor(cursor_id)?;
        if matches!(at.phase, Phase::Holding) && at.slots.iter().map(|(slot, _)| slot).eq(slots) {
            slots.iter().try_for_each(|slot| self.open_slot(*slot).map(drop))?;
            return Ok(Some(self.residency(at)));
        }
        let left = self.leave(cursor_id, now, fx);
        let outcome = self.lease_at_once(cursor_id, slots, now);
        let waits = matches!(outcome, Ok(None));
        if let Some(left) = &left {
            self.end_overdrafts(left);
            self.free_unused(left, if waits { slots } else { &[] }, fx);
        }
        if waits {
            self.await_slots(cursor_id, slots, now);
        }
        self.admit_waiting(now, fx);
        if let Some(left) = &left {
            self.free_unused(left, &[], fx);
        }
        outcome
    }

    /// Ends the cursor's activity: its leases are released, its wait is withdrawn. Harmless when it is idle.
    pub(super) fn release(&mut self, cursor_id: CursorId, now: Moment, fx: &mut Effects) {
        let Some(left) = self.leave(cursor_id, now, fx) else { return };
        self.end_overdrafts(&left);
        self.free_unused(&left, &[], fx);
        self.admit_waiting(now, fx);
    }

    /// Takes away the cursor's leases and its wait, without evicting anything yet. `None` when it was idle.
    fn leave(&mut self, cursor_id: CursorId, now: Moment, fx: &mut Effects) -> Option<Released> {
        let cursor = self.cursors.get_mut(cursor_id)?;
        let phase = std::mem::replace(&mut cursor.phase, Phase::Idle);
        if matches!(phase, Phase::Idle) {
            return None;
        }
        let left = Released { attempt: cursor.attempt, slots: std::mem::take(&mut cursor.slots) };
        for (slot, _) in left.slots.iter().filter(|(_, leased)| *leased) {
            self.end_lease(left.attempt, *slot);
        }
        match phase {
            Phase::Waiting { since, .. } => {
                self.stats.waiting -= 1;
                self.stats.wait_millis += now.saturating_sub(since).as_millis() as u64;
                self.withdraw(cursor_id, &left.slots);
            }
            Phase::Failed(error) => fx.errors.push(error),
            Phase::Holding | Phase::Idle => {}
        }
        Some(left)
    }

    fn end_lease(&mut self, attempt: AttemptId, slot_id: SlotId) {
        self.stats.leases -= 1;
        if let Some(attempt) = self.attempts.get_mut(attempt) {
            attempt.leases -= 1;
        }
        let Some(slot) = self.slots.get_mut(slot_id) else { return };
        slot.leases -= 1;
        self.tick += 1;
        slot.last_used = self.tick;
        if let (0, SlotState::Resident { bytes, .. }) = (slot.leases, &slot.state) {
            self.stats.leased_bytes -= *bytes;
        }
    }

    /// Evicts versions that lost their last lease and may not stay without one, except for `wanted`.
    fn free_unused(&mut self, left: &Released, wanted: &[SlotId], fx: &mut Effects) {
        for (slot_id, leased) in &left.slots {
            let Some(slot) = self.slots.get(*slot_id) else { continue };
            if !*leased || slot.leases > 0 || wanted.contains(slot_id) {
                continue;
            }
            if slot.doomed() {
                self.evict(*slot_id, fx);
                self.slots.remove(*slot_id);
            } else if !self.settings.keep_warm {
                self.evict(*slot_id, fx);
            }
        }
    }

    /// Ends the attempt's admission over the budget if that was for one of these slots and none of its
    /// cursors uses it any more.
    fn end_overdrafts(&mut self, left: &Released) {
        let Some(attempt) = self.attempts.get(left.attempt) else { return };
        let Some(over) = attempt.overdraft.filter(|over| left.slots.iter().any(|(slot, _)| slot == over))
        else {
            return;
        };
        let uses = |id: &CursorId| {
            self.cursors.get(*id).is_some_and(|cursor| cursor.slots.iter().any(|(used, _)| *used == over))
        };
        if !attempt.cursors.iter().any(uses) {
            if let Some(attempt) = self.attempts.get_mut(left.attempt) {
                attempt.overdraft = None;
            }
        }
    }

    /// Leases the slots to a cursor that has none, if all are resident. `None`: it must wait.
    fn lease_at_once(
        &mut self,
        cursor_id: CursorId,
        slots: &[SlotId],
        now: Moment,
    ) -> Result<Option<Residency>> {
        for slot in slots {
            self.open_slot(*slot)?;
        }
        self.refuse_too_large(slots)?;
        let resident = |id: &SlotId| {
            self.slots.get(*id).is_some_and(|slot| matches!(slot.state, SlotState::Resident { .. }))
        };
        let all_resident = slots.iter().all(resident);
        let failure = slots.iter().find_map(|slot| self.remembered_failure(*slot, now));
        let cursor = self.cursors.get_mut(cursor_id).ok_or_else(|| super::state::released("cursor"))?;
        cursor.position = slots.last().copied();
        if let ([slot], false) = (slots, cursor.ordered) {
            cursor.trail.step(*slot, all_resident);
        }
        if !all_resident {
            return failure.map_or(Ok(None), |error: Error| Err(error));
        }
        cursor.slots.extend(slots.iter().map(|slot| (*slot, false)));
        for place in 0..slots.len() {
            self.grant(cursor_id, place);
        }
        self.stats.hits += 1;
        Ok(self.cursors.get(cursor_id).map(|cursor| self.residency(cursor)))
    }

    /// Makes the cursor wait for the slots, in the group of the same single slot or in its own group.
    fn await_slots(&mut self, cursor_id: CursorId, slots: &[SlotId], now: Moment) {
        let Some(cursor) = self.cursors.get_mut(cursor_id) else { return };
        cursor.slots.extend(slots.iter().map(|slot| (*slot, false)));
        cursor.phase = Phase::Waiting { since: now, admitted: false };
        self.stats.waiting += 1;
        let alone = slots.len() == 1;
        let loading =
            alone && self.slots.get(slots[0]).is_some_and(|s| matches!(s.state, SlotState::Loading(_)));
        let queued = alone && self.queue.iter().any(|group| group.cursor.is_none() && group.slots == slots);
        if !loading && !queued {
            let cursor = (!alone).then_some(cursor_id);
            self.queue.push_back(WaitGroup { slots: slots.to_vec(), cursor, since: now });
        }
    }
}
