//! A program's run: the verdict on each write and guard, and the check of that verdict.

use std::collections::{BTreeMap, BTreeSet};

use andiron::metrics::Decision;

use super::driver::{Cell, Driver, Properties, Scope};
use super::program::{Action, Bounds, Op, Program};
use super::rules::{decide, judge, Answer, Choices, Rules};
use super::scheduler::{JobId, Scheduler, State};
use super::spark::{Checkpoint, EvalId, Kind, RddId, Spark, Ways};

/// The judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    Product,
    Naive(Rules),
}

/// A block that an action has removed, by node and partition.
#[derive(Debug, Clone, Copy)]
pub struct Lost {
    pub action: usize,
    pub node: usize,
    pub partition: usize,
}

/// One judged write or guard.
#[derive(Debug)]
pub struct Judged {
    /// The index of the program's action.
    pub action: usize,
    /// The index of the action's write.
    pub part: usize,
    pub what: String,
    /// The answers, in the order of the judges.
    pub answers: Vec<Answer>,
    /// The answer by the evaluations that its rows came from.
    pub truth: Answer,
    /// The same, if a part of cached rows is read: reading none of them is no fault.
    lenient: Answer,
    /// Unknown is a right answer: evaluations of one partition differ, the driver was not reached, or nothing
    /// explains a partition that was not read.
    pub may_be_unknown: bool,
    /// A part of cached rows is read, and nothing shows it: all cached rows are judged.
    unexplained: bool,
    /// The same, and whole partitions were skipped.
    leaves_out: bool,
    pub scope: Scope,
    pub contained: Vec<String>,
}

impl Judged {
    /// Whether unknown is right because of the program itself, and not because of a fault.
    pub fn is_excused(&self) -> bool {
        self.may_be_unknown
    }

    /// The error in an answer, if there is one.
    pub fn fault(&self, answer: Answer) -> Option<&'static str> {
        match (answer, self.truth) {
            (Answer::Passed, _) if self.lenient == Answer::Passed || self.leaves_out => None,
            (Answer::Passed, Answer::Failed | Answer::Unknown) => Some("published, and should not be"),
            (Answer::Failed, Answer::Passed) if !self.unexplained => Some("failed, and should pass"),
            (Answer::Unknown, _) if !self.may_be_unknown => Some("unknown, though all is known"),
            _ => None,
        }
    }
}

/// Partial reading that no plan explains.
#[derive(Debug, Clone, Copy, Default)]
struct Hidden {
    /// A part of a partition is read.
    part: bool,
    /// Whole partitions may not be read.
    partitions: bool,
}

struct Run<'a> {
    program: &'a Program,
    judges: &'a [Judge],
    /// The current action.
    at: usize,
    /// The index of the write that was judged last.
    part: usize,
    lost: Vec<Lost>,
    scheduler: Scheduler,
    executions: u64,
    judged: Vec<Judged>,
}

/// Runs a program. Gives the judged writes and guards.
pub fn run(program: &Program, judges: &[Judge], ways: Ways) -> Vec<Judged> {
    run_whole(program, judges, ways).judged
}

/// The result of a program's run.
pub struct Ran {
    pub judged: Vec<Judged>,
    pub lost: Vec<Lost>,
    /// The number of partitions of each node.
    pub partitions: Vec<usize>,
}

/// Runs a program. Gives the whole result.
pub fn run_whole(program: &Program, judges: &[Judge], ways: Ways) -> Ran {
    let steps = program.nodes.iter().enumerate().filter(|(_, node)| node.op == Op::Step);
    let driver = Driver::new(steps.map(|(at, _)| at as u64 + 1), judges.contains(&Judge::Product));
    let ways = Ways { by_place: program.places.is_some(), ..ways };
    let spark =
        Spark { nodes: program.nodes.clone(), service: program.service.clone(), ways, ..Spark::default() };
    let scheduler = Scheduler::new(spark, driver, program);
    let mut run = Run {
        program,
        judges,
        at: 0,
        part: 0,
        lost: Vec::new(),
        scheduler,
        executions: 0,
        judged: Vec::new(),
    };
    for (at, action) in program.actions.iter().enumerate() {
        run.at = at;
        run.act(action);
    }
    let nodes = 0..program.nodes.len();
    let partitions = nodes.map(|node| {
        let rdd = run.spark().build(node);
        run.spark().rdds[rdd].partitions
    });
    let partitions = partitions.collect();
    Ran { judged: run.judged, lost: run.lost, partitions }
}

