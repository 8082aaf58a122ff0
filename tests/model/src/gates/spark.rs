//! RDDs and the storage of their rows; the reading of a partition by a task.
//!
//! [`Data`] records, beside its rows, every evaluation that was opened to make it, including one that dropped all its
//! rows.

use std::collections::{BTreeMap, BTreeSet};

use super::program::{Level, Node, Op};

pub type Row = u16;
pub type RddId = usize;
pub type EvalId = usize;
/// Executor 0 or 1. A lost executor is replaced at once by an empty one.
pub type Executor = usize;

/// Rows, and the evaluations that they passed through.
#[derive(Debug, Clone, Default)]
pub struct Data {
    pub rows: Vec<Row>,
    pub evals: BTreeSet<EvalId>,
}

/// One execution of a step's operator for one partition by one task attempt.
#[derive(Debug, Clone)]
pub struct Eval {
    pub site: u64,
    pub instance: u64,
    pub partition: usize,
    pub partitions: usize,
    pub task: u64,
    pub read: u64,
    pub dropped: u64,
    pub complete: bool,
    /// A persisted RDD or marked checkpoint downstream in the task keeps the rows.
    pub kept: bool,
    level: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    No,
    Marked,
    MarkedLocal,
    Done,
    DoneLocal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Source(u8),
    Step { site: u64, instance: u64 },
    Map,
    Union,
    Coalesce,
    Take(u8),
    Shuffle,
}

#[derive(Debug, Clone)]
pub struct Rdd {
    pub kind: Kind,
    pub parents: Vec<RddId>,
    pub partitions: usize,
    pub level: Option<Level>,
    pub checkpoint: Checkpoint,
}

impl Rdd {
    /// Whether reading it may give rows that an earlier job made.
    pub fn keeps(&self) -> bool {
        self.level.is_some() || self.checkpoint != Checkpoint::No || self.kind == Kind::Shuffle
    }
}

#[derive(Debug, Clone)]
pub struct Block {
    pub executor: Executor,
    pub since: u64,
    pub data: Data,
}

/// Why a task stops reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    Failure,
    /// An output of this shuffle is lost.
    Fetch(RddId),
    /// A block of a local checkpoint is lost.
    Gone,
}

/// A running task.
#[derive(Debug, Default)]
pub struct Task {
    pub id: u64,
    pub action: u8,
    /// The attempt within its partition's stage attempt.
    pub attempt: u32,
    pub executor: Executor,
    pub fail_reading: Option<u8>,
    pub refuse_blocks: bool,
    /// It sees no block of another executor that is newer than this.
    pub blind_since: Option<u64>,
    pub read: u8,
    pub sinks: Vec<BTreeSet<EvalId>>,
    pub evals: Vec<EvalId>,
    /// Evaluations whose input was exhausted below a cache, in that order.
    pub early: Vec<EvalId>,
}

enum Cursor {
    Rows(std::vec::IntoIter<Row>),
    Source(std::vec::IntoIter<Row>),
    Step(Box<Cursor>, EvalId),
    Chain { open: std::vec::IntoIter<(RddId, usize)>, current: Option<Box<Cursor>>, sink: usize, kept: bool },
    Take(Box<Cursor>, u8),
}

/// All storage of rows, and every evaluation of the run.
#[derive(Debug, Default)]
pub struct Spark {
    pub nodes: Vec<Node>,
    pub rdds: Vec<Rdd>,
    pub made: BTreeMap<usize, RddId>,
    pub blocks: BTreeMap<(RddId, usize), Vec<Block>>,
    pub outputs: BTreeMap<(RddId, usize), (Executor, Data)>,
    pub files: BTreeMap<(RddId, usize), Data>,
    pub evals: Vec<Eval>,
    pub service: Vec<u8>,
    pub clock: u64,
    pub instances: u64,
    pub ways: Ways,
}

/// Choices of the product that the model can change, to show their purpose.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ways {
    /// A cell below an RDD that is marked for a checkpoint is sent like one below a persisted RDD.
    pub checkpoints_keep: bool,
    /// Of several evaluations of a partition in one task the worst is filed, not the last.
    pub files_worst: bool,
    /// At its end a task also sends kept cells whose input was not read to the end.
    pub tells_partials: bool,
    /// The service depends on action, operator and attempt, as on a real Spark, where the order of evaluations is not
    /// known.
    pub by_place: bool,
}

