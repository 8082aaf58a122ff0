//! The invariants of the whole state, checked after every transition: in tests, and under the feature `audit`
//! for models.

use super::cursor::{Cursor, CursorId, Phase};
use super::slot::{SlotId, SlotState};
use super::state::CacheState;
use crate::clock::Moment;
use std::fmt::Debug;

impl CacheState {
    /// Panics at the first broken invariant.
    pub(super) fn audit(&self, now: Moment) {
        self.audit_slots();
        self.audit_cursors();
        self.audit_charges();
        self.audit_queue(now);
    }

    fn audit_slots(&self) {
        for (id, slot) in self.slots.iter() {
            let name = slot.name();
            let leased =
                self.cursors.iter().flat_map(|(_, c)| &c.slots).filter(|s| **s == (id, true)).count();
            same("leases of a slot", &name, slot.leases, leased);
            let listed = self.catalogs.iter().filter(|(_, catalog)| catalog.slots.contains(&id)).count();
            same("open catalogs of a slot", &name, slot.catalogs, listed);
            holds("a leased version is resident", &name, slot.leases == 0 || self.resident(id));
            holds("a doomed version has a lease", &name, !slot.doomed() || slot.leases > 0);
            holds(
                "an open version is found by its key",
                &name,
                slot.doomed() || self.by_key.get(&slot.key) == Some(&id),
            );
            if let SlotState::Loading(load) = slot.state {
                let of = self.loads.get(&load).and_then(|load| load.slot);
                same("the slot of a slot's load", &name, of, Some(id));
            }
        }
        for (id, load) in &self.loads {
            let Some(slot) = load.slot else { continue };
            let loads =
                self.slots.get(slot).is_some_and(|s| matches!(s.state, SlotState::Loading(of) if of == *id));
            holds("a load that is not abandoned is its slot's only one", &load.name, loads);
        }
        holds("every key has a slot", &"", self.by_key.values().all(|id| self.slots.get(*id).is_some()));
    }

    fn audit_cursors(&self) {
        for (id, cursor) in self.cursors.iter() {
            let (all, none) = (cursor.slots.iter().all(|s| s.1), cursor.slots.iter().all(|s| !s.1));
            match &cursor.phase {
                Phase::Idle | Phase::Failed(_) => {
                    holds("an idle cursor has no slots", &id, cursor.slots.is_empty())
                }
                Phase::Holding => {
                    holds("a holding cursor leases all its slots", &id, all && !cursor.slots.is_empty())
                }
                Phase::Waiting { admitted: false, .. } => {
                    holds(
                        "a cursor that waits for the budget holds nothing",
                        &id,
                        none && !cursor.slots.is_empty(),
                    );
                    holds(
                        "a waiting cursor is queued or its version loads",
                        &id,
                        self.looked_after(id, cursor),
                    );
                }
                Phase::Waiting { admitted: true, .. } => {
                    let rest = cursor.slots.iter().filter(|s| !s.1);
                    holds("an admitted set that waits is incomplete", &id, !all);
                    holds(
                        "the missing versions of an admitted set load",
                        &id,
                        rest.into_iter().all(|s| self.loading(s.0)),
                    );
                }
            }
            let known =
                self.attempts.get(cursor.attempt).is_some_and(|attempt| attempt.cursors.contains(&id));
            holds("a cursor belongs to a live attempt", &id, known);
        }
        for (id, attempt) in self.attempts.iter() {
            let own = || attempt.cursors.iter().filter_map(|cursor| self.cursors.get(*cursor));
            same("cursors of an attempt", &id, own().count(), attempt.cursors.len());
            same(
                "leases of an attempt",
                &id,
                attempt.leases,
                own().flat_map(|c| &c.slots).filter(|s| s.1).count(),
            );
            let used =
                attempt.overdraft.is_none_or(|over| own().any(|c| c.slots.iter().any(|s| s.0 == over)));
            holds("an overdraft ends with its use", &id, used);
        }
    }

