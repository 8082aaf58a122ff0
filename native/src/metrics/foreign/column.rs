//! One accumulator in one scope: a value for each partition.

use super::super::amount::{Amount, ValueKind};
use crate::metrics::ship::Shipped;

/// Stages that are remembered for a column.
const MOST_STAGES: usize = 1024;

/// One accumulator in one scope.
#[derive(Debug)]
pub(in crate::metrics) struct Column {
    pub(in crate::metrics) acc: u64,
    kind: ValueKind,
    /// By partition, as bits; shorter than the scope where the rest is 0.
    values: Vec<u64>,
    /// The sum of whole numbers.
    sum: i128,
    attempted: Amount,
    /// The stage attempts that changed it.
    pub(in crate::metrics) stages: Vec<(u32, u32)>,
    /// A later stage computed a partition again, with another result.
    pub(in crate::metrics) differs: bool,
    /// A cache may have answered a part of a later attempt.
    pub(in crate::metrics) mixed: bool,
    /// Attempts of one stage that overlapped have told different things.
    pub(in crate::metrics) overtaken: bool,
    /// Spark's value of the whole accumulator, after its newest update.
    merged: u64,
    pub(in crate::metrics) shipped: Shipped,
    /// What the task end that is being counted brings, and which one that is.
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

    /// Counts an update as attempted, and remembers it in case that its task is kept. Of what is no sum only Spark's own value
    /// is remembered.
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

    /// What the task end `arrival` brings; 0 if nothing.
    pub(super) fn incoming(&self, arrival: u64) -> u64 {
        if self.arrival == arrival {
            self.incoming
        } else {
            0
        }
    }

    /// What was updated in all; of what is no sum nothing is known.
    pub(in crate::metrics) fn attempted(&self) -> Option<Amount> {
        self.kind.is_sum().then_some(self.attempted)
    }

    /// Takes the value that the driver's object has after `arrivals` task ends, unless a newer one is known.
    pub(super) fn on_driver(&mut self, value: u64, arrivals: u64) {
        if arrivals >= self.arrival {
            self.merged = value;
        }
    }

    /// By how much Spark's value differs from what the tasks have updated here.
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

    /// Whether two values are the same result: floating point may have been added up in another order.
    pub(super) fn same(&self, a: u64, b: u64) -> bool {
        if a == b || self.kind == ValueKind::Long {
            return a == b;
        }
        let (a, b) = (f64::from_bits(a), f64::from_bits(b));
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
    }

    /// Bytes that it takes more with room for `partitions`.
    pub(super) fn growth(&self, partitions: usize) -> usize {
        partitions.saturating_sub(self.values.capacity()) * size_of::<u64>()
    }

    /// Makes room for `partitions`, and for no more.
    pub(super) fn grow(&mut self, partitions: usize) {
        if partitions > self.values.len() {
            self.values.reserve_exact(partitions - self.values.len());
            self.values.resize(partitions, 0);
        }
    }

    /// Replaces a partition's value, for which there is room.
    pub(super) fn set(&mut self, partition: usize, bits: u64) {
        let Some(value) = self.values.get_mut(partition) else { return };
        if self.kind == ValueKind::Long {
            self.sum += i128::from(bits as i64) - i128::from(*value as i64);
        }
        *value = bits;
    }

    /// The sum over the partitions. Floating point is added in the order of partitions, so that it does not depend on the
    /// order in which tasks ended.
    pub(in crate::metrics) fn committed(&self) -> Amount {
        match self.kind {
            ValueKind::MergedLong | ValueKind::MergedDouble => Amount::of_bits(self.kind, self.merged),
            ValueKind::Double => Amount::Double(self.values.iter().map(|bits| f64::from_bits(*bits)).sum()),
            _ => Amount::Long(self.sum),
        }
    }
}
