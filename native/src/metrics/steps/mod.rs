//! The step book: the counts of steps, exact by construction.
//!
//! A *site* is one operator of a step, an *instance* one physical execution of it, a *cell* one partition of an
//! instance. Merging a cell is commutative, associative and idempotent: of the attempts that have filed a cell a
//! complete one precedes a partial one, and then the newest one holds. Instances are never merged. A site's figure is
//! that of its newest instance that is covered whole; without one it is that of the newest instance, and not exact.
//!
//! A driver may live for months. Therefore an instance that is covered whole releases its cells when its step is
//! closed or when room is needed, and beyond the limit of sites an operator whose figure is exact is folded into the
//! sums of its step. Figures do not change by this.

mod batch;
mod batches;
mod cell;
mod counters;
mod emptied;
mod failed;
mod instance;
mod part;
pub(super) mod reasons;
mod room;
mod select;
mod site;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{json, Map, Value};

use super::amount::long;
use super::decode::{StepCell, MOST_COUNTERS, OUTSIDE};
use super::gate::Limits;
use super::json::Reads;
use super::stages::Stages;
use crate::samples::{Origin, Samples};
use batch::{LastBatch, OfBatch, Placement};
use cell::CellAttempt;
pub(super) use counters::{LOST, OUT, OWN, ROWS};
pub(super) use emptied::{Emptied, Whose};
use instance::Sums;
pub(super) use part::Part;
pub(super) use select::{extreme, Evaluated, Picture, Tally};
pub use select::{Reached, Scope};
pub(super) use site::{Site, SiteFigure};

/// The limit of cells of all steps; about 150 bytes each.
pub(super) const MOST_CELLS: usize = 2 << 20;
/// The limit of sites of all steps.
pub(super) const MOST_SITES: usize = 20_000;

/// The figures of a step, summed over its sites.
#[derive(Debug, Clone, PartialEq)]
pub struct StepFigures {
    /// The step's name.
    pub step: String,
    /// `in`, `out`, `dropped`, then the user's counters in the order of their declaration.
    pub counters: Vec<(String, i128)>,
    /// Every row of the input is counted, and exactly once.
    pub exact: bool,
    /// Why the figures are not exact; empty if they are.
    pub reason: String,
    /// Whether any cell has been counted.
    pub known: bool,
    /// A stage that has reported cells of the step is running, as far as the listener knows.
    pub running: bool,
}

impl StepFigures {
    /// A counter's figure; 0 for an unknown counter.
    pub fn of(&self, counter: &str) -> i128 {
        self.counters.iter().find(|(name, _)| name == counter).map_or(0, |(_, n)| *n)
    }

    /// The JSON form that the JVM reads.
    pub fn json(&self) -> Value {
        let counters: Map<String, Value> =
            self.counters.iter().map(|(name, n)| (name.clone(), Value::from(long(*n)))).collect();
        json!({"step": self.step, "counters": counters, "exact": self.exact, "reason": self.reason, "known": self.known, "running": self.running})
    }
}

/// The counters that every step has, summed over a step's sites.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// `in`, `out` and `dropped`.
    pub(super) committed: [i128; OWN.len()],
    /// `in` over all attempts.
    pub(super) attempted: i128,
}

impl Totals {
    fn add(&mut self, committed: &Sums, attempted: i128) {
        for (at, sum) in self.committed.iter_mut().enumerate() {
            *sum += committed.of(at);
        }
        self.attempted += attempted;
    }
}

/// One `Step` object of the user's program. Steps with the same name are shown together.
#[derive(Debug)]
struct StepState {
    name: Arc<str>,
    counters: Vec<String>,
    /// The sums of its operators that were folded.
    folded: Option<Sums>,
    /// One of its operators had no room.
    refused: bool,
    /// No further job of it will run.
    closed: bool,
    /// Additions to its counters from outside its functions, beyond those in cells.
    outside: u64,
}

