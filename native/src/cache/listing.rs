//! Opening and closing of catalogs: which versions are listed, and of which size.

use super::catalog::{CatalogId, Listing};
use super::cursor::Phase;
use super::slot::{PayloadKind, Slot, SlotId, SlotState, VersionKey};
use super::state::{CacheState, Effects};
use crate::clock::Moment;
use crate::error::{Code, Error, Result};

impl CacheState {
    pub(super) fn add_version(
        &mut self,
        catalog_id: CatalogId,
        listing: &Listing<'_>,
        now: Moment,
        fx: &mut Effects,
    ) -> Result<SlotId> {
        let teaches = listing.bytes.is_some() && self.waits_for_an_unknown_size();
        let catalog = self.catalogs.get_mut(catalog_id).ok_or_else(closed)?;
        if listing.version.is_empty() {
            return Err(Error::new(
                Code::BadArgument,
                format!("dataset {:?} lists a version with an empty name", catalog.dataset),
            ));
        }
        let key = VersionKey {
            application: catalog.application.clone(),
            dataset: catalog.dataset.clone(),
            version: listing.version.to_string(),
            digest: listing.digest.to_string(),
            kind: catalog.kind,
            loader_scope: catalog.loader_scope,
        };
        let slots = &mut self.slots;
        let slot_id = *self.by_key.entry(key).or_insert_with_key(|key| {
            slots.insert(Slot {
                key: key.clone(),
                label: listing.label.to_string(),
                bytes: listing.bytes,
                declared: listing.bytes,
                catalogs: 0,
                demand_hint: 0,
                state: SlotState::Absent,
                leases: 0,
                last_used: 0,
                evicted: None,
            })
        });
        let slot = slots.get_mut(slot_id).ok_or_else(closed)?;
        slot.declare(listing)?;
        if !catalog.slots.contains(&slot_id) {
            catalog.slots.push(slot_id);
            slot.catalogs += 1;
        }
        if teaches {
            self.refuse_groups_too_large(now, fx);
            self.admit_waiting(now, fx);
        }
        Ok(slot_id)
    }

    /// Whether a cursor queues for a version of unknown size: another size, even of another version, then
    /// changes which groups fit.
    fn waits_for_an_unknown_size(&self) -> bool {
        let mut queued = self.queue.iter().flat_map(|group| &group.slots);
        queued.any(|id| self.slots.get(*id).is_some_and(|slot| slot.bytes.is_none()))
    }

    /// Closes a catalog. Versions that no other catalog lists are removed: at once if they are not leased,
    /// else with their last lease.
    pub(super) fn close_catalog(&mut self, catalog_id: CatalogId, now: Moment, fx: &mut Effects) {
        let Some(catalog) = self.catalogs.remove(catalog_id) else { return };
        let mut doomed = Vec::new();
        for slot_id in catalog.slots {
            let Some(slot) = self.slots.get_mut(slot_id) else { continue };
            slot.catalogs -= 1;
            if slot.doomed() {
                doomed.push((slot_id, slot.name()));
                self.by_key.remove(&slot.key);
                self.abandon(slot_id, fx);
            }
        }
        // All of them are doomed before the first wait ends, so that the freed budget starts none of their
        // loads.
        for (slot_id, name) in doomed {
            let error = Error::new(
                Code::CatalogClosed,
                format!("{name}: the catalog was closed while a task waited for it"),
            );
            self.fail_waiters(slot_id, &error, now, fx);
            self.evict(slot_id, fx);
            if self.slots.get(slot_id).is_some_and(|slot| slot.leases == 0) {
                if let Some(Slot { state: SlotState::Failed { error, .. }, .. }) = self.slots.remove(slot_id)
                {
                    fx.errors.push(error);
                }
            }
        }
        self.admit_waiting(now, fx);
        fx.wake = true;
    }

    /// Ends the wait of every cursor that requests this slot.
    pub(super) fn fail_waiters(&mut self, slot_id: SlotId, error: &Error, now: Moment, fx: &mut Effects) {
        let waiters: Vec<_> = self
            .cursors
            .iter()
            .filter(|(_, cursor)| {
                matches!(cursor.phase, Phase::Waiting { .. })
                    && cursor.slots.iter().any(|(slot, _)| *slot == slot_id)
            })
            .map(|(id, _)| id)
            .collect();
        for waiter in waiters {
            self.fail_cursor(waiter, error.clone(), now, fx);
        }
    }
}

impl Slot {
    /// Takes the size that a listing declares, or rejects it.
    fn declare(&mut self, listing: &Listing<'_>) -> Result<()> {
        let Some(bytes) = listing.bytes else { return Ok(()) };
        let known = match self.key.kind {
            PayloadKind::Bytes => self.bytes,
            PayloadKind::Object => self.declared,
        };
        if let Some(known) = known.filter(|known| *known != bytes) {
            return Err(Error::new(
                Code::SourceSizeMismatch,
                format!(
                    "{} from {}: the catalog declares {bytes} bytes, but it is known to have {known} ({}); two \
                     catalogs disagree about this version: correct the one that is wrong",
                    self.key, listing.label, self.label
                ),
            ));
        }
        self.declared = Some(bytes);
        self.bytes = self.bytes.or(Some(bytes));
        Ok(())
    }
}

pub(super) fn closed() -> Error {
    Error::new(Code::CatalogClosed, "this catalog was closed; make a new one")
}
