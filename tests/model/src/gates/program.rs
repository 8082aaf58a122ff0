//! Programs: a graph of rows, actions on it, and faults during them.

use proptest::prelude::*;

/// The operation that makes a node's rows. A parent is an earlier node, by its number modulo the count of earlier
/// nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Source {
        partitions: u8,
        rows: u8,
    },
    Step,
    Map,
    Union(u8),
    Coalesce,
    /// Reads this number of rows of each partition and then of all, like a plan's limit: a part is read, and the plan
    /// shows it.
    Limit(u8),
    /// Reads this number of rows of each partition, and nothing shows it.
    Take(u8),
    Shuffle(u8),
}

/// The storage of a node's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Memory,
    Replicated,
}

/// A Dataset's node is planned anew by each action; an RDD is created once.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    pub op: Op,
    pub parent: u8,
    pub dataset: bool,
    pub level: Option<Level>,
}

/// An action of a program. Nodes by number, modulo their count.
#[derive(Debug, Clone)]
pub enum Action {
    Count(u8),
    /// Reads this number of rows of the first partition.
    TakeFirst(u8, u8),
    Write(u8),
    /// A write that reads its rows twice: to sample them, and to write them.
    WriteSorted(u8),
    /// Two writes by two threads.
    WriteBoth(u8, u8),
    Guard(Vec<(u8, bool)>),
    Persist(u8, Level),
    Unpersist(u8),
    Checkpoint(u8),
    LocalCheckpoint(u8),
    LoseBlock(u8),
    LoseExecutor(u8),
}

/// A fault of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails after it has read this number of rows of its source.
    FailReading(u8),
    /// It fails after it has made this number of rows.
    FailWriting(u8),
    /// It fails at its end.
    FailAtEnd,
    /// Its executor is lost before the scheduler receives its end.
    LoseExecutor,
    /// Its executor is lost after that.
    LoseExecutorAfter,
    /// A speculative copy runs on another executor at the same time.
    Twin { second_wins: bool, loser: Loser, late: u8 },
    /// The scheduler receives its end this number of tasks later.
    Late(u8),
    /// The job is cancelled while the task runs; its updates arrive if `told`.
    Cancel { told: bool },
    /// Its blocks are not stored.
    RefuseBlocks,
    /// A block is evicted after it.
    Evict(u8),
    /// It sees no block of another executor.
    Blind,
    /// The driver does not answer it.
    Unreachable,
}

/// The progress of the losing copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loser {
    /// It was killed after this number of rows.
    Killed(u8),
    /// It was killed at its end.
    KilledAtEnd,
    /// It ended, and the scheduler drops its updates.
    Ended,
}

/// A task's attempt in one of a program's actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub action: u8,
    pub partition: u8,
    pub attempt: u8,
}

impl Place {
    /// The last partition of a job.
    pub const LAST: u8 = u8::MAX;
}

#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub ratio: f64,
    pub dropped: Option<u64>,
    pub min_rows: u64,
    pub zero_rows_pass: bool,
}

#[derive(Debug, Clone)]
pub struct Program {
    pub nodes: Vec<Node>,
    pub actions: Vec<Action>,
    /// Each fault after this number of tasks.
    pub faults: Vec<(u8, Fault)>,
    /// Replaces `faults`: the fault of an attempt of a partition's task in an action.
    pub places: Option<Vec<(Place, Fault)>>,
    /// The service's level at each evaluation, repeated from the start: 0 drops nothing, 3 drops everything. With
    /// `places` the level depends on action, operator and attempt.
    pub service: Vec<u8>,
    pub bounds: Bounds,
    /// Determines the executors of tasks and their order.
    pub seed: u64,
}

impl Program {
    /// Whether nothing fails and the service is constant.
    pub fn is_clean(&self) -> bool {
        let lost = |action: &Action| matches!(action, Action::LoseBlock(_) | Action::LoseExecutor(_));
        self.faults.is_empty()
            && !self.actions.iter().any(lost)
            && self.service.windows(2).all(|pair| pair[0] == pair[1])
    }
}

fn level() -> impl Strategy<Value = Option<Level>> {
    prop_oneof![6 => Just(None), 3 => Just(Some(Level::Memory)), 2 => Just(Some(Level::Replicated))]
}

