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

use std::collections::{BTreeMap, HashSet};
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

/// A group of a step's samples: those that the user's function calls alike, of others those with one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What the user's function calls it; empty where there is none.
    pub group: String,
    /// Of error class and frames; of a group of the user's that of the first such sample.
    pub stack_hash: String,
    /// Of the first such sample.
    pub error_class: String,
    /// Of the first such sample.
    pub message: String,
    /// How many different messages they have.
    pub messages: usize,
    /// How many failed rows its samples stand for.
    pub count: usize,
}

impl Cause {
    /// The cause in a line, without its number.
    pub fn said(&self) -> String {
        let Cause { group, error_class, message, messages, .. } = self;
        match (group.is_empty(), *messages > 1) {
            (true, false) => format!("{error_class}: {message}"),
            (true, true) => format!("{error_class}: {messages} different messages, for example: {message}"),
            (false, false) => format!("{group}: {error_class}: {message}"),
            (false, true) => {
                format!("{group}: {messages} different messages, for example: {error_class}: {message}")
            }
        }
    }
}

/// What keeps samples of a step from being all of its failed rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// `spark.andiron.metrics.samples`, in a task or on the driver.
    Number,
    /// What one task may return.
    Task,
    /// What all tasks of an operator may return.
    Result,
    /// The memory for samples on the driver.
    Memory,
}

impl Bound {
    /// All, in the order in which a failed row meets them.
    pub const ALL: [Bound; 4] = [Bound::Number, Bound::Task, Bound::Result, Bound::Memory];

    /// What it is called in events.
    pub fn name(self) -> &'static str {
        match self {
            Bound::Number => "samples",
            Bound::Task => "task",
            Bound::Result => "result",
            Bound::Memory => "memory",
        }
    }
}

/// The samples of one step.
#[derive(Debug, Default)]
pub struct StepSamples {
    kept: BTreeMap<u64, Sample>,
    bytes: usize,
    /// Whether the number of samples has left one out, and whether their size has.
    cut: (bool, bool),
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

    /// Which bounds have left samples out, those that tasks have met excepted.
    pub fn bounds(&self) -> impl Iterator<Item = Bound> {
        let (number, size) = self.cut;
        [number.then_some(Bound::Number), size.then_some(Bound::Memory)].into_iter().flatten()
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
            if self.kept.len() > most {
                self.cut.0 = true;
            } else {
                self.cut.1 = true;
            }
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
        if let Some(stack) = self.stacks.ship(sample.stack_hash()) {
            body.insert("stack".to_string(), Value::from(stack));
        }
        Some(body)
    }

    /// The bodies of a step's samples, each with its stack where that is still kept.
    pub fn bodies<'a>(&'a self, step: &str) -> impl Iterator<Item = (u64, Origin, Map<String, Value>)> + 'a {
        let samples = self.steps.get(step).into_iter().flat_map(|samples| &samples.kept);
        samples.map(|(hash, sample)| {
            let mut body = sample.body();
            if let Some(stack) = self.stacks.get(sample.stack_hash()) {
                body.insert("stack".to_string(), Value::from(stack));
            }
            (*hash, sample.origin(), body)
        })
    }

    /// The names of the steps that have samples.
    pub fn steps(&self) -> impl Iterator<Item = &Arc<str>> {
        self.steps.keys()
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
        let mut found: BTreeMap<(&str, &str), Vec<&Sample>> = BTreeMap::new();
        let samples = self.steps.get(step).into_iter().flat_map(|samples| samples.kept.values());
        for sample in samples.filter(|sample| counts(sample.origin())) {
            let stack = if sample.group().is_empty() { sample.stack_hash() } else { "" };
            found.entry((sample.group(), stack)).or_default().push(sample);
        }
        let mut found: Vec<Vec<&Sample>> = found.into_values().collect();
        // Stable: those of one number stay in the order of group and stack.
        found.sort_by_key(|samples| std::cmp::Reverse(rows(samples)));
        found.truncate(most);
        found.iter().filter_map(|samples| Some(cause(samples.first()?, samples))).collect()
    }
}

fn cause(first: &Sample, samples: &[&Sample]) -> Cause {
    let messages: HashSet<u64> = samples.iter().map(|sample| sample.message_hash()).collect();
    Cause {
        group: first.group().to_string(),
        stack_hash: first.stack_hash().to_string(),
        error_class: first.text("error_class"),
        message: first.text("message"),
        messages: messages.len(),
        count: rows(samples),
    }
}

/// The failed rows that samples stand for.
fn rows(samples: &[&Sample]) -> usize {
    samples.iter().map(|sample| sample.rows()).fold(0, usize::saturating_add)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
