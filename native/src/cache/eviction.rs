//! Eviction: the choice of the version that makes room for another.
//!
//! Only versions without a lease are candidates. The one with the least outstanding demand goes first; among equals, the
//! one that was used least recently.

use super::cursor::Phase;
use super::slot::{Slot, SlotId, SlotState};
use super::state::{CacheState, Effects};
use super::thrash::{BudgetBound, Eviction};
use std::sync::Arc;

impl CacheState {
    /// Evicts idle versions except `spare` until these loads fit, or none is left.
    pub(super) fn make_room(&mut self, loads: &[(SlotId, u64)], spare: &[SlotId], fx: &mut Effects) {
        loop {
            let bound = self.bound(loads, self.admitted_now());
            if bound == BudgetBound::default() || !self.evict_one(bound, spare, fx) {
                return;
            }
        }
    }

    fn evict_one(&mut self, bound: BudgetBound, spare: &[SlotId], fx: &mut Effects) -> bool {
        let victim = self
            .slots
            .iter()
            .filter(|(id, slot)| slot.idle() && !spare.contains(id))
            .min_by_key(|(_, slot)| (self.demand(slot), slot.last_used))
            .map(|(id, slot)| (id, slot.last_used));
        let Some((victim, last_used)) = victim else { return false };
        self.evict(victim, fx);
        if let Some(slot) = self.slots.get_mut(victim) {
            slot.evicted = Some(Eviction { last_used, bound });
        }
        true
    }

    /// Outstanding demand: cursors that wait for the version, live ordered cursors that have yet to reach it,
    /// and the hint.
    pub(super) fn demand(&self, slot: &Slot) -> u64 {
        let before = |position: Option<SlotId>| match position.and_then(|id| self.slots.get(id)) {
            None => false,
            Some(at) => at.key.same_dataset(&slot.key) && at.key.version < slot.key.version,
        };
        let cursors = self.cursors.iter().filter(|(_, cursor)| {
            (cursor.ordered && before(cursor.position))
                || (matches!(cursor.phase, Phase::Waiting { .. })
                    && cursor
                        .slots
                        .iter()
                        .any(|(id, _)| self.slots.get(*id).is_some_and(|s| s.key == slot.key)))
        });
        cursors.count() as u64 + slot.demand_hint
    }

    /// The admitted bytes and versions if every idle version except `spare` were evicted.
    pub(super) fn admitted_after_evictions(&self, spare: &[SlotId]) -> (u64, u64) {
        let idle = self.slots.iter().filter(|(id, slot)| slot.idle() && !spare.contains(id));
        idle.fold(self.admitted_now(), |(bytes, versions), (_, slot)| match slot.state {
            SlotState::Resident { bytes: freed, .. } => (bytes - freed, versions - 1),
            _ => (bytes, versions),
        })
    }

    /// Evicts an idle version. Other references to its payload stay valid.
    pub(super) fn evict(&mut self, slot_id: SlotId, fx: &mut Effects) {
        let Some(slot) = self.slots.get_mut(slot_id) else { return };
        if !slot.idle() {
            return;
        }
        if let SlotState::Resident { payload, bytes, .. } =
            std::mem::replace(&mut slot.state, SlotState::Absent)
        {
            self.stats.resident_bytes -= bytes;
            self.stats.resident_object_bytes -= slot.on_heap(bytes);
            self.stats.resident_versions -= 1;
            self.stats.discharge(bytes);
            self.admitted_versions -= 1;
            self.stats.evictions += u64::from(!slot.doomed());
            self.retired.retain(|known| known.strong_count() > 0);
            if !self.retired.iter().any(|known| std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(&payload))) {
                self.retired.push(Arc::downgrade(&payload));
            }
            fx.retired.push(payload);
            fx.wake = true;
        }
    }
}
