//! One operator of a step: its instances, and the choice of the instance that its figure shows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::cell::CellAttempt;
use super::instance::{Instance, Mask, Sums};
use crate::metrics::revision::Shipped;
use crate::words::{self, some};

/// Instances whose cells are kept. Of the instances with the oldest reports only the sums remain, and later cells of
/// them are not counted.
const LIVE: usize = 256;
/// Other instances that a figure lists.
const LISTED: usize = 16;
/// Instances without cells whose ids are remembered.
const REMEMBERED: usize = 4096;

#[derive(Debug)]
pub(in crate::metrics) struct Site {
    pub(in crate::metrics) step: u64,
    pub(in crate::metrics) name: Arc<str>,
    /// Kind and place in the program, as declared.
    pub(super) plain: String,
    /// The same, made unique within the step.
    pub(in crate::metrics) label: String,
    /// Something has changed since the site was last shipped.
    pub(in crate::metrics) dirty: bool,
    /// By counter.
    pub(in crate::metrics) shipped: Vec<Shipped>,
    /// Its shipped coverage lags behind until its stages have ended.
    pub(in crate::metrics) is_behind: bool,
    /// A cell had no room.
    pub(super) refused: bool,
    /// A stage of it was rolled back though Spark could not compute the same rows again.
    pub(in crate::metrics) rolled_back: bool,
    /// Operators of earlier executions of its micro-batch. It replaces their figures as soon as it has counted.
    pub(super) replaces: Vec<u64>,
    /// The step of the operator that replaces this one.
    pub(in crate::metrics) replaced_by: Option<u64>,
    /// A query had several instances of it: its figure was of one of them.
    pub(in crate::metrics) is_one_of_several: bool,
    /// It is unknown whether it replaces another one.
    pub(super) unclear: bool,
    pub(super) instances: BTreeMap<u64, Instance>,
    frozen: VecDeque<(u64, Frozen)>,
    /// The instances whose cells were released, the newest last.
    gone: VecDeque<u64>,
    /// The number of merges.
    merges: u64,
    /// The attempted sums of frozen instances.
    attempted: Sums,
}

/// The sums of an old instance.
#[derive(Debug)]
struct Frozen {
    committed: Sums,
    total: u32,
}

/// An instance other than the one whose figure is shown.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::metrics) struct Other {
    pub(in crate::metrics) instance: u64,
    pub(in crate::metrics) committed: Sums,
    pub(in crate::metrics) total: u32,
}

/// The figure of a site.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::metrics) struct SiteFigure {
    pub(in crate::metrics) instance: u64,
    pub(in crate::metrics) committed: Sums,
    /// Sums over all attempts of all instances.
    pub(in crate::metrics) attempted: Sums,
    pub(in crate::metrics) total: u32,
    /// Why it is not exact; empty if it is.
    pub(in crate::metrics) reason: String,
    /// The reason is that not every partition was read to its end.
    pub(in crate::metrics) is_part: bool,
    /// Additions to counters from outside the step's functions, over all attempts of the instance.
    pub(in crate::metrics) outside: i64,
    /// The stage attempts in which the instance ran.
    pub(in crate::metrics) here: Vec<(u32, u32)>,
    /// The stage attempts of each other live instance.
    pub(in crate::metrics) elsewhere: Vec<Vec<(u32, u32)>>,
    pub(in crate::metrics) others: Vec<Other>,
    /// The stage attempts of all instances, and the counters that changed there.
    pub(in crate::metrics) stages: Vec<((u32, u32), Mask)>,
}

impl SiteFigure {
    /// The number of counters that some attempt has reported; at least the first three.
    pub(in crate::metrics) fn counters(&self) -> usize {
        self.attempted.counters.len().max(super::counters::OWN.len())
    }
}

impl Site {
    pub(super) fn new(step: u64) -> Site {
        Site {
            step,
            name: "".into(),
            plain: String::new(),
            label: String::new(),
            dirty: true,
            shipped: Vec::new(),
            is_behind: false,
            refused: false,
            rolled_back: false,
            replaces: Vec::new(),
            replaced_by: None,
            is_one_of_several: false,
            unclear: false,
            instances: BTreeMap::new(),
            frozen: VecDeque::new(),
            gone: VecDeque::new(),
            merges: 0,
            attempted: Sums::default(),
        }
    }

