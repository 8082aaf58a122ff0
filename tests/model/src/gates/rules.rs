//! The rules of docs/internals/gates.md in their most naive form: every choice among the candidates is tried.

use std::collections::{BTreeMap, BTreeSet};

use super::driver::{Cell, Scope};
use super::program::Bounds;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Passed,
    Failed,
    Unknown,
}

/// The rules in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub own: Own,
    /// When foreign cells are candidates beside own successes.
    pub beside: Beside,
    /// Foreign partial cells are candidates even if another cell is complete.
    pub foreign_partials: bool,
    /// A hole behind a cache or shuffle is never explained.
    pub kept_holes: bool,
    /// Failed partial cells that are kept are candidates, like complete ones.
    pub partials_kept: bool,
    /// Kept foreign cells of failed attempts count too.
    pub kept: bool,
    /// A partition without candidates is a hole.
    pub holes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    All,
    /// Of each stage the cells of its newest attempt.
    NewestAttempt,
    /// Of all cells the newest complete one, with any outcome: the earlier rule.
    NewestComplete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    Never,
    /// If the instance is reached in several ways, behind a shuffle, or by several jobs.
    Mixed,
    Behind,
}

impl Rules {
    /// The rules of docs/internals/gates.md.
    pub const PAGE: Rules = Rules {
        own: Own::All,
        beside: Beside::Behind,
        foreign_partials: true,
        kept_holes: true,
        partials_kept: true,
        kept: true,
        holes: true,
    };
    /// The first version of the rules: own cells before foreign ones, and of each stage the cells of its newest
    /// attempt.
    pub const IN_ORDER: Rules = Rules {
        own: Own::NewestAttempt,
        beside: Beside::Never,
        foreign_partials: false,
        kept_holes: false,
        partials_kept: false,
        ..Rules::PAGE
    };
}

/// Rows read and dropped.
pub type Counts = (u64, u64);

/// The possible counts of one instance, by partition.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    pub site: u64,
    pub partitions: BTreeMap<usize, BTreeSet<Counts>>,
    /// Partitions that may not have been read at all.
    pub perhaps: BTreeSet<usize>,
}

fn candidates(cells: &[&Cell], scope: &Scope, instance: u64, rules: Rules) -> (BTreeSet<Counts>, bool) {
    let counts = |cell: &&Cell| (cell.read, cell.dropped);
    let reached = scope.reached[&instance];
    let succeeded = |cell: &&&Cell| !cell.failed && !cell.early;
    if rules.own == Own::NewestComplete {
        let newest = cells.iter().max_by_key(|cell| (cell.complete, cell.task));
        return (newest.iter().map(|cell| counts(cell)).collect(), false);
    }
    let partials = rules.partials_kept && reached.behind;
    let stored = |cell: &&&Cell| rules.kept && cell.kept && (cell.complete || partials);
    // A foreign success counts if its rows are kept by a block, a file, or a shuffle that is read.
    let read = |cell: &&&Cell| cell.kept || scope.shuffle_stages.contains(&cell.stage);
    let (own, foreign): (Vec<&Cell>, Vec<&Cell>) =
        cells.iter().partition(|cell| scope.owns(&cell.properties));
    let mut chosen: Vec<&Cell> = own.iter().filter(succeeded).copied().collect();
    if rules.own == Own::NewestAttempt {
        let all = chosen.clone();
        chosen.retain(|cell| {
            !all.iter().any(|o| o.stage == cell.stage && o.stage_attempt > cell.stage_attempt)
        });
    }
    if chosen.is_empty() || reached.behind {
        chosen.extend(own.iter().filter(|cell| !succeeded(cell)).filter(stored));
    }
    let beside = match rules.beside {
        Beside::Never => false,
        Beside::Mixed => reached.shuffled || reached.ways > 1 || scope.guard.is_some(),
        Beside::Behind => true,
    };
    let none = chosen.is_empty();
    if reached.behind && (none || beside) {
        let usable: Vec<&Cell> =
            foreign.iter().filter(|cell| succeeded(cell) && read(cell) || stored(cell)).copied().collect();
        let complete = usable.iter().any(|cell| cell.complete);
        chosen.extend(usable.into_iter().filter(|cell| rules.foreign_partials || !complete || cell.complete));
    }
    let unread =
        !chosen.iter().any(|cell| scope.owns(&cell.properties)) && (scope.partial || reached.partial);
    let mut all: BTreeSet<Counts> = chosen.iter().map(counts).collect();
    // Of other evaluations by the same task the best has dropped nothing.
    all.extend(chosen.iter().filter(|cell| cell.differs).map(|cell| (cell.read, 0)));
    (all, unread)
}

