//! Jobs, stages and tasks with their attempts. One task runs at a time; the scheduler may receive its end later.

use std::collections::{BTreeMap, BTreeSet};

use super::driver::{filed, Cell, Driver, Properties};
use super::program::{Fault, Loser, Place, Program};
use super::spark::{Break, Checkpoint, Data, EvalId, Kind, RddId, Spark, Task};

const MOST_FAILURES: u32 = 4;

pub type JobId = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    Done,
    Failed,
}

#[derive(Debug)]
pub struct Job {
    pub target: RddId,
    pub parts: Vec<usize>,
    /// Reads this number of rows of each partition.
    pub most: Option<u8>,
    pub properties: Properties,
    pub finished: BTreeMap<usize, Data>,
    pub state: State,
    /// Its results are files of a checkpoint.
    files: bool,
    stage: usize,
    since: u64,
}

#[derive(Debug)]
struct Stage {
    attempt: Option<u32>,
    running: bool,
    shuffle: Option<RddId>,
    properties: Properties,
    jobs: BTreeSet<JobId>,
    failures: u32,
}

/// A task attempt that has run, and whose end the scheduler has not received.
#[derive(Debug)]
struct Flight {
    due: u64,
    stage: usize,
    attempt: u32,
    partition: usize,
    task: u64,
    executor: usize,
    output: Data,
    cells: Vec<Cell>,
    end: End,
    /// It is the losing copy.
    loser: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Success,
    Failed,
    /// Nothing is merged.
    Silent,
    Fetch,
    Gone,
}

pub struct Scheduler {
    pub spark: Spark,
    pub driver: Driver,
    pub jobs: Vec<Job>,
    stages: Vec<Stage>,
    flights: Vec<Flight>,
    faults: std::collections::VecDeque<(u8, Fault)>,
    places: Vec<(Place, Fault)>,
    attempts: BTreeMap<(usize, u32, usize), u32>,
    tasks: u64,
    seed: u64,
    /// Evaluations that were not reported to the driver in time.
    pub lost_evidence: bool,
}

#[derive(Clone, Copy)]
struct Work {
    stage: usize,
    attempt: u32,
    partition: usize,
    target: RddId,
    most: Option<u8>,
    job: JobId,
}

impl Scheduler {
    pub fn new(spark: Spark, driver: Driver, program: &Program) -> Scheduler {
        let faults = program.faults.iter().copied().collect();
        let places = program.places.clone().unwrap_or_default();
        let (attempts, seed) = (BTreeMap::new(), program.seed);
        let (jobs, stages, flights) = (Vec::new(), Vec::new(), Vec::new());
        Scheduler {
            spark,
            driver,
            jobs,
            stages,
            flights,
            faults,
            places,
            attempts,
            tasks: 0,
            seed,
            lost_evidence: false,
        }
    }

    /// A pseudo-random number below `below`.
    pub fn chance(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }

    pub fn submit(
        &mut self,
        target: RddId,
        parts: Vec<usize>,
        most: Option<u8>,
        properties: &Properties,
    ) -> JobId {
        self.submit_for(target, parts, most, properties, false)
    }

    fn submit_for(
        &mut self,
        target: RddId,
        parts: Vec<usize>,
        most: Option<u8>,
        properties: &Properties,
        files: bool,
    ) -> JobId {
        let id = self.jobs.len();
        let stage = self.stage(None, id, properties);
        let (state, since) = (if parts.is_empty() { State::Done } else { State::Running }, self.spark.clock);
        let (properties, finished) = (properties.clone(), BTreeMap::new());
        self.jobs.push(Job { target, parts, most, properties, finished, state, files, stage, since });
        id
    }

    fn stage(&mut self, shuffle: Option<RddId>, job: JobId, properties: &Properties) -> usize {
        let jobs = BTreeSet::from([job]);
        let properties = properties.clone();
        self.stages.push(Stage { attempt: None, running: false, shuffle, properties, jobs, failures: 0 });
        self.stages.len() - 1
    }

