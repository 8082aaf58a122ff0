//! Attempts and cursors: who leases.

use super::advice::Trail;
use super::slab::{Handle, Kind};
use super::slot::{Payload, SlotId};
use crate::clock::Moment;
use crate::error::Error;
use std::sync::Arc;

/// A handle of an attempt.
pub type AttemptId = Handle<Attempt>;
/// A handle of a cursor.
pub type CursorId = Handle<Cursor>;

/// One task attempt, or the driver outside any task. When it ends, everything it holds is released.
pub struct Attempt {
    /// As messages name it.
    pub name: String,
    /// Whether others that say so too wait for it at a barrier, with what they hold.
    pub barrier: bool,
    /// Its open cursors.
    pub cursors: Vec<CursorId>,
    /// Leases that its cursors hold.
    pub leases: usize,
    /// The version that it was admitted over the budget with, while it leases it or waits for it.
    pub overdraft: Option<SlotId>,
    /// Payloads that it leased once: a thread of it may read them until it ends.
    pub kept: Vec<Arc<dyn Payload>>,
}

impl Kind for Attempt {
    const TAG: u64 = 2;
}

/// What a cursor does.
pub enum Phase {
    /// Nothing: no lease, no wait.
    Idle,
    /// Waits for its slots since the moment. Once `admitted`, all that is missing is being loaded.
    Waiting {
        /// When it began to wait.
        since: Moment,
        /// Whether its reservation is made.
        admitted: bool,
    },
    /// Leases all of its slots.
    Holding,
    /// The wait ended with an error that nobody has fetched yet.
    Failed(Error),
}

/// An iterator's place in a dataset: it holds one version at a time, or one set of versions taken at once.
pub struct Cursor {
    /// Whose it is.
    pub attempt: AttemptId,
    /// Whether it visits versions in the order of their names, so that versions after its position are in demand.
    pub ordered: bool,
    /// The last version it advanced to.
    pub position: Option<SlotId>,
    /// Where it has been, unless it is ordered.
    pub trail: Trail,
    /// What it does.
    pub phase: Phase,
    /// What it wants or holds, with whether the lease is taken. A slot may stand here twice.
    pub slots: Vec<(SlotId, bool)>,
}

impl Kind for Cursor {
    const TAG: u64 = 3;
}

impl Cursor {
    /// Whether it waits for this slot.
    pub fn awaits(&self, slot: SlotId) -> bool {
        matches!(self.phase, Phase::Waiting { .. }) && self.slots.contains(&(slot, false))
    }
}
