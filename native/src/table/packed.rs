//! Packed records: their frame, and the values in them.

use super::key::LONGEST_KEY;
use super::layout::{Layout, Spot};
use super::little::{array, is_zero, padded, u16_at, u32_at};
use super::nested;
use super::schema::DELETED;
use super::types::Type;
use super::value::Value;
use super::why::Why;

/// Bytes before a record's key.
pub(super) const FRAME: usize = 8;

/// Java's canonical NaNs, to which every NaN is changed.
const FLOAT_NAN: [u8; 4] = 0x7fc0_0000_u32.to_le_bytes();
const DOUBLE_NAN: [u8; 8] = 0x7ff8_0000_0000_0000_u64.to_le_bytes();

/// The most bytes of a record.
pub(super) const LONGEST_RECORD: usize = u32::MAX as usize - 7;

/// A record in memory of Rust's, whose frame is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed<'a> {
    bytes: &'a [u8],
    key: usize,
    schema: u16,
}

/// Length, bytes of the key, and schema of the record that begins with `bytes`, if they agree with each other.
pub(super) fn frame(bytes: &[u8]) -> Result<(usize, usize, u16), Why> {
    let parts = (u32_at(bytes, 0), u16_at(bytes, 4), u16_at(bytes, 6));
    let (Some(length), Some(key), Some(schema)) = parts else {
        return Err(Why::Damaged(format!("a record begins {} bytes before the end", bytes.len())));
    };
    let (length, key) = (length as usize, usize::from(key));
    let least = FRAME + padded(key);
    if !length.is_multiple_of(8) || length < least || (schema == DELETED && length > least) {
        return Err(Why::Damaged(format!("a record of {length} bytes has a key of {key} bytes")));
    }
    Ok((length, key, schema))
}

impl<'a> Packed<'a> {
    /// The record at the start of `bytes`.
    pub(super) fn first(bytes: &'a [u8]) -> Result<Packed<'a>, Why> {
        let (length, key, schema) = frame(bytes)?;
        let left = bytes.len();
        match bytes.get(..length) {
            Some(bytes) => Ok(Packed { bytes, key, schema }),
            None => Err(Why::Damaged(format!("a record of {length} bytes has only {left}"))),
        }
    }

    /// All bytes of the record.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The key's bytes.
    pub fn key(&self) -> &'a [u8] {
        &self.bytes[FRAME..FRAME + self.key]
    }

    /// The schema's id; [`DELETED`] for the deletion of the key.
    pub fn schema(&self) -> u16 {
        self.schema
    }

    /// Whether the record deletes its key.
    pub fn is_deletion(&self) -> bool {
        self.schema == DELETED
    }

    /// The values, with their padding; none in a deletion.
    pub(super) fn values(&self) -> &'a [u8] {
        &self.bytes[FRAME + padded(self.key)..]
    }

    /// Whether the key's padding is zero.
    pub(super) fn check_padding(&self) -> Result<(), Why> {
        if is_zero(&self.bytes[FRAME + self.key..FRAME + padded(self.key)]) {
            return Ok(());
        }
        Err(Why::Damaged("bytes between a key and its values are not zero".to_string()))
    }
}

/// Appends a record: `key` and `values` in the order of the layout's cells.
pub(super) fn encode(layout: &Layout, key: &[u8], values: &[Value], into: &mut Vec<u8>) -> Result<(), Why> {
    let start = begin(layout.schema, key, into);
    let base = into.len();
    into.resize(base + layout.bytes_at, 0);
    for (cell, value) in layout.cells.iter().zip(values) {
        let wrong = || {
            Why::Unfit(format!(
                "{value:?} is no value of the column {:?}, whose type is {:?}",
                cell.name, cell.of
            ))
        };
        if *value == Value::Null {
            let bit = cell.null_bit.ok_or_else(|| {
                Why::Unfit(format!("a row has no value in the column {:?}, which is not nullable", cell.name))
            })?;
            into[base + layout.nulls_at + bit / 8] |= 1 << (bit % 8);
        } else if let Some(width) = cell.of.width() {
            let bytes = fixed(&cell.of, value).ok_or_else(wrong)?;
            into[base + cell.at..base + cell.at + width].copy_from_slice(&bytes[..width]);
        } else if !matches!(value, Value::Bytes(_)) {
            return Err(wrong());
        }
    }
    for place in &layout.variable {
        if let Value::Bytes(bytes) = &values[*place] {
            into.extend(bytes);
        }
        let end = into.len() - base - layout.bytes_at;
        let end = u32::try_from(end).map_err(|_| too_long(end))?;
        let at = base + layout.cells[*place].at;
        into[at..at + 4].copy_from_slice(&end.to_le_bytes());
    }
    finish(start, into)
}

