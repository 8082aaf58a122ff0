//! Columns, schemas and values for tests.

use super::{Column, Field, Schema, Type, Value};

pub(super) fn column(id: u16, of: Type, nullable: bool) -> Column {
    Column { id, name: format!("c{id}"), of, nullable }
}

/// Every type that has no bytes of Spark's own.
pub(super) fn plain_types() -> Vec<Type> {
    let decimal = |precision| Type::Decimal { precision, scale: 2 };
    vec![
        Type::Boolean,
        Type::Byte,
        Type::Short,
        Type::Int,
        Type::Long,
        Type::Float,
        Type::Double,
        Type::Date,
        Type::Timestamp,
        Type::TimestampNtz,
        decimal(18),
        decimal(38),
        Type::String,
        Type::Binary,
    ]
}

/// A schema with the key column 1 and a column of every type, of which every third is not nullable.
pub(super) fn everything(id: u16) -> Schema {
    let nested = [
        Type::Array(Box::new(Type::Int)),
        Type::Map(Box::new(Type::Long), Box::new(Type::Long)),
        Type::Struct(vec![Field { name: "a".to_string(), of: Type::String }]),
    ];
    let types = plain_types().into_iter().chain(nested);
    let columns = types.zip(0..).map(|(of, number)| column(100 + number, of, number % 3 != 2));
    Schema { id, columns: [column(1, Type::Long, false)].into_iter().chain(columns).collect() }
}

/// A value of a type, from a number.
pub(super) fn value(of: &Type, number: i64) -> Value {
    let words = |words: &[i64]| Value::Bytes(words.iter().flat_map(|word| word.to_le_bytes()).collect());
    match of {
        Type::Boolean => Value::Boolean(number & 1 == 1),
        Type::Byte => Value::Int((number as i8).into()),
        Type::Short => Value::Int((number as i16).into()),
        Type::Int | Type::Date => Value::Int((number as i32).into()),
        Type::Long | Type::Timestamp | Type::TimestampNtz => Value::Int(number),
        Type::Float => Value::Float(number as f32 / 8.0),
        Type::Double => Value::Double(number as f64 / 8.0),
        Type::Decimal { precision, .. } if *precision <= 18 => Value::Decimal(number.into()),
        Type::Decimal { .. } => Value::Decimal(i128::from(number) << 40),
        Type::String | Type::Binary => Value::text(&"né".repeat(number.unsigned_abs() as usize % 20)),
        Type::Array(_) => words(&[2, 0, number]),
        Type::Map(..) => words(&[24, 1, 0, number, 1, 0, number + 1]),
        Type::Struct(_) => words(&[0, 16 << 32 | 8, number]),
    }
}
