//! Reading bodies that any process may have written: a field that is damaged is unknown, never an error.

use std::collections::BTreeMap;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

/// Damaged places that are repaired one by one; with more, whole fields are left out.
const MOST_REPAIRS: usize = 64;

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

/// The same for an object that is parsed already.
pub(crate) fn read_object<T: DeserializeOwned + Default>(object: &Map<String, Value>) -> T {
    T::deserialize(object).unwrap_or_else(|_| repaired(object.clone(), false))
}

fn repaired<T: DeserializeOwned + Default>(body: Map<String, Value>, into_texts: bool) -> T {
    let mut body = Value::Object(body);
    for round in 0.. {
        let error = match serde_path_to_error::deserialize(&body) {
            Ok(body) => return body,
            Err(error) => error,
        };
        let one_by_one = round < MOST_REPAIRS;
        let path = error.path().iter();
        let path: Vec<&Segment> = path
            .take_while(|segment| matches!(segment, Segment::Map { .. } | Segment::Seq { .. }))
            .take(if one_by_one { usize::MAX } else { 1 })
            .collect();
        if repair(&mut body, &path, one_by_one && into_texts).is_none() {
            break;
        }
    }
    T::default()
}

/// Turns the damaged value at the end of a path into its text, or removes it; `None` if there is none.
fn repair(body: &mut Value, path: &[&Segment], may_be_text: bool) -> Option<()> {
    let (last, before) = path.split_last()?;
    let parent = before.iter().try_fold(body, |value, segment| inside(value, segment))?;
    let place = inside(parent, last)?;
    if may_be_text && !place.is_string() && !place.is_null() {
        *place = Value::from(place.to_string());
        return Some(());
    }
    match (last, parent) {
        (Segment::Map { key }, Value::Object(map)) => map.remove(key).map(drop),
        (Segment::Seq { index }, Value::Array(list)) => {
            list.remove(*index);
            Some(())
        }
        _ => None,
    }
}

fn inside<'a>(value: &'a mut Value, segment: &Segment) -> Option<&'a mut Value> {
    match segment {
        Segment::Map { key } => value.get_mut(key.as_str()),
        Segment::Seq { index } => value.get_mut(*index),
        _ => None,
    }
}
