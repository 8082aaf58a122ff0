//! Judges the pictures of a step: rules R3 of docs/internals/gates.md.
//!
//! Each check has a worst and a best case, from the candidates of each partition. A check that fails in the best case
//! fails; one that holds in the worst case holds; otherwise its result is unknown.

use std::collections::BTreeMap;

use super::gate::{Decision, Limits, Operator, Verdict, MOST_OPERATORS};
use super::steps::{extreme, Evaluated, Picture, Tally, LOST, OUT, ROWS};
use crate::event::TopCause;
use crate::words::some;

/// The limit of partitions in a message.
const MOST_NAMED: usize = 8;

/// The matter to be judged.
pub(super) struct Matter<'a> {
    pub(super) step: &'a str,
    /// The reached instances of the step.
    pub(super) pictures: &'a [Picture],
    /// One of its operators had no room.
    pub(super) is_refused: bool,
    /// The index of each counter in `max_counters`; `None` for a counter that the step does not have.
    pub(super) counters: Vec<Option<usize>>,
}

/// Judges. `causes` gives the most frequent causes in the given pictures: those of the operator that the verdict
/// names, or of all operators if their sum exceeds a limit.
pub(super) fn judge(
    matter: &Matter<'_>,
    limits: &Limits,
    causes: impl Fn(&[Picture]) -> Vec<TopCause>,
) -> Verdict {
    let (mut verdict, named) = decided(matter, limits);
    verdict.top_causes = match named {
        Some(place) => {
            let of = matter.pictures.iter().filter(|p| (p.site, p.instance) == place);
            causes(&of.cloned().collect::<Vec<_>>())
        }
        None => causes(matter.pictures),
    };
    verdict
}

/// The verdict without its causes, and the site and instance of its counts, unless it is by a sum over several
/// instances.
fn decided(matter: &Matter<'_>, limits: &Limits) -> (Verdict, Option<(u64, u64)>) {
    let pictures = matter.pictures;
    let ratio = limits.max_drop_ratio.unwrap_or(1.0);
    let mut judged: Vec<(Operator, u64)> =
        pictures.iter().map(|picture| (worst_of(picture, ratio), picture.site)).collect();
    let share = |o: &Operator| if o.counts[0] > 0 { o.counts[2] as f64 / o.counts[0] as f64 } else { 0.0 };
    judged.sort_by(|(a, _), (b, _)| share(b).total_cmp(&share(a)).then(b.counts[0].cmp(&a.counts[0])));
    let place = judged.first().map(|(worst, site)| (*site, worst.instance));
    let operators: Vec<Operator> = judged.into_iter().map(|(operator, _)| operator).collect();
    let differ =
        pictures.iter().find_map(|p| Some((p, p.evaluated.iter().find(|e| e.candidates.len() > 1)?)));
    let mut verdict = Verdict {
        step: matter.step.to_string(),
        decision: Decision::Unknown,
        passed: false,
        counts: operators.first().map(|worst| (worst.counts[0], worst.counts[2])),
        site: operators.first().filter(|_| operators.len() > 1).map(|worst| worst.site.clone()),
        reason: String::new(),
        inexact: differ.map_or_else(
            || removed(pictures),
            |(picture, evaluated)| {
                format!(
                    "{}: several evaluations of partition {} differ, and any may have been read",
                    picture.label, evaluated.partition
                )
            },
        ),
        operators,
        top_causes: Vec::new(),
        stage: None,
        instance: None,
        limits: limits.clone(),
    };
    verdict.operators.truncate(MOST_OPERATORS);
    if limits.gate == "early" {
        early(&mut verdict, pictures, limits);
        return (verdict, None);
    }
    let unknown = why_unknown(matter, limits);
    let found = decide(matter, limits);
    let named = place.filter(|_| !found.is_certain);
    (verdict.decision, verdict.reason) = match (found, unknown) {
        // The known part suffices: dropped rows remain dropped in every case.
        (Judgement { decision: Decision::Failed, reason, is_certain: true }, _) => (Decision::Failed, reason),
        (_, Some(why)) => (Decision::Unknown, format!("what was counted is not known whole: {why}")),
        (Judgement { decision: Decision::Unknown, reason, .. }, None) => {
            (Decision::Unknown, format!("{reason}, or not: {}", verdict.inexact))
        }
        (found, None) => (found.decision, found.reason),
    };
    if verdict.decision == Decision::Unknown && pictures.is_empty() {
        verdict.counts = None;
    }
    verdict.passed = match verdict.decision {
        Decision::Passed => true,
        Decision::Failed => false,
        Decision::Unknown => limits.unknown_passes,
    };
    (verdict, named)
}

