//! The cache core under shuttle's schedules: tasks, loader threads, a killer, a closer and a clock that is turned by hand,
//! all of them shuttle's threads, through the public [`andiron::cache::Cache`].
//!
//! | module | what it is |
//! |---|---|
//! | [`plan`] | what a scenario does, and how often |
//! | [`world`] | one run: the cache, its catalogs, and what is checked at its end |
//! | [`ledger`] | what the run has seen of leases and payloads, and what must never be seen |
//! | [`loader`] | loader threads that succeed, fail, panic, hang, lie or answer twice |
//! | [`task`] | tasks that walk, hold, are killed and try again |
//! | [`campaign`] | runs a scenario under two schedulers and writes down what was run |
//!
//! A waiter blocks on the core's condition variable without a time-out, since shuttle has no time. So a lost wake-up is a
//! deadlock that shuttle reports, or, where a clock is turned, a run that never ends and exceeds its bound of steps.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "every line here is test code")]

pub mod campaign;
pub mod ledger;
pub mod loader;
pub mod plan;
pub mod task;
pub mod world;
