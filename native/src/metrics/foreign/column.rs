//! One accumulator in one scope: a value for each partition.

use super::super::amount::{Amount, ValueKind};
use crate::metrics::revision::Shipped;

/// Stages that a column remembers.
const MOST_STAGES: usize = 1024;

/// One accumulator in one scope.
#[derive(Debug)]
pub(in crate::metrics) struct Column {
    pub(in crate::metrics) acc: u64,
    kind: ValueKind,
    /// Values by partition, as bits. May be shorter than the scope: the rest is 0.
    values: Vec<u64>,
    /// The sum of a whole-number column.
    sum: i128,
    attempted: Amount,
    /// The stage attempts that changed it.
    pub(in crate::metrics) stages: Vec<(u32, u32)>,
    /// A later stage computed a partition again, with another result.
    pub(in crate::metrics) differs: bool,
    /// A cache may have served a part of a later attempt.
    pub(in crate::metrics) mixed: bool,
    /// Overlapping attempts of one stage have reported different values.
    pub(in crate::metrics) overtaken: bool,
    /// Spark's value of the whole accumulator after its newest update.
    merged: u64,
    pub(in crate::metrics) shipped: Shipped,
    /// The update of the task end that is being counted, and the number of that task end's arrival.
    incoming: u64,
    arrival: u64,
}

impl Column {
    pub(super) fn new(acc: u64, kind: ValueKind) -> Column {
        Column {
            acc,
            kind,
            values: Vec::new(),
            sum: 0,
            attempted: Amount::zero(kind),
            stages: Vec::new(),
            differs: false,
            mixed: false,
            overtaken: false,
            merged: 0,
            shipped: Shipped::default(),
            incoming: 0,
            arrival: 0,
        }
    }

    /// Counts an update as attempted, and remembers it in case its task is kept. For an accumulator that is not a sum
    /// only Spark's own value is remembered.
    pub(super) fn attempt(&mut self, (bits, merged): (u64, u64), stage: (u32, u32), arrival: u64) {
        (self.merged, self.arrival) = (merged, arrival);
        if self.kind.is_sum() {
            self.attempted.add_bits(bits);
            self.incoming = bits;
        }
        if self.stages.last() != Some(&stage)
            && self.stages.len() < MOST_STAGES
            && !self.stages.contains(&stage)
        {
            self.stages.push(stage);
        }
    }

    /// The update of the task end `arrival`; 0 if it has none.
    pub(super) fn incoming(&self, arrival: u64) -> u64 {
        if self.arrival == arrival {
            self.incoming
        } else {
            0
        }
    }

    /// The sum of all updates; `None` for an accumulator that is not a sum.
    pub(in crate::metrics) fn attempted(&self) -> Option<Amount> {
        self.kind.is_sum().then_some(self.attempted)
    }

    /// Takes the driver's value after `arrivals` task ends, unless a newer one is known.
    pub(super) fn on_driver(&mut self, value: u64, arrivals: u64) {
        if arrivals >= self.arrival {
            self.merged = value;
        }
    }

    /// The difference between Spark's value and the sum of the updates of tasks in this scope.
    pub(in crate::metrics) fn outside(&self) -> Option<Amount> {
        match self.attempted()? {
            Amount::Long(sum) => {
                let outside = (self.merged as i64).wrapping_sub(sum as i64);
                (outside != 0).then_some(Amount::Long(i128::from(outside)))
            }
            Amount::Double(sum) => {
                let outside = f64::from_bits(self.merged) - sum;
                (!self.same(self.merged, sum.to_bits()) && !outside.is_nan())
                    .then_some(Amount::Double(outside))
            }
        }
    }

    pub(super) fn value(&self, partition: usize) -> u64 {
        self.values.get(partition).copied().unwrap_or(0)
    }

    /// Whether two values are the same result; floating point may have been added in another order.
    pub(super) fn same(&self, a: u64, b: u64) -> bool {
        if a == b || self.kind == ValueKind::Long {
            return a == b;
        }
        let (a, b) = (f64::from_bits(a), f64::from_bits(b));
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
    }

    /// The additional bytes for room for `partitions`.
    pub(super) fn growth(&self, partitions: usize) -> usize {
        partitions.saturating_sub(self.values.capacity()) * size_of::<u64>()
    }

    /// Makes room for exactly `partitions`.
    pub(super) fn grow(&mut self, partitions: usize) {
        if partitions > self.values.len() {
            self.values.reserve_exact(partitions - self.values.len());
            self.values.resize(partitions, 0);
        }
    }

    /// Replaces the value of a partition that has room.
    pub(super) fn set(&mut self, partition: usize, bits: u64) {
        let Some(value) = self.values.get_mut(partition) else { return };
        if self.kind == ValueKind::Long {
            self.sum += i128::from(bits as i64) - i128::from(*value as i64);
        }
        *value = bits;
    }

    /// The sum over the partitions. Floating point is added in the order of partitions, so that the result does not
    /// depend on the order in which tasks ended.
    pub(in crate::metrics) fn committed(&self) -> Amount {
        match self.kind {
            ValueKind::MergedLong | ValueKind::MergedDouble => Amount::of_bits(self.kind, self.merged),
            ValueKind::Double => Amount::Double(self.values.iter().map(|bits| f64::from_bits(*bits)).sum()),
            _ => Amount::Long(self.sum),
        }
    }
}
