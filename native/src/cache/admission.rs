//! The budget: admission of waiters, their order, and eviction.
//!
//! A group is either all cursors that wait for one absent version, or one cursor that waits for a set. Groups
//! are served in order; another group may overtake one that does not fit, until that one is `queue_age` old.
//! A resident version is granted without a group. Room is made by evicting versions without a lease, and only
//! if that makes enough room: first the version with the least outstanding demand, then the least recently
//! used.
//!
//! A waiter holds nothing, so there is no hold-and-wait and no cycle, with two exceptions: a task with
//! several cursors, and a task for which others wait at a barrier while they hold versions. Such a waiter is
//! admitted over the budget after `overdraft_after`, by one version for each task and up to the hard limit.
//! If that is not possible, it fails with [`Code::BudgetDeadlock`] after `deadlock_after`, and its task
//! releases its versions. Before that, a task's waiter may take back the leases of its idle cursors.

use super::cursor::{Attempt, AttemptId, Cursor, CursorId, Phase};
use super::slot::{Slot, SlotId, SlotState};
use super::state::{CacheState, Effects};
use super::thrash::BudgetBound;
use crate::clock::Moment;
use crate::error::{Code, Error, Result};
use crate::words::some;

impl CacheState {
    /// Rejects slots that cannot fit even if nothing else is admitted.
    pub(super) fn refuse_too_large(&self, slots: &[SlotId]) -> Result<()> {
        let distinct = distinct(slots);
        let bytes =
            distinct.iter().filter_map(|slot| self.slots.get(*slot)?.bytes).fold(0, u64::saturating_add);
        let too_many = self.settings.budget_versions.is_some_and(|most| distinct.len() as u64 > most);
        if bytes <= self.settings.budget_bytes && !too_many {
            return Ok(());
        }
        let names: Vec<String> =
            distinct.iter().filter_map(|slot| self.slots.get(*slot)).map(Slot::name).collect();
        let what = if distinct.len() == 1 { "it has" } else { "requested together, they have" };
        Err(Error::new(
            Code::VersionLargerThanBudget,
            format!(
                "{}: {what} {bytes} bytes in {}, the whole budget is {} bytes and {} versions; raise \
                 spark.andiron.cache.{}",
                names.join(", "),
                some(distinct.len(), "version", "versions"),
                self.settings.budget_bytes,
                self.settings.budget_versions.map_or("unlimited".to_string(), |most| most.to_string()),
                if too_many { "budgetVersions" } else { "budgetBytes" },
            ),
        ))
    }

    /// Rejects groups that, now that a size is known, cannot be admitted at all.
    pub(super) fn refuse_groups_too_large(&mut self, now: Moment, fx: &mut Effects) {
        let groups: Vec<_> = self.queue.iter().map(|group| (group.cursor, group.slots.clone())).collect();
        for (cursor, slots) in groups {
            let Err(error) = self.refuse_too_large(&slots) else { continue };
            if !self.queue.iter().any(|group| group.cursor == cursor && group.slots == slots) {
                continue;
            }
            match cursor {
                Some(cursor) => self.fail_cursor(cursor, error, now, fx),
                None => self.fail_waiters(slots[0], &error, now, fx),
            }
        }
    }

    /// The failure that is still the answer for this slot.
    pub(super) fn remembered_failure(&self, slot: SlotId, now: Moment) -> Option<Error> {
        match &self.slots.get(slot)?.state {
            SlotState::Failed { error, until } if now < *until => Some(error.clone()),
            _ => None,
        }
    }

    /// Takes a waiter out of the queue, and its group if that has no more waiters.
    pub(super) fn withdraw(&mut self, cursor_id: CursorId, slots: &[(SlotId, bool)]) {
        if let [(slot, _)] = slots {
            if !self.cursors.iter().any(|(_, cursor)| cursor.slots.len() == 1 && cursor.awaits(*slot)) {
                self.queue.retain(|group| group.cursor.is_some() || group.slots != [*slot]);
            }
        } else {
            self.queue.retain(|group| group.cursor != Some(cursor_id));
        }
    }