/// The uncertainty that an operator removed by adaptive execution leaves; empty if there is no such operator.
fn removed(pictures: &[Picture]) -> String {
    pictures.iter().find(|picture| picture.is_removed).map_or_else(String::new, |picture| {
        format!(
            "{}: adaptive execution has removed it from the plan, and its rows may have decided which rows remain",
            picture.label
        )
    })
}

fn why_unknown(matter: &Matter<'_>, limits: &Limits) -> Option<String> {
    if !limits.incomplete.is_empty() {
        return Some(limits.incomplete.clone());
    }
    if matter.is_refused {
        return Some(
            "the step has more operators than the driver keeps; later ones are not counted".to_string(),
        );
    }
    if let Some(at) = matter.counters.iter().position(Option::is_none) {
        return Some(format!("the step has no counter '{}'", limits.max_counters[at].0));
    }
    if matter.pictures.is_empty() && limits.reached.is_none() {
        return Some("no operator of it has been executed".to_string());
    }
    let troubled = matter.pictures.iter().find(|picture| !picture.trouble.is_empty());
    if let Some(picture) = troubled {
        return Some(format!("{}: {}", picture.label, picture.trouble));
    }
    let picture = matter.pictures.iter().find(|picture| !picture.holes.is_empty())?;
    let named: Vec<String> = picture.holes.iter().take(MOST_NAMED).map(u32::to_string).collect();
    let more = picture.holes.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!(
        "{}: of its {} no task has told of {}{more}, and nothing in the plan explains it",
        picture.label,
        some(picture.total, "partition", "partitions"),
        named.join(", ")
    ))
}

/// The result of the checks.
struct Judgement {
    decision: Decision,
    reason: String,
    /// It fails for any content of the unknown partitions.
    is_certain: bool,
}

impl Judgement {
    fn failed(reason: String, is_certain: bool) -> Judgement {
        Judgement { decision: Decision::Failed, reason, is_certain }
    }
}

fn decide(matter: &Matter<'_>, limits: &Limits) -> Judgement {
    let pictures = matter.pictures;
    let (least_rows, most_rows) = rows(pictures);
    let (least_dropped, most_dropped) = dropped(pictures);
    let mut unsure: Option<String> = None;
    if let Some(most) = limits.max_dropped.map(i128::from) {
        let reason = |rows: i128| format!("{} dropped, more than {most}", some(rows, "row was", "rows were"));
        if least_dropped > most {
            return Judgement::failed(reason(least_dropped), true);
        }
        if most_dropped > most {
            unsure.get_or_insert(reason(most_dropped));
        }
    }
    let fewest = i128::from(limits.min_rows);
    if most_rows < fewest {
        return Judgement::failed(
            format!("{} read, fewer than {fewest}", some(most_rows, "row was", "rows were")),
            false,
        );
    }
    if least_rows < fewest {
        unsure
            .get_or_insert(format!("{} read, fewer than {fewest}", some(least_rows, "row was", "rows were")));
    }
    if most_rows == 0 {
        let decision = if limits.zero_rows_pass { Decision::Passed } else { Decision::Failed };
        return Judgement { decision, reason: "no row was read".to_string(), is_certain: false };
    }
    let is_optional = pictures.iter().flat_map(|picture| &picture.evaluated).any(|e| e.optional);
    if least_rows == 0 && !limits.zero_rows_pass && !is_optional {
        unsure.get_or_insert("no row was read".to_string());
    }
    for check in checks(matter, limits) {
        let broken = pictures.iter().filter_map(|picture| check.broken(picture)).max_by(|a, b| {
            (a.is_certain, a.ratio).partial_cmp(&(b.is_certain, b.ratio)).unwrap_or(std::cmp::Ordering::Equal)
        });
        match broken {
            Some(Broken { is_certain: true, ratio }) => return Judgement::failed(check.reason(ratio), false),
            Some(Broken { ratio, .. }) => drop(unsure.get_or_insert(check.reason(ratio))),
            None => {}
        }
    }
    match unsure {
        Some(reason) => Judgement { decision: Decision::Unknown, reason, is_certain: false },
        None => Judgement {
            decision: Decision::Passed,
            reason: format!("{} dropped", some(most_dropped, "row was", "rows were")),
            is_certain: false,
        },
    }
}

