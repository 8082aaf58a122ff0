//! The visits of a cursor whose rows are in no promised order.

use super::slot::SlotId;
use std::collections::HashSet;

/// The visits of a cursor that promises no order.
#[derive(Debug, Default)]
pub struct Trail {
    pub(super) visited: HashSet<SlotId>,
    /// Moves to a version that it had visited before.
    pub(super) returns: u64,
    /// Moves that waited for a load.
    pub(super) loads: u64,
}

impl Trail {
    /// Records a move to another version, and whether that is resident.
    pub(super) fn step(&mut self, slot: SlotId, resident: bool) {
        self.returns += u64::from(!self.visited.insert(slot));
        self.loads += u64::from(!resident);
    }

    /// Whether the order cost loads: both the returns and the awaited loads outnumber the versions.
    pub(super) fn is_unsorted(&self) -> bool {
        let versions = self.visited.len() as u64;
        self.returns > versions.max(4) && self.loads > versions
    }
}