/// Appends the deletion of a key.
pub(super) fn encode_deletion(key: &[u8], into: &mut Vec<u8>) -> Result<(), Why> {
    let start = begin(DELETED, key, into);
    finish(start, into)
}

fn begin(schema: u16, key: &[u8], into: &mut Vec<u8>) -> usize {
    debug_assert!(key.len() <= LONGEST_KEY);
    let start = into.len();
    into.extend([0; 4]);
    into.extend((key.len() as u16).to_le_bytes());
    into.extend(schema.to_le_bytes());
    into.extend(key);
    into.resize(start + FRAME + padded(key.len()), 0);
    start
}

fn finish(start: usize, into: &mut Vec<u8>) -> Result<(), Why> {
    let length = padded(into.len() - start);
    if length > LONGEST_RECORD {
        return Err(too_long(length));
    }
    into.resize(start + length, 0);
    into[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(())
}

fn too_long(length: usize) -> Why {
    Why::Beyond(format!("a record has {length} bytes, the limit is {LONGEST_RECORD}; split the row"))
}

/// The first `width` bytes are the value's.
fn fixed(of: &Type, value: &Value) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut put = |from: &[u8]| bytes[..from.len()].copy_from_slice(from);
    match (of, value) {
        (Type::Float, Value::Float(float)) if float.is_nan() => put(&FLOAT_NAN),
        (Type::Float, Value::Float(float)) => put(&float.to_le_bytes()),
        (Type::Double, Value::Double(double)) if double.is_nan() => put(&DOUBLE_NAN),
        (Type::Double, Value::Double(double)) => put(&double.to_le_bytes()),
        (Type::Decimal { .. }, Value::Decimal(unscaled)) if of.width() == Some(16) => {
            put(&unscaled.to_le_bytes())
        }
        _ => put(&value.word_of(of)?.to_le_bytes()),
    }
    Some(bytes)
}

/// The values of a record that has passed [`check`].
pub(super) fn decode(layout: &Layout, record: &Packed<'_>) -> Result<Vec<Value>, Why> {
    let values = record.values();
    let mut decoded = Vec::with_capacity(layout.cells.len());
    for (number, cell) in layout.cells.iter().enumerate() {
        decoded.push(match is_null(layout, values, cell)? {
            true => Value::Null,
            false => match cell.of.width() {
                Some(_) => number_at(cell, values)?,
                None => Value::Bytes(variable(layout, values, number)?.to_vec()),
            },
        });
    }
    Ok(decoded)
}

