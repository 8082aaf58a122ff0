//! The cells that the product sends to the driver: by RPC when the input of an operator below a cache is exhausted,
//! and by the accumulator when the scheduler takes a task's updates.

use std::collections::BTreeMap;
use std::sync::Arc;

use andiron::metrics::{Application, Limits, MetricsSettings, Verdict};
use serde_json::{json, Value};

use super::program::Bounds;
use super::spark::{Eval, EvalId, RddId, Spark, Task};

/// The step that all sites belong to.
pub const STEP: u64 = 1;

/// The properties under which a task ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// The index of the program's action.
    pub action: u8,
    pub execution: Option<u64>,
    pub guards: Vec<u64>,
}

/// A cell as it is sent.
#[derive(Debug, Clone)]
pub struct Cell {
    pub site: u64,
    pub instance: u64,
    pub partition: usize,
    pub partitions: usize,
    pub stage: u32,
    pub stage_attempt: u32,
    pub task: u64,
    pub complete: bool,
    pub failed: bool,
    pub kept: bool,
    pub early: bool,
    /// The task has evaluated the partition several times with different results.
    pub differs: bool,
    pub properties: Properties,
    pub read: u64,
    pub dropped: u64,
}

impl Cell {
    pub fn of(spark: &Spark, id: EvalId, stage: (u32, u32), properties: &Properties) -> Cell {
        let eval = &spark.evals[id];
        Cell {
            site: eval.site,
            instance: eval.instance,
            partition: eval.partition,
            partitions: eval.partitions,
            stage: stage.0,
            stage_attempt: stage.1,
            task: eval.task,
            complete: eval.complete,
            failed: false,
            kept: eval.kept,
            early: false,
            differs: false,
            properties: properties.clone(),
            read: eval.read,
            dropped: eval.dropped,
        }
    }

    /// The packed cell, version 2 of docs/internals/wire-format.md.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = 2_u32.to_le_bytes().to_vec();
        [STEP, self.site, self.instance].iter().for_each(|word| out.extend(word.to_le_bytes()));
        [self.partition as u32, self.partitions as u32, self.stage, self.stage_attempt]
            .iter()
            .for_each(|word| out.extend(word.to_le_bytes()));
        out.extend(self.task.to_le_bytes());
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        out.push(
            flag(self.complete, 1)
                | flag(self.failed, 2)
                | 4
                | flag(self.kept, 8)
                | flag(self.early, 16)
                | flag(self.differs, 32),
        );
        out.extend(self.properties.execution.unwrap_or(u64::MAX).to_le_bytes());
        out.extend((self.properties.guards.len() as u16).to_le_bytes());
        self.properties.guards.iter().for_each(|guard| out.extend(guard.to_le_bytes()));
        out.extend(3_u16.to_le_bytes());
        for (counter, value) in [self.read, self.read - self.dropped, self.dropped].into_iter().enumerate() {
            out.extend((counter as u16).to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        out.extend(self.dropped.to_le_bytes());
        out.extend(0_u32.to_le_bytes());
        out
    }
}

/// The evaluations whose cells a task files, and whether others of the same partition differ: of several evaluations
/// of one partition the worst complete one, or else the last.
pub fn filed(spark: &Spark, task: &Task) -> Vec<(EvalId, bool)> {
    let mut slots: BTreeMap<(u64, usize), (EvalId, bool)> = BTreeMap::new();
    let rank = |id: EvalId| {
        let Eval { complete, dropped, read, .. } = spark.evals[id];
        let harm = if spark.ways.files_worst && complete { (dropped, u64::MAX - read) } else { (0, 0) };
        (complete, harm, id)
    };
    for id in &task.evals {
        let eval = &spark.evals[*id];
        let slot = slots.entry((eval.instance, eval.partition)).or_insert((*id, false));
        let known = &spark.evals[slot.0];
        let alike = (known.read, known.dropped) == (eval.read, eval.dropped);
        let differs = slot.1 || (known.complete && eval.complete && !alike);
        *slot = (std::cmp::max_by_key(slot.0, *id, |id| rank(*id)), differs && spark.ways.files_worst);
    }
    slots.into_values().collect()
}

/// The judged unit.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub execution: Option<u64>,
    pub guard: Option<u64>,
    /// By instance: its site, whether it is behind a cache or shuffle, and whether it is reached in more than one
    /// way.
    pub reached: BTreeMap<u64, Reached>,
    pub partial: bool,
    /// The stages that wrote the shuffles that are read.
    pub shuffle_stages: std::collections::BTreeSet<u32>,
    /// The shuffles that are read.
    pub shuffles: std::collections::BTreeSet<RddId>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Reached {
    pub site: u64,
    pub partitions: usize,
    pub behind: bool,
    pub shuffled: bool,
    pub partial: bool,
    pub ways: u32,
}

impl Scope {
    pub fn json(&self, bounds: &Bounds) -> Value {
        let reached: Vec<Value> = self
            .reached
            .iter()
            .map(|(instance, at)| json!({"site": at.site, "instance": instance, "behind": at.behind, "partial": at.partial, "partitions": at.partitions}))
            .collect();
        let mut limits = json!({
            "gate": if self.guard.is_some() { "guard" } else { "commit" },
            "step_id": STEP,
            "max_drop_ratio": bounds.ratio,
            "min_rows": bounds.min_rows,
            "zero_rows": if bounds.zero_rows_pass { "pass" } else { "fail" },
            "unknown": "fail",
            "scope": self.execution.map_or_else(|| json!({"guard": self.guard}), |id| json!({"execution": id})),
            "reached": reached,
            "partial": self.partial,
            "shuffle_stages": self.shuffle_stages,
        });
        if let Some(most) = bounds.dropped {
            limits["max_dropped"] = json!(most);
        }
        limits
    }

