//! Named accumulators, and the scopes in which they are counted.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::metrics::amount::ValueKind;
use crate::metrics::decode::TaskKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::metrics) struct ScopeId {
    pub(in crate::metrics) rdd: u64,
    pub(in crate::metrics) kind: TaskKind,
    /// The number of the branch of the union that ends the stage, from 1; 0 is the whole RDD.
    pub(in crate::metrics) branch: u32,
}

impl ScopeId {
    /// All scopes of a terminal RDD with a kind of task: the whole RDD and its branches.
    pub(super) fn all(rdd: u64, kind: TaskKind) -> RangeInclusive<ScopeId> {
        ScopeId { rdd, kind, branch: 0 }..=ScopeId { rdd, kind, branch: u32::MAX }
    }
}

impl std::fmt::Display for ScopeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rdd:{}", self.rdd)?;
        if self.branch > 0 {
            write!(f, "/branch:{}", self.branch)?;
        }
        match self.kind {
            TaskKind::Result => Ok(()),
            TaskKind::ShuffleMap => write!(f, "/shuffle"),
        }
    }
}

/// The places in which an accumulator is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::metrics) enum Places {
    One,
    /// Branches of one union.
    Branches,
    /// A whole union, and branches of it.
    Whole,
    /// Several terminal RDDs, or kinds of task.
    Several,
}

/// A named accumulator of the application.
#[derive(Debug)]
pub(in crate::metrics) struct NamedAccumulator {
    /// Its name, unique in the application.
    pub(in crate::metrics) name: Arc<str>,
    pub(in crate::metrics) kind: ValueKind,
    /// The scopes in which it was counted.
    pub(in crate::metrics) scopes: Vec<ScopeId>,
    /// The program's accumulator object was garbage collected, and Spark drops its updates.
    pub(in crate::metrics) collected: bool,
    /// A scope in which it was updated had no room.
    pub(in crate::metrics) refused: bool,
}

impl NamedAccumulator {
    pub(in crate::metrics) fn places(&self) -> Places {
        match self.scopes.split_first() {
            None | Some((_, [])) => Places::One,
            Some((first, more)) if more.iter().any(|id| (id.rdd, id.kind) != (first.rdd, first.kind)) => {
                Places::Several
            }
            _ if self.scopes.iter().any(|id| id.branch == 0) => Places::Whole,
            _ => Places::Branches,
        }
    }
}
