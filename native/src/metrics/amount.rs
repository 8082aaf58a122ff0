//! The values of accumulators.

use crate::event::Number;

/// The kind of an accumulator's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Sums of whole numbers, as of Spark's `LongAccumulator`.
    Long,
    /// Sums of floating-point numbers, as of Spark's `DoubleAccumulator`.
    Double,
    /// Whole numbers that are not sums: Spark's own merged value is shown.
    MergedLong,
    /// Floating-point numbers that are not sums.
    MergedDouble,
    /// Any other type: not shown.
    Other,
}

impl ValueKind {
    /// Whether updates may be added.
    pub fn is_sum(self) -> bool {
        matches!(self, ValueKind::Long | ValueKind::Double)
    }

    fn is_double(self) -> bool {
        matches!(self, ValueKind::Double | ValueKind::MergedDouble)
    }
}

/// The value of a counter.
#[derive(Debug, Clone, Copy)]
pub enum Amount {
    /// Wider than a counter, so that no sum of values wraps.
    Long(i128),
    /// Floating point.
    Double(f64),
}

/// Equal numbers. Floating-point values are equal if their bits are, so that a NaN equals itself.
impl PartialEq for Amount {
    fn eq(&self, other: &Amount) -> bool {
        match (self, other) {
            (Amount::Long(a), Amount::Long(b)) => a == b,
            (Amount::Double(a), Amount::Double(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
}

impl Amount {
    /// The zero of the kind.
    pub fn zero(kind: ValueKind) -> Amount {
        Amount::of_bits(kind, 0)
    }

    /// The value of the kind with these bits.
    pub(super) fn of_bits(kind: ValueKind, bits: u64) -> Amount {
        if kind.is_double() {
            Amount::Double(f64::from_bits(bits))
        } else {
            Amount::Long(i128::from(bits as i64))
        }
    }

    /// Adds a value, given by its bits.
    pub(super) fn add_bits(&mut self, bits: u64) {
        match self {
            Amount::Long(sum) => *sum += i128::from(bits as i64),
            Amount::Double(sum) => *sum += f64::from_bits(bits),
        }
    }

    /// Why [`Amount::number`] differs from the value; empty if it does not.
    pub(super) fn unshown(self) -> &'static str {
        match self {
            Amount::Long(n) if i64::try_from(n).is_err() => {
                "the sum does not fit in 64 bits, and the nearest number that does is shown"
            }
            Amount::Double(x) if !x.is_finite() => "the sum is no finite number, and is not shown",
            _ => "",
        }
    }

    /// The number in events; `None` for infinities and NaN.
    pub fn number(self) -> Option<Number> {
        match self {
            Amount::Long(n) => Some(Number::Whole(long(n))),
            Amount::Double(x) => Some(Number::Real(x)).filter(|_| x.is_finite()),
        }
    }
}

/// The nearest value within an i64.
pub(super) fn long(n: i128) -> i64 {
    n.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}
