//! Failed rows of a view, grouped by stack or by the user's function.

use std::collections::{BTreeMap, HashMap};

use super::build::Latest;
use super::json::Body;
use super::model::{Group, Sample, StageId};
use crate::event::{id, Kind};

/// Groups, those with most samples first.
///
/// The samples of a step are its hashes up to the summary's ceiling: the log also has rows that smaller hashes have
/// replaced since.
pub(super) fn groups(latest: &Latest) -> Vec<Group> {
    let stacks = stacks(latest);
    let mut found: BTreeMap<(String, String), Vec<Sample>> = BTreeMap::new();
    for body in samples(latest).into_iter().map(|(_, body)| body) {
        let name = body.text("group");
        let hash = if name.is_empty() { body.text("stack_hash") } else { String::new() };
        found.entry((name, hash)).or_default().push(sample(body));
    }
    let mut groups: Vec<Group> =
        found.into_iter().map(|((name, _), samples)| group(name, samples, &stacks)).collect();
    groups.sort_by(|a, b| b.samples.len().cmp(&a.samples.len()).then_with(|| a.hash.cmp(&b.hash)));
    groups
}

/// The samples of all steps, in the order of the log, each with its hash.
pub(super) fn samples(latest: &Latest) -> Vec<(u64, &Body)> {
    let kept = kept(latest);
    let rows = latest.of(Kind::Failure).filter(|(_, body)| !body.has("seen"));
    let rows = rows.map(|(id, body)| (hash_of(id), body));
    rows.filter(|(hash, body)| kept.get(&body.text("step")).is_none_or(|limit| hash <= limit)).collect()
}

/// Stacks by hash. Only the first sample of a stack has it, so replaced samples are read too.
pub(super) fn stacks(latest: &Latest) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (_, body) in latest.of(Kind::Failure) {
        if let Some(stack) = body.some_text("stack") {
            found.entry(body.text("stack_hash")).or_insert(stack);
        }
    }
    found
}

fn group(name: String, mut samples: Vec<Sample>, stacks: &HashMap<String, String>) -> Group {
    samples.sort_by(|a, b| {
        (&a.step, a.stage, a.partition, &a.key).cmp(&(&b.step, b.stage, b.partition, &b.key))
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

/// The ceiling of each step: the greatest hash among its samples, from its summary. Logs of earlier releases have the
/// number of samples instead; of these, steps without more samples in the log are left out.
fn kept(latest: &Latest) -> HashMap<String, u64> {
    let mut hashes: HashMap<String, Vec<u64>> = HashMap::new();
    let mut kept: HashMap<String, usize> = HashMap::new();
    let mut limits: HashMap<String, u64> = HashMap::new();
    for (id, body) in latest.of(Kind::Failure) {
        if let Ok(ceiling) = body.text("ceiling").parse() {
            limits.insert(body.text("step"), ceiling);
        } else if body.has("seen") {
            kept.insert(body.text("step"), body.count("kept").unwrap_or(u64::MAX) as usize);
        } else {
            hashes.entry(body.text("step")).or_default().push(hash_of(id));
        }
    }
    for (step, mut hashes) in hashes {
        let limit = kept.get(&step).copied().unwrap_or(usize::MAX);
        if limit > 0 && hashes.len() > limit && !limits.contains_key(&step) {
            hashes.sort_unstable();
            limits.insert(step, hashes[limit - 1]);
        }
    }
    limits
}

/// The sample's hash, the last part of its id; 0 (always kept) if the id has none.
fn hash_of(id: &str) -> u64 {
    id::failed_row(id).unwrap_or(0)
}

fn sample(body: &Body) -> Sample {
    let stage = body.count("stage");
    Sample {
        step: body.text("step"),
        site: body.text("site"),
        class: body.text("error_class"),
        stack_hash: body.text("stack_hash"),
        message: body.text("message"),
        key: body.text("row_key"),
        record: body.text("record"),
        cut: body.flag("record_cut").unwrap_or(false),
        version: body.text("version"),
        stage: stage.map(|stage| StageId { stage, attempt: body.count("stage_attempt").unwrap_or(0) }),
        partition: body.count("partition"),
        task_attempt: body.count("task_attempt"),
        executor: body.text("executor"),
        host: body.text("host"),
        committed: body.flag("committed").unwrap_or(true),
    }
}
