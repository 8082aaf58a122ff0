//! Andiron's native core: shared versioned data for Apache Spark executors.
//!
//! | module | what it is |
//! |---|---|
//! | [`cache`] | version keys, slots, leases, budget, loading and the bytes off the heap |
//! | [`metrics`], [`samples`] | counters by scope, exactness, change detection, gates; failed rows |
//! | [`shiplog`] | the durable log that every event goes through before a sink sees it |
//! | [`sinks`] | where events are shipped to, and the threads that ship them |
//! | [`report`] | one view of an application, for a terminal and as a page; the command `andiron` |
//! | [`boundary`] | the only code that knows JNI: entry points, exceptions, the anchor, logging |
//! | [`error`], [`config`], [`clock`], [`sync`], `words` | error codes, settings, time, the locks that models replace, numbers in messages |
//!
//! Arrows go one way: `boundary` uses all, `report` reads `shiplog` and drives `sinks`, which use `shiplog`; all use the last row,
//! and nothing points back.

pub mod boundary;
pub mod cache;
pub mod clock;
pub mod config;
pub mod error;
pub mod metrics;
pub mod report;
pub mod samples;
pub mod shiplog;
pub mod sinks;
pub mod sync;
mod words;