impl Ways {
    /// The choices of the product.
    pub const PRODUCT: Ways =
        Ways { checkpoints_keep: true, files_worst: true, tells_partials: true, by_place: false };
}

/// Whether the service drops a row.
pub fn drops(level: u8, row: Row) -> bool {
    match level {
        0 => false,
        1 => row.is_multiple_of(5),
        2 => row.is_multiple_of(2),
        _ => true,
    }
}

impl Spark {
    /// The node of a number.
    pub fn node(&self, number: u8) -> usize {
        if number == u8::MAX {
            return self.nodes.len() - 1;
        }
        usize::from(number) % self.nodes.len()
    }

    pub fn parent(&self, node: usize, number: u8) -> usize {
        if number == u8::MAX {
            return node - 1;
        }
        usize::from(number) % node
    }

    pub fn is_source(&self, node: usize) -> bool {
        node == 0 || matches!(self.nodes[node].op, Op::Source { .. })
    }

    /// The nodes that a node is made of, including itself.
    pub fn tree(&self, node: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::from([node]);
        if !self.is_source(node) {
            found.extend(self.tree(self.parent(node, self.nodes[node].parent)));
            if let Op::Union(other) = self.nodes[node].op {
                found.extend(self.tree(self.parent(node, other)));
            }
        }
        found
    }

    pub fn add(&mut self, kind: Kind, parents: Vec<RddId>, partitions: usize) -> RddId {
        self.rdds.push(Rdd { kind, parents, partitions, level: None, checkpoint: Checkpoint::No });
        self.rdds.len() - 1
    }

    /// The RDD on which an action on the node runs.
    pub fn build(&mut self, node: usize) -> RddId {
        if let Some(made) = self.made.get(&node) {
            return *made;
        }
        let Node { op, parent, dataset, level } = self.nodes[node];
        let rdd = match op {
            Op::Source { partitions, rows } => self.add(Kind::Source(rows), Vec::new(), partitions.into()),
            _ => {
                let first = self.build(self.parent(node, parent));
                self.derive(node, op, first)
            }
        };
        self.rdds[rdd].level = level;
        if !dataset || level.is_some() {
            self.made.insert(node, rdd);
        }
        rdd
    }

    fn derive(&mut self, node: usize, op: Op, first: RddId) -> RddId {
        let partitions = self.rdds[first].partitions;
        match op {
            Op::Step => {
                self.instances += 1;
                let kind = Kind::Step { site: node as u64 + 1, instance: self.instances };
                self.add(kind, vec![first], partitions)
            }
            Op::Source { .. } | Op::Map => self.add(Kind::Map, vec![first], partitions),
            Op::Union(other) => {
                let second = self.build(self.parent(node, other));
                let both = partitions + self.rdds[second].partitions;
                self.add(Kind::Union, vec![first, second], both)
            }
            Op::Coalesce => self.add(Kind::Coalesce, vec![first], partitions.div_ceil(2)),
            Op::Take(rows) => self.add(Kind::Take(rows), vec![first], partitions),
            Op::Shuffle(wanted) => self.add(Kind::Shuffle, vec![first], wanted.into()),
            Op::Limit(rows) => {
                let local = self.add(Kind::Take(rows), vec![first], partitions);
                let all = self.add(Kind::Shuffle, vec![local], 1);
                self.add(Kind::Take(rows), vec![all], 1)
            }
        }
    }

    /// Fixes a Dataset's node to its current RDD, as a checkpoint does.
    pub fn fix(&mut self, node: usize) -> RddId {
        let rdd = self.build(node);
        self.made.insert(node, rdd);
        rdd
    }

    pub fn persist(&mut self, node: usize, level: Level) {
        self.nodes[node].level.get_or_insert(level);
        if let Some(made) = self.made.get(&node) {
            self.rdds[*made].level.get_or_insert(level);
        }
    }

    pub fn unpersist(&mut self, node: usize) {
        self.nodes[node].level = None;
        let Some(made) = self.made.get(&node).copied() else { return };
        if self.rdds[made].checkpoint == Checkpoint::DoneLocal {
            return;
        }
        self.rdds[made].level = None;
        self.blocks.retain(|(rdd, _), _| *rdd != made);
        if self.nodes[node].dataset && self.rdds[made].checkpoint == Checkpoint::No {
            self.made.remove(&node);
        }
    }

