//! One run: the cache, its catalogs, the threads around it, and the checks at its end.

use crate::ledger::Ledger;
use crate::plan::{below, chance, dawdle, draw, Plan};
use crate::{loader, task};
use andiron::cache::CacheSettings;
use andiron::cache::{AttemptId, Cache, CatalogId, CursorId, Listing, LoadId, PayloadKind, SlotId, Stats};
use andiron::clock::Clock;
use andiron::error::Code;
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread::{self, JoinHandle};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// The size of every version, unless sizes are mixed.
const BYTES: u64 = 10;

/// A target of the killer.
#[derive(Clone)]
pub struct Target {
    /// The attempt to end.
    pub attempt: AttemptId,
    /// The attempt in the ledger.
    pub number: usize,
    /// The cursors to release.
    pub cursors: Vec<CursorId>,
}

/// One run of a scenario. State that shuttle must see uses shuttle's locks; state of the checks uses std's.
pub struct World {
    /// The actions, and their frequencies.
    pub plan: Plan,
    /// The cache under test.
    pub cache: Arc<Cache>,
    /// The cache's clock.
    pub clock: Clock,
    /// The queue of its loads.
    pub orders: Arc<Orders>,
    /// The observations.
    pub ledger: Arc<Ledger>,
    /// Whether attempts keep the payloads that they leased.
    pub kept: bool,
    /// Whether tasks belong to a barrier stage.
    pub barrier: bool,
    /// The real size of each version in bytes.
    pub sizes: Vec<u64>,
    listed: std::sync::Mutex<Vec<SlotId>>,
    catalogs: std::sync::Mutex<Vec<CatalogId>>,
    targets: std::sync::Mutex<Vec<Target>>,
    readers: std::sync::Mutex<Vec<JoinHandle<()>>>,
    closing: AtomicBool,
    done: AtomicBool,
    tasks_left: AtomicUsize,
}

/// Admitted loads on their way to the loader threads.
#[derive(Default)]
pub struct Orders {
    queue: Mutex<(VecDeque<LoadId>, bool)>,
    changed: Condvar,
}

impl Orders {
    fn push(&self, load: LoadId) {
        self.queue.lock().unwrap().0.push_back(load);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.queue.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    /// The next load; `None` once the queue is closed and empty.
    pub fn take(&self) -> Option<LoadId> {
        let mut queue = self.queue.lock().unwrap();
        loop {
            if let Some(load) = queue.0.pop_front() {
                return Some(load);
            }
            if queue.1 {
                return None;
            }
            queue = self.changed.wait(queue).unwrap();
        }
    }
}

impl World {
    fn new(plan: &Plan) -> World {
        let versions = draw(&plan.versions);
        let mixed = chance(plan.mixed_sizes);
        let sizes: Vec<u64> =
            (0..versions).map(|_| if mixed { 1 + below(10) as u64 } else { BYTES }).collect();
        let largest = sizes.iter().copied().max().unwrap_or(BYTES);
        let room = draw(&(1..=versions)) as u64;
        let by_count = chance(plan.count_limit);
        let budget_bytes = if by_count { 1 << 30 } else { largest * room };
        let settings = CacheSettings {
            budget_bytes,
            budget_versions: by_count.then_some(room),
            hard_limit_bytes: if chance(plan.hard_budget) {
                budget_bytes
            } else {
                budget_bytes * (2 + below(3) as u64)
            },
            keep_warm: chance(plan.keep_warm),
            failure_memory: Duration::from_millis(100 * below(3) as u64),
            load_timeout: Duration::from_secs(5),
            wait_timeout: Duration::from_secs(1_000_000),
            ..CacheSettings::for_tests()
        };
        let clock = Clock::manual();
        let orders = Arc::new(Orders::default());
        let to_loaders = Arc::clone(&orders);
        let cache = Arc::new(Cache::new(clock.clone(), Box::new(move |load| to_loaders.push(load))));
        cache.configure(settings).unwrap();
        let world = World {
            plan: plan.clone(),
            cache,
            clock,
            orders,
            ledger: Arc::default(),
            kept: chance(80),
            barrier: chance(plan.barrier),
            sizes,
            listed: std::sync::Mutex::default(),
            catalogs: std::sync::Mutex::default(),
            targets: std::sync::Mutex::default(),
            readers: std::sync::Mutex::default(),
            closing: AtomicBool::new(false),
            done: AtomicBool::new(false),
            tasks_left: AtomicUsize::new(0),
        };
        world.open_catalog();
        if chance(plan.shared) {
            let before = world.listed();
            world.open_catalog();
            assert_eq!(before, world.listed(), "two catalogs of the same versions share their slots");
        }
        world
    }