struct Check<'a> {
    counter: usize,
    limit: f64,
    /// The limit is a minimum instead of a maximum.
    is_least: bool,
    what: &'a str,
}

struct Broken {
    is_certain: bool,
    ratio: f64,
}

fn checks<'a>(matter: &Matter<'_>, limits: &'a Limits) -> Vec<Check<'a>> {
    let dropped =
        limits.max_drop_ratio.map(|limit| Check { counter: LOST, limit, is_least: false, what: "dropped" });
    let out = limits.min_out_ratio.map(|limit| Check { counter: OUT, limit, is_least: true, what: "given" });
    let counters = limits.max_counters.iter().zip(&matter.counters).filter_map(|((name, limit), at)| {
        Some(Check { counter: (*at)?, limit: *limit, is_least: false, what: name })
    });
    dropped.into_iter().chain(out).chain(counters).collect()
}

impl Check<'_> {
    /// The violation of the limit by an instance, if there may be one.
    fn broken(&self, picture: &Picture) -> Option<Broken> {
        let sign = if self.is_least { -1.0 } else { 1.0 };
        // The sum of numerators exceeds the limit times the sum of rows exactly if the sum of these differences is
        // positive.
        let excess =
            |tally: &Tally| sign * (tally.of(self.counter) as f64 - self.limit * tally.of(ROWS) as f64);
        let (mut worst, mut best) = (Pool::default(), Pool::default());
        for (most, least) in extreme(&picture.evaluated, excess) {
            worst.add(most, self.counter);
            best.add(least, self.counter);
        }
        let breaks = |ratio: f64| if self.is_least { ratio < self.limit } else { ratio > self.limit };
        let certain = best.ratio().filter(|ratio| breaks(*ratio));
        let possible = worst.ratio().filter(|ratio| breaks(*ratio));
        match (certain, possible) {
            (Some(_), Some(ratio)) => Some(Broken { is_certain: !picture.is_removed, ratio }),
            (Some(ratio), None) | (None, Some(ratio)) => Some(Broken { is_certain: false, ratio }),
            (None, None) => None,
        }
    }

    fn reason(&self, ratio: f64) -> String {
        match (self.what, self.is_least) {
            ("dropped", _) => {
                format!("{} of the rows were dropped, more than {}", percent(ratio), percent(self.limit))
            }
            (_, true) => {
                format!("{} of the rows came out, less than {}", percent(ratio), percent(self.limit))
            }
            (name, _) => {
                format!("'{name}' is {} of the rows, more than {}", percent(ratio), percent(self.limit))
            }
        }
    }
}

/// Sums of a counter and of rows.
#[derive(Default)]
struct Pool {
    sum: i128,
    rows: i128,
}