    /// Removes an executor's blocks and shuffle outputs.
    pub fn lose(&mut self, executor: Executor) {
        self.blocks.values_mut().for_each(|copies| copies.retain(|copy| copy.executor != executor));
        self.blocks.retain(|_, copies| !copies.is_empty());
        self.outputs.retain(|_, (at, _)| *at != executor);
    }

    /// Removes a block from all executors, or from one. Gives its node and partition.
    pub fn lose_block(&mut self, number: u8, all: bool) -> Option<(usize, usize)> {
        let keys: Vec<_> = self.blocks.keys().copied().collect();
        let key = keys.get(usize::from(number) % keys.len().max(1))?;
        let copies = self.blocks.entry(*key).or_default();
        if all || copies.len() == 1 {
            self.blocks.remove(key);
        } else {
            copies.remove(usize::from(number) % 2);
        }
        let node = self.made.iter().find(|(_, rdd)| **rdd == key.0)?.0;
        Some((*node, key.1))
    }

    /// A task's output: all rows, or the first `most`.
    pub fn read(
        &mut self,
        task: &mut Task,
        rdd: RddId,
        partition: usize,
        most: Option<u8>,
    ) -> (Data, Option<Break>) {
        task.sinks.push(BTreeSet::new());
        let mut rows = Vec::new();
        let broken = self.drain(task, rdd, partition, most, &mut rows).err();
        (Data { rows, evals: std::mem::take(&mut task.sinks[0]) }, broken)
    }

    fn drain(
        &mut self,
        task: &mut Task,
        rdd: RddId,
        partition: usize,
        most: Option<u8>,
        rows: &mut Vec<Row>,
    ) -> Result<(), Break> {
        let mut cursor = self.open(task, rdd, partition, 0, false)?;
        while most.is_none_or(|most| rows.len() < usize::from(most)) {
            let Some(row) = self.next(task, &mut cursor)? else { break };
            rows.push(row);
        }
        Ok(())
    }

    fn block(&self, task: &Task, rdd: RddId, partition: usize) -> Option<&Data> {
        let copies = self.blocks.get(&(rdd, partition))?;
        let here = copies.iter().find(|copy| copy.executor == task.executor);
        let there = || copies.iter().find(|copy| task.blind_since.is_none_or(|since| copy.since < since));
        Some(&here.or_else(there)?.data)
    }

    fn open(
        &mut self,
        task: &mut Task,
        rdd: RddId,
        at: usize,
        sink: usize,
        kept: bool,
    ) -> Result<Cursor, Break> {
        let Some(level) = self.rdds[rdd].level else { return self.compute(task, rdd, at, sink, kept) };
        if let Some(data) = self.block(task, rdd, at) {
            task.sinks[sink].extend(&data.evals);
            return Ok(Cursor::Rows(data.rows.clone().into_iter()));
        }
        if self.rdds[rdd].checkpoint == Checkpoint::DoneLocal {
            return Err(Break::Gone);
        }
        if task.refuse_blocks {
            return self.compute(task, rdd, at, sink, true);
        }
        let own = task.sinks.len();
        task.sinks.push(BTreeSet::new());
        let mut cursor = self.compute(task, rdd, at, own, true)?;
        let mut rows = Vec::new();
        while let Some(row) = self.next(task, &mut cursor)? {
            rows.push(row);
        }
        let data = Data { rows: rows.clone(), evals: task.sinks[own].clone() };
        task.sinks[sink].extend(&data.evals);
        let copies = self.blocks.entry((rdd, at)).or_default();
        let executors = if level == Level::Replicated { vec![0, 1] } else { vec![task.executor] };
        for executor in executors {
            if !copies.iter().any(|copy| copy.executor == executor) {
                copies.push(Block { executor, since: self.clock, data: data.clone() });
            }
        }
        Ok(Cursor::Rows(rows.into_iter()))
    }

