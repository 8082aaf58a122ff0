//! A load: one version on its way into the cache.

use super::cursor::AttemptId;
use super::slot::SlotId;
use crate::clock::Moment;

/// A load whose thread has not returned.
pub(super) struct Load {
    /// The slot; `None` once it is abandoned.
    pub slot: Option<SlotId>,
    /// The name in messages.
    pub name: String,
    /// The bytes charged to the budget.
    pub reserved: u64,
    /// The time when a loader thread took it; `None` while it waits for one, which counts towards no load
    /// time-out.
    pub taken: Option<Moment>,
    /// The attempt that it admits over the budget.
    pub overdraft_of: Option<AttemptId>,
}