impl Run<'_> {
    fn spark(&mut self) -> &mut Spark {
        &mut self.scheduler.spark
    }

    fn under(&self, execution: Option<u64>, guards: &[u64]) -> Properties {
        Properties { action: self.at as u8, execution, guards: guards.to_vec() }
    }

    fn number(&mut self) -> u64 {
        self.executions += 1;
        self.executions
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Count(node) => {
                self.action(node, None, &[]);
            }
            Action::TakeFirst(node, rows) => {
                self.action(node, Some(rows), &[]);
            }
            Action::Write(node) => self.writes(&[node], false),
            Action::WriteSorted(node) => self.writes(&[node], true),
            Action::WriteBoth(a, b) => self.writes(&[a, b], false),
            Action::Guard(ref jobs) => self.guard(jobs),
            Action::Persist(node, level) => {
                let node = self.spark().node(node);
                self.spark().persist(node, level);
            }
            Action::Unpersist(node) => {
                let node = self.spark().node(node);
                self.spark().unpersist(node);
            }
            Action::Checkpoint(node) => self.checkpoint(node, Checkpoint::Marked),
            Action::LocalCheckpoint(node) => self.checkpoint(node, Checkpoint::MarkedLocal),
            Action::LoseBlock(number) => {
                let lost = self.spark().lose_block(number, true);
                let action = self.at;
                self.lost.extend(lost.map(|(node, partition)| Lost { action, node, partition }));
            }
            Action::LoseExecutor(number) => self.scheduler.lose(usize::from(number) % 2),
        }
    }

    fn checkpoint(&mut self, node: u8, how: Checkpoint) {
        let node = self.spark().node(node);
        let rdd = self.spark().fix(node);
        if self.spark().rdds[rdd].checkpoint != Checkpoint::No {
            return;
        }
        self.spark().rdds[rdd].checkpoint = how;
        if how == Checkpoint::MarkedLocal {
            self.spark().rdds[rdd].level.get_or_insert(super::program::Level::Memory);
        }
        if self.program.nodes[node].dataset {
            self.job(rdd, None, &self.under(None, &[]));
        }
    }

    fn job(&mut self, rdd: RddId, rows: Option<u8>, properties: &Properties) -> JobId {
        let partitions = self.spark().rdds[rdd].partitions;
        let parts = (0..if rows.is_some() { partitions.min(1) } else { partitions }).collect();
        let job = self.scheduler.submit(rdd, parts, rows, properties);
        self.scheduler.run(&[job]);
        job
    }

    /// Runs an action that writes nothing. Gives its job.
    fn action(&mut self, node: u8, rows: Option<u8>, guards: &[u64]) -> JobId {
        let node = self.spark().node(node);
        let execution = self.program.nodes[node].dataset.then(|| self.number());
        let rdd = self.spark().build(node);
        self.job(rdd, rows, &self.under(execution, guards))
    }

    /// Whether a plan reads a part and shows it.
    fn is_limited(&self, node: usize) -> bool {
        self.has(node, |op| matches!(op, Op::Limit(_)))
    }

    /// Whether a part is read and nothing shows it, and whether whole partitions may be skipped. A guard sees no
    /// plan.
    fn hides(&self, node: usize, guarded: bool) -> Hidden {
        let part = self.has(node, |op| matches!(op, Op::Take(_)) || guarded && matches!(op, Op::Limit(_)));
        Hidden { part, partitions: part && self.has(node, |op| op == Op::Coalesce) }
    }

    fn has(&self, node: usize, such: impl Fn(Op) -> bool) -> bool {
        self.scheduler.spark.tree(node).into_iter().any(|at| such(self.program.nodes[at].op))
    }

    fn writes(&mut self, nodes: &[u8], sorted: bool) {
        let mut begun = Vec::new();
        for node in nodes {
            let node = self.spark().node(*node);
            let execution = Some(self.number());
            let mut rdd = self.spark().build(node);
            let properties = self.under(execution, &[]);
            if sorted {
                self.job(rdd, None, &properties);
                let partitions = self.spark().rdds[rdd].partitions;
                rdd = self.spark().add(Kind::Shuffle, vec![rdd], partitions);
            }
            let parts = (0..self.spark().rdds[rdd].partitions).collect();
            begun.push((node, rdd, self.scheduler.submit(rdd, parts, None, &properties)));
        }
        let jobs: Vec<JobId> = begun.iter().map(|(_, _, job)| *job).collect();
        self.scheduler.run(&jobs);
        for (part, (node, rdd, job)) in begun.into_iter().enumerate() {
            self.part = part;
            let execution = self.scheduler.jobs[job].properties.execution;
            let mut scope = Scope { execution, partial: self.is_limited(node), ..Scope::default() };
            self.walk(rdd, &mut scope, false, false);
            self.ask(format!("write of node {node}"), &[job], scope, self.hides(node, false));
        }
    }

    fn guard(&mut self, body: &[(u8, bool)]) {
        let guard = self.number();
        self.part = 0;
        let mut scope = Scope { guard: Some(guard), ..Scope::default() };
        let (mut jobs, mut hidden) = (Vec::new(), Hidden::default());
        for (node, part) in body {
            let at = self.spark().node(*node);
            let job = self.action(*node, part.then_some(2), &[guard]);
            let hides = self.hides(at, true);
            hidden =
                Hidden { part: hidden.part || hides.part, partitions: hidden.partitions || hides.partitions };
            self.walk(self.scheduler.jobs[job].target, &mut scope, false, false);
            if *part {
                scope.reached.values_mut().for_each(|at| at.partial = true);
            }
            jobs.push(job);
        }
        // Checkpoints made by the body's jobs belong to the body.
        jobs = (jobs.first().copied().unwrap_or(0)..self.scheduler.jobs.len()).collect();
        self.ask(format!("guard {guard}"), &jobs, scope, hidden);
    }

    /// Adds the instances that are reached from an RDD.
    fn walk(&self, rdd: RddId, scope: &mut Scope, behind: bool, shuffled: bool) {
        let at = &self.scheduler.spark.rdds[rdd];
        let (behind, shuffled) = (behind || at.keeps(), shuffled || at.kind == Kind::Shuffle);
        if at.kind == Kind::Shuffle {
            scope.shuffles.insert(rdd);
        }
        if let Kind::Step { site, instance } = at.kind {
            let reached = scope.reached.entry(instance).or_default();
            reached.site = site;
            reached.partitions = at.partitions;
            reached.behind |= behind;
            reached.shuffled |= shuffled;
            reached.ways += 1;
        }
        at.parents.iter().for_each(|parent| self.walk(*parent, scope, behind, shuffled));
    }

    fn ask(&mut self, what: String, jobs: &[JobId], mut scope: Scope, hidden: Hidden) {
        let all = &self.scheduler.jobs;
        if jobs.iter().any(|job| all[*job].state != State::Done) {
            return;
        }
        scope.shuffle_stages =
            scope.shuffles.iter().flat_map(|shuffle| self.scheduler.writers(*shuffle)).collect();
        let data = jobs.iter().flat_map(|job| all[*job].finished.values());
        let contained: BTreeSet<EvalId> = data.flat_map(|data| data.evals.iter().copied()).collect();
        let bounds = &self.program.bounds;
        let evals = &self.scheduler.spark.evals;
        let mut choices: BTreeMap<u64, Choices> = BTreeMap::new();
        for (instance, reached) in &scope.reached {
            choices.insert(*instance, Choices { site: reached.site, ..Choices::default() });
        }
        for eval in contained.iter().map(|id| &evals[*id]) {
            let of = choices.get_mut(&eval.instance).expect("the rows of a write come from what is reached");
            of.partitions.entry(eval.partition).or_default().insert((eval.read, eval.dropped));
        }
        let all: Vec<Choices> = choices.into_values().collect();
        let truth = decide(&all, false, bounds);
        let vague = scope.reached.values().any(|at| (scope.partial || at.partial) && at.behind);
        // Under a guard the limit on dropped rows applies to each SQL execution: of several the one with most dropped
        // rows decides.
        let dropped = bounds.dropped.filter(|_| scope.guard.is_none());
        let min_rows = if vague { 0 } else { bounds.min_rows };
        let lenient = decide(
            &all,
            false,
            &Bounds { zero_rows_pass: bounds.zero_rows_pass || vague, min_rows, dropped, ..*bounds },
        );
        let cells: Vec<_> = self.scheduler.driver.cells.values().cloned().collect();
        let answers = self.judges.iter().map(|judge| self.answer(*judge, &cells, &scope)).collect();
        // A guard judges all that its jobs have evaluated, including shuffle output that the partial read did not
        // request.
        let leaves_out = hidden.partitions;
        let unexplained = hidden.part
            || scope.guard.is_some() && scope.reached.values().any(|at| at.partial && at.shuffled);
        let may_be_unknown = self.scheduler.lost_evidence || unexplained || vague || self.differ(&scope);
        let contained = contained.iter().map(|id| format!("{:?}", evals[*id])).collect();
        let (action, part) = (self.at, self.part);
        self.judged.push(Judged {
            action,
            part,
            what,
            answers,
            truth,
            lenient,
            may_be_unknown,
            unexplained,
            leaves_out,
            scope,
            contained,
        });
    }

    fn answer(&self, by: Judge, cells: &[Cell], scope: &Scope) -> Answer {
        let bounds = &self.program.bounds;
        match by {
            Judge::Naive(rules) => judge(cells, scope, bounds, rules),
            Judge::Product => {
                let verdict = self.scheduler.driver.judge(scope, bounds);
                match verdict.body().result {
                    Some(Decision::Passed) => Answer::Passed,
                    Some(Decision::Failed) => Answer::Failed,
                    _ => Answer::Unknown,
                }
            }
        }
    }

    /// Whether two evaluations of one partition of a reached instance have different counts.
    fn differ(&self, scope: &Scope) -> bool {
        let mut first: BTreeMap<(u64, usize), (u64, u64)> = BTreeMap::new();
        self.scheduler.spark.evals.iter().filter(|eval| scope.reached.contains_key(&eval.instance)).any(
            |eval| {
                let counts = (eval.read, eval.dropped);
                *first.entry((eval.instance, eval.partition)).or_insert(counts) != counts
            },
        )
    }
}
