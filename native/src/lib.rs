//! Andiron's native core: shared versioned data for Apache Spark executors.
//!
//! | module | content |
//! |---|---|
//! | [`cache`] | version keys, slots, leases, budget, loading, and the bytes off the heap |
//! | [`table`] | versioned tables: rows, segments, manifests, and one index for all versions |
//! | [`metrics`], [`samples`] | counters by scope, exactness, change detection, gates; failed rows |
//! | [`shiplog`] | the durable log that stores every event before a sink sees it |
//! | [`sinks`] | the destinations of events, and the threads that ship them |
//! | [`gauges`] | current figures for graphs, published to Atlas |
//! | [`report`] | one view of an application, for a terminal and as a page; the command `andiron` |
//! | [`boundary`] | the only code that uses JNI: entry points, exceptions, the anchor, logging |
//! | [`event`] | the events themselves: ids, kinds, and the fields of each kind |
//! | [`error`], [`clock`], [`sync`], `file_lock`, `private_dir`, `settings_text`, `words` | error codes, time, the locks that models replace, locks on files, directories of this user alone, settings from the JVM, numbers in messages |
//!
//! Dependencies go one way: `boundary` uses all others, `report` reads `shiplog` and drives `sinks`, which
//! use `shiplog`; all use the last two rows.

pub mod boundary;
pub mod cache;
pub mod clock;
pub mod error;
pub mod event;
mod file_lock;
pub mod gauges;
pub mod metrics;
mod private_dir;
pub mod report;
pub mod samples;
mod settings_text;
pub mod shiplog;
pub mod sinks;
pub mod sync;
pub mod table;
mod words;
