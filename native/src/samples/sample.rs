//! One failed row.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

/// The charge of a sample in addition to the row's own texts.
const OVERHEAD: usize = 2048;
/// The longest text that does not come from the row.
const LONGEST: usize = 256;
/// The longest message.
const LONGEST_MESSAGE: usize = 2048;
/// The longest row key and version.
const LONGEST_KEY: usize = 1024;

const TEXTS: [&str; 8] =
    ["step", "site", "error_class", "stack_hash", "group", "key_hash", "executor", "host"];
const NUMBERS: [&str; 6] = ["stage", "stage_attempt", "partition", "task_attempt", "count", "ts_ms"];

/// The cell that delivered a sample, and its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The step, by the driver's number.
    pub step: u64,
    /// The operator.
    pub site: u64,
    /// The physical execution of the operator.
    pub instance: u64,
    /// The partition of the instance.
    pub partition: u32,
    /// The task attempt.
    pub task: u64,
    /// Whether the attempt had read its input to the end.
    pub complete: bool,
    /// Whether the attempt failed.
    pub failed: bool,
}

/// One failed row in its shipped form, without its stack.
#[derive(Debug, Clone)]
pub struct Sample {
    hash: u64,
    origin: Origin,
    stack_hash: Box<str>,
    /// The cause given by the user's function; empty if it gave none.
    group: Box<str>,
    message_hash: u64,
    /// The number of rows like this one, itself included.
    rows: usize,
    pub(super) body: Box<str>,
    size: usize,
    /// The last shipped revision, and whether it was shipped as one that counts.
    shipped: Option<(u64, bool)>,
}

impl Sample {
    /// Reads a sample, and its stack if it has one. `None` if the text is not a sample.
    pub(super) fn read(origin: Origin, text: &[u8], most_record: usize) -> Option<(Sample, Option<String>)> {
        let Ok(Value::Object(mut given)) = serde_json::from_slice(text) else { return None };
        let hash = match given.get("hash")? {
            Value::String(digits) => digits.parse().ok()?,
            number => number.as_u64()?,
        };
        let mut body = Map::new();
        let mut size = OVERHEAD;
        for name in TEXTS {
            take_text(&mut given, &mut body, name, LONGEST);
        }
        for (name, longest) in [
            ("message", LONGEST_MESSAGE),
            ("row_key", LONGEST_KEY),
            ("version", LONGEST_KEY),
            ("record", most_record),
        ] {
            let (length, was_cut) = take_text(&mut given, &mut body, name, longest);
            size += length;
            if name == "record" {
                let cut_before = given.get("record_cut").and_then(Value::as_bool).unwrap_or(false);
                body.insert("record_cut".to_string(), Value::from(was_cut || cut_before));
            }
        }
        for name in NUMBERS {
            if let Some(number) = given.get(name).filter(|value| value.is_number()) {
                body.insert(name.to_string(), number.clone());
            }
        }
        let stack = match given.remove("stack") {
            Some(Value::String(stack)) => Some(stack),
            _ => None,
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let (stack_hash, group, message_hash) =
            (text("stack_hash").into(), text("group").into(), hash_of(text("message")));
        let rows = body.get("count").and_then(Value::as_u64).and_then(|rows| usize::try_from(rows).ok());
        let rows = rows.unwrap_or(1).max(1);
        let body = Value::Object(body).to_string().into();
        Some((
            Sample { hash, origin, stack_hash, group, message_hash, rows, body, size, shipped: None },
            stack,
        ))
    }

    /// The hash by which the row is selected.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The hash of error class and frames.
    pub fn stack_hash(&self) -> &str {
        &self.stack_hash
    }

    /// The cause given by the user's function; empty if it gave none.
    pub(super) fn group(&self) -> &str {
        &self.group
    }

    /// A hash that distinguishes messages.
    pub(super) fn message_hash(&self) -> u64 {
        self.message_hash
    }

    /// The failed rows of its evaluation that the sample stands for.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The charge in bytes. It depends on the row alone, so that all attempts weigh the same.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Of two attempts that saw the row, the one with the greater rank is shown. Cells use the same order.
    pub(super) fn rank(&self) -> (bool, bool, u64, u64, &str) {
        let origin = self.origin;
        (!origin.failed, origin.complete, origin.task, origin.instance, &self.body)
    }

    /// Replaces the content by that of another attempt that saw the same row.
    pub(super) fn replace(&mut self, newer: Sample) {
        *self = Sample { shipped: self.shipped, ..newer };
    }

    /// The revision for shipping, or `None` if the current state was already shipped. `counts` tells whether
    /// the attempt counts.
    pub fn revise(&mut self, counts: bool) -> Option<u64> {
        let revision = match self.shipped {
            Some((_, shipped)) if shipped == counts => return None,
            Some((revision, _)) => revision + 1,
            None => 1,
        };
        self.shipped = Some((revision, counts));
        Some(revision)
    }

    pub(super) fn body(&self) -> Map<String, Value> {
        match serde_json::from_str(&self.body) {
            Ok(Value::Object(body)) => body,
            _ => Map::new(),
        }
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.body().get(name).and_then(Value::as_str).unwrap_or_default().to_string()
    }
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Moves a text; returns its size as JSON, and whether it was longer than `longest`.
fn take_text(
    from: &mut Map<String, Value>,
    to: &mut Map<String, Value>,
    name: &str,
    longest: usize,
) -> (usize, bool) {
    let Some(Value::String(mut text)) = from.remove(name) else { return (0, false) };
    let was_cut = cut(&mut text, longest);
    let text = Value::from(text);
    let length = text.to_string().len();
    to.insert(name.to_string(), text);
    (length, was_cut)
}

/// Cuts a text to at most `longest` bytes at a character boundary; returns whether it was longer.
pub(super) fn cut(text: &mut String, longest: usize) -> bool {
    if text.len() <= longest {
        return false;
    }
    let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    true
}