    fn audit_charges(&self) {
        let stays = || {
            self.slots.iter().filter_map(|(_, slot)| match slot.state {
                SlotState::Resident { bytes, .. } => Some((slot.leases, bytes)),
                _ => None,
            })
        };
        let resident: u64 = stays().map(|(_, bytes)| bytes).sum();
        let leased: u64 = stays().filter(|(leases, _)| *leases > 0).map(|(_, bytes)| bytes).sum();
        let loading: u64 = self.loads.values().map(|load| load.reserved).sum();
        let waiting = self.cursors.iter().filter(|(_, c)| matches!(c.phase, Phase::Waiting { .. })).count();
        same("resident bytes", &"", self.stats.resident_bytes, resident);
        let objects = self.slots.iter().map(|(_, slot)| match slot.state {
            SlotState::Resident { bytes, .. } => slot.on_heap(bytes),
            _ => 0,
        });
        same("resident bytes of objects", &"", self.stats.resident_object_bytes, objects.sum());
        same("resident versions", &"", self.stats.resident_versions, stays().count() as u64);
        same("leased bytes", &"", self.stats.leased_bytes, leased);
        same("leases", &"", self.stats.leases, self.slots.iter().map(|(_, slot)| slot.leases as u64).sum());
        same("waiting cursors", &"", self.stats.waiting, waiting as u64);
        same("admitted bytes", &"", self.stats.reserved_bytes, resident + loading);
        same("admitted versions", &"", self.admitted_versions, (stays().count() + self.loads.len()) as u64);
        let over = self.stats.reserved_bytes > self.settings.budget_bytes;
        holds("an admission over the budget is counted", &"", !over || self.stats.over_budget_admissions > 0);
        holds("no idle version is kept over the budget", &"", !over || stays().all(|(leases, _)| leases > 0));
    }

    fn audit_queue(&self, now: Moment) {
        for (place, group) in self.queue.iter().enumerate() {
            let waits = match group.cursor {
                Some(id) => self.cursors.get(id).is_some_and(|c| {
                    matches!(c.phase, Phase::Waiting { admitted: false, .. })
                        && c.slots.iter().map(|s| s.0).eq(group.slots.iter().copied())
                }),
                None => self.cursors.iter().any(|(_, c)| c.slots.len() == 1 && c.awaits(group.slots[0])),
            };
            holds("a group has a waiter", &group.slots, waits);
            let open = group.slots.iter().all(|id| self.slots.get(*id).is_some_and(|slot| !slot.doomed()));
            holds("a group wants versions of open catalogs", &group.slots, open);
            holds(
                "no group queues for a single resident version",
                &group.slots,
                group.slots.len() > 1 || !self.resident(group.slots[0]),
            );
            let twin =
                self.queue.iter().skip(place + 1).any(|g| g.cursor == group.cursor && g.slots == group.slots);
            holds("a group is in the queue once", &group.slots, !twin);
        }
        let idle_head = self.queue.front().is_some_and(|group| self.admissible(&group.slots, now));
        holds("the head of the queue is admitted as soon as it fits", &"", !idle_head);
    }

    fn resident(&self, id: SlotId) -> bool {
        self.slots.get(id).is_some_and(|slot| matches!(slot.state, SlotState::Resident { .. }))
    }

    fn loading(&self, id: SlotId) -> bool {
        self.slots.get(id).is_some_and(|slot| matches!(slot.state, SlotState::Loading(_)))
    }

    fn looked_after(&self, id: CursorId, cursor: &Cursor) -> bool {
        match cursor.slots[..] {
            [(slot, _)] => {
                self.loading(slot) || self.queue.iter().any(|g| g.cursor.is_none() && g.slots == [slot])
            }
            _ => self.queue.iter().any(|group| group.cursor == Some(id)),
        }
    }
}

fn holds(invariant: &str, of: &impl Debug, held: bool) {
    assert!(held, "broken invariant: {invariant} ({of:?})");
}

fn same<T: PartialEq + Debug>(what: &str, of: &impl Debug, counted: T, found: T) {
    assert_eq!(counted, found, "broken invariant: {what} ({of:?}): left is stored, right is counted");
}
