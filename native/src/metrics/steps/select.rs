//! The evaluations that a gate judges: rules R1 and R2 of docs/internals/gates.md.
//!
//! A gate is asked about a [`Scope`] and the instances that it [`Reached`]. Each partition of each of them has
//! candidates: evaluations whose rows may be in the result of the scope. A partition without candidates was not
//! requested, or is a hole.

use super::cell::{CellAttempt, DROPPED, IN};
use super::counters::{OUT, ROWS};
use super::site::Site;

/// The judged unit: the tasks of one SQL execution, or those that ran under one guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A write.
    Execution(u64),
    /// The body of a guard.
    Guard(u64),
}

impl Scope {
    fn owns(self, attempt: &CellAttempt) -> bool {
        match self {
            Scope::Execution(id) => attempt.execution == Some(id),
            Scope::Guard(id) => attempt.guards.contains(&id),
        }
    }
}

/// An instance whose rows can reach the judged result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The operator.
    pub site: u64,
    /// The execution of the operator.
    pub instance: u64,
    /// It is reached through a persisted RDD, a checkpoint or a shuffle, which may hold the rows of earlier
    /// evaluations in other scopes.
    pub behind: bool,
    /// Only a part of its partitions is read.
    pub partial: bool,
    /// Adaptive execution has removed it from the plan: none of its rows is in the result, but they may have decided
    /// which rows are.
    pub discarded: bool,
    /// The number of its partitions, if the JVM knows it.
    pub partitions: Option<u32>,
}

/// The counts of one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::metrics) struct Tally {
    task: u64,
    counters: Box<[i64]>,
}

impl Tally {
    pub(in crate::metrics) fn of(&self, counter: usize) -> i128 {
        i128::from(self.counters.get(counter).copied().unwrap_or(0))
    }
}

/// A partition whose rows are, or may be, in the judged result.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::metrics) struct Evaluated {
    pub(in crate::metrics) partition: u32,
    /// Never empty; evaluations with equal counts are one candidate.
    pub(in crate::metrics) candidates: Vec<Tally>,
    /// It may not have been read at all.
    pub(in crate::metrics) optional: bool,
}

/// All that is known of one reached instance.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::metrics) struct Picture {
    pub(in crate::metrics) site: u64,
    /// The operator's label for users.
    pub(in crate::metrics) label: String,
    pub(in crate::metrics) instance: u64,
    /// The SQL execution of its own cells; `None` if they had none, or if there are no own cells.
    pub(in crate::metrics) execution: Option<u64>,
    pub(in crate::metrics) evaluated: Vec<Evaluated>,
    /// Partitions without any candidate.
    pub(in crate::metrics) holes: Vec<u32>,
    pub(in crate::metrics) total: u32,
    /// Why all of it is doubtful; empty if it is not.
    pub(in crate::metrics) trouble: &'static str,
    /// Its cells were released when it was covered whole: one sum stands for all partitions.
    pub(in crate::metrics) is_settled: bool,
    /// The stage of its newest stage attempt.
    pub(in crate::metrics) stage: Option<u32>,
    /// Adaptive execution has removed it though it returned rows: it is unknown whether they matter.
    pub(in crate::metrics) is_removed: bool,
}

impl Picture {
    /// Site, instance, partition and task of each evaluation in the picture.
    pub(super) fn evaluations(&self) -> impl Iterator<Item = (u64, u64, u32, u64)> + '_ {
        self.evaluated.iter().flat_map(move |evaluated| {
            let of = move |tally: &Tally| (self.site, self.instance, evaluated.partition, tally.task);
            evaluated.candidates.iter().map(of)
        })
    }
}

impl Picture {
    /// The picture of an instance that adaptive execution has removed; `None` if it has read nothing. If it returned
    /// no row, the plan is empty for that reason. Partitions that were not read have decided nothing.
    pub(super) fn removed(self) -> Option<Picture> {
        let all = || self.evaluated.iter().flat_map(|evaluated| &evaluated.candidates);
        let is_removed = all().any(|tally| tally.of(OUT) > 0);
        let has_read = all().any(|tally| tally.of(ROWS) > 0);
        has_read.then(|| Picture { is_removed, holes: Vec::new(), ..self })
    }

    /// The picture of an instance whose operator is no longer kept.
    pub(super) fn lost(reached: Reached) -> Picture {
        Picture {
            site: reached.site,
            label: format!("operator {}", reached.site),
            instance: reached.instance,
            execution: None,
            evaluated: Vec::new(),
            holes: Vec::new(),
            total: reached.partitions.unwrap_or(0),
            trouble: "it is one of more operators than the driver keeps",
            is_settled: false,
            stage: None,
            is_removed: false,
        }
    }
}

