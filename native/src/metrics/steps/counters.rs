//! The counters that every step has.

/// Counters that every step has.
pub(in crate::metrics) const OWN: [&str; 3] = ["in", "out", "dropped"];

/// The indices of the counters of rows read, returned and dropped.
pub(in crate::metrics) const ROWS: usize = 0;
pub(in crate::metrics) const OUT: usize = 1;
pub(in crate::metrics) const LOST: usize = 2;
