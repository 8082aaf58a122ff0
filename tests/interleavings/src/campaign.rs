//! Runs a scenario under two schedulers and records the runs.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `INTERLEAVINGS` | the factor on the quick number of schedules | 1 |
//! | `INTERLEAVINGS_SEED` | the seed from which all others are derived; `time` draws one | 1 |
//! | `INTERLEAVINGS_REPLAY` | a file with a failed schedule: only it is run | |
//!
//! Each batch of schedules has its own seed, which a failure prints. The record of the runs is
//! `build/interleavings.json`; the schedule of a failure is written beside it.

use crate::plan::Plan;
use crate::world;
use andiron::cache::Stats;
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use std::fs;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Schedules that share a seed. Short batches make a failing schedule quick to find again.
const BATCH: usize = 50;

/// A run that needs more steps is stuck and turns its clock for ever.
const MOST_STEPS: usize = 3_000_000;

/// The number of priority changes in a schedule of PCT.
const DEPTH: usize = 4;

/// The sums over all schedules of a scenario, for tests that check a scenario's effectiveness.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// The number of schedules.
    pub schedules: u64,
    /// Loads that succeeded.
    pub loads: u64,
    /// Loads that failed or timed out.
    pub load_failures: u64,
    /// Versions that left memory while their catalog was open.
    pub evictions: u64,
    /// Loads that ended after their time-out or the end of their catalog.
    pub abandoned_loads: u64,
    /// Admissions over the budget.
    pub over_budget_admissions: u64,
    /// Waits that ended with `BudgetDeadlock`.
    pub deadlock_kills: u64,
    /// Moves with all versions resident.
    pub hits: u64,
}

impl Totals {
    fn add(&mut self, stats: &Stats) {
        self.schedules += 1;
        self.loads += stats.loads;
        self.load_failures += stats.load_failures;
        self.evictions += stats.evictions;
        self.abandoned_loads += stats.abandoned_loads;
        self.over_budget_admissions += stats.over_budget_admissions;
        self.deadlock_kills += stats.deadlock_kills;
        self.hits += stats.hits;
    }
}

/// Runs this number of random schedules and as many of PCT, times `INTERLEAVINGS`.
pub fn explore(plan: &Plan, schedules: usize) -> Totals {
    if let Ok(file) = std::env::var("INTERLEAVINGS_REPLAY") {
        let plan = plan.clone();
        let body = move || {
            world::run(&plan);
        };
        shuttle::replay_from_file(body, file);
        return Totals::default();
    }
    let wanted = schedules * factor();
    let base = base_seed();
    let totals = Arc::new(Mutex::new(Totals::default()));
    for scheduler in ["random", "pct"] {
        let started = Instant::now();
        let mut run = 0;
        let mut failure = None;
        while run < wanted && failure.is_none() {
            let count = BATCH.min(wanted - run);
            let seed = mixed(base, plan.name, scheduler, run as u64);
            failure = batch(plan, scheduler, seed, count, &totals).err().map(|panic| (seed, panic));
            run += count;
        }
        let seconds = started.elapsed().as_secs_f64();
        println!("{}: {run} {scheduler} schedules in {seconds:.1} s, base seed {base}", plan.name);
        let record = format!(
            "{{\"scenario\": \"{}\", \"scheduler\": \"{scheduler}\", \"seed\": {base}, \"schedules\": {run}, \"seconds\": {seconds:.1}, \
             \"tasks\": {}, \"versions\": {}, \"failures\": {}, \"failing_seed\": {}}}",
            plan.name,
            plan.tasks.end(),
            plan.versions.end(),
            u8::from(failure.is_some()),
            failure.as_ref().map_or("null".to_string(), |(seed, _)| seed.to_string()),
        );
        write_down(plan.name, scheduler, &record);
        if let Some((seed, panic)) = failure {
            eprintln!("{}: a {scheduler} schedule of the batch with seed {seed} failed", plan.name);
            resume_unwind(panic);
        }
    }
    let totals = totals.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    println!("{}: {totals:?}", plan.name);
    totals
}

/// Runs every possible schedule of a small body.
pub fn exhaust(name: &str, body: impl Fn() + Send + Sync + 'static) {
    let started = Instant::now();
    let run = Runner::new(DfsScheduler::new(None, false), config()).run(body);
    let seconds = started.elapsed().as_secs_f64();
    println!("{name}: all {run} schedules in {seconds:.1} s");
    let record = format!(
        "{{\"scenario\": \"{name}\", \"scheduler\": \"all\", \"schedules\": {run}, \"seconds\": {seconds:.1}, \"failures\": 0}}"
    );
    write_down(name, "all", &record);
}

fn batch(
    plan: &Plan,
    scheduler: &str,
    seed: u64,
    count: usize,
    totals: &Arc<Mutex<Totals>>,
) -> std::thread::Result<()> {
    let (plan, totals) = (plan.clone(), Arc::clone(totals));
    let body = move || {
        let stats = world::run(&plan);
        totals.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add(&stats);
    };
    catch_unwind(AssertUnwindSafe(move || match scheduler {
        "random" => run_under(RandomScheduler::new_from_seed(seed, count), body),
        _ => run_under(PctScheduler::new_from_seed(seed, DEPTH, count), body),
    }))
}

fn run_under(scheduler: impl Scheduler + 'static, body: impl Fn() + Send + Sync + 'static) {
    Runner::new(scheduler, config()).run(body);
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    let failures = folder().join("interleavings");
    fs::create_dir_all(&failures).unwrap();
    config.failure_persistence = FailurePersistence::File(Some(failures));
    config
}

fn factor() -> usize {
    std::env::var("INTERLEAVINGS").map_or(1, |text| text.parse().expect("INTERLEAVINGS is a number"))
}

fn base_seed() -> u64 {
    match std::env::var("INTERLEAVINGS_SEED").as_deref() {
        Err(_) => 1,
        Ok("time") => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            now.as_nanos() as u64 >> 10
        }
        Ok(text) => text.parse().expect("INTERLEAVINGS_SEED is a number or `time`"),
    }
}

/// A batch's seed: SplitMix64 over the base seed, the names and the batch's place.
fn mixed(base: u64, scenario: &str, scheduler: &str, place: u64) -> u64 {
    let bytes = scenario.bytes().chain(scheduler.bytes()).map(u64::from);
    [base, place].into_iter().chain(bytes).fold(0, |state, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build")
}

/// Keeps one line for each scenario and scheduler; all lines together make `build/interleavings.json`.
fn write_down(scenario: &str, scheduler: &str, record: &str) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let lines = folder().join("interleavings");
    fs::create_dir_all(&lines).unwrap();
    fs::write(lines.join(format!("{scenario}-{scheduler}.json")), record).unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(&lines).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let records: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    fs::write(folder().join("interleavings.json"), format!("[\n{}\n]\n", records.join(",\n"))).unwrap();
}