/// Whether the values have the form that [`encode`] gives. The frame and the key are right.
pub(super) fn check(layout: &Layout, record: &Packed<'_>) -> Result<(), Why> {
    record.check_padding()?;
    let values = record.values();
    let mut end = 0;
    for place in &layout.variable {
        let bytes = variable(layout, values, *place)?;
        end += bytes.len();
        let cell = &layout.cells[*place];
        if cell.of.is_nested() && !is_null(layout, values, cell)? {
            let why = |why| Why::Damaged(format!("the column {:?}: {why}", cell.name));
            nested::check(&cell.of, bytes).map_err(why)?;
        }
    }
    let used = layout.bytes_at + end;
    if padded(used) != values.len() || !is_zero(&values[used..]) {
        return Err(Why::Damaged(format!(
            "values of {used} bytes are followed by {} others",
            values.len() - used
        )));
    }
    let bits = &values[layout.nulls_at..layout.bytes_at];
    let past = bits.iter().enumerate().any(|(at, byte)| {
        let of_cells = layout.nulls.saturating_sub(8 * at).min(8);
        u16::from(*byte) >> of_cells != 0
    });
    if past {
        return Err(Why::Damaged("null bits are set where there is no nullable column".to_string()));
    }
    for (number, cell) in layout.cells.iter().enumerate() {
        let wrong = |why: &str| Err(Why::Damaged(format!("the column {:?} {why}", cell.name)));
        if !is_null(layout, values, cell)? {
            if cell.of.width().is_some() && !is_canonical(cell, values)? {
                return wrong("has a value in another form than its canonical one");
            }
        } else {
            let is_empty = match cell.of.width() {
                Some(width) => values.get(cell.at..cell.at + width).is_some_and(is_zero),
                None => variable(layout, values, number)?.is_empty(),
            };
            if !is_empty {
                return wrong("is null and has a value");
            }
        }
    }
    Ok(())
}

fn is_null(layout: &Layout, values: &[u8], cell: &Spot) -> Result<bool, Why> {
    let Some(bit) = cell.null_bit else { return Ok(false) };
    let byte = values.get(layout.nulls_at + bit / 8).ok_or_else(short)?;
    Ok(byte >> (bit % 8) & 1 == 1)
}

fn is_canonical(cell: &Spot, values: &[u8]) -> Result<bool, Why> {
    Ok(match number_at(cell, values)? {
        Value::Float(float) => !float.is_nan() || array(values, cell.at) == Some(FLOAT_NAN),
        Value::Double(double) => !double.is_nan() || array(values, cell.at) == Some(DOUBLE_NAN),
        _ => true,
    })
}

fn number_at(cell: &Spot, values: &[u8]) -> Result<Value, Why> {
    let at = cell.at;
    let of = &cell.of;
    let word = match (of, of.width()) {
        (Type::Float, _) => {
            return Ok(Value::Float(f32::from_le_bytes(array(values, at).ok_or_else(short)?)))
        }
        (Type::Double, _) => {
            return Ok(Value::Double(f64::from_le_bytes(array(values, at).ok_or_else(short)?)))
        }
        (_, Some(16)) => {
            return Ok(Value::Decimal(i128::from_le_bytes(array(values, at).ok_or_else(short)?)))
        }
        (_, Some(1)) => i8::from_le_bytes(array(values, at).ok_or_else(short)?).into(),
        (_, Some(2)) => i16::from_le_bytes(array(values, at).ok_or_else(short)?).into(),
        (_, Some(4)) => i32::from_le_bytes(array(values, at).ok_or_else(short)?).into(),
        _ => i64::from_le_bytes(array(values, at).ok_or_else(short)?),
    };
    Value::of_word(of, word)
        .ok_or_else(|| Why::Damaged(format!("the column {:?} has the number {word}", cell.name)))
}

/// The bytes of a variable value.
fn variable<'a>(layout: &Layout, values: &'a [u8], number: usize) -> Result<&'a [u8], Why> {
    let place = layout.variable_of[number].ok_or_else(short)?;
    let end_of = |place: usize| {
        let cell = &layout.cells[layout.variable[place]];
        u32_at(values, cell.at).map(|end| end as usize).ok_or_else(short)
    };
    let start = if place == 0 { 0 } else { end_of(place - 1)? };
    let end = end_of(place)?;
    let bytes = values.get(layout.bytes_at..).and_then(|bytes| bytes.get(start..end));
    bytes.ok_or_else(|| Why::Damaged(format!("bytes {start} to {end} of a column lie outside of its record")))
}

fn short() -> Why {
    Why::Damaged("the values end within a column".to_string())
}
