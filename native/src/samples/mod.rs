//! Failed rows of a step: all of them up to a limit, and beyond it those with the smallest hashes.
//!
//! A row's hash is derived from the place of its operator and from the row's key, or from the row itself if
//! it has no key, so it is the same in every attempt. A step keeps the longest prefix of its samples, ordered
//! by hash, that fits both a number and a size. The prefix depends only on the set of failed rows, not on the
//! order in which tasks end, on retries, or on repeated arrivals of a cell. If several attempts saw a row,
//! the sample shows the attempt that counts.
//!
//! Memory: [`MOST_BYTES`] of samples and [`MOST_STACK_BYTES`] of stacks, together 64 MiB for an application.

mod sample;
mod stacks;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::event::{FailedRowBody, TopCause};
pub use sample::{Origin, Sample};
use stacks::Stacks;

/// Bytes of samples of all steps. The steps have equal shares.
pub const MOST_BYTES: usize = 48 << 20;
/// Bytes of full stacks.
pub const MOST_STACK_BYTES: usize = 16 << 20;
/// The number of shares while at most this many steps have failed rows.
const PARTS: usize = 16;
/// The most steps with samples.
const MOST_STEPS: usize = 4096;

/// A limit that keeps a step's samples from being all of its failed rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// `spark.andiron.metrics.samples`, in a task or on the driver.
    Number,
    /// The limit of one task's result.
    Task,
    /// The limit of all task results of an operator.
    Result,
    /// The memory for samples on the driver.
    Memory,
}

impl Bound {
    /// All, in the order in which a failed row meets them.
    pub const ALL: [Bound; 4] = [Bound::Number, Bound::Task, Bound::Result, Bound::Memory];

    /// The name in events.
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
    /// Whether the number limit has dropped a sample, and whether the size limit has.
    cut: (bool, bool),
    /// The smallest hash that was dropped for lack of room. Hashes from here on are never kept.
    ceiling: Option<u64>,
}

impl StepSamples {
    /// Samples by ascending hash.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Sample)> {
        self.kept.iter_mut().map(|(hash, sample)| (*hash, sample))
    }

    /// The number of kept samples.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether no sample is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The greatest kept hash.
    pub fn greatest(&self) -> Option<u64> {
        self.kept.last_key_value().map(|(hash, _)| *hash)
    }

    /// Whether a sample was dropped for lack of room.
    pub fn is_cut(&self) -> bool {
        self.ceiling.is_some()
    }

    /// The limits that have dropped samples, without those that apply in tasks.
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
    /// An empty collection that keeps `most` samples of a step, and `most_record` bytes of a row.
    pub fn new(most: usize, most_record: usize) -> Samples {
        Samples::bounded(most, most_record, MOST_BYTES)
    }

    fn bounded(most: usize, most_record: usize, most_bytes: usize) -> Samples {
        let stacks = Stacks::new(MOST_STACK_BYTES);
        Samples { steps: BTreeMap::new(), stacks, most, most_record, most_bytes, unreadable: 0 }
    }

    /// Merges a sample of a step, given as JSON. Unreadable samples are counted.
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

    /// Grows in powers of two, so that a step's share changes seldom, and only shrinks.
    fn parts(&self) -> usize {
        self.steps.len().next_power_of_two().max(PARTS)
    }

    fn share(&self) -> usize {
        self.most_bytes / self.parts()
    }

    /// The samples of a step.
    pub fn of(&mut self, step: &str) -> Option<&mut StepSamples> {
        self.steps.get_mut(step)
    }

    /// The body of a sample for shipping. The first body with a stack hash includes the full stack.
    pub fn body(&mut self, step: &str, hash: u64) -> Option<FailedRowBody> {
        let sample = self.steps.get(step)?.kept.get(&hash)?;
        let stack = self.stacks.ship(sample.stack_hash()).unwrap_or_default();
        Some(FailedRowBody { stack, ..sample.body.clone() })
    }

    /// The bodies of a step's samples, each with its stack if that is still kept.
    pub fn bodies<'a>(&'a self, step: &str) -> impl Iterator<Item = (Origin, FailedRowBody)> + 'a {
        let samples = self.steps.get(step).into_iter().flat_map(|samples| samples.kept.values());
        samples.map(|sample| {
            let stack = self.stacks.get(sample.stack_hash()).map(str::to_string).unwrap_or_default();
            (sample.origin(), FailedRowBody { stack, ..sample.body.clone() })
        })
    }

    /// The names of the steps with samples.
    pub fn steps(&self) -> impl Iterator<Item = &Arc<str>> {
        self.steps.keys()
    }

    /// Samples that were unreadable, or whose step had no room.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Bytes in use, including stacks.
    pub fn bytes(&self) -> usize {
        self.steps.values().map(|samples| samples.bytes).sum::<usize>() + self.stacks.bytes()
    }

    /// A step's most frequent causes, at most `most`, among the samples whose origin `counts`.
    pub fn causes(&self, step: &str, most: usize, counts: impl Fn(Origin) -> bool) -> Vec<TopCause> {
        let mut found: BTreeMap<(&str, &str), Vec<&Sample>> = BTreeMap::new();
        let samples = self.steps.get(step).into_iter().flat_map(|samples| samples.kept.values());
        for sample in samples.filter(|sample| counts(sample.origin())) {
            let stack = if sample.body.group.is_empty() { sample.stack_hash() } else { "" };
            found.entry((&sample.body.group, stack)).or_default().push(sample);
        }
        let mut found: Vec<Vec<&Sample>> = found.into_values().collect();
        // The sort is stable: causes with equal counts stay in the order of group and stack.
        found.sort_by_key(|samples| std::cmp::Reverse(rows(samples)));
        found.truncate(most);
        found.iter().filter_map(|samples| Some(cause(&samples.first()?.body, samples))).collect()
    }
}

fn cause(first: &FailedRowBody, samples: &[&Sample]) -> TopCause {
    let messages: HashSet<&str> = samples.iter().map(|sample| sample.body.message.as_str()).collect();
    TopCause {
        group: first.group.clone(),
        hash: first.stack_hash.clone(),
        class: first.class.clone(),
        message: first.message.clone(),
        messages: messages.len() as u64,
        count: rows(samples),
    }
}

/// The number of failed rows that the samples stand for.
fn rows(samples: &[&Sample]) -> u64 {
    samples.iter().map(|sample| sample.rows()).fold(0, u64::saturating_add)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
