//! The cache core under shuttle's schedules: tasks, loader threads, a killer, a closer and a manually turned
//! clock, all of them shuttle's threads, through the public [`andiron::cache::Cache`].
//!
//! | module | content |
//! |---|---|
//! | [`plan`] | the actions of a scenario, and their frequencies |
//! | [`world`] | one run: the cache, its catalogs, and the checks at its end |
//! | [`ledger`] | a run's observations of leases and payloads, and the states that must never occur |
//! | [`loader`] | loader threads that succeed, fail, panic, hang, lie or answer twice |
//! | [`task`] | tasks that walk, hold, are killed and try again |
//! | [`campaign`] | runs a scenario under two schedulers and records the runs |
//!
//! A waiter blocks on the core's condition variable without a time-out, since shuttle has no time. A lost
//! wake-up is therefore a deadlock, which shuttle reports, or, in a scenario with a clock, a run that never
//! ends and exceeds its bound of steps.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "every line here is test code")]

pub mod campaign;
pub mod ledger;
pub mod loader;
pub mod plan;
pub mod task;
pub mod world;