/// The answer of the rules for a scope.
pub fn judge(cells: &[Cell], scope: &Scope, bounds: &Bounds, rules: Rules) -> Answer {
    let (mut all, mut holes) = (Vec::new(), false);
    for (instance, reached) in &scope.reached {
        let of: Vec<&Cell> = cells.iter().filter(|cell| cell.instance == *instance).collect();
        let mut choices = Choices { site: reached.site, ..Choices::default() };
        for partition in 0..reached.partitions {
            let at: Vec<&Cell> = of.iter().filter(|cell| cell.partition == partition).copied().collect();
            let (found, unread) = candidates(&at, scope, *instance, rules);
            if found.is_empty() {
                let explained = (scope.partial || reached.partial) && !(rules.kept_holes && reached.behind);
                holes |= rules.holes && !explained;
                continue;
            }
            if unread && rules.own != Own::NewestComplete {
                choices.perhaps.insert(partition);
            }
            choices.partitions.insert(partition, found);
        }
        all.push(choices);
    }
    decide(&all, holes, bounds)
}

/// Passed: no choice breaks a limit. Failed: every choice does.
pub fn decide(all: &[Choices], holes: bool, bounds: &Bounds) -> Answer {
    let each =
        |pick: fn(&BTreeSet<Counts>) -> u64, of: &Choices| of.partitions.values().map(pick).sum::<u64>();
    let most_dropped: u64 = all.iter().map(|of| each(|c| c.iter().map(|c| c.1).max().unwrap_or(0), of)).sum();
    let least = |pick: fn(&Counts) -> u64, of: &Choices| {
        let read = of.partitions.iter().filter(|(partition, _)| !of.perhaps.contains(partition));
        read.map(|(_, choices)| choices.iter().map(pick).min().unwrap_or(0)).sum::<u64>()
    };
    let least_dropped: u64 = all.iter().map(|of| least(|c| c.1, of)).sum();
    if bounds.dropped.is_some_and(|most| least_dropped > most) {
        return Answer::Failed;
    }
    if holes {
        return Answer::Unknown;
    }
    let rows = |of_one: &dyn Fn(&Choices) -> u64| {
        let mut sites: BTreeMap<u64, u64> = BTreeMap::new();
        all.iter().for_each(|of| *sites.entry(of.site).or_default() += of_one(of));
        sites.into_values().max().unwrap_or(0)
    };
    let most_rows = rows(&|of| each(|c| c.iter().map(|c| c.0).max().unwrap_or(0), of));
    let least_rows = rows(&|of| least(|c| c.0, of));
    // At least one partition was read, or there would be no write.
    let surely = rows(&|of| each(|c| c.iter().map(|c| c.0).min().unwrap_or(0), of));
    let zero = |rows: u64| rows == 0 && !bounds.zero_rows_pass;
    let ratios: Vec<(f64, f64)> = all.iter().map(ratios).collect();
    let broken = |ratio: f64| ratio > bounds.ratio;
    if most_rows < bounds.min_rows || zero(most_rows) || ratios.iter().any(|(least, _)| broken(*least)) {
        return Answer::Failed;
    }
    let passes = bounds.dropped.is_none_or(|most| most_dropped <= most)
        && least_rows >= bounds.min_rows
        && !zero(surely)
        && !ratios.iter().any(|(_, most)| broken(*most));
    if passes {
        Answer::Passed
    } else {
        Answer::Unknown
    }
}

/// The least and the greatest ratio over all choices.
fn ratios(of: &Choices) -> (f64, f64) {
    let mut sums: BTreeSet<Counts> = BTreeSet::from([(0, 0)]);
    for (partition, choices) in &of.partitions {
        let add = |sum: &Counts| choices.iter().map(|c| (sum.0 + c.0, sum.1 + c.1)).collect::<Vec<_>>();
        let added: BTreeSet<Counts> = sums.iter().flat_map(add).collect();
        if !of.perhaps.contains(partition) {
            sums.clear();
        }
        sums.extend(added);
    }
    let ratio = |sum: &Counts| if sum.0 == 0 { 0.0 } else { sum.1 as f64 / sum.0 as f64 };
    let all = sums.iter().map(ratio);
    all.fold((f64::INFINITY, 0.0), |(least, most), ratio| (least.min(ratio), most.max(ratio)))
}
