//! Types of columns.

use serde::{Deserialize, Serialize};

/// The type of a column, or of a part of a nested one. Names and meanings are Spark's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Type {
    /// One byte, 0 or 1.
    Boolean,
    /// 8 bits, signed.
    Byte,
    /// 16 bits, signed.
    Short,
    /// 32 bits, signed.
    Int,
    /// 64 bits, signed.
    Long,
    /// IEEE, 32 bits.
    Float,
    /// IEEE, 64 bits.
    Double,
    /// Days since 1970-01-01, 32 bits.
    Date,
    /// Microseconds since 1970-01-01T00:00Z, 64 bits.
    Timestamp,
    /// Microseconds since 1970-01-01T00:00 of no time zone, 64 bits.
    TimestampNtz,
    /// An unscaled number: 64 bits up to a precision of 18, else 128.
    Decimal {
        /// Digits: 1 to 38.
        precision: u8,
        /// Digits after the point: 0 to `precision`.
        scale: u8,
    },
    /// UTF-8, compared as bytes.
    String,
    /// Bytes.
    Binary,
    /// Spark's `UnsafeArrayData`.
    Array(Box<Type>),
    /// Spark's `UnsafeMapData`.
    Map(Box<Type>, Box<Type>),
    /// Spark's `UnsafeRow`.
    Struct(Vec<Field>),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The field's name.
    pub name: String,
    /// The field's type.
    #[serde(rename = "type")]
    pub of: Type,
}

/// The most levels of arrays, maps and structs.
const DEEPEST: u32 = 32;

/// The most digits of a decimal that 64 bits hold.
pub(super) const LONG_DIGITS: u8 = 18;

impl Type {
    /// Bytes of a value in a record; none for a variable number.
    pub fn width(&self) -> Option<usize> {
        Some(match self {
            Type::Boolean | Type::Byte => 1,
            Type::Short => 2,
            Type::Int | Type::Float | Type::Date => 4,
            Type::Long | Type::Double | Type::Timestamp | Type::TimestampNtz => 8,
            Type::Decimal { precision, .. } if *precision <= LONG_DIGITS => 8,
            Type::Decimal { .. } => 16,
            Type::String | Type::Binary | Type::Array(_) | Type::Map(..) | Type::Struct(_) => return None,
        })
    }

    /// Whether values are arrays, maps or structs.
    pub fn is_nested(&self) -> bool {
        matches!(self, Type::Array(_) | Type::Map(..) | Type::Struct(_))
    }

    /// Whether every value of this type is a value of `wider`, so that older records stay as they are.
    pub fn widens_to(&self, wider: &Type) -> bool {
        let rank = |of: &Type| match of {
            Type::Byte => Some(0),
            Type::Short => Some(1),
            Type::Int => Some(2),
            Type::Long => Some(3),
            _ => None,
        };
        match (self, wider) {
            (Type::Float, Type::Double) => true,
            (Type::Decimal { precision, scale }, Type::Decimal { precision: more, scale: same }) => {
                scale == same && precision <= more
            }
            (from, to) => from == to || matches!((rank(from), rank(to)), (Some(a), Some(b)) if a < b),
        }
    }

    /// The reason that no column can have this type; none for a good one.
    pub(super) fn fault(&self) -> Option<String> {
        self.fault_at(DEEPEST)
    }

    fn fault_at(&self, levels: u32) -> Option<String> {
        let Some(below) = levels.checked_sub(1) else {
            return Some(format!("it has more than {DEEPEST} levels of arrays, maps and structs"));
        };
        match self {
            Type::Decimal { precision, scale } if !(1..=38).contains(precision) || scale > precision => {
                Some(format!("decimal({precision},{scale}) does not exist"))
            }
            Type::Array(element) => element.fault_at(below),
            Type::Map(key, value) => key.fault_at(below).or_else(|| value.fault_at(below)),
            Type::Struct(fields) => fields.iter().find_map(|field| field.of.fault_at(below)),
            _ => None,
        }
    }
}