    /// Kind and place in the program, as declared.
    pub(in crate::metrics) fn plain(&self) -> &str {
        &self.plain
    }

    /// The instance of this number, created if it is new; `None` if its cells were released.
    pub(super) fn instance(&mut self, id: u64) -> Option<&mut Instance> {
        if !self.instances.contains_key(&id) && self.gone.contains(&id) {
            return None;
        }
        Some(self.instances.entry(id).or_default()).filter(|instance| !instance.is_settled())
    }

    /// Releases the cells of all instances, or of those that are covered whole unless `unfinished`; gives the number
    /// of cells.
    pub(super) fn settle(&mut self, unfinished: bool) -> usize {
        let done = self.instances.values_mut().filter(|instance| unfinished || instance.is_whole());
        done.map(Instance::settle).sum()
    }

    /// Whether a partition of an instance has a cell.
    pub(super) fn has(&self, instance: u64, partition: u32) -> bool {
        self.instances.get(&instance).is_some_and(|instance| instance.has(partition))
    }

    pub(super) fn cells(&self) -> usize {
        self.instances.values().map(Instance::cells).sum()
    }

    pub(super) fn is_exact(&self) -> bool {
        let whole = self.newest_whole().and_then(|id| self.instances.get(&id));
        !self.refused
            && !self.rolled_back
            && !self.unclear
            && !self.is_one_of_several
            && whole.is_some_and(|instance| instance.attempted.outside == 0)
    }

    /// The sums of its figure.
    pub(super) fn committed(&self) -> Option<&Sums> {
        Some(&self.chosen()?.1.committed)
    }

    /// The sum of a counter over all attempts.
    pub(super) fn attempted(&self, counter: usize) -> i128 {
        let live = self.instances.values().map(|instance| instance.attempted.of(counter));
        self.attempted.of(counter) + live.sum::<i128>()
    }

    pub(super) fn merge(&mut self, instance: u64, partition: u32, attempt: CellAttempt) {
        self.merges += 1;
        if let Some(instance) = self.instances.get_mut(&instance) {
            instance.merge(partition, attempt, self.merges);
        }
    }

    /// Beyond the limit of live instances, releases the cells of the one with the oldest report; gives the number of
    /// cells.
    pub(super) fn freeze(&mut self) -> usize {
        if self.instances.len() <= LIVE {
            return 0;
        }
        let newest_whole = self.newest_whole();
        let others = self.instances.iter().filter(|(id, _)| Some(**id) != newest_whole);
        let Some(oldest) = others.min_by_key(|(id, instance)| (instance.touched, **id)).map(|(id, _)| *id)
        else {
            return 0;
        };
        let Some(instance) = self.instances.remove(&oldest) else { return 0 };
        self.gone.push_back(oldest);
        if self.gone.len() > REMEMBERED {
            self.gone.pop_front();
        }
        self.attempted.add(&instance.attempted);
        let cells = instance.cells();
        self.frozen.push_back((oldest, Frozen { committed: instance.committed, total: instance.total }));
        if self.frozen.len() > LISTED {
            self.frozen.pop_front();
        }
        cells
    }

    pub(super) fn kept(&self, instance: u64, partition: u32) -> Option<u64> {
        self.instances.get(&instance)?.kept(partition)
    }

    fn newest_whole(&self) -> Option<u64> {
        let whole = self.instances.iter().filter(|(_, instance)| instance.is_whole());
        whole.max_by_key(|(id, instance)| (instance.touched, **id)).map(|(id, _)| *id)
    }

    /// The instance that its figure shows, if there is one.
    pub(super) fn newest(&self) -> Vec<u64> {
        self.chosen().map(|(id, _)| *id).into_iter().collect()
    }

    /// The instances for which no early gate has failed.
    pub(super) fn not_warned(&self) -> Vec<u64> {
        self.instances.iter().filter(|(_, instance)| !instance.warned).map(|(id, _)| *id).collect()
    }

    /// Whether an instance's cells were released.
    pub(super) fn has_let_go(&self, instance: u64) -> bool {
        self.gone.contains(&instance)
    }