    fn compute(
        &mut self,
        task: &mut Task,
        rdd: RddId,
        at: usize,
        sink: usize,
        kept: bool,
    ) -> Result<Cursor, Break> {
        let Rdd { kind, parents, partitions, checkpoint, .. } = self.rdds[rdd].clone();
        let kept = kept || (self.ways.checkpoints_keep && checkpoint == Checkpoint::Marked);
        if checkpoint == Checkpoint::Done {
            let file = &self.files[&(rdd, at)];
            task.sinks[sink].extend(&file.evals);
            return Ok(Cursor::Rows(file.rows.clone().into_iter()));
        }
        match kind {
            Kind::Source(rows) => {
                let first = at as Row * Row::from(rows);
                let rows: Vec<Row> = (first..first + Row::from(rows)).collect();
                Ok(Cursor::Source(rows.into_iter()))
            }
            Kind::Map => self.open(task, parents[0], at, sink, kept),
            Kind::Union => {
                let first = self.rdds[parents[0]].partitions;
                let (parent, at) = if at < first { (parents[0], at) } else { (parents[1], at - first) };
                self.open(task, parent, at, sink, kept)
            }
            Kind::Coalesce => {
                let of = self.rdds[parents[0]].partitions;
                let open: Vec<_> =
                    (at * of / partitions..(at + 1) * of / partitions).map(|at| (parents[0], at)).collect();
                Ok(Cursor::Chain { open: open.into_iter(), current: None, sink, kept })
            }
            Kind::Take(rows) => {
                Ok(Cursor::Take(Box::new(self.open(task, parents[0], at, sink, kept)?), rows))
            }
            Kind::Shuffle => self.fetch(task, rdd, at, sink),
            Kind::Step { site, instance } => {
                let input = self.open(task, parents[0], at, sink, kept)?;
                let asked = if self.ways.by_place {
                    usize::from(task.action) * 3 + site as usize * 5 + task.attempt as usize * 7
                } else {
                    self.evals.len()
                };
                let level = self.service[asked % self.service.len()];
                let (read, dropped, complete) = (0, 0, false);
                let eval = Eval {
                    site,
                    instance,
                    partition: at,
                    partitions,
                    task: task.id,
                    read,
                    dropped,
                    complete,
                    kept,
                    level,
                };
                self.evals.push(eval);
                let id = self.evals.len() - 1;
                task.sinks[sink].insert(id);
                task.evals.push(id);
                Ok(Cursor::Step(Box::new(input), id))
            }
        }
    }

    fn fetch(&mut self, task: &mut Task, rdd: RddId, at: usize, sink: usize) -> Result<Cursor, Break> {
        let maps = self.rdds[self.rdds[rdd].parents[0]].partitions;
        let mut rows = Vec::new();
        for map in 0..maps {
            let (_, data) = self.outputs.get(&(rdd, map)).ok_or(Break::Fetch(rdd))?;
            rows.extend(data.rows.iter().filter(|row| usize::from(**row) % self.rdds[rdd].partitions == at));
            task.sinks[sink].extend(&data.evals);
        }
        Ok(Cursor::Rows(rows.into_iter()))
    }

    fn next(&mut self, task: &mut Task, cursor: &mut Cursor) -> Result<Option<Row>, Break> {
        match cursor {
            Cursor::Rows(rows) => Ok(rows.next()),
            Cursor::Source(rows) => {
                let row = rows.next();
                if task.fail_reading.is_some_and(|most| task.read >= most) {
                    return Err(Break::Failure);
                }
                task.read = task.read.saturating_add(u8::from(row.is_some()));
                Ok(row)
            }
            Cursor::Take(input, left) => {
                if *left == 0 {
                    return Ok(None);
                }
                *left -= 1;
                self.next(task, input)
            }
            Cursor::Chain { open, current, sink, kept } => loop {
                if let Some(input) = current {
                    if let Some(row) = self.next(task, input)? {
                        return Ok(Some(row));
                    }
                }
                let Some((rdd, at)) = open.next() else { return Ok(None) };
                *current = Some(Box::new(self.open(task, rdd, at, *sink, *kept)?));
            },
            Cursor::Step(input, id) => loop {
                let Some(row) = self.next(task, input)? else {
                    let eval = &mut self.evals[*id];
                    if !eval.complete && eval.kept {
                        task.early.push(*id);
                    }
                    eval.complete = true;
                    return Ok(None);
                };
                let eval = &mut self.evals[*id];
                eval.read += 1;
                if drops(eval.level, row) {
                    eval.dropped += 1;
                } else {
                    return Ok(Some(row));
                }
            },
        }
    }
}