    /// Admits the groups that can be admitted now. Versions over the budget are evicted first, unless they
    /// are leased.
    pub(super) fn admit_waiting(&mut self, now: Moment, fx: &mut Effects) {
        self.make_room(&[], &[], fx);
        let mut place = 0;
        while let Some(group) = self.queue.get(place) {
            let age = now.saturating_sub(group.since);
            if self.admit(place, now, fx) {
                self.queue.remove(place);
                // Its loads may be those that an earlier group was missing.
                place = 0;
            } else if age >= self.settings.queue_age {
                break;
            } else {
                place += 1;
            }
        }
    }

    /// Applies the passage of time: load time-outs, ends of waits, admissions over the budget.
    pub(super) fn pass_time(&mut self, now: Moment, fx: &mut Effects) {
        self.expire_loads(now, fx);
        self.overdraw(now, fx);
        self.expire_waits(now, fx);
        self.admit_waiting(now, fx);
    }

    /// Admits one group if it fits, possibly after evictions. True when it need not queue any more.
    fn admit(&mut self, place: usize, now: Moment, fx: &mut Effects) -> bool {
        let (slots, cursor) = (self.queue[place].slots.clone(), self.queue[place].cursor);
        if !self.admissible(&slots, now) {
            return false;
        }
        let missing = self.missing(&slots);
        self.make_room(&missing, &slots, fx);
        for (slot, reserved) in missing {
            self.start_load(slot, reserved, None, fx);
        }
        self.admitted(cursor, now, fx);
        true
    }

    /// Whether a group could be admitted now, possibly after evictions.
    pub(super) fn admissible(&self, slots: &[SlotId], now: Moment) -> bool {
        let missing = self.missing(slots);
        slots
            .iter()
            .all(|slot| self.open_slot(*slot).is_ok() && self.remembered_failure(*slot, now).is_none())
            && !missing.iter().any(|(slot, _)| self.unknown_load_runs(*slot))
            && (missing.is_empty() || self.fits(&missing, self.admitted_after_evictions(slots)))
    }

    /// The slots of a group without a load, with the bytes that their loads would reserve. Estimates of
    /// unknown sizes take at most the part of the whole budget that the rest of the group leaves, so that no
    /// estimate blocks a group for ever.
    fn missing(&self, group: &[SlotId]) -> Vec<(SlotId, u64)> {
        let (mut missing, mut taken, mut unknown) = (Vec::new(), 0u64, 0);
        for (id, slot) in distinct(group).into_iter().filter_map(|id| Some((id, self.slots.get(id)?))) {
            match &slot.state {
                SlotState::Resident { bytes, .. } => taken = taken.saturating_add(*bytes),
                SlotState::Loading(load) => {
                    taken = taken.saturating_add(self.loads.get(load).map_or(0, |load| load.reserved));
                }
                SlotState::Absent | SlotState::Failed { .. } => {
                    taken = taken.saturating_add(slot.bytes.unwrap_or(0));
                    unknown += u64::from(slot.bytes.is_none());
                    missing.push((id, slot.bytes));
                }
            }
        }
        let rest = self.settings.budget_bytes.saturating_sub(taken) / unknown.max(1);
        missing
            .into_iter()
            .map(|(id, bytes)| (id, bytes.unwrap_or_else(|| self.estimate(id).min(rest))))
            .collect()
    }

    /// The assumed size of a version of unknown size: the largest known size of its dataset.
    fn estimate(&self, slot_id: SlotId) -> u64 {
        let Some(slot) = self.slots.get(slot_id) else { return 0 };
        let of_dataset = self.slots.iter().filter(|(_, other)| other.key.same_dataset(&slot.key));
        of_dataset.filter_map(|(_, other)| other.bytes).max().unwrap_or(0)
    }

    /// Whether the slot's size is unknown while another load of its dataset will provide an estimate: such
    /// loads run one by one.
    fn unknown_load_runs(&self, slot_id: SlotId) -> bool {
        let Some(slot) = self.slots.get(slot_id) else { return false };
        slot.bytes.is_none()
            && self.estimate(slot_id) == 0
            && self
                .loads
                .values()
                .filter_map(|load| self.slots.get(load.slot?))
                .any(|other| other.bytes.is_none() && other.key.same_dataset(&slot.key))
    }

    /// Marks a set as admitted and leases those of its versions that are already resident.
    fn admitted(&mut self, cursor_id: Option<CursorId>, now: Moment, fx: &mut Effects) {
        let Some(cursor_id) = cursor_id else { return };
        let Some(cursor) = self.cursors.get_mut(cursor_id) else { return };
        let Phase::Waiting { since, admitted } = &mut cursor.phase else { return };
        let since = *since;
        *admitted = true;
        for place in 0..cursor.slots.len() {
            self.grant(cursor_id, place);
        }
        self.note_granted(cursor_id, since, now);
        fx.wake = true;
    }

