//! The actions of a scenario, and their frequencies.

use shuttle::rand::{thread_rng, Rng};
use std::ops::RangeInclusive;

/// A percentage.
pub type Percent = u32;

/// A scenario. Each schedule draws its own numbers from the ranges. The default has only tasks that walk.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name in reports.
    pub name: &'static str,
    /// The number of concurrent tasks.
    pub tasks: RangeInclusive<usize>,
    /// The number of versions; the budget is drawn between one of them and all.
    pub versions: RangeInclusive<usize>,
    /// The number of moves of a task.
    pub steps: RangeInclusive<usize>,
    /// Loader threads.
    pub loaders: RangeInclusive<usize>,
    /// Tasks that visit versions in order.
    pub sorted: Percent,
    /// Tasks with two cursors, which wait while they hold.
    pub two_cursors: Percent,
    /// Runs in which waits take back the leases of the task's idle cursors.
    pub taken_back: Percent,
    /// Runs with tasks of a barrier stage.
    pub barrier: Percent,
    /// Moves that request two or three versions together.
    pub sets: Percent,
    /// Moves that release instead.
    pub releases: Percent,
    /// Runs in which versions without a lease stay resident.
    pub keep_warm: Percent,
    /// Runs with versions of different sizes.
    pub mixed_sizes: Percent,
    /// Runs with a budget of versions instead of bytes.
    pub count_limit: Percent,
    /// Runs in which the hard limit is the budget.
    pub hard_budget: Percent,
    /// Versions of a size unknown to the catalog.
    pub unknown: Percent,
    /// Loads that fail.
    pub failing: Percent,
    /// Loads whose thread panics.
    pub panicking: Percent,
    /// Loads that end only after their time-out.
    pub hanging: Percent,
    /// Loads that return more bytes than declared.
    pub lying: Percent,
    /// Loads that end twice.
    pub doubled: Percent,
    /// Loads that return the payload of an earlier residency, if it is still referenced.
    pub reused: Percent,
    /// The number of the killer's actions: it ends an attempt, or releases a cursor, from its own thread.
    pub kills: RangeInclusive<usize>,
    /// Runs in which catalogs are closed in the middle.
    pub closed: Percent,
    /// Of these, runs that open a new catalog of the same versions.
    pub reopened: Percent,
    /// Runs in which a second catalog lists the same versions.
    pub shared: Percent,
    /// Leases with a payload that a thread continues to read, also after the end of the task.
    pub late_readers: Percent,
    /// Whether a thread turns the clock.
    pub timed: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            name: "",
            tasks: 2..=5,
            versions: 1..=4,
            steps: 1..=5,
            loaders: 1..=3,
            sorted: 50,
            two_cursors: 0,
            taken_back: 0,
            barrier: 0,
            sets: 0,
            releases: 10,
            keep_warm: 70,
            mixed_sizes: 30,
            count_limit: 20,
            hard_budget: 0,
            unknown: 0,
            failing: 0,
            panicking: 0,
            hanging: 0,
            lying: 0,
            doubled: 5,
            reused: 30,
            kills: 0..=0,
            closed: 0,
            reopened: 0,
            shared: 0,
            late_readers: 10,
            timed: false,
        }
    }
}

impl Plan {
    /// Whether admissions over the budget are part of the scenario.
    pub fn may_overdraw(&self) -> bool {
        self.two_cursors > 0 || self.barrier > 0 || self.may_learn_sizes()
    }

    /// Whether a load may return more bytes than it reserved.
    pub fn may_learn_sizes(&self) -> bool {
        self.lying > 0 || self.unknown > 0
    }
}

/// True with this probability.
pub fn chance(percent: Percent) -> bool {
    percent > 0 && thread_rng().gen_range(0..100) < percent
}

/// A random number of the range.
pub fn draw(range: &RangeInclusive<usize>) -> usize {
    thread_rng().gen_range(range.clone())
}

/// A random number below the limit, which is not 0.
pub fn below(limit: usize) -> usize {
    thread_rng().gen_range(0..limit)
}

/// Yields to other threads up to `most` times.
pub fn dawdle(most: usize) {
    for _ in 0..draw(&(0..=most)) {
        shuttle::thread::yield_now();
    }
}