    /// The stages that wrote a shuffle.
    pub fn writers(&self, shuffle: RddId) -> impl Iterator<Item = u32> + '_ {
        let wrote = move |(_, stage): &(usize, &Stage)| stage.shuffle == Some(shuffle);
        self.stages.iter().enumerate().filter(wrote).map(|(id, _)| id as u32)
    }

    /// Whether a stage has a running job.
    fn is_there(&self, stage: usize) -> bool {
        self.stages[stage].jobs.iter().any(|job| self.jobs[*job].state == State::Running)
    }

    /// Runs jobs to their end, in turns.
    pub fn run(&mut self, jobs: &[JobId]) {
        loop {
            let running: Vec<JobId> =
                jobs.iter().copied().filter(|job| self.jobs[*job].state == State::Running).collect();
            if running.is_empty() {
                break;
            }
            let turn = self.chance(running.len() as u64) as usize;
            self.advance(running[turn]);
        }
        for job in jobs {
            if self.jobs[*job].state == State::Done && !self.jobs[*job].files {
                self.checkpoint(self.jobs[*job].target, &self.jobs[*job].properties.clone());
            }
        }
    }

    /// Spark's action after a job: the marked RDDs of its lineage are stored, and their lineage is cut.
    fn checkpoint(&mut self, rdd: RddId, properties: &Properties) {
        let all: Vec<usize> = (0..self.spark.rdds[rdd].partitions).collect();
        match self.spark.rdds[rdd].checkpoint {
            Checkpoint::Marked => {
                let job = self.submit_for(rdd, all, None, properties, true);
                self.run(&[job]);
                if self.jobs[job].state == State::Done {
                    self.spark.rdds[rdd].checkpoint = Checkpoint::Done;
                }
            }
            Checkpoint::MarkedLocal => {
                let missing =
                    all.into_iter().filter(|at| !self.spark.blocks.contains_key(&(rdd, *at))).collect();
                let job = self.submit_for(rdd, missing, None, properties, false);
                self.jobs[job].files = true;
                self.run(&[job]);
                if self.jobs[job].state == State::Done {
                    self.spark.rdds[rdd].checkpoint = Checkpoint::DoneLocal;
                }
            }
            Checkpoint::Done | Checkpoint::DoneLocal => {}
            Checkpoint::No => {
                for parent in self.spark.rdds[rdd].parents.clone() {
                    self.checkpoint(parent, properties);
                }
            }
        }
    }

    /// Runs one task, or delivers the end of one.
    fn advance(&mut self, job: JobId) {
        self.spark.clock += 1;
        let due: Vec<u64> =
            self.flights.iter().filter(|f| f.due <= self.spark.clock).map(|f| f.task).collect();
        due.into_iter().for_each(|task| self.land(task));
        if self.jobs[job].state != State::Running {
            return;
        }
        match self.pick(job) {
            Some(work) => self.launch(work),
            None => {
                let of = |f: &&Flight| !f.loser && self.stages[f.stage].jobs.contains(&job);
                if let Some(task) = self.flights.iter().find(of).map(|flight| flight.task) {
                    self.land(task);
                }
            }
        }
    }

    fn land(&mut self, task: u64) {
        if let Some(at) = self.flights.iter().position(|flight| flight.task == task) {
            let flight = self.flights.remove(at);
            self.hear(flight);
        }
    }

    fn pick(&mut self, job: JobId) -> Option<Work> {
        let result = self.jobs[job].stage;
        if !self.stages[result].running {
            if let Some(shuffle) = self.missing(self.jobs[job].target) {
                return self.pick_map(job, shuffle);
            }
        }
        let attempt = self.begin(result);
        let open: Vec<usize> = self.jobs[job]
            .parts
            .iter()
            .copied()
            .filter(|at| !self.jobs[job].finished.contains_key(at))
            .collect();
        let partition = open.into_iter().find(|at| !self.flies(result, attempt, *at))?;
        let Job { target, most, .. } = self.jobs[job];
        Some(Work { stage: result, attempt, partition, target, most, job })
    }

    fn pick_map(&mut self, job: JobId, shuffle: RddId) -> Option<Work> {
        let active = |at: &usize| self.stages[*at].shuffle == Some(shuffle) && self.is_there(*at);
        let found = (0..self.stages.len()).find(active);
        let stage =
            found.unwrap_or_else(|| self.stage(Some(shuffle), job, &self.jobs[job].properties.clone()));
        self.stages[stage].jobs.insert(job);
        let target = self.spark.rdds[shuffle].parents[0];
        if !self.stages[stage].running {
            if let Some(deeper) = self.missing(target) {
                return self.pick_map(job, deeper);
            }
        }
        let attempt = self.begin(stage);
        let missing = (0..self.spark.rdds[target].partitions)
            .filter(|at| !self.spark.outputs.contains_key(&(shuffle, *at)));
        let partition = missing.into_iter().find(|at| !self.flies(stage, attempt, *at))?;
        Some(Work { stage, attempt, partition, target, most: None, job })
    }

    fn begin(&mut self, stage: usize) -> u32 {
        let stage = &mut self.stages[stage];
        if !stage.running {
            stage.attempt = Some(stage.attempt.map_or(0, |attempt| attempt + 1));
            stage.running = true;
        }
        stage.attempt.unwrap_or(0)
    }

    fn flies(&self, stage: usize, attempt: u32, partition: usize) -> bool {
        let same = |f: &Flight| !f.loser && (f.stage, f.attempt, f.partition) == (stage, attempt, partition);
        self.flights.iter().any(same)
    }

    /// A shuffle below the RDD that is needed and lacks outputs.
    fn missing(&self, rdd: RddId) -> Option<RddId> {
        let at = &self.spark.rdds[rdd];
        let stored = |part: usize| self.spark.blocks.contains_key(&(rdd, part));
        if at.checkpoint == Checkpoint::Done || (at.level.is_some() && (0..at.partitions).all(stored)) {
            return None;
        }
        if at.kind == Kind::Shuffle {
            let maps = self.spark.rdds[at.parents[0]].partitions;
            return (0..maps).any(|map| !self.spark.outputs.contains_key(&(rdd, map))).then_some(rdd);
        }
        at.parents.iter().find_map(|parent| self.missing(*parent))
    }

    fn fault(&mut self, work: Work) -> Option<Fault> {
        let attempt = self.attempts.get(&(work.stage, work.attempt, work.partition)).copied().unwrap_or(0);
        let action = self.jobs[work.job].properties.action;
        let here = Place { action, partition: work.partition as u8, attempt: attempt as u8 };
        let is_result = self.stages[work.stage].shuffle.is_none() && !self.jobs[work.job].files;
        let fits = |fault: Fault| matches!(fault, Fault::FailReading(_)) || is_result;
        let last = self.spark.rdds[work.target].partitions as u8 == here.partition + 1;
        let is_here =
            |place: &Place| *place == here || (last && *place == Place { partition: Place::LAST, ..here });
        if let Some((_, fault)) = self.places.iter().find(|(place, fault)| is_here(place) && fits(*fault)) {
            return Some(*fault);
        }
        let (gap, fault) = self.faults.front_mut()?;
        if *gap > 0 {
            *gap -= 1;
            return None;
        }
        let fault = *fault;
        self.faults.pop_front();
        Some(fault)
    }

    fn launch(&mut self, work: Work) {
        let executor = self.chance(2) as usize;
        let since = self.jobs[work.job].since;
        let mut task = Task { executor, ..Task::default() };
        match self.fault(work) {
            Some(Fault::Twin { second_wins, loser, late }) => {
                self.twins(work, executor, second_wins, loser, late)
            }
            Some(fault) => {
                let mut cut = None;
                match fault {
                    Fault::FailReading(rows) => task.fail_reading = Some(rows),
                    Fault::FailWriting(rows) => cut = Some(rows),
                    Fault::RefuseBlocks => task.refuse_blocks = true,
                    Fault::Blind => task.blind_since = Some(since),
                    _ => {}
                }
                let answered = fault != Fault::Unreachable;
                let mut flight = self.attempt(work, task, cut, answered);
                if matches!(fault, Fault::FailWriting(_) | Fault::FailAtEnd) && flight.end == End::Success {
                    flight.end = End::Failed;
                }
                self.after(work, flight, fault);
            }
            None => {
                let flight = self.attempt(work, task, None, true);
                self.hear(flight);
            }
        }
    }

    fn after(&mut self, work: Work, mut flight: Flight, fault: Fault) {
        let executor = flight.executor;
        match fault {
            Fault::Late(tasks) => {
                flight.due = self.spark.clock + u64::from(tasks);
                self.flights.push(flight);
            }
            Fault::LoseExecutor => {
                flight.end = End::Silent;
                self.hear(flight);
                self.lose(executor);
            }
            Fault::Cancel { told } => {
                flight.end = if told { End::Failed } else { End::Silent };
                self.hear(flight);
                self.jobs[work.job].state = State::Failed;
            }
            _ => {
                self.hear(flight);
                match fault {
                    Fault::LoseExecutorAfter => self.lose(executor),
                    Fault::Evict(number) => {
                        self.spark.lose_block(number, false);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Two attempts that began together on two executors: the second sees nothing of the first.
    fn twins(&mut self, work: Work, executor: usize, second_wins: bool, loser: Loser, late: u8) {
        let cut = match loser {
            Loser::Killed(rows) => Some(rows),
            _ => None,
        };
        let since = self.spark.clock;
        let one = Task { executor, blind_since: Some(since), ..Task::default() };
        let two = Task { executor: 1 - executor, blind_since: Some(since), ..Task::default() };
        let first = self.attempt(work, one, cut.filter(|_| second_wins), true);
        let second = self.attempt(work, two, cut.filter(|_| !second_wins), true);
        let (winner, mut lost) = if second_wins { (second, first) } else { (first, second) };
        let killed = if loser == Loser::Ended { End::Silent } else { End::Failed };
        lost.end = if winner.end == End::Success { killed } else { End::Failed };
        (lost.loser, lost.due) = (true, self.spark.clock + u64::from(late));
        self.hear(winner);
        self.flights.push(lost);
    }

    pub fn lose(&mut self, executor: usize) {
        self.spark.lose(executor);
        self.flights.retain(|flight| flight.executor != executor);
    }

    fn attempt(&mut self, work: Work, mut task: Task, cut: Option<u8>, answered: bool) -> Flight {
        self.tasks += 1;
        task.id = self.tasks;
        task.action = self.stages[work.stage].properties.action;
        let attempts = self.attempts.entry((work.stage, work.attempt, work.partition)).or_default();
        task.attempt = *attempts;
        *attempts += 1;
        let most = [work.most, cut].into_iter().flatten().min();
        let (output, broken) = self.spark.read(&mut task, work.target, work.partition, most);
        let stage = (work.stage as u32, work.attempt);
        let properties = self.stages[work.stage].properties.clone();
        let is_partial = |id: &EvalId| {
            self.spark.ways.tells_partials && self.spark.evals[*id].kept && !self.spark.evals[*id].complete
        };
        let partials: Vec<EvalId> = task.evals.iter().copied().filter(is_partial).collect();
        for id in task.early.iter().chain(&partials) {
            if !answered {
                self.lost_evidence = true;
                continue;
            }
            let mut cell = Cell::of(&self.spark, *id, stage, &properties);
            cell.early = true;
            self.driver.take(cell);
        }
        let cells = filed(&self.spark, &task)
            .into_iter()
            .map(|(id, differs)| Cell { differs, ..Cell::of(&self.spark, id, stage, &properties) })
            .collect();
        let end = match broken {
            None if cut.is_some() => End::Failed,
            None => End::Success,
            Some(Break::Failure) => End::Failed,
            Some(Break::Fetch(_)) => End::Fetch,
            Some(Break::Gone) => End::Gone,
        };
        let Work { stage, attempt, partition, .. } = work;
        let is_file =
            end == End::Success && self.stages[stage].shuffle.is_none() && self.jobs[work.job].files;
        if is_file && self.spark.rdds[work.target].checkpoint == Checkpoint::Marked {
            // The attempt that renames its file first provides it.
            self.spark.files.entry((work.target, partition)).or_insert_with(|| output.clone());
        }
        let (task, executor) = (task.id, task.executor);
        Flight { due: 0, stage, attempt, partition, task, executor, output, cells, end, loser: false }
    }

    /// The scheduler receives the end of a task.
    fn hear(&mut self, flight: Flight) {
        if !self.is_there(flight.stage) {
            return;
        }
        let shuffle = self.stages[flight.stage].shuffle;
        match flight.end {
            End::Success => match shuffle {
                Some(rdd) => {
                    self.merge(flight.cells, false);
                    self.spark.outputs.insert((rdd, flight.partition), (flight.executor, flight.output));
                    let maps = self.spark.rdds[self.spark.rdds[rdd].parents[0]].partitions;
                    let whole = (0..maps).all(|map| self.spark.outputs.contains_key(&(rdd, map)));
                    self.stages[flight.stage].running &= !whole;
                }
                None => self.result(flight),
            },
            End::Failed => {
                self.merge(flight.cells, true);
                if !flight.loser {
                    self.fails(flight.stage, 1);
                }
            }
            End::Silent => {}
            End::Fetch => {
                self.stages[flight.stage].running = false;
                self.fails(flight.stage, 1);
            }
            End::Gone => self.fails(flight.stage, MOST_FAILURES * 4),
        }
    }

    fn result(&mut self, flight: Flight) {
        let Some(job) = self.stages[flight.stage].jobs.first().copied() else { return };
        if self.jobs[job].finished.contains_key(&flight.partition) {
            return;
        }
        self.merge(flight.cells, false);
        let job = &mut self.jobs[job];
        job.finished.insert(flight.partition, flight.output);
        if job.finished.len() == job.parts.len() {
            job.state = State::Done;
        }
    }

    fn merge(&mut self, cells: Vec<Cell>, failed: bool) {
        for mut cell in cells {
            cell.failed = failed;
            self.driver.take(cell);
        }
    }

    fn fails(&mut self, stage: usize, times: u32) {
        self.stages[stage].failures += times;
        if self.stages[stage].failures >= MOST_FAILURES * 4 {
            let jobs = self.stages[stage].jobs.clone();
            jobs.into_iter().for_each(|job| self.jobs[job].state = State::Failed);
        }
    }
}
