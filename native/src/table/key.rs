//! Keys as bytes, their hash, and the order of records in a section.

use serde::{Deserialize, Serialize};

use super::column::Column;
use super::little::{array, u16_at};
use super::types::Type;
use super::value::Value;
use super::why::{refused, Why};
use crate::error::Result;

/// The most bytes of a key.
pub const LONGEST_KEY: usize = u16::MAX as usize;

/// A column's part in the bytes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// 8 bytes, signed: integers, dates, times, booleans, decimals of up to 18 digits.
    Word,
    /// 8 bytes: the bits of a double.
    Double,
    /// 16 bytes, signed: other decimals.
    Wide,
    /// A length of 2 bytes and the bytes: strings and binaries.
    Bytes,
}

/// The parts of a key. [`Code::TableSchema`](crate::error::Code::TableSchema) for types that no key can have.
pub(super) fn parts(columns: &[&Column]) -> Result<Vec<Part>> {
    let part = |column: &&Column| match (&column.of, column.of.width()) {
        (Type::Float | Type::Double, _) => Ok(Part::Double),
        (Type::String | Type::Binary, _) => Ok(Part::Bytes),
        (_, Some(16)) => Ok(Part::Wide),
        (_, Some(_)) => Ok(Part::Word),
        (of, None) => {
            Err(refused(format!("the column {:?} of type {of:?} cannot be part of a key", column.name)))
        }
    };
    columns.iter().map(part).collect()
}

/// The hash of a table's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum KeyHash {
    /// `fmix64(key xor seed)`, for keys of one part of 8 bytes.
    Fmix64(u64),
    /// XXH64 of the bytes with the seed, for all others.
    Xxh64(u64),
}

impl KeyHash {
    /// The hash of a key's bytes.
    #[inline]
    pub fn of(self, key: &[u8]) -> u64 {
        match (self, array(key, 0)) {
            (KeyHash::Fmix64(seed), Some(word)) if key.len() == 8 => fmix64(u64::from_le_bytes(word) ^ seed),
            (KeyHash::Fmix64(seed) | KeyHash::Xxh64(seed), _) => twox_hash::XxHash64::oneshot(seed, key),
        }
    }
}

