//! All scenarios, from two tasks and one version to twenty tasks, fifteen versions and all faults together.
//!
//! The totals of a scenario are asserted too: a scenario without evictions, for example, would prove nothing
//! about evictions.

use andiron_interleavings::campaign::{explore, Totals};
use andiron_interleavings::plan::Plan;

fn happened(totals: &Totals, count: u64, what: &str) {
    assert!(totals.schedules == 0 || count > 0, "{what} never happened: {totals:?}");
}

/// Few threads, so that no other wake-up hides a lost one.
#[test]
fn pairs() {
    let plan = Plan {
        name: "pairs",
        tasks: 1..=2,
        versions: 1..=2,
        steps: 1..=3,
        loaders: 1..=1,
        ..Plan::default()
    };
    let totals = explore(&plan, 1500);
    happened(&totals, totals.evictions, "an eviction");
    happened(&totals, totals.hits, "a hit");
}

#[test]
fn pairs_that_are_killed() {
    let plan = Plan {
        name: "pairs-killed",
        tasks: 1..=2,
        versions: 1..=2,
        steps: 1..=3,
        loaders: 1..=1,
        kills: 1..=2,
        ..Plan::default()
    };
    explore(&plan, 1500);
}

#[test]
fn pairs_whose_loads_fail() {
    let plan = Plan {
        name: "pairs-failing",
        tasks: 1..=2,
        versions: 1..=2,
        steps: 1..=3,
        loaders: 1..=1,
        failing: 30,
        panicking: 30,
        ..Plan::default()
    };
    let totals = explore(&plan, 1000);
    happened(&totals, totals.load_failures, "a failure");
}

#[test]
fn pairs_whose_loads_hang() {
    let plan = Plan {
        name: "pairs-hanging",
        tasks: 1..=2,
        versions: 1..=2,
        steps: 1..=3,
        hanging: 50,
        timed: true,
        ..Plan::default()
    };
    let totals = explore(&plan, 500);
    happened(&totals, totals.abandoned_loads, "an abandoned load");
}

#[test]
fn sets_among_single_versions() {
    let plan =
        Plan { name: "sets", tasks: 2..=6, versions: 2..=5, sets: 50, kills: 0..=1, ..Plan::default() };
    let totals = explore(&plan, 700);
    happened(&totals, totals.evictions, "an eviction");
}

#[test]
fn tasks_that_hold_and_wait() {
    let plan = Plan {
        name: "hold-and-wait",
        tasks: 2..=5,
        versions: 2..=4,
        two_cursors: 80,
        hard_budget: 30,
        releases: 5,
        timed: true,
        ..Plan::default()
    };
    let totals = explore(&plan, 400);
    happened(&totals, totals.over_budget_admissions, "an admission over the budget");
    happened(&totals, totals.deadlock_kills, "a task that failed at the hard limit");
}

#[test]
fn tasks_that_take_back_what_their_idle_cursors_hold() {
    let plan = Plan {
        name: "taken-back",
        tasks: 1..=4,
        versions: 2..=4,
        two_cursors: 100,
        taken_back: 100,
        hard_budget: 100,
        releases: 0,
        kills: 0..=1,
        timed: true,
        ..Plan::default()
    };
    let totals = explore(&plan, 400);
    happened(&totals, totals.evictions, "an eviction");
    happened(&totals, totals.hits, "a hit");
}

#[test]
fn tasks_of_a_barrier_stage() {
    let plan = Plan {
        name: "barrier",
        tasks: 2..=6,
        versions: 2..=5,
        barrier: 70,
        two_cursors: 20,
        sets: 10,
        hard_budget: 30,
        kills: 0..=1,
        timed: true,
        ..Plan::default()
    };
    let totals = explore(&plan, 400);
    happened(&totals, totals.over_budget_admissions, "an admission over the budget");
    happened(&totals, totals.deadlock_kills, "a task that failed at the hard limit");
}

#[test]
fn catalogs_closed_in_the_middle() {
    let plan = Plan {
        name: "closing",
        tasks: 2..=5,
        versions: 1..=4,
        closed: 100,
        reopened: 50,
        shared: 40,
        sets: 20,
        kills: 0..=1,
        failing: 10,
        ..Plan::default()
    };
    explore(&plan, 700);
}

#[test]
fn catalogs_closed_while_loads_hang() {
    let plan = Plan {
        name: "closing-hanging",
        tasks: 2..=4,
        versions: 1..=3,
        closed: 100,
        reopened: 50,
        sets: 20,
        hanging: 30,
        timed: true,
        ..Plan::default()
    };
    let totals = explore(&plan, 300);
    happened(&totals, totals.abandoned_loads, "an abandoned load");
}

#[test]
fn sizes_that_are_unknown_or_wrong() {
    let plan = Plan {
        name: "sizes",
        tasks: 2..=5,
        versions: 1..=5,
        sets: 30,
        unknown: 50,
        lying: 20,
        mixed_sizes: 80,
        count_limit: 0,
        hard_budget: 20,
        ..Plan::default()
    };
    let totals = explore(&plan, 600);
    happened(&totals, totals.over_budget_admissions, "an admission over the budget");
    happened(&totals, totals.deadlock_kills, "a load that was rejected at the hard limit");
}

#[test]
fn readers_that_are_late() {
    let plan = Plan {
        name: "late-readers",
        tasks: 2..=4,
        versions: 2..=4,
        late_readers: 80,
        reused: 70,
        keep_warm: 30,
        kills: 0..=2,
        closed: 30,
        ..Plan::default()
    };
    explore(&plan, 500);
}

#[test]
fn twenty_tasks() {
    let plan = Plan {
        name: "twenty-tasks",
        tasks: 20..=20,
        versions: 1..=15,
        steps: 1..=15,
        loaders: 1..=4,
        kills: 0..=10,
        failing: 5,
        panicking: 5,
        sets: 15,
        shared: 20,
        closed: 10,
        reopened: 50,
        ..Plan::default()
    };
    let totals = explore(&plan, 100);
    happened(&totals, totals.evictions, "an eviction");
    happened(&totals, totals.load_failures, "a failure");
}

#[test]
fn everything_at_once() {
    let plan = Plan {
        name: "everything",
        tasks: 2..=20,
        versions: 1..=15,
        steps: 1..=15,
        loaders: 1..=4,
        two_cursors: 30,
        sets: 15,
        hard_budget: 10,
        unknown: 5,
        failing: 5,
        panicking: 5,
        hanging: 5,
        lying: 3,
        kills: 0..=10,
        closed: 20,
        reopened: 50,
        shared: 20,
        late_readers: 20,
        timed: true,
        ..Plan::default()
    };
    let totals = explore(&plan, 60);
    happened(&totals, totals.over_budget_admissions, "an admission over the budget");
    happened(&totals, totals.abandoned_loads, "an abandoned load");
}
