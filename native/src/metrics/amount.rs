//! Numbers as accumulators have them.

use serde_json::{Number, Value};

/// What values an accumulator has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Sums of whole numbers: Spark's `LongAccumulator`.
    Long,
    /// Sums of floating point: Spark's `DoubleAccumulator`.
    Double,
    /// Whole numbers that are no sums: Spark's own value is shown.
    MergedLong,
    /// The same of floating point.
    MergedDouble,
    /// Anything else: it is not shown.
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

/// A number of a counter.
#[derive(Debug, Clone, Copy)]
pub enum Amount {
    /// Wider than a counter, so that no sum of values wraps.
    Long(i128),
    /// Floating point.
    Double(f64),
}

/// The same number: of floating point the same bits, so that what is not a number equals itself.
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
    /// Nothing, of the kind.
    pub fn zero(kind: ValueKind) -> Amount {
        Amount::of_bits(kind, 0)
    }

    /// A value of the kind, given by its bits.
    pub(super) fn of_bits(kind: ValueKind, bits: u64) -> Amount {
        if kind.is_double() {
            Amount::Double(f64::from_bits(bits))
        } else {
            Amount::Long(i128::from(bits as i64))
        }
    }

    /// Adds a value given by its bits.
    pub(super) fn add_bits(&mut self, bits: u64) {
        match self {
            Amount::Long(sum) => *sum += i128::from(bits as i64),
            Amount::Double(sum) => *sum += f64::from_bits(bits),
        }
    }

    /// Why [`Amount::json`] is not the number; empty if it is.
    pub(super) fn unshown(self) -> &'static str {
        match self {
            Amount::Long(n) if i64::try_from(n).is_err() => {
                "the sum does not fit in 64 bits, and the nearest number that does is shown"
            }
            Amount::Double(x) if !x.is_finite() => "the sum is no finite number, and is not shown",
            _ => "",
        }
    }

    /// A JSON number; `None` for what JSON has no number for.
    pub fn json(self) -> Option<Value> {
        match self {
            Amount::Long(n) => Some(long(n)),
            Amount::Double(x) => Number::from_f64(x).map(Value::Number),
        }
    }
}

/// The nearest number that an i64 can hold.
pub(super) fn long(n: i128) -> Value {
    Value::from(n.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}