    fn open_catalog(&self) {
        let catalog = self.cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
        let mut slots = Vec::new();
        for (version, size) in self.sizes.iter().enumerate() {
            let name = format!("v{version:02}");
            let bytes = (!chance(self.plan.unknown)).then_some(*size);
            let listing = Listing { version: &name, digest: &name, bytes, label: "memory" };
            slots.push(self.cache.add_version(catalog, &listing).unwrap());
        }
        self.catalogs.lock().unwrap().push(catalog);
        *self.listed.lock().unwrap() = slots;
    }

    /// The slots of the newest catalog, by version.
    pub fn listed(&self) -> Vec<SlotId> {
        self.listed.lock().unwrap().clone()
    }

    /// Whether a catalog is closed, or about to be, without another that lists its versions.
    pub fn closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Whether all tasks have ended.
    pub fn done(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }

    /// Makes an attempt a target of the killer.
    pub fn expose(&self, target: Target) {
        self.targets.lock().unwrap().push(target);
    }

    /// Makes the run wait for a thread at its end.
    pub fn await_reader(&self, reader: JoinHandle<()>) {
        self.readers.lock().unwrap().push(reader);
    }

    /// Checks the invariants that the statistics show, at any moment.
    pub fn check(&self) -> Stats {
        let stats = self.cache.stats();
        assert!(stats.leased_bytes <= stats.resident_bytes && stats.resident_bytes <= stats.reserved_bytes);
        assert!(stats.leases >= u64::from(stats.leased_bytes > 0));
        assert!(stats.max_reserved_bytes >= stats.reserved_bytes);
        if !self.plan.may_overdraw() {
            assert!(stats.reserved_bytes <= stats.budget_bytes, "over the budget: {stats:?}");
            assert_eq!((stats.max_over_budget_bytes, stats.over_budget_admissions), (0, 0));
        }
        if stats.max_over_budget_bytes > 0 {
            assert!(stats.over_budget_admissions > 0, "over the budget and not counted: {stats:?}");
        }
        let settings = self.cache.settings().unwrap();
        assert!(stats.max_reserved_bytes <= settings.hard_limit_bytes, "over the hard limit: {stats:?}");
        stats
    }

    /// Turns the clock until all tasks have ended.
    fn tick(&self) {
        while !self.done() {
            self.clock.turn(Duration::from_millis(50 * (1 + below(20) as u64)));
            self.cache.pass_time();
            thread::yield_now();
        }
    }

    /// Ends attempts and releases cursors of others.
    fn kill(&self) {
        for _ in 0..draw(&self.plan.kills) {
            dawdle(12);
            let target = {
                let targets = self.targets.lock().unwrap();
                if targets.is_empty() {
                    None
                } else {
                    Some(targets[below(targets.len())].clone())
                }
            };
            let Some(target) = target else { continue };
            if chance(30) {
                let cursor = target.cursors[below(target.cursors.len())];
                self.ledger.withdraw(cursor, false);
                self.cache.release(cursor);
                self.ledger.withdraw(cursor, true);
            } else {
                self.ledger.end_attempt(target.number);
                self.cache.end_attempt(target.attempt);
                if chance(20) {
                    assert_eq!(self.cache.end_attempt(target.attempt), 0, "an attempt ends once");
                }
            }
        }
    }