/// The finaliser of MurmurHash3.
fn fmix64(word: u64) -> u64 {
    let word = (word ^ word >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let word = (word ^ word >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}

/// The place of a record in its section: ascending, and by the key's bytes where two are equal.
pub(super) fn order(hash: u64) -> u64 {
    hash.rotate_left(32)
}

/// The shard of a hash, of 2^`bits` shards.
#[inline]
pub fn shard(hash: u64, bits: u32) -> usize {
    hash.checked_shr(64 - bits).map_or(0, |shard| shard as usize)
}

/// The key columns of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyShape {
    columns: Vec<(String, Type, Part)>,
}

impl KeyShape {
    /// The shape of keys with these columns, in this order.
    pub fn new(columns: &[&Column]) -> Result<KeyShape> {
        let parts = parts(columns)?.into_iter();
        let columns =
            columns.iter().zip(parts).map(|(column, part)| (column.name.clone(), column.of.clone(), part));
        Ok(KeyShape { columns: columns.collect() })
    }

    /// The hash that belongs to the shape.
    pub fn hash(&self, seed: u64) -> KeyHash {
        match self.columns[..] {
            [(_, _, Part::Word | Part::Double)] => KeyHash::Fmix64(seed),
            _ => KeyHash::Xxh64(seed),
        }
    }

    /// Appends the key's bytes.
    pub(super) fn encode(&self, values: &[Value], into: &mut Vec<u8>) -> std::result::Result<(), Why> {
        let start = into.len();
        let alone = self.columns.len() == 1;
        for ((name, of, part), value) in self.columns.iter().zip(values) {
            let wrong = || {
                Why::Unfit(format!("{value:?} is no value of the key column {name:?}, whose type is {of:?}"))
            };
            match (part, value) {
                (_, Value::Null) => return Err(Why::NullKey(name.clone())),
                (Part::Word, value) => into.extend(value.word_of(of).ok_or_else(wrong)?.to_le_bytes()),
                (Part::Double, value) => {
                    into.extend(canonical(value.double().ok_or_else(wrong)?).to_le_bytes())
                }
                (Part::Wide, Value::Decimal(unscaled)) => into.extend(unscaled.to_le_bytes()),
                (Part::Bytes, Value::Bytes(bytes)) => {
                    if !alone {
                        into.extend(
                            u16::try_from(bytes.len()).map_err(|_| too_long(bytes.len()))?.to_le_bytes(),
                        );
                    }
                    into.extend(bytes);
                }
                (Part::Wide | Part::Bytes, _) => return Err(wrong()),
            }
        }
        match into.len() - start {
            length if length > LONGEST_KEY => Err(too_long(length)),
            _ => Ok(()),
        }
    }

    /// The values of a key. Bytes in another form than [`KeyShape::encode`] gives are refused.
    pub(super) fn decode(&self, key: &[u8]) -> std::result::Result<Vec<Value>, Why> {
        let damaged = |why: &str| Why::Damaged(format!("a key of {} bytes {why}", key.len()));
        let short = || damaged("ends within a part");
        if let [(_, _, Part::Bytes)] = self.columns[..] {
            return Ok(vec![Value::Bytes(key.to_vec())]);
        }
        let mut at = 0;
        let mut values = Vec::with_capacity(self.columns.len());
        for (_, of, part) in &self.columns {
            let (value, bytes) = match part {
                Part::Word => {
                    let word = i64::from_le_bytes(array(key, at).ok_or_else(short)?);
                    (
                        Value::of_word(of, word)
                            .ok_or_else(|| damaged("has a number that its type has not"))?,
                        8,
                    )
                }
                Part::Double => {
                    let double = f64::from_le_bytes(array(key, at).ok_or_else(short)?);
                    let value = match of {
                        Type::Float => Value::Float(double as f32),
                        _ => Value::Double(double),
                    };
                    let again = value.double().map(canonical).unwrap_or_default();
                    if again.to_bits() != double.to_bits() {
                        return Err(damaged("has a double in another form than its canonical one"));
                    }
                    (value, 8)
                }
                Part::Wide => (Value::Decimal(i128::from_le_bytes(array(key, at).ok_or_else(short)?)), 16),
                Part::Bytes => {
                    let length = usize::from(u16_at(key, at).ok_or_else(short)?);
                    let bytes = key.get(at + 2..at + 2 + length).ok_or_else(short)?;
                    (Value::Bytes(bytes.to_vec()), 2 + length)
                }
            };
            values.push(value);
            at += bytes;
        }
        if at < key.len() {
            return Err(damaged("goes on after its last part"));
        }
        Ok(values)
    }

    /// Whether a key has the form that [`KeyShape::encode`] gives.
    pub(super) fn check(&self, key: &[u8]) -> std::result::Result<(), Why> {
        match self.columns[..] {
            [(_, _, Part::Bytes)] => Ok(()),
            [(_, Type::Long | Type::Timestamp | Type::TimestampNtz, _)] if key.len() == 8 => Ok(()),
            _ => self.decode(key).map(drop),
        }
    }

    /// A key as messages show it.
    pub(super) fn show(&self, key: &[u8]) -> String {
        let Ok(values) = self.decode(key) else { return "?".to_string() };
        let shown: Vec<String> = values.iter().map(Value::show).collect();
        match &shown[..] {
            [one] => one.clone(),
            all => format!("({})", all.join(", ")),
        }
    }
}

fn too_long(length: usize) -> Why {
    Why::Beyond(format!(
        "a key has {length} bytes, the limit is {LONGEST_KEY}; use a digest of the column as key"
    ))
}

/// -0.0 as 0.0, and every NaN as Java's.
fn canonical(double: f64) -> f64 {
    if double.is_nan() {
        f64::from_bits(0x7ff8_0000_0000_0000)
    } else {
        double + 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::column;
    use super::*;

    fn shape(types: &[Type]) -> KeyShape {
        let columns: Vec<Column> =
            types.iter().zip(0..).map(|(of, id)| column(id, of.clone(), false)).collect();
        KeyShape::new(&columns.iter().collect::<Vec<_>>()).unwrap()
    }

    fn bytes(shape: &KeyShape, values: &[Value]) -> Vec<u8> {
        let mut into = Vec::new();
        shape.encode(values, &mut into).map_err(|why| format!("{why:?}")).unwrap();
        shape.check(&into).map_err(|why| format!("{why:?}")).unwrap();
        into
    }

    #[test]
    fn keys_that_spark_joins_have_the_same_bytes() {
        let double = shape(&[Type::Double]);
        let key = |value: f64| bytes(&double, &[Value::Double(value)]);
        assert_eq!(key(0.0), key(-0.0));
        assert_eq!(key(f64::NAN), key(f64::from_bits(0xfff8_0000_0000_0001)));
        assert_eq!(bytes(&shape(&[Type::Float]), &[Value::Float(1.5)]), key(1.5));
        assert_eq!(bytes(&shape(&[Type::Byte]), &[Value::Int(-1)]), (-1_i64).to_le_bytes());
    }

    #[test]
    fn parts_are_told_apart() {
        let pair = shape(&[Type::String, Type::Binary]);
        let key = |a: &str, b: &str| bytes(&pair, &[Value::text(a), Value::text(b)]);
        assert_ne!(key("ab", "c"), key("a", "bc"));
        assert_eq!(pair.show(&key("ab", "c")), r#"("ab", "c")"#);
        assert_eq!(bytes(&shape(&[Type::String]), &[Value::text("")]), b"");
    }

    #[test]
    fn a_key_ends_at_65_535_bytes() {
        let one = shape(&[Type::Binary]);
        let mut into = Vec::new();
        assert!(one.encode(&[Value::Bytes(vec![1; 65_535])], &mut into).is_ok());
        assert!(matches!(one.encode(&[Value::Bytes(vec![1; 65_536])], &mut into), Err(Why::Beyond(_))));
        let pair = shape(&[Type::Binary, Type::Int]);
        let long = [Value::Bytes(vec![1; 65_530]), Value::Int(1)];
        assert!(matches!(pair.encode(&long, &mut into), Err(Why::Beyond(_))));
        assert!(matches!(pair.encode(&[Value::Null, Value::Int(1)], &mut into), Err(Why::NullKey(_))));
    }

    #[test]
    fn other_forms_are_damage() {
        let byte = shape(&[Type::Byte]);
        let pair = shape(&[Type::Binary, Type::Int]);
        let minus_zero = (-0.0_f64).to_le_bytes();
        let not_a_float = 0.1_f64.to_le_bytes();
        let wrong = [
            (&byte, &200_i64.to_le_bytes()[..]),
            (&byte, &[1, 2]),
            (&byte, &[0; 16]),
            (&pair, &[9, 0, 1]),
            (&shape(&[Type::Double]), &minus_zero),
            (&shape(&[Type::Float]), &not_a_float),
        ];
        for (shape, key) in wrong {
            assert!(matches!(shape.check(key), Err(Why::Damaged(_))), "{key:?}");
        }
    }

    #[test]
    fn shards_are_the_top_bits() {
        assert_eq!((shard(u64::MAX, 0), shard(u64::MAX, 12), shard(1 << 63, 1)), (0, 4095, 1));
    }
}
