//! Lenient reading of bodies from untrusted logs: a field that is missing or has another type is unknown, and never
//! an error.

use serde_json::{Map, Value};

#[derive(Debug, Clone, Default)]
pub(super) struct Body(Map<String, Value>);

/// A number as it was written: whole numbers stay exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// A whole number.
    Whole(i64),
    /// A finite number.
    Real(f64),
}

impl Amount {
    /// The nearest floating-point number.
    pub fn as_f64(self) -> f64 {
        match self {
            Amount::Whole(n) => n as f64,
            Amount::Real(x) => x,
        }
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.as_f64() == 0.0
    }
}

impl Body {
    /// Parses an object; `None` for any other text.
    pub(super) fn parse(text: &str) -> Option<Body> {
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Some(Body(map)),
            _ => None,
        }
    }

    pub(super) fn map(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// A string; numbers and flags in their JSON form; empty if unknown.
    pub(super) fn text(&self, key: &str) -> String {
        self.0.get(key).map(plain).unwrap_or_default()
    }

    /// A string that is not empty.
    pub(super) fn some_text(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    pub(super) fn amount(&self, key: &str) -> Option<Amount> {
        self.0.get(key).and_then(amount)
    }

    pub(super) fn real(&self, key: &str) -> Option<f64> {
        self.amount(key).map(Amount::as_f64)
    }

    pub(super) fn whole(&self, key: &str) -> Option<i64> {
        match self.amount(key)? {
            Amount::Whole(n) => Some(n),
            Amount::Real(_) => None,
        }
    }

    pub(super) fn count(&self, key: &str) -> Option<u64> {
        self.0.get(key).and_then(Value::as_u64)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key).and_then(Value::as_bool)
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        self.values(key).iter().map(plain).filter(|text| !text.is_empty()).collect()
    }

    pub(super) fn counts(&self, key: &str) -> Vec<u64> {
        self.values(key).iter().filter_map(Value::as_u64).collect()
    }

    pub(super) fn objects(&self, key: &str) -> Vec<Body> {
        let objects = self.values(key).iter().filter_map(Value::as_object);
        objects.map(|map| Body(map.clone())).collect()
    }

    /// The object under `key`; empty if there is none.
    pub(super) fn object(&self, key: &str) -> Body {
        self.0.get(key).and_then(Value::as_object).map(|map| Body(map.clone())).unwrap_or_default()
    }

    /// Keys and their values as text, in the order of the keys.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(key, value)| (key.clone(), plain(value))).collect()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    fn values(&self, key: &str) -> &[Value] {
        self.0.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

fn amount(value: &Value) -> Option<Amount> {
    match value.as_i64() {
        Some(n) => Some(Amount::Whole(n)),
        None => value.as_f64().filter(|x| x.is_finite()).map(Amount::Real),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null => String::new(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
