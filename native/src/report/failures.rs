//! Failed rows of a view, grouped by stack or by the user's function.

use std::collections::{BTreeMap, HashMap};

use super::latest::Latest;
use super::model::{Group, Sample};
use crate::event::id::{self, RowHash};

/// Groups, those with most samples first.
///
/// The samples of a step are its hashes up to the summary's ceiling: the log also has rows that smaller hashes have
/// displaced.
pub(super) fn groups(latest: &mut Latest) -> Vec<Group> {
    let (stacks, ceilings) = (stacks(latest), ceilings(latest));
    let mut found: BTreeMap<(String, String), Vec<Sample>> = BTreeMap::new();
    for (id, sample) in latest.rows.take_with_ids() {
        if is_in(&ceilings, &id, &sample) {
            let hash = if sample.group.is_empty() { sample.stack_hash.clone() } else { String::new() };
            found.entry((sample.group.clone(), hash)).or_default().push(sample);
        }
    }
    let mut groups: Vec<Group> =
        found.into_iter().map(|((name, _), samples)| group(name, samples, &stacks)).collect();
    groups.sort_by(|a, b| b.samples.len().cmp(&a.samples.len()).then_with(|| a.hash.cmp(&b.hash)));
    groups
}

/// Ids and rows of the samples of all steps, in the order of the log.
pub(super) fn samples(latest: &Latest) -> impl Iterator<Item = (&str, &Sample)> {
    let ceilings = ceilings(latest);
    latest.rows.iter().filter(move |(id, sample)| is_in(&ceilings, id, sample))
}

/// Stacks by hash. Only the first sample of a hash has its stack: displaced samples are read too.
pub(super) fn stacks(latest: &Latest) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (_, row) in latest.rows.iter().filter(|(_, row)| !row.stack.is_empty()) {
        found.entry(row.stack_hash.clone()).or_insert_with(|| row.stack.clone());
    }
    found
}

fn group(name: String, mut samples: Vec<Sample>, stacks: &HashMap<String, String>) -> Group {
    samples.sort_by(|a, b| {
        (&a.step, a.stage_id(), a.partition, &a.key).cmp(&(&b.step, b.stage_id(), b.partition, &b.key))
    });
    let messages = tally(samples.iter().map(|sample| sample.message.as_str()));
    let message = messages.first().map(|(message, _)| message.clone()).unwrap_or_default();
    // Class and stack are those of the example.
    let example = samples.iter().find(|sample| sample.message == message);
    let (class, hash) =
        example.map(|sample| (sample.class.clone(), sample.stack_hash.clone())).unwrap_or_default();
    Group {
        name,
        stack: stacks.get(&hash).cloned(),
        stacks: tally(samples.iter().map(|sample| sample.stack_hash.as_str())).len(),
        hash,
        class,
        message,
        messages: messages.len(),
        steps: tally(samples.iter().map(|sample| sample.step.as_str())),
        versions: tally(samples.iter().map(|s| s.version.as_str()).filter(|v| !v.is_empty())),
        samples,
    }
}

/// The number of occurrences of each text, the most frequent first.
fn tally<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    let mut found: Vec<(String, u64)> = counts.into_iter().map(|(text, n)| (text.to_string(), n)).collect();
    found.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    found
}

/// The ceiling of each step: the greatest hash among its samples, from its summary. Logs of earlier releases have
/// only the number of samples; of these, steps without more rows in the log are absent.
fn ceilings(latest: &Latest) -> HashMap<String, RowHash> {
    let mut found = HashMap::new();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for (_, summary) in latest.summaries.iter() {
        match summary.ceiling {
            Some(ceiling) => drop(found.insert(summary.step.clone(), ceiling)),
            None => drop(numbers.insert(&summary.step, summary.kept as usize)),
        }
    }
    let mut hashes: HashMap<&str, Vec<RowHash>> = HashMap::new();
    for (id, row) in latest.rows.iter().filter(|(_, row)| numbers.contains_key(row.step.as_str())) {
        hashes.entry(&row.step).or_default().push(hash_of(id));
    }
    for (step, mut hashes) in hashes {
        let number = numbers.get(step).copied().unwrap_or(0);
        if number > 0 && hashes.len() > number && !found.contains_key(step) {
            hashes.sort_unstable();
            found.insert(step.to_string(), hashes[number - 1]);
        }
    }
    found
}

fn is_in(ceilings: &HashMap<String, RowHash>, id: &str, row: &Sample) -> bool {
    ceilings.get(&row.step).is_none_or(|ceiling| hash_of(id) <= *ceiling)
}

/// The hash of a row; 0, which is always in the sample, if its id has none.
fn hash_of(id: &str) -> RowHash {
    id::failed_row(id).unwrap_or_default()
}
