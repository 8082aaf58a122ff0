//! Arrays, maps and structs in Spark's unsafe forms: whether a reader of them stays within their bytes.
//!
//! Spark follows the offsets in these forms without a check. Here each value lies within its parent and after the
//! value before it, so the check takes time in proportion to the bytes.

use super::little::{padded, u64_at};
use super::types::Type;

/// Checks the whole of an array, map or struct.
pub(super) fn check(of: &Type, bytes: &[u8]) -> Result<(), String> {
    match of {
        Type::Array(element) => array(element, bytes).map(drop),
        Type::Map(key, value) => map(key, value, bytes),
        Type::Struct(fields) => {
            let fixed = padded(fields.len().div_ceil(8));
            let types = fields.iter().map(|field| &field.of);
            let bits = bytes.get(..fixed).ok_or_else(short)?;
            words(types, bits, fixed, bytes)
        }
        _ => Ok(()),
    }
}

/// The number of elements of an array that is all of `bytes`.
fn array(element: &Type, bytes: &[u8]) -> Result<u64, String> {
    let count = u64_at(bytes, 0).ok_or_else(short)?;
    let room = bytes.len() as u64;
    let width = match element.width() {
        Some(width) if width <= 8 => width as u64,
        _ => 8,
    };
    let bits = count.div_ceil(64).checked_mul(8).filter(|bits| *bits <= room).ok_or_else(short)?;
    let fixed = count.checked_mul(width).and_then(|all| all.checked_add(8 + bits)).filter(|all| *all <= room);
    let fixed = padded(fixed.ok_or_else(short)? as usize);
    if fixed > bytes.len() || !bytes.len().is_multiple_of(8) {
        return Err(short());
    }
    let start = 8 + bits as usize;
    if element.width().is_none_or(|width| width > 8) {
        let types = std::iter::repeat_n(element, count as usize);
        words(types, &bytes[8..start], start, bytes)?;
    }
    Ok(count)
}

fn map(key: &Type, value: &Type, bytes: &[u8]) -> Result<(), String> {
    let keys = u64_at(bytes, 0).ok_or_else(short)?;
    let end = keys.checked_add(8).filter(|end| *end <= bytes.len() as u64).ok_or_else(short)? as usize;
    let (keys, values) = (array(key, &bytes[8..end])?, array(value, &bytes[end..])?);
    if keys != values {
        return Err(format!("a map has {keys} keys and {values} values"));
    }
    Ok(())
}

/// Checks words of 8 bytes from `at`, those of wide and variable values being offset and size.
fn words<'a>(
    types: impl ExactSizeIterator<Item = &'a Type>,
    nulls: &[u8],
    at: usize,
    bytes: &[u8],
) -> Result<(), String> {
    let mut before = at + 8 * types.len();
    if before > bytes.len() || !bytes.len().is_multiple_of(8) {
        return Err(short());
    }
    for (number, of) in types.enumerate() {
        let is_null = nulls.get(number / 8).is_none_or(|byte| byte >> (number % 8) & 1 == 1);
        if is_null || of.width().is_some_and(|width| width <= 8) {
            continue;
        }
        let word = u64_at(bytes, at + 8 * number).ok_or_else(short)?;
        let (offset, size) = ((word >> 32) as usize, (word & 0xffff_ffff) as usize);
        let inside = offset.checked_add(size).and_then(|end| bytes.get(offset..end));
        let Some(inside) = inside.filter(|_| offset >= before) else {
            return Err(format!("a value of {size} bytes at {offset} lies outside of its place"));
        };
        if of.width().is_some() && size > 16 {
            return Err(format!("a decimal has {size} bytes"));
        }
        check(of, inside)?;
        before = offset + size;
    }
    Ok(())
}

fn short() -> String {
    "an array, map or struct ends within itself".to_string()
}

#[cfg(test)]
mod tests {
    use super::super::types::Field;
    use super::*;

    fn words_of(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn spark_s_forms_are_accepted() {
        let ints = Type::Array(Box::new(Type::Int));
        check(&ints, &words_of(&[3, 0, 0x2_0000_0001, 3])).unwrap();
        check(&ints, &words_of(&[0])).unwrap();
        let texts = Type::Array(Box::new(Type::String));
        check(&texts, &words_of(&[2, 0b10, 24 << 32 | 3, 0, 0x63_6261])).unwrap_err();
        check(&texts, &words_of(&[2, 0b10, 32 << 32 | 3, 0, 0x63_6261])).unwrap();
        let map = Type::Map(Box::new(Type::Long), Box::new(Type::Long));
        check(&map, &words_of(&[24, 1, 0, 7, 1, 0, 8])).unwrap();
        let field = |of| Field { name: "f".to_string(), of };
        let pair = Type::Struct(vec![field(Type::Long), field(ints)]);
        check(&pair, &words_of(&[0, 5, 24 << 32 | 24, 1, 0, 9])).unwrap();
    }

    #[test]
    fn no_offset_leads_out_or_back() {
        let texts = Type::Array(Box::new(Type::String));
        let wrong = [
            words_of(&[u64::MAX]),
            words_of(&[1 << 61, 0]),
            words_of(&[1, 0, 24 << 32 | 9, 0]),
            words_of(&[1, 0, 16 << 32 | 8, 0]),
            words_of(&[2, 0, 32 << 32 | 8, 32 << 32 | 8, 0]),
            words_of(&[1, 0, u64::MAX]),
            vec![0; 7],
        ];
        for bytes in wrong {
            assert!(check(&texts, &bytes).is_err(), "{bytes:?}");
        }
        let map = Type::Map(Box::new(Type::Long), Box::new(Type::Long));
        assert!(check(&map, &words_of(&[24, 1, 0, 7, 0])).is_err());
        assert!(check(&map, &words_of(&[u64::MAX, 1])).is_err());
    }
}
