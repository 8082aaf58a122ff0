//! The branches of the union that ends a stage: which partitions of the terminal RDD are whose.

use std::sync::Arc;

/// Branches of a union, each a range of the partitions of the stage's terminal RDD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::metrics) struct Branches {
    /// The first partition of each, ascending; that of the first is 0.
    starts: Arc<[u32]>,
    /// Partitions in all.
    total: u32,
    /// Some RDD is computed by several of them.
    pub(in crate::metrics) share: bool,
}

/// Where a partition of a union is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The branch, from 1.
    pub(super) branch: u32,
    /// The partition within it, and how many it has.
    pub(super) partition: u32,
    pub(super) partitions: u32,
}

impl Branches {
    /// Branches of so many partitions each; those without one are none. `None` if that is one branch, or more partitions than can be.
    pub(in crate::metrics) fn of(partitions: &[u64], share: bool) -> Option<Branches> {
        let (mut starts, mut total) = (Vec::new(), 0_u32);
        for partitions in partitions.iter().filter(|partitions| **partitions > 0) {
            starts.push(total);
            total = total.checked_add(u32::try_from(*partitions).ok()?)?;
        }
        (starts.len() > 1).then(|| Branches { starts: starts.into(), total, share })
    }

    /// Where a partition of the terminal RDD is; `None` for one that it does not have.
    pub(super) fn place(&self, partition: u32) -> Option<Place> {
        let branch = self.starts.partition_point(|start| *start <= partition);
        let start = *self.starts.get(branch.checked_sub(1)?)?;
        let end = self.starts.get(branch).copied().unwrap_or(self.total);
        (partition < self.total).then_some(Place {
            branch: u32::try_from(branch).ok()?,
            partition: partition - start,
            partitions: end - start,
        })
    }
}
