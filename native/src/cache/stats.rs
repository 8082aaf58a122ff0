//! The cache's figures about itself.

/// The behaviour of a figure over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatKind {
    /// The current value.
    Gauge,
    /// The greatest value so far.
    Maximum,
    /// A value that only rises while the process serves one application.
    Counter,
}

impl StatKind {
    /// The name in docs/guide/figures.md.
    pub fn name(self) -> &'static str {
        match self {
            StatKind::Gauge => "gauge",
            StatKind::Maximum => "maximum",
            StatKind::Counter => "counter",
        }
    }
}

macro_rules! stats {
    ($($(#[$doc:meta])* $field:ident : $name:literal $kind:ident,)+) => {
        /// Counters and gauges of one process since it was configured for its application. Bytes are bytes,
        /// times are milliseconds.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $field: u64,)+
        }

        impl Stats {
            /// The names, in the order of [`Stats::values`].
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The kinds, in the order of [`Stats::NAMES`].
            pub const KINDS: &'static [StatKind] = &[$(StatKind::$kind),+];

            /// The values, in the order of [`Stats::NAMES`].
            pub fn values(&self) -> Vec<u64> {
                vec![$(self.$field),+]
            }
        }
    };
}

stats! {
    /// Bytes of resident versions.
    resident_bytes: "residentBytes" Gauge,
    /// Bytes of resident versions that are JVM objects.
    resident_object_bytes: "residentObjectBytes" Gauge,
    /// Resident versions.
    resident_versions: "residentVersions" Gauge,
    /// Admitted bytes: resident versions, loads under way, and abandoned loads that still run.
    reserved_bytes: "reservedBytes" Gauge,
    /// The greatest value of `reserved_bytes`.
    max_reserved_bytes: "maxReservedBytes" Maximum,
    /// The most versions that were resident at once.
    max_resident_versions: "maxResidentVersions" Maximum,
    /// The most bytes that were resident at once.
    max_resident_bytes: "maxResidentBytes" Maximum,
    /// Bytes of leased versions.
    leased_bytes: "leasedBytes" Gauge,
    /// The most bytes that were leased at once.
    max_leased_bytes: "maxLeasedBytes" Maximum,
    /// Leases held.
    leases: "leases" Gauge,
    /// Attempts that have not ended.
    attempts: "attempts" Gauge,
    /// Open cursors.
    cursors: "cursors" Gauge,
    /// Cursors that wait.
    waiting: "waiting" Gauge,
    /// Advances that found their version resident.
    hits: "hits" Counter,
    /// Loads that succeeded.
    loads: "loads" Counter,
    /// Loads that failed or timed out.
    load_failures: "loadFailures" Counter,
    /// Time spent in loads that ended.
    load_millis: "loadMillis" Counter,
    /// Time that cursors waited.
    wait_millis: "waitMillis" Counter,
    /// Versions that left memory while their catalog was open.
    evictions: "evictions" Counter,
    /// Loads of a version that had been evicted to make room for another.
    reloads: "reloads" Counter,
    /// Admissions over the budget: a task that holds and waits, a version larger than declared, or leases
    /// left from the application before.
    over_budget_admissions: "overBudgetAdmissions" Counter,
    /// The greatest number of admitted bytes above the budget.
    max_over_budget_bytes: "maxOverBudgetBytes" Maximum,
    /// Loads whose result arrived after their time-out or the end of their catalog.
    abandoned_loads: "abandonedLoads" Counter,
    /// Waits that failed at the hard limit so that their tasks release versions.
    deadlock_kills: "deadlockKills" Counter,
    /// Thrash alarms raised.
    thrash_alarms: "thrashAlarms" Counter,
    /// The budget that would have avoided every reload so far; 0 without reloads.
    sufficient_bytes: "sufficientBytes" Maximum,
    /// The budget.
    budget_bytes: "budgetBytes" Gauge,
    /// Bytes of the application's files on the local disk, including files being written. Changes by other
    /// processes of the host are seen at this process's next reservation.
    disk_bytes: "diskBytes" Gauge,
    /// Payloads that left their slot while a reader kept them.
    retired_mappings: "retiredMappings" Gauge,
    /// Bytes of mapped versions, including retired ones, in the page cache. Measured at most once a second;
    /// for a file that this user neither owns nor may write, the kernel reports all bytes as present.
    mapped_resident_bytes: "mappedResidentBytes" Gauge,
}

impl Stats {
    /// The figures at the start of the next application: counters at 0, maxima at the values that still
    /// apply.
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
