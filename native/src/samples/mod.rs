//! Failed rows: all of a step's up to a limit, and beyond it those with the smallest hashes.
//!
//! A row's hash is made from the place of its operator and the row's key, else the row itself, so that it is the same in
//! every attempt. What is kept of a step is the longest run of its samples, in the order of their hashes, that fits both a
//! number and a size. That run depends on which rows have failed and on nothing else: not on the order in which tasks
//! ended, on retries, or on how often a cell arrived. Of several attempts that saw a row the one that counts is shown.
//!
//! Memory: [`MOST_BYTES`] of samples and [`MOST_STACK_BYTES`] of stacks, together 64 MiB for an application.

mod sample;
mod stacks;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use sample::{Origin, Sample};
use stacks::Stacks;

/// Bytes of samples of all steps. Each step may take an equal part.
pub const MOST_BYTES: usize = 48 << 20;
/// Bytes of whole stacks.
pub const MOST_STACK_BYTES: usize = 16 << 20;
/// Parts into which the bytes are divided as long as no more steps than this have failed rows.
const PARTS: usize = 16;
/// Steps with samples.
const MOST_STEPS: usize = 4096;

/// A group of a step's samples with one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Of error class and frames.
    pub stack_hash: String,
    /// Of the first such sample.
    pub error_class: String,
    /// Of the first such sample.
    pub message: String,
    /// How many samples.
    pub count: usize,
}

/// The samples of one step.
#[derive(Debug, Default)]
pub struct StepSamples {
    kept: BTreeMap<u64, Sample>,
    bytes: usize,
    /// The smallest hash that had no room. No greater one is kept after it.
    ceiling: Option<u64>,
}

impl StepSamples {
    /// Samples by ascending hash.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Sample)> {
        self.kept.iter_mut().map(|(hash, sample)| (*hash, sample))
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The greatest hash that is kept.
    pub fn greatest(&self) -> Option<u64> {
        self.kept.last_key_value().map(|(hash, _)| *hash)
    }

    /// Whether a sample was left out for want of room.
    pub fn is_cut(&self) -> bool {
        self.ceiling.is_some()
    }

    fn add(&mut self, sample: Sample, most: usize, most_bytes: usize) {
        let hash = sample.hash();
        if self.ceiling.is_some_and(|ceiling| hash >= ceiling) {
            return;
        }
        match self.kept.get_mut(&hash) {
            Some(known) => {
                if known.rank() < sample.rank() {
                    self.bytes = self.bytes - known.size() + sample.size();
                    known.replace(sample);
                }
            }
            None => {
                self.bytes += sample.size();
                self.kept.insert(hash, sample);
            }
        }
        self.trim(most, most_bytes);
    }

    fn trim(&mut self, most: usize, most_bytes: usize) {
        while self.kept.len() > most || self.bytes > most_bytes {
            let Some((hash, sample)) = self.kept.pop_last() else { return };
            self.bytes -= sample.size();
            self.ceiling = Some(self.ceiling.map_or(hash, |ceiling| ceiling.min(hash)));
        }
    }
}

/// The samples of an application.
#[derive(Debug)]
pub struct Samples {
    steps: BTreeMap<Arc<str>, StepSamples>,
    stacks: Stacks,
    most: usize,
    most_record: usize,
    most_bytes: usize,
    unreadable: u64,
}

impl Samples {
    /// No samples; `most` of a step are kept, and `most_record` bytes of a row.
    pub fn new(most: usize, most_record: usize) -> Samples {
        Samples::bounded(most, most_record, MOST_BYTES)
    }

    fn bounded(most: usize, most_record: usize, most_bytes: usize) -> Samples {
        let stacks = Stacks::new(MOST_STACK_BYTES);
        Samples { steps: BTreeMap::new(), stacks, most, most_record, most_bytes, unreadable: 0 }
    }

    /// Merges a sample of a step, given as JSON. What cannot be read is counted.
    pub fn add(&mut self, step: &Arc<str>, origin: Origin, text: &[u8]) {
        let Some((sample, stack)) = Sample::read(origin, text, self.most_record) else {
            self.unreadable += 1;
            return;
        };
        if let Some(stack) = stack {
            self.stacks.add(sample.stack_hash(), stack);
        }
        if !self.steps.contains_key(step) {
            if self.steps.len() >= MOST_STEPS {
                self.unreadable += 1;
                return;
            }
            let parts = self.parts();
            self.steps.insert(Arc::clone(step), StepSamples::default());
            if self.parts() != parts {
                let share = self.share();
                self.steps.values_mut().for_each(|samples| samples.trim(self.most, share));
            }
        }
        let share = self.share();
        if let Some(samples) = self.steps.get_mut(step) {
            samples.add(sample, self.most, share);
        }
    }

    /// Grows in powers of two, so that what a step may keep seldom changes, and then only shrinks.
    fn parts(&self) -> usize {
        self.steps.len().next_power_of_two().max(PARTS)
    }

    fn share(&self) -> usize {
        self.most_bytes / self.parts()
    }

    /// A step's samples.
    pub fn of(&mut self, step: &str) -> Option<&mut StepSamples> {
        self.steps.get_mut(step)
    }

    /// The body of a sample that is to be shipped. The first with a stack hash has the whole stack.
    pub fn body(&mut self, step: &str, hash: u64) -> Option<Map<String, Value>> {
        let sample = self.steps.get(step)?.kept.get(&hash)?;
        let mut body = sample.body();
        if let Some(stack) = self.stacks.take(sample.stack_hash()) {
            body.insert("stack".to_string(), Value::from(stack));
        }
        Some(body)
    }

    /// Samples that could not be read, or whose step had no room.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Bytes that are taken, stacks included.
    pub fn bytes(&self) -> usize {
        self.steps.values().map(|samples| samples.bytes).sum::<usize>() + self.stacks.bytes()
    }

    /// A step's most frequent causes among those of its samples that `counts`, at most `most`.
    pub fn causes(&self, step: &str, most: usize, counts: impl Fn(Origin) -> bool) -> Vec<Cause> {
        let mut causes: Vec<Cause> = Vec::new();
        let samples = self.steps.get(step).into_iter().flat_map(|samples| samples.kept.values());
        for sample in samples.filter(|sample| counts(sample.origin())) {
            match causes.iter_mut().find(|cause| cause.stack_hash == sample.stack_hash()) {
                Some(cause) => cause.count += 1,
                None => causes.push(Cause {
                    stack_hash: sample.stack_hash().to_string(),
                    error_class: sample.text("error_class"),
                    message: sample.text("message"),
                    count: 1,
                }),
            }
        }
        causes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.stack_hash.cmp(&b.stack_hash)));
        causes.truncate(most);
        causes
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