/// All steps of an application. Memory: [`MOST_CELLS`] cells, and the bound of [`Samples`].
#[derive(Debug)]
pub(super) struct StepBook {
    steps: HashMap<u64, StepState>,
    sites: BTreeMap<u64, Site>,
    samples: Samples,
    /// The number of operators that each step name has had at each place, and their labels.
    twins: HashMap<(Arc<str>, String), u32>,
    /// The last micro-batch of each query, by step name and query.
    batches: HashMap<(Arc<str>, String), LastBatch>,
    most_cells: usize,
    most_sites: usize,
    cells: usize,
    /// Cells that had no room or could not be decoded.
    refused: u64,
    /// Missing sites up to this number were folded into the sums of their steps.
    folded_to: u64,
}

impl StepBook {
    pub(super) fn new(samples: Samples, most_cells: usize, most_sites: usize) -> StepBook {
        let (steps, sites, twins, batches) =
            (HashMap::new(), BTreeMap::new(), HashMap::new(), HashMap::new());
        StepBook {
            steps,
            sites,
            samples,
            twins,
            batches,
            most_cells,
            most_sites,
            cells: 0,
            refused: 0,
            folded_to: 0,
        }
    }

    /// Registers a step, its counters, and one of its sites if the declaration has one; or closes a step.
    pub(super) fn declare(&mut self, declaration: &Map<String, Value>) {
        let Some(id) = declaration.get("id").and_then(Value::as_u64) else { return };
        if declaration.is("closed") {
            return self.close(id);
        }
        if let Some(more) = declaration.number("outside") {
            return self.added_outside(id, more);
        }
        let step = self.steps.entry(id).or_insert_with(|| unnamed(id));
        if let Some(name) = declaration.get("step").and_then(Value::as_str) {
            step.name = name.into();
        }
        if let Some(Value::Array(names)) = declaration.get("counters") {
            let names = names.iter().map(|name| name.as_str().unwrap_or_default().to_string());
            step.counters = names.take(OUTSIDE - OWN.len()).collect();
        }
        let name = Arc::clone(&step.name);
        let site = declaration.get("site_id").and_then(Value::as_u64);
        if let (Some(site), Some(label)) = (site, declaration.get("site").and_then(Value::as_str)) {
            self.declare_site(id, name, site, label, OfBatch::of(declaration));
        }
    }

    /// Notes additions to counters of a known step from outside its functions.
    fn added_outside(&mut self, id: u64, more: u64) {
        let Some(step) = self.steps.get_mut(&id) else { return };
        step.outside = step.outside.saturating_add(more);
        self.sites.values_mut().filter(|site| site.step == id).for_each(|site| site.dirty = true);
    }

    /// The number of additions from outside a step's functions that affect a figure of it.
    pub(super) fn outside(&self, step: u64, figure: &SiteFigure) -> u64 {
        let of_step = self.steps.get(&step).map_or(0, |step| step.outside);
        of_step.saturating_add(figure.outside.max(0) as u64)
    }

    /// The names of a figure's counters: those with counts, or all of them if there were additions from outside.
    pub(super) fn counters(&self, site: &Site, figure: &SiteFigure) -> Vec<String> {
        let step = site.step;
        let declared = self.steps.get(&step).map_or(0, |step| step.counters.len());
        let all = if self.outside(step, figure) > 0 { OWN.len() + declared } else { 0 };
        (0..figure.counters().max(all).max(site.shipped.len())).map(|at| self.counter(step, at)).collect()
    }

    /// Registers an operator. Operators of one step at one place of the program are numbered in the order of their
    /// declaration.
    fn declare_site(&mut self, step: u64, name: Arc<str>, id: u64, label: &str, batch: Option<OfBatch>) {
        if self.sites.get(&id).is_some_and(|site| site.plain == label && site.name == name) {
            return;
        }
        if self.sites.len() >= self.most_sites && !self.sites.contains_key(&id) && !self.fold() {
            if let Some(step) = self.steps.get_mut(&step) {
                step.refused = true;
            }
            return;
        }
        let place = match batch {
            Some(batch) => self.place(&name, id, label, batch),
            None => {
                Placement { label: self.unlike_others(&name, label), replaces: Vec::new(), unclear: false }
            }
        };
        let site = self.sites.entry(id).or_insert_with(|| Site::new(step));
        (site.step, site.name, site.plain, site.label, site.dirty) =
            (step, name, label.to_string(), place.label, true);
        (site.replaces, site.unclear) = (place.replaces, place.unclear);
    }

