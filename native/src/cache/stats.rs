//! What the cache counts about itself.

macro_rules! stats {
    ($($(#[$doc:meta])* $field:ident : $name:literal,)+) => {
        /// Counters and gauges of one process since it was configured for its application. Bytes are bytes, times are milliseconds.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $field: u64,)+
        }

        impl Stats {
            /// The names, in the order of [`Stats::values`].
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The values, in the order of [`Stats::NAMES`].
            pub fn values(&self) -> Vec<u64> {
                vec![$(self.$field),+]
            }
        }
    };
}

stats! {
    /// Bytes of the versions that are resident.
    resident_bytes: "residentBytes",
    /// Bytes of those that are JVM objects.
    resident_object_bytes: "residentObjectBytes",
    /// Versions that are resident.
    resident_versions: "residentVersions",
    /// Admitted bytes: resident, being loaded, and abandoned loads that still run.
    reserved_bytes: "reservedBytes",
    /// The most that `reserved_bytes` has been.
    max_reserved_bytes: "maxReservedBytes",
    /// The most versions that were resident at once.
    max_resident_versions: "maxResidentVersions",
    /// The most bytes that were resident at once.
    max_resident_bytes: "maxResidentBytes",
    /// Bytes of the versions that are leased.
    leased_bytes: "leasedBytes",
    /// The most bytes that were leased at once.
    max_leased_bytes: "maxLeasedBytes",
    /// Leases held.
    leases: "leases",
    /// Attempts that have not ended.
    attempts: "attempts",
    /// Open cursors.
    cursors: "cursors",
    /// Cursors that wait.
    waiting: "waiting",
    /// Advances that found their version resident.
    hits: "hits",
    /// Loads that succeeded.
    loads: "loads",
    /// Loads that failed or timed out.
    load_failures: "loadFailures",
    /// Time spent in loads that ended.
    load_millis: "loadMillis",
    /// Time that cursors waited.
    wait_millis: "waitMillis",
    /// Versions that left memory without being closed.
    evictions: "evictions",
    /// Loads of a version that was evicted for another's bytes before.
    reloads: "reloads",
    /// Admissions over the budget: a task that holds and waits, a version larger than declared, or what is still here of the
    /// application before.
    over_budget_admissions: "overBudgetAdmissions",
    /// The most that admitted bytes were over the budget.
    max_over_budget_bytes: "maxOverBudgetBytes",
    /// Loads whose result came after their time-out or their catalog's end.
    abandoned_loads: "abandonedLoads",
    /// Waits that were told to give way at the hard limit.
    deadlock_kills: "deadlockKills",
    /// Times that the thrash alarm was raised.
    thrash_alarms: "thrashAlarms",
    /// The budget that would have avoided every reload so far; 0 without reloads.
    sufficient_bytes: "sufficientBytes",
    /// The budget.
    budget_bytes: "budgetBytes",
    /// Bytes that the application's files take on the local disk, those being written included. What other processes of the host
    /// did is seen when this one next reserves.
    disk_bytes: "diskBytes",
    /// Payloads that left their slot while a reader kept them.
    retired_mappings: "retiredMappings",
    /// Bytes of mapped versions, retired ones included, that are in the page cache. Measured once a second at most, and of a file
    /// that this user neither owns nor may write the kernel says that all of it is there.
    mapped_resident_bytes: "mappedResidentBytes",
}

impl Stats {
    /// The figures that the next application starts with: nothing counted, and what is still here as the most so far.
    pub(super) fn anew(&self, budget_bytes: u64) -> Stats {
        let over = self.reserved_bytes.saturating_sub(budget_bytes);
        Stats {
            resident_bytes: self.resident_bytes,
            max_resident_bytes: self.resident_bytes,
            resident_object_bytes: self.resident_object_bytes,
            resident_versions: self.resident_versions,
            max_resident_versions: self.resident_versions,
            reserved_bytes: self.reserved_bytes,
            max_reserved_bytes: self.reserved_bytes,
            leased_bytes: self.leased_bytes,
            max_leased_bytes: self.leased_bytes,
            leases: self.leases,
            waiting: self.waiting,
            over_budget_admissions: u64::from(over > 0),
            max_over_budget_bytes: over,
            budget_bytes,
            ..Stats::default()
        }
    }

    pub(super) fn charge(&mut self, bytes: u64) {
        self.reserved_bytes += bytes;
        self.max_reserved_bytes = self.max_reserved_bytes.max(self.reserved_bytes);
        let over = self.reserved_bytes.saturating_sub(self.budget_bytes);
        self.max_over_budget_bytes = self.max_over_budget_bytes.max(over);
    }

    pub(super) fn discharge(&mut self, bytes: u64) {
        debug_assert!(self.reserved_bytes >= bytes, "more discharged than charged");
        self.reserved_bytes = self.reserved_bytes.saturating_sub(bytes);
    }
}
