//! What a scenario does, and how often.

use shuttle::rand::{thread_rng, Rng};
use std::ops::RangeInclusive;

/// Of a hundred.
pub type Percent = u32;

/// A scenario. Each schedule draws its own numbers from the ranges. The default is tasks that walk, and nothing else.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names the scenario in reports.
    pub name: &'static str,
    /// How many tasks run at once.
    pub tasks: RangeInclusive<usize>,
    /// How many versions there are; the budget is drawn from one of them to all.
    pub versions: RangeInclusive<usize>,
    /// How often a task moves.
    pub steps: RangeInclusive<usize>,
    /// Loader threads.
    pub loaders: RangeInclusive<usize>,
    /// Tasks that visit versions in order.
    pub sorted: Percent,
    /// Tasks with two cursors, which wait while they hold.
    pub two_cursors: Percent,
    /// Runs whose waits take back what the task's idle cursors hold.
    pub taken_back: Percent,
    /// Runs whose tasks are of a barrier stage.
    pub barrier: Percent,
    /// Moves that want two or three versions at once.
    pub sets: Percent,
    /// Moves that release instead.
    pub releases: Percent,
    /// Runs in which versions without a lease stay.
    pub keep_warm: Percent,
    /// Runs whose versions differ in size.
    pub mixed_sizes: Percent,
    /// Runs with a budget of versions instead of bytes.
    pub count_limit: Percent,
    /// Runs in which the hard limit is the budget.
    pub hard_budget: Percent,
    /// Versions whose size the catalog does not know.
    pub unknown: Percent,
    /// Loads that fail.
    pub failing: Percent,
    /// Loads whose thread panics.
    pub panicking: Percent,
    /// Loads that end only after their time-out.
    pub hanging: Percent,
    /// Loads that bring more than was declared.
    pub lying: Percent,
    /// Loads that end twice.
    pub doubled: Percent,
    /// Loads that hand in the payload of an earlier stay, if somebody still keeps it.
    pub reused: Percent,
    /// How often the killer strikes: it ends an attempt, or releases a cursor, from a thread of its own.
    pub kills: RangeInclusive<usize>,
    /// Runs in which catalogs are closed in the middle.
    pub closed: Percent,
    /// Of these, runs that open a new catalog of the same versions.
    pub reopened: Percent,
    /// Runs in which a second catalog lists the same versions.
    pub shared: Percent,
    /// Leases whose payload a thread goes on reading, whatever becomes of the task.
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

    /// Whether a load may bring more than it reserved.
    pub fn may_learn_sizes(&self) -> bool {
        self.lying > 0 || self.unknown > 0
    }
}

/// True so often.
pub fn chance(percent: Percent) -> bool {
    percent > 0 && thread_rng().gen_range(0..100) < percent
}

/// One of them.
pub fn draw(range: &RangeInclusive<usize>) -> usize {
    thread_rng().gen_range(range.clone())
}

/// Below the limit, which is not 0.
pub fn below(limit: usize) -> usize {
    thread_rng().gen_range(0..limit)
}

/// Lets others run, up to so many times.
pub fn dawdle(most: usize) {
    for _ in 0..draw(&(0..=most)) {
        shuttle::thread::yield_now();
    }
}
