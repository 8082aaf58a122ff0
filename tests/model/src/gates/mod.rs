//! Gates against a model of Spark's scheduler: random programs with faults, the cells that the product would send to
//! the driver, and a naive truth that records the evaluation from which each row of each write came.
//!
//! | module | contents |
//! |---|---|
//! | [`program`] | programs, and the strategy that draws them |
//! | [`spark`] | RDDs, blocks, shuffle files, checkpoints, and the reading of a partition by a task |
//! | [`scheduler`] | jobs, stages, tasks, their attempts, and the faults |
//! | [`driver`] | cells as the product sends them, and the judge under test |
//! | [`export`] | programs that run on a real Spark, with the model's results |
//! | [`rules`] | the rules of docs/internals/gates.md in their most naive form, and mutants of them |
//! | [`run`](mod@run) | a program's run, its writes and guards, and the check of each verdict |

pub mod driver;
pub mod export;
pub mod program;
pub mod rules;
pub mod run;
pub mod scheduler;
pub mod spark;