    /// The label, with a number appended if another operator of the step has it.
    fn unlike_others(&mut self, name: &Arc<str>, label: &str) -> String {
        loop {
            let twins = self.twins.entry((Arc::clone(name), label.to_string())).or_insert(0);
            *twins += 1;
            if *twins == 1 {
                return label.to_string();
            }
            let numbered = format!("{label} #{twins}");
            if self.twins.insert((Arc::clone(name), numbered.clone()), 1).is_none() {
                return numbered;
            }
        }
    }

    /// Merges a cell and its samples.
    pub(super) fn merge(&mut self, cell: &StepCell<'_>) {
        let step = self.steps.entry(cell.step).or_insert_with(|| unnamed(cell.step));
        let name = Arc::clone(&step.name);
        if !self.sites.contains_key(&cell.site) {
            if cell.site <= self.folded_to {
                return;
            }
            self.declare_site(
                cell.step,
                Arc::clone(&name),
                cell.site,
                &format!("operator {}", cell.site),
                None,
            );
        }
        if self.cells >= self.most_cells {
            self.want_room(cell);
        }
        if self.sites.get(&cell.site).is_some_and(|site| !site.replaces.is_empty()) {
            self.take_over(cell.site);
        }
        let Some(site) = self.sites.get_mut(&cell.site) else {
            self.refused += 1;
            return;
        };
        site.dirty = true;
        let Some(instance) = site.instance(cell.instance) else { return };
        instance.total = instance.total.max(cell.partitions);
        if cell.partitions == 0 {
            return;
        }
        if !instance.has(cell.partition) {
            if self.cells >= self.most_cells {
                self.refused += 1;
                site.refused = true;
                return;
            }
            self.cells += 1;
        }
        site.merge(cell.instance, cell.partition, CellAttempt::of(cell));
        self.cells -= site.freeze();
        let origin = Origin {
            step: cell.step,
            site: cell.site,
            instance: cell.instance,
            partition: cell.partition,
            task: cell.task_attempt,
            complete: cell.complete,
            failed: cell.failed,
        };
        for text in cell.samples() {
            self.samples.add(&name, origin, text);
        }
    }

    /// Counts a cell that could not be decoded.
    pub(super) fn refuse(&mut self) {
        self.refused += 1;
    }

    /// Cells that had no room or could not be decoded.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// The sites that no other site has replaced.
    fn standing(&self) -> impl Iterator<Item = (&u64, &Site)> {
        self.sites.iter().filter(|(_, site)| site.replaced_by.is_none())
    }

    /// The sites, in the order of their declaration.
    pub(super) fn sites(&mut self) -> impl Iterator<Item = (u64, &mut Site)> {
        self.sites.iter_mut().map(|(id, site)| (*id, site))
    }

    pub(super) fn site(&self, id: u64) -> Option<&Site> {
        self.sites.get(&id)
    }

    pub(super) fn site_mut(&mut self, id: u64) -> Option<&mut Site> {
        self.sites.get_mut(&id)
    }

    /// The site of this id.
    pub(super) fn site_of(&self, id: u64) -> Option<&Site> {
        self.sites.get(&id)
    }

    /// A counter's name at a site.
    pub(super) fn counter(&self, step: u64, index: usize) -> String {
        self.steps.get(&step).map_or_else(|| name_of(&unnamed(step), index), |step| name_of(step, index))
    }

    /// The steps and the counters that a stage attempt changed.
    pub(super) fn changed_in(&self, stage: (u32, u32)) -> (Vec<String>, Vec<String>) {
        let (mut steps, mut counters) = (Vec::new(), Vec::new());
        for site in self.sites.values() {
            let Some(mask) = site.changed_in(stage) else { continue };
            let changed = (0..MOST_COUNTERS).filter(|at| mask[at / 64] >> (at % 64) & 1 == 1);
            steps.push(site.name.to_string());
            counters.extend(changed.map(|at| format!("{}.{}", site.name, self.counter(site.step, at))));
        }
        counters.sort_unstable();
        counters.dedup();
        (steps, counters)
    }