    /// Admitted bytes and versions.
    pub(super) fn admitted_now(&self) -> (u64, u64) {
        (self.stats.reserved_bytes, self.admitted_versions)
    }

    /// Whether these loads fit the budget in addition to the admitted bytes and versions.
    fn fits(&self, loads: &[(SlotId, u64)], admitted: (u64, u64)) -> bool {
        self.bound(loads, admitted) == BudgetBound::default()
    }

    /// The limits that these loads would exceed in addition to the admitted bytes and versions.
    pub(super) fn bound(&self, loads: &[(SlotId, u64)], (bytes, versions): (u64, u64)) -> BudgetBound {
        let bytes = loads.iter().fold(bytes, |sum, (_, reserved)| sum.saturating_add(*reserved));
        let most = self.settings.budget_versions.unwrap_or(u64::MAX);
        BudgetBound {
            bytes: bytes > self.settings.budget_bytes,
            versions: versions.saturating_add(loads.len() as u64) > most,
        }
    }

    /// Ends waits that exceed their limits.
    fn expire_waits(&mut self, now: Moment, fx: &mut Effects) {
        let late: Vec<(CursorId, Error)> = self
            .cursors
            .iter()
            .filter_map(|(id, cursor)| {
                let Phase::Waiting { since, admitted } = cursor.phase else { return None };
                let waited = now.saturating_sub(since);
                if waited >= self.settings.wait_timeout {
                    return Some((id, self.wait_error(Code::WaitTimedOut, id, since, now)));
                }
                let holds = self.is_held_up(cursor.attempt).is_some();
                let queued = !admitted && self.queue_place(id).is_some();
                (holds && queued && waited >= self.settings.deadlock_after)
                    .then(|| (id, self.wait_error(Code::BudgetDeadlock, id, since, now)))
            })
            .collect();
        for (id, error) in late {
            self.stats.deadlock_kills += u64::from(error.code() == Code::BudgetDeadlock);
            fx.warnings.push(error.to_string());
            self.fail_cursor(id, error, now, fx);
        }
    }

