//! The resources of loads under way: the files that they write, and the mappings that they will adopt.

use super::bytes::Bytes;
use super::slot::LoadId;
use super::store::{Hold, Writer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::sync::held;

/// A table by load. While its lock is held, no lock is taken, no file is written, and no resource is dropped.
#[derive(Default)]
pub(super) struct InFlightLoads(Mutex<HashMap<LoadId, InFlightLoad>>);

#[derive(Default)]
struct InFlightLoad {
    /// Takes the file away from its writer, on any thread.
    hold: Option<Arc<Hold>>,
    /// Not in the table while one of its steps runs, so that a slow disk blocks no other load.
    writer: Option<Writer>,
    /// A mapping to adopt, kept here since other references to it may end first.
    found: Option<Arc<Bytes>>,
}

impl InFlightLoads {
    /// Keeps a writer for its load's next step.
    pub(super) fn keep_writer(&self, load: LoadId, writer: Writer) {
        let hold = Some(writer.hold());
        let replaced = self.table().insert(load, InFlightLoad { hold, writer: Some(writer), found: None });
        drop(replaced);
    }

    /// Keeps a mapping for its load to adopt.
    pub(super) fn keep_found(&self, load: LoadId, found: Arc<Bytes>) {
        let replaced =
            self.table().insert(load, InFlightLoad { found: Some(found), ..InFlightLoad::default() });
        drop(replaced);
    }

    /// The load's writer, for a step.
    pub(super) fn take_writer(&self, load: LoadId) -> Option<Writer> {
        self.table().get_mut(&load)?.writer.take()
    }

    /// The mapping that the load will adopt.
    pub(super) fn take_found(&self, load: LoadId) -> Option<Arc<Bytes>> {
        self.table().get_mut(&load)?.found.take()
    }

    /// Keeps the writer for the next step, or drops it if the load was ended in the meantime.
    pub(super) fn put_back(&self, load: LoadId, writer: Writer) {
        let mut unwanted = Some(writer);
        if let Some(in_hand) = self.table().get_mut(&load) {
            in_hand.writer = unwanted.take();
        }
        drop(unwanted);
    }

    /// Releases all resources of the load, including a writer in the middle of a step. Idempotent.
    pub(super) fn end(&self, load: LoadId) {
        let ended = self.table().remove(&load);
        if let Some(hold) = ended.as_ref().and_then(|in_hand| in_hand.hold.as_ref()) {
            hold.give_up();
        }
        drop(ended);
    }

    #[cfg(all(test, not(feature = "shuttle")))]
    pub(super) fn is_empty(&self) -> bool {
        self.table().is_empty()
    }

    fn table(&self) -> MutexGuard<'_, HashMap<LoadId, InFlightLoad>> {
        held(self.0.lock())
    }
}
