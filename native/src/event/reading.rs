//! Reading bodies that any process may have written: a field that is damaged is unknown, never an error.

use std::collections::BTreeMap;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

/// Reads a body; `None` for text that is no JSON object.
///
/// A field that is absent or of another type has its default. A number or flag in place of a text becomes its text.
pub fn read<T: DeserializeOwned + Default>(text: &str) -> Option<T> {
    read_or_repair(text, true)
}

/// Reads JSON from the JVM: a field of another type has its default.
pub(crate) fn read_given<T: DeserializeOwned + Default>(text: &str) -> Option<T> {
    read_or_repair(text, false)
}

/// As [`read_given`], from an object that is parsed already.
pub(crate) fn read_object<T: DeserializeOwned + Default>(object: &Map<String, Value>) -> T {
    T::deserialize(object).unwrap_or_else(|_| repaired(object.clone(), false))
}

fn read_or_repair<T: DeserializeOwned + Default>(text: &str, into_texts: bool) -> Option<T> {
    // A list of values would pass for a struct.
    if !text.trim_start().starts_with('{') {
        return None;
    }
    match serde_json::from_str(text) {
        Ok(body) => Some(body),
        Err(_) => Some(repaired(serde_json::from_str(text).ok()?, into_texts)),
    }
}

/// The readable elements of a list: a damaged one costs itself alone. For `deserialize_with`.
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Value>::deserialize(from)?.into_iter().filter_map(element).collect())
}

/// The readable entries of a map, as [`list`].
pub(super) fn map<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    from: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let all = BTreeMap::<String, Value>::deserialize(from)?.into_iter();
    Ok(all.filter_map(|(key, value)| Some((key, element(value)?))).collect())
}

/// One element; a number or flag in place of a text becomes its text. A list would pass for a struct.
fn element<T: DeserializeOwned + Default>(value: Value) -> Option<T> {
    match value {
        Value::Array(_) | Value::Null => None,
        Value::Object(fields) => T::deserialize(&fields).ok().or_else(|| {
            let is_struct = T::deserialize(&Map::new()).is_ok();
            is_struct.then(|| repaired(fields, true))
        }),
        scalar => {
            let text = || T::deserialize(Value::from(scalar.to_string())).ok();
            T::deserialize(&scalar).ok().or_else(|| if scalar.is_string() { None } else { text() })
        }
    }
}

/// Lists and maps are read by [`list`] and [`map`], so only fields of structs are damaged here. Each round turns one of
/// them into a text or removes it: there are at most twice as many rounds as fields.
fn repaired<T: DeserializeOwned + Default>(body: Map<String, Value>, into_texts: bool) -> T {
    let mut body = Value::Object(body);
    loop {
        let error = match serde_path_to_error::deserialize(&body) {
            Ok(body) => return body,
            Err(error) => error,
        };
        let keys = error.path().iter().map_while(|segment| match segment {
            Segment::Map { key } => Some(key.as_str()),
            _ => None,
        });
        if repair(&mut body, &keys.collect::<Vec<_>>(), into_texts).is_none() {
            return T::default();
        }
    }
}

/// Turns the damaged field at the end of a path into its text, or removes it; `None` if there is none.
fn repair(body: &mut Value, path: &[&str], may_be_text: bool) -> Option<()> {
    let (last, before) = path.split_last()?;
    let parent = before.iter().try_fold(body, |value, key| value.get_mut(*key))?.as_object_mut()?;
    let field = parent.get_mut(*last)?;
    if may_be_text && !field.is_string() && !field.is_null() {
        *field = Value::from(field.to_string());
        return Some(());
    }
    parent.remove(*last).map(drop)
}