    fn wait_error(&self, code: Code, id: CursorId, since: Moment, now: Moment) -> Error {
        let wanted: Vec<String> = self
            .cursors
            .get(id)
            .map(|cursor| {
                cursor.slots.iter().filter_map(|(s, _)| self.slots.get(*s)).map(Slot::name).collect()
            })
            .unwrap_or_default();
        let task = self.cursors.get(id).and_then(|cursor| self.attempts.get(cursor.attempt));
        let leased: Vec<String> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.leases > 0)
            .map(|(_, slot)| format!("{} ({})", slot.key, some(slot.leases, "lease", "leases")))
            .collect();
        Error::new(
            code,
            format!(
                "{} waited {:.1} s for {}; {} of {} bytes are admitted (hard limit {}), leased: [{}]; {}",
                task.map_or("a task", |attempt| attempt.name.as_str()),
                now.saturating_sub(since).as_secs_f64(),
                wanted.join(", "),
                self.stats.reserved_bytes,
                self.settings.budget_bytes,
                self.settings.hard_limit_bytes,
                leased.join(", "),
                if code == Code::BudgetDeadlock && task.is_some_and(|attempt| attempt.leases == 0) {
                    "tasks that hold versions wait for it at a barrier: raise spark.andiron.cache.budgetBytes or \
                     spark.andiron.cache.hardLimitBytes until all tasks of the stage that run in an executor have room"
                } else if code == Code::BudgetDeadlock {
                    "it holds versions itself: take them together with acquireAll, or raise \
                     spark.andiron.cache.budgetBytes or spark.andiron.cache.hardLimitBytes"
                } else if self.cursors.get(id).is_some_and(|cursor| self.waits_for_a_thread(cursor)) {
                    "no loader thread was free for its load: raise spark.andiron.cache.loaderThreads or \
                     spark.andiron.cache.waitTimeout"
                } else {
                    "raise spark.andiron.cache.budgetBytes or spark.andiron.cache.waitTimeout"
                }
            ),
        )
    }

    /// Whether the cursor waits for a load that is admitted but has no loader thread yet.
    fn waits_for_a_thread(&self, cursor: &Cursor) -> bool {
        cursor.slots.iter().filter_map(|(slot, _)| self.slots.get(*slot)).any(|slot| match slot.state {
            SlotState::Loading(load) => self.loads.get(&load).is_some_and(|load| load.taken.is_none()),
            _ => false,
        })
    }

    /// The reason, for messages, why a waiting attempt may prevent leases from being returned: its own
    /// leases, or those of tasks that wait for it.
    fn is_held_up(&self, id: AttemptId) -> Option<&'static str> {
        let attempt = self.attempts.get(id)?;
        let waits_for_it = |(other, at): (AttemptId, &Attempt)| other != id && at.barrier && at.leases > 0;
        if attempt.leases > 0 {
            Some("holds versions and waits for another")
        } else if attempt.barrier && self.attempts.iter().any(waits_for_it) {
            Some("waits for a version, while tasks that hold others wait for it at a barrier")
        } else {
            None
        }
    }

    /// Whether the cursor waits for the budget while other cursors of its attempt hold versions.
    pub(super) fn waits_on_its_own(&self, id: CursorId) -> bool {
        let Some(cursor) = self.cursors.get(id) else { return false };
        matches!(cursor.phase, Phase::Waiting { admitted: false, .. })
            && self.queue_place(id).is_some()
            && self.attempts.get(cursor.attempt).is_some_and(|attempt| attempt.leases > 0)
    }

    /// The queue position of the group of this waiting cursor.
    fn queue_place(&self, id: CursorId) -> Option<usize> {
        let cursor = self.cursors.get(id)?;
        self.queue.iter().position(|group| match group.cursor {
            Some(of) => of == id,
            None => cursor.slots.len() == 1 && cursor.slots[0].0 == group.slots[0],
        })
    }

    /// Admits over the budget those waiters whose tasks hold versions, or for which tasks with versions wait
    /// at a barrier: one version for each task, up to the hard limit.
    fn overdraw(&mut self, now: Moment, fx: &mut Effects) {
        let after = self.settings.overdraft_after;
        let candidates: Vec<CursorId> = self
            .cursors
            .iter()
            .filter(|(_, cursor)| match cursor.phase {
                Phase::Waiting { since, admitted } => {
                    !admitted
                        && cursor.slots.len() == 1
                        && now.saturating_sub(since) >= after
                        && now.saturating_sub(since) < self.settings.wait_timeout
                        && self.is_held_up(cursor.attempt).is_some()
                }
                _ => false,
            })
            .map(|(id, _)| id)
            .collect();
        for id in candidates {
            let Some(place) = self.queue_place(id) else { continue };
            let Some(cursor) = self.cursors.get(id) else { continue };
            let (attempt_id, slot) = (cursor.attempt, cursor.slots[0].0);
            if self.admit(place, now, fx) {
                self.queue.remove(place);
                continue;
            }
            if self.attempts.get(attempt_id).is_none_or(|attempt| attempt.overdraft.is_some()) {
                continue;
            }
            let Some(how) = self.is_held_up(attempt_id) else { continue };
            let load = self.missing(&[slot]);
            let bytes: u64 = load.iter().map(|(_, reserved)| reserved).sum();
            let (least, _) = self.admitted_after_evictions(&[slot]);
            if least.saturating_add(bytes) > self.settings.hard_limit_bytes {
                continue;
            }
            self.make_room(&load, &[slot], fx);
            self.queue.remove(place);
            self.stats.over_budget_admissions += 1;
            self.start_load(slot, bytes, Some(attempt_id), fx);
            if let Some(attempt) = self.attempts.get_mut(attempt_id) {
                attempt.overdraft = Some(slot);
                fx.warnings.push(format!(
                    "{} {how}: admitted over the budget, {} of {} bytes; take versions together with \
                     acquireAll, or raise spark.andiron.cache.budgetBytes",
                    attempt.name, self.stats.reserved_bytes, self.settings.budget_bytes
                ));
            }
        }
    }
}

fn distinct(slots: &[SlotId]) -> Vec<SlotId> {
    let mut distinct: Vec<SlotId> = Vec::with_capacity(slots.len());
    for slot in slots {
        if !distinct.contains(slot) {
            distinct.push(*slot);
        }
    }
    distinct
}