    fn close_in_the_middle(&self) {
        dawdle(40);
        let reopen = chance(self.plan.reopened);
        let open = std::mem::take(&mut *self.catalogs.lock().unwrap());
        let last = open.len() - 1;
        for (place, catalog) in open.into_iter().enumerate() {
            if place == last {
                self.closing.store(true, Ordering::SeqCst);
            }
            self.cache.close_catalog(catalog);
            dawdle(10);
        }
        if reopen {
            self.open_catalog();
        }
    }

    /// Checks that after the run a new attempt can load and lease a version, and that nothing of it remains.
    fn still_works(&self) {
        self.cache.close_application("app");
        let catalog = self.cache.open_catalog("app", "after", PayloadKind::Bytes, 0).unwrap();
        let listing = Listing { version: "after", digest: "after", bytes: Some(1), label: "memory" };
        let slot = self.cache.add_version(catalog, &listing).unwrap();
        let attempt = self.cache.begin_attempt("after");
        let cursor = self.cache.open_cursor(attempt, false).unwrap();
        assert_eq!(self.cache.advance(cursor, slot).unwrap(), None);
        let payload = self.ledger.payload(slot, usize::MAX, false, true, &self.cache, &self.ledger);
        self.cache.finish_load(self.orders.take().unwrap(), payload, 1).unwrap();
        assert!(self.cache.wait(cursor, Duration::ZERO).unwrap().is_some());
        assert_eq!(self.cache.end_attempt(attempt), 1);
        self.cache.close_catalog(catalog);
    }
}

/// Runs a scenario once, under the current scheduler, and returns the cache's figures.
pub fn run(plan: &Plan) -> Stats {
    let world = Arc::new(World::new(plan));
    let spawn = |name: &str, body: fn(&Arc<World>)| {
        let world = Arc::clone(&world);
        thread::Builder::new().name(name.to_string()).spawn(move || body(&world)).unwrap()
    };
    let loaders: Vec<_> = (0..draw(&plan.loaders)).map(|_| spawn("loader", loader::run)).collect();
    let mut helpers = Vec::new();
    if plan.timed {
        helpers.push(spawn("ticker", |world| world.tick()));
    }
    if *plan.kills.end() > 0 {
        helpers.push(spawn("killer", |world| world.kill()));
    }
    if chance(plan.closed) {
        helpers.push(spawn("closer", |world| world.close_in_the_middle()));
    }
    let count = draw(&plan.tasks);
    world.tasks_left.store(count, Ordering::SeqCst);
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            spawn("task", |world| {
                task::run(world);
                if world.tasks_left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    world.done.store(true, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for thread in tasks.into_iter().chain(helpers) {
        thread.join().unwrap();
    }
    loop {
        let reader = world.readers.lock().unwrap().pop();
        let Some(reader) = reader else { break };
        reader.join().unwrap();
    }
    world.orders.close();
    for loader in loaders {
        loader.join().unwrap();
    }
    let stats = world.check();
    let live = (stats.leases, stats.waiting, stats.attempts, stats.cursors, stats.leased_bytes);
    assert_eq!(live, (0, 0, 0, 0, 0), "remaining after all tasks: {stats:?}");
    assert_eq!(stats.reserved_bytes, stats.resident_bytes, "a reservation remains: {stats:?}");
    world.still_works();
    let left = world.check();
    let bytes = (left.resident_bytes, left.reserved_bytes, left.resident_versions, left.retired_mappings);
    assert_eq!(bytes, (0, 0, 0, 0), "remaining after all catalogs: {left:?}");
    world.ledger.nothing_left();
    stats
}

/// The errors that the plan can cause for an undisturbed task.
pub fn expected(world: &World, code: Code) -> bool {
    let plan = &world.plan;
    match code {
        Code::LoadFailed => plan.failing > 0,
        Code::Panic => plan.panicking > 0,
        Code::LoadTimedOut => plan.timed,
        Code::BudgetDeadlock => plan.two_cursors > 0 || plan.barrier > 0 || plan.may_learn_sizes(),
        Code::CatalogClosed => world.closing(),
        Code::VersionLargerThanBudget => plan.may_learn_sizes() || plan.sets > 0,
        _ => false,
    }
}