impl Pool {
    fn add(&mut self, tally: Option<&Tally>, counter: usize) {
        if let Some(tally) = tally {
            self.sum += tally.of(counter);
            self.rows += tally.of(ROWS);
        }
    }

    fn ratio(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.sum as f64 / self.rows as f64)
    }
}

fn total(evaluated: &[Evaluated], counter: usize) -> (i128, i128) {
    evaluated.iter().fold((0, 0), |(least, most), partition| {
        let values = || partition.candidates.iter().map(|tally| tally.of(counter));
        let low = if partition.optional { 0 } else { values().min().unwrap_or(0) };
        (least + low, most + values().max().unwrap_or(0))
    })
}

/// The least and the greatest number of rows read by any operator, summed over its instances.
fn rows(pictures: &[Picture]) -> (i128, i128) {
    let mut sites: BTreeMap<u64, (i128, i128)> = BTreeMap::new();
    for picture in pictures {
        let (least, most) = total(&picture.evaluated, ROWS);
        let sum = sites.entry(picture.site).or_default();
        *sum = (sum.0 + least, sum.1 + most);
    }
    let most = sites.values().map(|(_, most)| *most).max().unwrap_or(0);
    (sites.values().map(|(least, _)| *least).max().unwrap_or(0), most)
}

/// The least and the greatest number of dropped rows in any SQL execution, plus those of instances that belong to
/// none.
fn dropped(pictures: &[Picture]) -> (i128, i128) {
    let mut groups: BTreeMap<Option<u64>, (i128, i128)> = BTreeMap::new();
    for picture in pictures {
        let (least, most) = total(&picture.evaluated, LOST);
        let least = if picture.is_removed { 0 } else { least };
        let sum = groups.entry(picture.execution).or_default();
        *sum = (sum.0 + least, sum.1 + most);
    }
    let shared = groups.remove(&None).unwrap_or_default();
    let (least, most) =
        (groups.values().map(|(least, _)| *least).max(), groups.values().map(|(_, most)| *most).max());
    (shared.0 + least.unwrap_or(0), shared.1 + most.unwrap_or(0))
}

/// An early gate judges each instance separately, and only by dropped rows, which no later row makes up for.
fn early(verdict: &mut Verdict, pictures: &[Picture], limits: &Limits) {
    let most = limits.max_dropped.map_or(i128::MAX, i128::from);
    let of = |picture: &Picture| total(&picture.evaluated, LOST).0;
    let worst = pictures.iter().max_by_key(|picture| of(picture));
    let dropped = worst.map_or(0, of);
    if let Some(picture) = worst.filter(|_| dropped > most) {
        let worst = worst_of(picture, 1.0);
        (verdict.decision, verdict.passed) = (Decision::Failed, false);
        verdict.reason = format!("{} dropped, more than {most}", some(dropped, "row was", "rows were"));
        verdict.counts = Some((worst.counts[0], worst.counts[2]));
        (verdict.stage, verdict.instance) = (picture.stage, Some(picture.instance));
    } else {
        (verdict.decision, verdict.passed) = (Decision::Passed, true);
        verdict.reason = format!("{} dropped so far", some(dropped, "row was", "rows were"));
    }
}

/// The counts of an instance in the worst case.
fn worst_of(picture: &Picture, limit: f64) -> Operator {
    let excess = |tally: &Tally| tally.of(LOST) as f64 - limit * tally.of(ROWS) as f64;
    let mut counts = [0_i128; 3];
    for (worst, _) in extreme(&picture.evaluated, excess) {
        for (sum, counter) in counts.iter_mut().zip([ROWS, OUT, LOST]) {
            *sum += worst.map_or(0, |tally| tally.of(counter));
        }
    }
    Operator { site: picture.label.clone(), instance: picture.instance, counts }
}

/// A ratio in percent, with at most four decimals.
fn percent(ratio: f64) -> String {
    let text = format!("{:.4}", ratio * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}