    /// Whether a task of one of these stages has filed a cell.
    pub(in crate::metrics) fn ran_in_any(&self, stages: &std::collections::HashSet<u32>) -> bool {
        self.instances
            .values()
            .flat_map(|instance| instance.stages.keys())
            .any(|(stage, _)| stages.contains(stage))
    }

    /// Whether a task of a stage has filed a cell.
    pub(super) fn ran_in(&self, stage: u32) -> bool {
        let ran =
            |instance: &Instance| instance.stages.range((stage, 0)..=(stage, u32::MAX)).next().is_some();
        self.instances.values().any(ran)
    }

    /// The counters that changed in a stage attempt, in any instance.
    pub(in crate::metrics) fn changed_in(&self, stage: (u32, u32)) -> Option<Mask> {
        let masks = self.instances.values().filter_map(|instance| instance.stages.get(&stage));
        masks.fold(None, |all: Option<Mask>, mask| {
            let mut all = all.unwrap_or_default();
            all.iter_mut().zip(mask).for_each(|(word, more)| *word |= more);
            Some(all)
        })
    }

    /// Its figure: of the instances that are covered whole the one whose evaluations ended last, or else of all
    /// instances. `None` if none has been executed.
    pub(in crate::metrics) fn figure(&self) -> Option<SiteFigure> {
        let (id, instance) = self.chosen()?;
        let mut attempted = self.attempted.clone();
        self.instances.values().for_each(|instance| attempted.add(&instance.attempted));
        let mut stages: BTreeMap<(u32, u32), Mask> = BTreeMap::new();
        for (stage, mask) in self.instances.values().flat_map(|instance| &instance.stages) {
            let all = stages.entry(*stage).or_default();
            all.iter_mut().zip(mask).for_each(|(word, more)| *word |= more);
        }
        let live = self.instances.iter().map(|(id, i)| (*id, &i.committed, i.total));
        let frozen = self.frozen.iter().map(|(id, f)| (*id, &f.committed, f.total));
        let mut others: Vec<Other> = live
            .chain(frozen)
            .filter(|(other, ..)| other != id)
            .map(|(instance, committed, total)| Other { instance, committed: committed.clone(), total })
            .collect();
        others.sort_by_key(|other| std::cmp::Reverse(other.instance));
        others.truncate(LISTED);
        Some(SiteFigure {
            instance: *id,
            committed: instance.committed.clone(),
            attempted,
            total: instance.total,
            reason: self.reason(instance),
            is_part: !self.refused && !self.rolled_back && !self.unclear && !instance.is_whole(),
            outside: instance.attempted.outside,
            here: instance.stages.keys().copied().collect(),
            elsewhere: self
                .instances
                .iter()
                .filter(|(other, _)| *other != id)
                .map(|(_, other)| other.stages.keys().copied().collect())
                .collect(),
            others,
            stages: stages.into_iter().collect(),
        })
    }

    fn chosen(&self) -> Option<(&u64, &Instance)> {
        let newest = |whole: bool| {
            let all = self.instances.iter().filter(|(_, instance)| !whole || instance.is_whole());
            all.max_by_key(|(id, instance)| (instance.touched, **id))
        };
        newest(true).or_else(|| newest(false))
    }

    fn reason(&self, instance: &Instance) -> String {
        if self.refused {
            return "more partitions than the driver keeps cells for; later ones are not counted".to_string();
        }
        if self.rolled_back {
            return "a stage whose rows come in another order each time was rolled back".to_string();
        }
        if self.unclear {
            return "it is unknown whether its micro-batch was executed before: its thread does not \
                    state for which run or batch it works"
                .to_string();
        }
        if instance.committed.disputed > 0 {
            return format!(
                "of {} several evaluations differ, and a persisted block may hold the rows of any of them",
                some(instance.committed.disputed, "partition", "partitions")
            );
        }
        if !instance.is_whole() {
            return format!(
                "{} of {} read to {} end",
                instance.committed.covered.max(0),
                some(instance.total, "partition was", "partitions were"),
                words::of(&instance.total, "its", "their")
            );
        }
        String::new()
    }
}
