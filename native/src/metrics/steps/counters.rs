//! The counters that every step has.

/// The counters that gates judge by, in the order of their indices on the wire. Further built-in counters are declared by
/// the JVM (`StepCell.BuiltIn`) and need no change here.
pub(in crate::metrics) const OWN: [&str; 3] = crate::event::OWN_COUNTERS;

/// The indices of the counters of rows read, returned and dropped.
pub(in crate::metrics) const ROWS: usize = 0;
pub(in crate::metrics) const OUT: usize = 1;
pub(in crate::metrics) const LOST: usize = 2;