impl Site {
    /// The picture of a reached instance. Without a `scope` every cell is its own.
    pub(super) fn picture(&self, reached: Reached, scope: Option<Scope>, kept_by: Option<&[u32]>) -> Picture {
        // Behind a cache or a shuffle a partition without any evaluation may still have been read.
        let partial = reached.partial && !reached.behind;
        let mut picture = Picture {
            site: reached.site,
            label: self.label.clone(),
            instance: reached.instance,
            execution: None,
            evaluated: Vec::new(),
            holes: Vec::new(),
            total: reached.partitions.unwrap_or(0),
            trouble: "",
            is_settled: false,
            stage: None,
            is_removed: false,
        };
        if self.refused {
            picture.trouble = "it has more partitions than the driver keeps cells for";
        }
        let Some(instance) = self.instances.get(&reached.instance) else {
            if self.has_let_go(reached.instance) {
                picture.trouble = "its cells were released for those of later executions";
            } else if reached.partitions.is_none() && !partial {
                picture.trouble = "none of its tasks has reported";
            } else if !partial {
                picture.holes = (0..picture.total).collect();
            }
            return picture;
        };
        picture.total = picture.total.max(instance.total);
        picture.stage = instance.stages.last_key_value().map(|((stage, _), _)| *stage);
        if instance.is_settled() {
            picture.is_settled = true;
            // The scopes of released cells are unknown.
            if !instance.is_whole() || reached.behind || scope.is_some() {
                picture.trouble = "its cells were released for those of later executions";
            }
            let counters = instance.committed.counters.iter();
            let counters = counters.map(|sum| i64::try_from(*sum).unwrap_or(i64::MAX)).collect();
            picture.evaluated.push(Evaluated {
                partition: 0,
                candidates: vec![Tally { task: 0, counters }],
                optional: false,
            });
            return picture;
        }
        for partition in 0..picture.total {
            let attempts = instance.attempts(partition);
            let (chosen, own) = candidates(attempts, scope, reached.behind, kept_by);
            if own {
                picture.execution = chosen.iter().find_map(|attempt| attempt.execution).or(picture.execution);
            }
            if chosen.is_empty() {
                if !partial {
                    picture.holes.push(partition);
                }
                continue;
            }
            let mut tallies: Vec<Tally> = Vec::new();
            for attempt in chosen {
                tally(&mut tallies, attempt.task, attempt.counters.clone());
                if attempt.differs {
                    // The other evaluations may have returned every row and counted nothing.
                    let mut best = vec![0; attempt.counters.len().max(DROPPED)].into_boxed_slice();
                    best[..DROPPED].fill(attempt.of_counter(IN));
                    tally(&mut tallies, attempt.task, best);
                }
            }
            let optional = reached.partial && !own;
            picture.evaluated.push(Evaluated { partition, candidates: tallies, optional });
        }
        picture
    }
}

fn tally(tallies: &mut Vec<Tally>, task: u64, counters: Box<[i64]>) {
    if !tallies.iter().any(|known| known.counters == counters) {
        tallies.push(Tally { task, counters });
    }
}

impl Site {
    /// The instances that have own cells of the scope.
    pub(super) fn owned(&self, scope: Scope) -> impl Iterator<Item = u64> + '_ {
        let owned = self.instances.iter().filter(move |(_, instance)| instance.any(|a| scope.owns(a)));
        owned.map(|(id, _)| *id)
    }
}

/// The evaluations of a partition whose rows may be in the scope's result, and whether any of them is its own.
///
/// A map stage that ran again leaves rows of several attempts in its shuffle output, so no success replaces another.
/// Behind a cache or a shuffle the rows may have been read from there although the scope has evaluated the partition
/// too. `kept_by`: the stages that wrote the shuffles that are read; a success of another stage that no block has
/// kept is in none of them.
pub(super) fn candidates<'a>(
    attempts: &'a [CellAttempt],
    scope: Option<Scope>,
    behind: bool,
    kept_by: Option<&[u32]>,
) -> (Vec<&'a CellAttempt>, bool) {
    let owns = |attempt: &CellAttempt| scope.is_none_or(|scope| scope.owns(attempt));
    let stored = |attempt: &CellAttempt| attempt.kept && !attempt.succeeded();
    let mut own: Vec<&CellAttempt> = attempts.iter().filter(|a| owns(a) && a.succeeded()).collect();
    if own.is_empty() || behind {
        let complete = |attempt: &CellAttempt| behind || attempt.complete;
        own.extend(attempts.iter().filter(|a| owns(a) && stored(a) && complete(a)));
    }
    let has_own = !own.is_empty();
    if behind {
        let written = |attempt: &CellAttempt| kept_by.is_none_or(|stages| stages.contains(&attempt.stage.0));
        let read = |attempt: &CellAttempt| attempt.kept || attempt.succeeded() && written(attempt);
        own.extend(attempts.iter().filter(|a| !owns(a) && read(a)));
    }
    (own, has_own)
}

/// The greatest or least sum that the candidates allow: each candidate adds `value`, and an optional partition may
/// add nothing.
pub(in crate::metrics) fn extreme<'a>(
    evaluated: &'a [Evaluated],
    value: impl Fn(&Tally) -> f64 + 'a,
) -> impl Iterator<Item = (Option<&'a Tally>, Option<&'a Tally>)> {
    evaluated.iter().map(move |partition| {
        let by = |a: &&Tally, b: &&Tally| value(a).total_cmp(&value(b));
        let most = partition.candidates.iter().max_by(by);
        let least = partition.candidates.iter().min_by(by);
        if partition.optional {
            (most.filter(|tally| value(tally) > 0.0), least.filter(|tally| value(tally) < 0.0))
        } else {
            (most, least)
        }
    })
}
