//! Evictions of versions that are loaded again, and the limits that caused them.

/// The limits of the budget that caused an eviction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetBound {
    /// `spark.andiron.cache.budgetBytes`.
    pub bytes: bool,
    /// `spark.andiron.cache.budgetVersions`.
    pub versions: bool,
}

/// The eviction of a version to make room for another.
#[derive(Debug, Clone, Copy)]
pub struct Eviction {
    /// The cache's tick at which it was last used.
    pub last_used: u64,
    /// The limits that caused it.
    pub bound: BudgetBound,
}

/// Knowledge from reloads since the application began.
#[derive(Default)]
pub(super) struct Thrash {
    /// The number of reloads at the last alarm.
    pub reloads_at_alarm: u64,
    /// The number of versions that would have had to stay to avoid all reloads.
    pub sufficient_versions: u64,
    /// The limits that evicted versions which were loaded again since the last alarm.
    pub bound: BudgetBound,
}
