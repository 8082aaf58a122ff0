//! The branches of the union at the top of a stage, as ranges of the terminal RDD's partitions.

use std::sync::Arc;

/// Branches of a union, each a range of the partitions of the stage's terminal RDD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::metrics) struct Branches {
    /// The first partition of each branch, ascending; that of the first branch is 0.
    starts: Arc<[u32]>,
    /// The number of partitions of all branches.
    total: u32,
    /// Whether several branches compute the same RDD.
    pub(in crate::metrics) share: bool,
}

/// The branch and partition that a partition of a union belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BranchPlace {
    /// The branch, from 1.
    pub(super) branch: u32,
    /// The partition within the branch, and the branch's number of partitions.
    pub(super) partition: u32,
    pub(super) partitions: u32,
}

impl Branches {
    /// Branches with these numbers of partitions; entries of 0 are skipped. `None` for fewer than two branches, or if
    /// the total does not fit a `u32`.
    pub(in crate::metrics) fn of(partitions: &[u64], share: bool) -> Option<Branches> {
        let (mut starts, mut total) = (Vec::new(), 0_u32);
        for partitions in partitions.iter().filter(|partitions| **partitions > 0) {
            starts.push(total);
            total = total.checked_add(u32::try_from(*partitions).ok()?)?;
        }
        (starts.len() > 1).then(|| Branches { starts: starts.into(), total, share })
    }

    /// The place of a partition of the terminal RDD; `None` if the RDD has no such partition.
    pub(super) fn place(&self, partition: u32) -> Option<BranchPlace> {
        let branch = self.starts.partition_point(|start| *start <= partition);
        let start = *self.starts.get(branch.checked_sub(1)?)?;
        let end = self.starts.get(branch).copied().unwrap_or(self.total);
        (partition < self.total).then_some(BranchPlace {
            branch: u32::try_from(branch).ok()?,
            partition: partition - start,
            partitions: end - start,
        })
    }
}
