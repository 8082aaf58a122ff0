//! Gates against a model of Spark's scheduler: random programs with faults, what the product would send to the driver, and a naive
//! truth that remembers which evaluation each row of each write came from.
//!
//! | module | what it is |
//! |---|---|
//! | [`program`] | programs, and how they are drawn |
//! | [`spark`] | RDDs, blocks, shuffle files, checkpoints, and the reading of a partition by a task |
//! | [`scheduler`] | jobs, stages, tasks, their attempts, and the faults |
//! | [`driver`] | cells as the product sends them, and the judge that is asked |
//! | [`export`] | programs that run on a real Spark, with what the model says of them |
//! | [`rules`] | the rules of docs/internals/gates.md, as naively as they are written, and mutants of them |
//! | [`run`](mod@run) | a program, its writes and guards, and whether each verdict was right |

pub mod driver;
pub mod export;
pub mod program;
pub mod rules;
pub mod run;
pub mod scheduler;
pub mod spark;
