//! The queue of cursors that wait for the budget.

use super::cursor::CursorId;
use super::slot::SlotId;
use crate::clock::Moment;

/// Waiters that are admitted together.
pub(super) struct WaitGroup {
    /// The requested slots: one slot, or the set of `cursor`.
    pub slots: Vec<SlotId>,
    /// The cursor that requests the set; `None` for a group of all cursors that wait for the one slot.
    pub cursor: Option<CursorId>,
    /// The start of the longest wait.
    pub since: Moment,
}
