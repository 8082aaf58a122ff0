//! Values of a row, outside packed records.

use super::types::{Type, LONG_DIGITS};

/// One value. The column's type says which form it has.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A truth.
    Boolean(bool),
    /// Byte, short, int, long, date (days) and timestamps (microseconds).
    Int(i64),
    /// A float.
    Float(f32),
    /// A double.
    Double(f64),
    /// The unscaled number of a decimal of any precision.
    Decimal(i128),
    /// The bytes of a string or binary, or Spark's unsafe form of an array, map or struct.
    Bytes(Vec<u8>),
}

impl Value {
    /// A string.
    pub fn text(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }

    /// A value of fixed width of at most 8 bytes as a signed number; none if it has not the type `of`.
    pub(super) fn word_of(&self, of: &Type) -> Option<i64> {
        let word = match (self, of) {
            (Value::Boolean(truth), Type::Boolean) => i64::from(*truth),
            (Value::Int(number), _) => *number,
            (Value::Decimal(unscaled), Type::Decimal { .. }) => i64::try_from(*unscaled).ok()?,
            _ => return None,
        };
        Value::of_word(of, word).map(|_| word)
    }

    /// The reverse of [`Value::word_of`]; none for a number outside the type.
    pub(super) fn of_word(of: &Type, word: i64) -> Option<Value> {
        let fits = match of {
            Type::Boolean => return (word >> 1 == 0).then_some(Value::Boolean(word == 1)),
            Type::Decimal { precision, .. } if *precision <= LONG_DIGITS => {
                return Some(Value::Decimal(word.into()));
            }
            Type::Byte => i8::try_from(word).is_ok(),
            Type::Short => i16::try_from(word).is_ok(),
            Type::Int | Type::Date => i32::try_from(word).is_ok(),
            Type::Long | Type::Timestamp | Type::TimestampNtz => true,
            _ => false,
        };
        fits.then_some(Value::Int(word))
    }

    /// The double of a float or double.
    pub(super) fn double(&self) -> Option<f64> {
        match self {
            Value::Float(float) => Some(f64::from(*float)),
            Value::Double(double) => Some(*double),
            _ => None,
        }
    }

    /// The value as a value of a wider type.
    pub(super) fn widened(self, to: &Type) -> Value {
        match (self, to) {
            (Value::Float(float), Type::Double) => Value::Double(f64::from(float)),
            (other, _) => other,
        }
    }

    /// The value as messages show it, at most about 80 characters.
    pub(super) fn show(&self) -> String {
        match self {
            Value::Null => "null".to_string(),
            Value::Boolean(truth) => truth.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(float) => float.to_string(),
            Value::Double(double) => double.to_string(),
            Value::Decimal(unscaled) => format!("{unscaled} (unscaled)"),
            Value::Bytes(bytes) => {
                let shown: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
                format!("{shown:?}")
            }
        }
    }
}
