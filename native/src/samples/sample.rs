//! One failed row.

use serde::Deserialize;
use serde_json::Value;

use crate::event::{self, FailedRowBody};
use crate::words::cut;

/// The charge of a sample in addition to the row's own texts.
const OVERHEAD: usize = 2048;
/// The longest text that does not come from the row.
const LONGEST: usize = 256;
/// The longest message.
const LONGEST_MESSAGE: usize = 2048;
/// The longest row key and version.
const LONGEST_KEY: usize = 1024;

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
    pub(super) body: FailedRowBody,
    size: usize,
    /// The last shipped revision, and whether it was shipped as one that counts.
    shipped: Option<(u64, bool)>,
}

/// The hash of a sample: a number, or its digits.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Hashed {
    hash: Value,
}

impl Sample {
    /// Reads a sample, and its stack if it has one. `None` if the text is not a sample.
    pub(super) fn read(origin: Origin, text: &[u8], most_record: usize) -> Option<(Sample, Option<String>)> {
        let text = std::str::from_utf8(text).ok()?;
        let hash = match event::read_given::<Hashed>(text)?.hash {
            Value::String(digits) => digits.parse().ok()?,
            number => number.as_u64()?,
        };
        let mut body: FailedRowBody = event::read_given(text)?;
        let stack = Some(std::mem::take(&mut body.stack)).filter(|stack| !stack.is_empty());
        let FailedRowBody { step, site, class, stack_hash, group, key_hash, executor, host, .. } = &mut body;
        for text in [step, site, class, stack_hash, group, key_hash, executor, host] {
            cut(text, LONGEST);
        }
        cut(&mut body.message, LONGEST_MESSAGE);
        body.key.as_mut().map(|key| cut(key, LONGEST_KEY));
        cut(&mut body.version, LONGEST_KEY);
        body.cut |= body.record.as_mut().is_some_and(|record| cut(record, most_record));
        let texts = [Some(&body.message), body.key.as_ref(), Some(&body.version), body.record.as_ref()];
        let size = OVERHEAD + texts.into_iter().flatten().map(|text| json_length(text)).sum::<usize>();
        Some((Sample { hash, origin, body, size, shipped: None }, stack))
    }

    /// The hash by which the row is selected.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// See [`Origin`].
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The hash of error class and frames.
    pub fn stack_hash(&self) -> &str {
        &self.body.stack_hash
    }

    /// The failed rows of its evaluation that the sample stands for.
    pub(super) fn rows(&self) -> u64 {
        self.body.count.unwrap_or(1).max(1)
    }

    /// The charge in bytes. It depends on the row alone, so that all attempts weigh the same.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Of two attempts that saw the row, the one with the greater rank is shown. Cells use the same order.
    pub(super) fn rank(&self) -> (bool, bool, u64, u64, &FailedRowBody) {
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
}

/// The size of a text as JSON; that of no text is 0.
fn json_length(text: &str) -> usize {
    if text.is_empty() {
        0
    } else {
        Value::from(text).to_string().len()
    }
}
