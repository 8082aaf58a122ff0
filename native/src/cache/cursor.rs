//! Attempts and cursors: the owners of leases.

use super::slab::{Handle, HandleKind};
use super::slot::{Payload, SlotId};
use super::trail::Trail;
use crate::clock::Moment;
use crate::error::Error;
use std::sync::Arc;

/// A handle of an attempt.
pub type AttemptId = Handle<Attempt>;
/// A handle of a cursor.
pub type CursorId = Handle<Cursor>;

/// One task attempt, or the driver outside any task. Its end releases all its leases.
pub struct Attempt {
    /// The name in messages.
    pub name: String,
    /// Whether it belongs to a barrier stage: other such attempts wait for it at a barrier while they hold
    /// versions.
    pub barrier: bool,
    /// Its open cursors.
    pub cursors: Vec<CursorId>,
    /// Leases that its cursors hold.
    pub leases: usize,
    /// The version by which it exceeds the budget, while it leases that version or waits for it.
    pub overdraft: Option<SlotId>,
    /// Payloads that it has leased: one of its threads may read them until it ends.
    pub kept: Vec<Arc<dyn Payload>>,
}

impl HandleKind for Attempt {
    const TAG: u64 = 2;
}

/// The activity of a cursor.
pub enum Phase {
    /// No lease and no wait.
    Idle,
    /// Waits for its slots. Once `admitted`, all missing versions are being loaded.
    Waiting {
        /// The start of the wait.
        since: Moment,
        /// Whether its reservation is made.
        admitted: bool,
    },
    /// Leases all of its slots.
    Holding,
    /// The wait ended with an error that was not fetched yet.
    Failed(Error),
}

/// An iterator's position in a dataset: it holds one version at a time, or one set of versions taken
/// together.
pub struct Cursor {
    /// The owner.
    pub attempt: AttemptId,
    /// Whether it visits versions in the order of their names, so that versions after its position are in demand.
    pub ordered: bool,
    /// The last version that it moved to.
    pub position: Option<SlotId>,
    /// Its visits, unless it is ordered.
    pub trail: Trail,
    /// Its activity.
    pub phase: Phase,
    /// The slots that it requests or holds, each with whether the lease is taken. A slot may occur twice.
    pub slots: Vec<(SlotId, bool)>,
}

impl HandleKind for Cursor {
    const TAG: u64 = 3;
}

impl Cursor {
    /// Whether it waits for this slot.
    pub fn awaits(&self, slot: SlotId) -> bool {
        matches!(self.phase, Phase::Waiting { .. }) && self.slots.contains(&(slot, false))
    }
}
