//! Lenient reading of JSON from the JVM: any field may be missing, have another type, or be long.

use serde_json::{Map, Value};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// Parses an object; `None` for any other text.
pub(super) fn object(text: &str) -> Option<Object> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Typed reads of an object's fields.
pub(super) trait Reads {
    /// A non-negative whole number.
    fn number(&self, name: &str) -> Option<u64>;
    /// A non-negative whole number within a `u32`.
    fn number32(&self, name: &str) -> Option<u32>;
    /// A string; "" if it is missing.
    fn text(&self, name: &str) -> &str;
    /// Whether the field is there and `true`.
    fn is(&self, name: &str) -> bool;
    /// A list; empty if it is missing.
    fn list(&self, name: &str) -> &[Value];
    /// The non-negative whole numbers of a list.
    fn numbers(&self, name: &str) -> Vec<u64>;
}

impl Reads for Object {
    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_u64()
    }

    fn number32(&self, name: &str) -> Option<u32> {
        u32::try_from(self.number(name)?).ok()
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn is(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn numbers(&self, name: &str) -> Vec<u64> {
        self.list(name).iter().filter_map(Value::as_u64).collect()
    }
}

/// The longest prefix of at most `longest` bytes that ends between characters.
pub(super) fn cut(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}