    pub fn owns(&self, properties: &Properties) -> bool {
        match self.guard {
            Some(guard) => properties.guards.contains(&guard),
            None => self.execution.is_some() && properties.execution == self.execution,
        }
    }
}

/// Andiron on the driver, and the cells in the order of their arrival.
pub struct Driver {
    application: Option<Arc<Application>>,
    /// By instance, partition and task.
    pub cells: BTreeMap<(u64, usize, u64), Cell>,
}

impl Driver {
    /// `asked`: whether the product judges, or only other judges do.
    pub fn new(sites: impl Iterator<Item = u64>, asked: bool) -> Driver {
        if !asked {
            return Driver { application: None, cells: BTreeMap::new() };
        }
        let settings =
            MetricsSettings { application: "model".into(), ship_every: None, ..MetricsSettings::for_tests() };
        let application = Application::start(&settings, "{}").unwrap();
        for site in sites {
            let declared =
                json!({"id": STEP, "step": "step", "site": format!("operator {site}"), "site_id": site});
            application.step_declared(&declared.to_string());
        }
        Driver { application: Some(application), cells: BTreeMap::new() }
    }

    /// Merges a cell by the rules of docs/internals/gates.md: a later report of a cell has the attempt's outcome.
    pub fn take(&mut self, cell: Cell) {
        if let Some(application) = &self.application {
            application.step_cell(&cell.encode());
        }
        let key = (cell.instance, cell.partition, cell.task);
        match self.cells.get_mut(&key) {
            Some(known) if cell.early && !known.early => {}
            Some(known) => {
                let kept = known.kept || cell.kept;
                *known = cell;
                known.kept = kept;
            }
            None => {
                self.cells.insert(key, cell);
            }
        }
    }

    pub fn judge(&self, scope: &Scope, bounds: &Bounds) -> Verdict {
        let application = self.application.as_ref().unwrap();
        application.judge("step", &Limits::parse(&scope.json(bounds).to_string()).unwrap())
    }
}