fn node() -> impl Strategy<Value = Node> {
    let source = (1u8..3, 0u8..6).prop_map(|(partitions, rows)| Op::Source { partitions, rows });
    let op = prop_oneof![
        1 => source,
        4 => Just(Op::Step),
        2 => Just(Op::Map),
        3 => any::<u8>().prop_map(Op::Union),
        1 => Just(Op::Coalesce),
        1 => (1u8..6).prop_map(Op::Limit),
        1 => (1u8..5).prop_map(Op::Take),
        3 => (1u8..4).prop_map(Op::Shuffle),
    ];
    // The parent is mostly the newest node, so that most of a program is part of its writes.
    let parent = prop_oneof![2 => Just(u8::MAX), 1 => any::<u8>()];
    (op, parent, prop::bool::weighted(0.35), level()).prop_map(|(op, parent, dataset, level)| Node {
        op,
        parent,
        dataset,
        level,
    })
}

fn action() -> impl Strategy<Value = Action> {
    let n = || prop_oneof![2 => Just(u8::MAX), 1 => any::<u8>()];
    prop_oneof![
        3 => n().prop_map(Action::Count),
        1 => (n(), 1u8..4).prop_map(|(node, rows)| Action::TakeFirst(node, rows)),
        6 => n().prop_map(Action::Write),
        1 => n().prop_map(Action::WriteSorted),
        2 => (n(), n()).prop_map(|(a, b)| Action::WriteBoth(a, b)),
        2 => prop::collection::vec((n(), any::<bool>()), 1..3).prop_map(Action::Guard),
        1 => n().prop_map(|node| Action::Persist(node, Level::Memory)),
        1 => n().prop_map(Action::Unpersist),
        1 => n().prop_map(Action::Checkpoint),
        1 => n().prop_map(Action::LocalCheckpoint),
        2 => n().prop_map(Action::LoseBlock),
        1 => n().prop_map(Action::LoseExecutor),
    ]
}

fn fault(unreachable: bool) -> impl Strategy<Value = Fault> {
    let loser = prop_oneof![(0u8..6).prop_map(Loser::Killed), Just(Loser::KilledAtEnd), Just(Loser::Ended)];
    prop_oneof![
        4 => (0u8..8).prop_map(Fault::FailReading),
        4 => (0u8..8).prop_map(Fault::FailWriting),
        4 => Just(Fault::FailAtEnd),
        4 => Just(Fault::LoseExecutor),
        4 => Just(Fault::LoseExecutorAfter),
        4 => (any::<bool>(), loser, 0u8..5).prop_map(|(second_wins, loser, late)| Fault::Twin { second_wins, loser, late }),
        4 => (1u8..6).prop_map(Fault::Late),
        4 => any::<bool>().prop_map(|told| Fault::Cancel { told }),
        4 => Just(Fault::RefuseBlocks),
        4 => any::<u8>().prop_map(Fault::Evict),
        4 => Just(Fault::Blind),
        2 => Just(if unreachable { Fault::Unreachable } else { Fault::Blind }),
    ]
}

fn level_of_service() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0u8), 1 => Just(1u8), 2 => Just(2u8), 2 => Just(3u8)]
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let ratio = prop::sample::select(vec![0.0, 0.0, 0.1, 0.2, 0.3, 0.5]);
    let dropped = prop_oneof![3 => Just(None), 1 => (0u64..8).prop_map(Some)];
    (ratio, dropped, prop::sample::select(vec![0u64, 0, 0, 0, 3]), any::<bool>()).prop_map(
        |(ratio, dropped, min_rows, zero_rows_pass)| Bounds { ratio, dropped, min_rows, zero_rows_pass },
    )
}

/// A program with at least a source and a step. `unreachable`: the driver may fail to answer a task.
pub fn program(unreachable: bool) -> impl Strategy<Value = Program> {
    let faults = prop_oneof![
        1 => Just(Vec::new()),
        3 => prop::collection::vec((0u8..4, fault(unreachable)), 1..8),
    ];
    (
        (1u8..4, 1u8..6, prop::bool::weighted(0.35), level()),
        prop::collection::vec(node(), 0..5),
        prop::collection::vec(action(), 1..7),
        faults,
        prop_oneof![1 => level_of_service().prop_map(|one| vec![one]), 4 => prop::collection::vec(level_of_service(), 1..9)],
        bounds(),
        any::<u64>(),
    )
        .prop_map(|((partitions, rows, dataset, level), more, mut actions, faults, service, bounds, seed)| {
            let source = Node { op: Op::Source { partitions, rows }, parent: 0, dataset, level: None };
            let mut nodes = vec![source, Node { op: Op::Step, parent: 0, dataset, level }];
            nodes.extend(more);
            actions.push(Action::Write(nodes.len() as u8 - 1));
            Program { nodes, actions, faults, places: None, service, bounds, seed }
        })
}
