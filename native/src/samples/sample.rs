//! One failed row.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

/// What a sample takes beside the row's own texts.
const OVERHEAD: usize = 2048;
/// The longest of texts that are not the row's.
const LONGEST: usize = 256;
/// The longest message.
const LONGEST_MESSAGE: usize = 2048;
/// The longest row key and version.
const LONGEST_KEY: usize = 1024;

const TEXTS: [&str; 8] =
    ["step", "site", "error_class", "stack_hash", "group", "key_hash", "executor", "host"];
const NUMBERS: [&str; 6] = ["stage", "stage_attempt", "partition", "task_attempt", "count", "ts_ms"];

/// Which cell a sample was filed with, and by which attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The step, as the driver numbers them.
    pub step: u64,
    /// The operator.
    pub site: u64,
    /// The physical execution of it.
    pub instance: u64,
    /// Which of its partitions.
    pub partition: u32,
    /// The task attempt.
    pub task: u64,
    /// It had read its input to the end.
    pub complete: bool,
    /// It failed.
    pub failed: bool,
}

/// One failed row, as it is shipped, without its stack.
#[derive(Debug, Clone)]
pub struct Sample {
    hash: u64,
    origin: Origin,
    stack_hash: Box<str>,
    /// What the user's function calls its cause; empty where there is none.
    group: Box<str>,
    message_hash: u64,
    /// How many rows look like it, itself included.
    rows: usize,
    pub(super) body: Box<str>,
    size: usize,
    /// How often it was shipped, and whether as one that counts.
    shipped: Option<(u64, bool)>,
}

impl Sample {
    /// Reads a sample and its stack, if it brings that. `None`: it is no sample.
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

    /// Chooses the row.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// See [`Origin`].
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Of error class and frames.
    pub fn stack_hash(&self) -> &str {
        &self.stack_hash
    }

    /// What the user's function calls its cause; empty where there is none.
    pub(super) fn group(&self) -> &str {
        &self.group
    }

    /// Tells messages apart.
    pub(super) fn message_hash(&self) -> u64 {
        self.message_hash
    }

    /// The failed rows of its evaluation that it stands for.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// What it is charged with: a function of the row, so that attempts of it weigh the same.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Of two attempts that saw the row the greater is shown; the order in which cells choose theirs.
    pub(super) fn rank(&self) -> (bool, bool, u64, u64, &str) {
        let origin = self.origin;
        (!origin.failed, origin.complete, origin.task, origin.instance, &self.body)
    }

    /// Shows another attempt that saw the same row.
    pub(super) fn replace(&mut self, newer: Sample) {
        *self = Sample { shipped: self.shipped, ..newer };
    }

    /// The revision to ship it with, unless it was shipped as it is. `counts` says whether its attempt counts.
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

/// Moves a text; gives what it takes as JSON, and whether it was longer than `longest`.
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

/// Cuts a text to at most `longest` bytes, between characters; whether it was longer.
pub(super) fn cut(text: &mut String, longest: usize) -> bool {
    if text.len() <= longest {
        return false;
    }
    let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    true
}