    /// Names of steps that have a site, in the order of their first declaration.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for site in self.sites.values() {
            if !names.contains(&site.name) {
                names.push(Arc::clone(&site.name));
            }
        }
        names
    }

    pub(super) fn name(&self, step: u64) -> Option<Arc<str>> {
        self.steps.get(&step).map(|step| Arc::clone(&step.name))
    }

    /// The pictures of the instances that a gate is asked about.
    pub(super) fn pictures(&self, step: &str, limits: &Limits) -> Vec<Picture> {
        let asked = |id: u64, site: &Site| &*site.name == step && limits.part().has(id, site.step);
        if let Some(reached) = &limits.reached {
            let known = reached.iter().filter_map(|reached| {
                // All requested sites belong to the judged step: one that is missing was folded, or had no room.
                let Some(site) = self.sites.get(&reached.site) else { return Some(Picture::lost(*reached)) };
                let reached = Reached { partial: reached.partial || limits.partial, ..*reached };
                asked(reached.site, site)
                    .then(|| site.picture(reached, limits.scope, limits.kept_by.as_deref()))
                    .and_then(|picture| if reached.discarded { picture.removed() } else { Some(picture) })
            });
            return known.chain(self.not_reached(reached, limits, asked)).collect();
        }
        let sites = self.standing().filter(|(id, site)| asked(**id, site));
        let is_early = limits.gate == "early";
        let pictures = sites.flat_map(|(id, site)| {
            let instances = if is_early { site.not_warned() } else { site.newest() };
            instances.into_iter().map(|instance| {
                let partial = limits.partial || is_early;
                let reached = Reached {
                    site: *id,
                    instance,
                    behind: false,
                    partial,
                    discarded: false,
                    partitions: None,
                };
                site.picture(reached, limits.scope, None)
            })
        });
        pictures.collect()
    }

    /// The evaluations of a guard's tasks in instances that no job reported as reached. For a write its own plan is
    /// complete: rows that adaptive execution has discarded are not part of it.
    fn not_reached<'a>(
        &'a self,
        reached: &'a [Reached],
        limits: &'a Limits,
        asked: impl Fn(u64, &Site) -> bool + 'a,
    ) -> impl Iterator<Item = Picture> + 'a {
        let guard = limits.scope.filter(|scope| matches!(scope, Scope::Guard(_)));
        let sites = self.sites.iter().filter(move |(id, site)| asked(**id, site));
        sites.zip(std::iter::repeat(guard)).filter_map(|(site, guard)| Some((site, guard?))).flat_map(
            move |((id, site), guard)| {
                let missed =
                    move |instance: &u64| !reached.iter().any(|r| (r.site, r.instance) == (*id, *instance));
                site.owned(guard).filter(missed).map(move |instance| {
                    let reached = Reached {
                        site: *id,
                        instance,
                        behind: false,
                        partial: false,
                        discarded: false,
                        partitions: None,
                    };
                    site.picture(reached, Some(guard), limits.kept_by.as_deref())
                })
            },
        )
    }

    /// Notes that an early gate has failed for an instance, so that it does not fail again.
    pub(super) fn warn(&mut self, instance: u64) {
        let found = self.sites.values_mut().find_map(|site| site.instances.get_mut(&instance));
        if let Some(instance) = found {
            instance.warned = true;
        }
    }

    /// The index of a step's counter; `None` if the step has no counter of this name.
    pub(super) fn place_of(&self, step: &str, counter: &str) -> Option<usize> {
        if let Some(own) = OWN.iter().position(|name| *name == counter) {
            return Some(own);
        }
        let named = self.steps.values().filter(|other| &*other.name == step);
        let mut places = named.filter_map(|step| step.counters.iter().position(|name| name == counter));
        places.next().map(|at| at + OWN.len())
    }

    /// Whether any operator of this part of a step had no room.
    pub(super) fn is_refused(&self, step: &str, part: Part<'_>) -> bool {
        let asked = |id: u64| part.step.is_none_or(|step| step == id);
        self.steps.iter().any(|(id, other)| other.refused && &*other.name == step && asked(*id))
    }

    /// The totals of each step that has a site, in the order of their first declaration.
    pub(super) fn totals(&self) -> Vec<(Arc<str>, Totals)> {
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        let mut totals: Vec<(Arc<str>, Totals)> = Vec::new();
        for site in self.sites.values() {
            let at = *places.entry(Arc::clone(&site.name)).or_insert(totals.len());
            if at == totals.len() {
                totals.push((Arc::clone(&site.name), Totals::default()));
            }
            let counts = site.committed().filter(|_| site.replaced_by.is_none());
            if let Some((_, total)) = totals.get_mut(at) {
                total.add(counts.unwrap_or(&Sums::default()), site.attempted(0));
            }
        }
        for step in self.steps.values() {
            let total = places.get(&step.name).and_then(|at| totals.get_mut(*at));
            if let (Some((_, total)), Some(sums)) = (total, &step.folded) {
                total.add(sums, sums.of(0));
            }
        }
        totals
    }

    /// The figures of a step: the sums over its sites. With `object` only of the step of this number, else of all
    /// steps with the name.
    pub(super) fn figures(&self, step: &str, object: Option<u64>, stages: &Stages) -> StepFigures {
        let part = Part { step: object, ..Part::default() };
        let of_step = |(id, other): &(&u64, &StepState)| {
            &*other.name == step && object.is_none_or(|object| object == **id)
        };
        let steps = || self.steps.iter().filter(of_step).map(|(_, step)| step);
        let mut counters: Vec<(String, i128)> = OWN.iter().map(|name| (name.to_string(), 0)).collect();
        for declared in steps() {
            for name in &declared.counters {
                if !counters.iter().any(|(known, _)| known == name) {
                    counters.push((name.clone(), 0));
                }
            }
        }
        let (mut known, mut running, mut outside, mut reasons) = (false, false, 0_u64, Vec::new());
        // An operator of this object that another object's operator has replaced still belongs to this one.
        let counts = |site: &Site| match object {
            Some(_) => site.replaced_by != object,
            None => site.replaced_by.is_none(),
        };
        let sites = self.sites.iter().filter(|(id, site)| &*site.name == step && part.has(**id, site.step));
        for (_, site) in sites.filter(|(_, site)| counts(site)) {
            let Some(figure) = site.figure() else { continue };
            known = true;
            for index in 0..figure.committed.counters.len() {
                let name = self.counter(site.step, index);
                match counters.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += figure.committed.of(index),
                    None => counters.push((name, figure.committed.of(index))),
                }
            }
            running |= reasons::is_running(&figure, stages);
            outside += figure.outside.max(0) as u64;
            let reason = reasons::of(&figure, stages);
            if !reason.is_empty() {
                reasons.push(format!("{}: {reason}", site.label));
            }
        }
        for folded in steps() {
            known |= folded.folded.is_some();
            for (index, sum) in folded.folded.iter().flat_map(|sums| sums.counters.iter().enumerate()) {
                let name = name_of(folded, index);
                match counters.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, counted)) => *counted += sum,
                    None => counters.push((name, *sum)),
                }
            }
        }
        let not_counted = steps().map(|step| step.outside).sum::<u64>() + outside;
        if not_counted > 0 {
            reasons.push(reasons::of_outside(not_counted));
        }
        if self.is_refused(step, part) {
            reasons
                .push("it has more operators than the driver keeps; later ones are not counted".to_string());
        }
        if !known {
            reasons.push("no operator of this step has counted anything yet".to_string());
        }
        let (exact, reason) = (reasons.is_empty(), reasons.join("; "));
        StepFigures { step: step.to_string(), counters, exact, reason, known, running }
    }
}

fn unnamed(id: u64) -> StepState {
    StepState {
        name: format!("step {id}").into(),
        counters: Vec::new(),
        folded: None,
        refused: false,
        closed: false,
        outside: 0,
    }
}

fn name_of(step: &StepState, counter: usize) -> String {
    if let Some(own) = OWN.get(counter) {
        return (*own).to_string();
    }
    step.counters.get(counter - OWN.len()).cloned().unwrap_or_else(|| format!("counter {counter}"))
}
