//! The model's budget: admission, its order, and eviction.

use crate::model::{Index, Load, Model, Phase, Place};
use andiron::error::Code;

impl Model {
    /// Admits all groups that fit, first come first served; no group overtakes an old one.
    pub fn pump(&mut self) {
        self.make_room(&[], &[]);
        'again: loop {
            for place in 0..self.queue.len() {
                if self.admit(place) {
                    continue 'again;
                }
                if self.now - self.queue[place].since >= self.settings.queue_age {
                    return;
                }
            }
            return;
        }
    }

    /// Applies the passage of time.
    pub fn pass_time(&mut self) {
        let late = |load: &Load, model: &Model| {
            load.taken.is_some_and(|taken| model.now - taken >= model.settings.load_timeout)
        };
        let hung: Vec<Index> =
            self.loads.values().filter(|load| late(load, self)).filter_map(|load| load.slot).collect();
        for slot in hung {
            self.abandon(slot);
            self.fail_slot(slot, Code::LoadTimedOut);
        }
        self.overdraw();
        self.give_up();
        self.pump();
    }

    /// Admits a group if it fits the budget, possibly after evictions.
    fn admit(&mut self, place: usize) -> bool {
        let group = self.queue[place].clone();
        let missing = self.missing(&group.slots);
        let alone = |slot: &Index| self.open(*slot) && self.failure(*slot).is_none();
        if !group.slots.iter().all(alone) || missing.iter().any(|(slot, _)| self.must_learn_first(*slot)) {
            return false;
        }
        let bytes: Vec<u64> = missing.iter().map(|(_, bytes)| *bytes).collect();
        if !missing.is_empty() {
            let idle = self.idle(&group.slots);
            let freed: u64 = idle.iter().map(|(_, bytes)| bytes).sum();
            let wanted: u64 = bytes.iter().sum();
            let versions = self.admitted_versions() - idle.len() as u64 + bytes.len() as u64;
            if self.reserved() - freed + wanted > self.settings.budget_bytes
                || self.settings.budget_versions.is_some_and(|most| versions > most)
            {
                return false;
            }
            self.make_room(&bytes, &group.slots);
        }
        for (slot, reserved) in missing {
            self.start(slot, reserved, false);
        }
        self.queue.remove(place);
        if let Some(cursor) = group.cursor {
            let at = self.cursors.get_mut(&cursor).unwrap();
            if let Phase::Waiting { admitted, .. } = &mut at.phase {
                *admitted = true;
            }
            self.lease_all(cursor);
        }
        true
    }

    fn start(&mut self, slot: Index, reserved: u64, overdraft: bool) {
        let load = self.next_load;
        self.next_load += 1;
        self.loads.insert(load, Load { slot: Some(slot), reserved, taken: None, overdraft });
        let at = self.slots.get_mut(&slot).unwrap();
        at.place = Place::Loading(load);
        self.counters.reloads += u64::from(std::mem::take(&mut at.evicted));
        self.launched.push(load);
        self.look();
    }

    /// The slots of these without a load, each with its reservation.
    fn missing(&self, group: &[Index]) -> Vec<(Index, u64)> {
        let mut distinct: Vec<Index> = Vec::new();
        for slot in group {
            if !distinct.contains(slot) {
                distinct.push(*slot);
            }
        }
        let absent = |slot: &Index| matches!(self.slots[slot].place, Place::Absent | Place::Failed { .. });
        let taken: u64 = distinct
            .iter()
            .map(|slot| match self.slots[slot].place {
                Place::Resident { bytes, .. } => bytes,
                Place::Loading(load) => self.loads.get(&load).map_or(0, |load| load.reserved),
                _ => self.slots[slot].known.unwrap_or(0),
            })
            .sum();
        let missing: Vec<Index> = distinct.into_iter().filter(absent).collect();
        let unknown = missing.iter().filter(|slot| self.slots[slot].known.is_none()).count() as u64;
        let share = self.settings.budget_bytes.saturating_sub(taken).checked_div(unknown).unwrap_or(0);
        let charge =
            |slot: &Index| self.slots[slot].known.unwrap_or_else(|| self.largest_known(*slot).min(share));
        missing.iter().map(|slot| (*slot, charge(slot))).collect()
    }

    fn largest_known(&self, slot: Index) -> u64 {
        let dataset = self.slots[&slot].dataset;
        let siblings = self.slots.values().filter(|other| other.dataset == dataset);
        siblings.filter_map(|other| other.known).max().unwrap_or(0)
    }

    fn must_learn_first(&self, slot: Index) -> bool {
        let at = &self.slots[&slot];
        let learning = |other: Index| {
            let other = &self.slots[&other];
            other.dataset == at.dataset && other.known.is_none()
        };
        at.known.is_none()
            && self.largest_known(slot) == 0
            && self.loads.values().filter_map(|load| load.slot).any(learning)
    }

    fn fits(&self, more: &[u64]) -> bool {
        let versions = self.admitted_versions() + more.len() as u64;
        self.reserved().saturating_add(more.iter().copied().fold(0, u64::saturating_add))
            <= self.settings.budget_bytes
            && self.settings.budget_versions.is_none_or(|most| versions <= most)
    }

    /// Resident versions without leases, except for `spare`.
    pub fn idle(&self, spare: &[Index]) -> Vec<(Index, u64)> {
        self.resident().filter(|(id, _)| self.leases(*id) == 0 && !spare.contains(id)).collect()
    }

    /// Evicts idle versions, least demanded first, until `more` fits or none is left.
    pub fn make_room(&mut self, more: &[u64], spare: &[Index]) {
        while !self.fits(more) {
            let idle = self.idle(spare).into_iter().map(|(id, _)| id);
            let Some(victim) = idle.min_by_key(|id| (self.demand(*id), self.slots[id].last_used)) else {
                return;
            };
            self.evict(victim);
            self.slots.get_mut(&victim).unwrap().evicted = true;
        }
    }

    /// Cursors that wait for the version or have yet to reach it, and the hint.
    fn demand(&self, id: Index) -> u64 {
        let slot = &self.slots[&id];
        let ahead = |position: Option<Index>| {
            position
                .and_then(|at| self.slots.get(&at))
                .is_some_and(|at| at.dataset == slot.dataset && at.version < slot.version)
        };
        let wanting = self.cursors.values().filter(|c| (c.ordered && ahead(c.position)) || c.wants(id));
        wanting.count() as u64 + slot.hint
    }

    /// Ends waits that are too long, and those of tasks that hold versions and cannot be helped.
    fn give_up(&mut self) {
        let mut ended = Vec::new();
        for (id, cursor) in &self.cursors {
            let Phase::Waiting { since, admitted } = cursor.phase else { continue };
            let waited = self.now - since;
            if waited >= self.settings.wait_timeout {
                ended.push((*id, Code::WaitTimedOut));
            } else if !admitted
                && self.place_in_queue(*id).is_some()
                && self.holds_up(cursor.attempt)
                && waited >= self.settings.deadlock_after
            {
                ended.push((*id, Code::BudgetDeadlock));
            }
        }
        for (cursor, code) in ended {
            self.counters.gave_way += u64::from(code == Code::BudgetDeadlock);
            self.fail_cursor(cursor, code);
        }
    }

    pub fn place_in_queue(&self, id: Index) -> Option<usize> {
        let cursor = &self.cursors[&id];
        self.queue.iter().position(|group| match group.cursor {
            Some(of) => of == id,
            None => cursor.slots.len() == 1 && cursor.slots[0].0 == group.slots[0],
        })
    }

    /// Admits over the budget tasks that wait while they hold: by one version each, up to the hard limit.
    fn overdraw(&mut self) {
        let helped = |model: &Model, id: Index| {
            let cursor = &model.cursors[&id];
            let Phase::Waiting { since, admitted: false } = cursor.phase else { return false };
            let waited = model.now - since;
            cursor.slots.len() == 1
                && waited >= model.settings.overdraft_after
                && waited < model.settings.wait_timeout
                && model.holds_up(cursor.attempt)
        };
        let all: Vec<Index> = self.cursors.keys().copied().filter(|id| helped(self, *id)).collect();
        for id in all {
            let Some(place) = self.place_in_queue(id) else { continue };
            let (attempt, slot) = (self.cursors[&id].attempt, self.cursors[&id].slots[0].0);
            if self.admit(place) || self.attempts[&attempt].is_some() || !self.holds_up(attempt) {
                continue;
            }
            let bytes = self.missing(&[slot])[0].1;
            let idle: u64 = self.idle(&[slot]).iter().map(|(_, bytes)| bytes).sum();
            if self.reserved() - idle + bytes > self.settings.hard_limit_bytes {
                continue;
            }
            self.make_room(&[bytes], &[slot]);
            self.queue.remove(place);
            self.counters.over_budget += 1;
            self.start(slot, bytes, true);
            self.attempts.insert(attempt, Some(slot));
        }
    }
}
