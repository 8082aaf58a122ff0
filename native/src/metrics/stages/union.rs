//! The union at the top of a stage.
//!
//! The search goes down from the terminal RDD as long as an RDD has one partition for each partition of its only
//! parent. If it ends at a union, then each parent of this union is a branch, and a union below a branch in the same
//! way has branches of its own. An RDD counts as a union if it is named so, all its parents are in the stage, and it
//! has as many partitions as they have together; an RDD that reads its parents side by side has as many as each of
//! them.

use std::collections::{HashMap, HashSet};

use super::super::foreign::Branches;
use super::super::json::{Object, Reads};

/// The limit of branches.
const MOST_BRANCHES: usize = 256;
/// The limit of visited RDDs; an RDD that several branches read is visited once for each.
const MOST_STEPS: usize = 1 << 14;

#[derive(Debug)]
struct Node {
    /// Its parents in the stage, without duplicates.
    below: Vec<u64>,
    partitions: u64,
    /// The parents of a union, in its order; empty for any other RDD.
    united: Vec<u64>,
    /// The parent whose nth partition this RDD's nth partition reads.
    only: Option<u64>,
}

/// A walk over the RDDs of a stage.
struct Walk<'a> {
    nodes: &'a HashMap<u64, Node>,
    /// The number of branches that contain each RDD.
    found: HashMap<u64, u32>,
    steps: usize,
}

/// The branches of the union at the top of a stage that begins. `None` if there is no union, if it has too many
/// branches, or if several branches read one of the `caches`: blocks that one of them stores may serve another.
pub(super) fn branches(json: &Object, caches: &[u64]) -> Option<Branches> {
    let nodes = nodes(json);
    let mut walk = Walk { nodes: &nodes, found: HashMap::new(), steps: 0 };
    let partitions = walk.down(json.number("rdd")?)?;
    let many = |rdd: &u64| walk.found.get(rdd).is_some_and(|branches| *branches > 1);
    if caches.iter().any(many) {
        return None;
    }
    Branches::of(&partitions, walk.found.keys().any(many))
}

impl<'a> Walk<'a> {
    /// The numbers of partitions of the branches.
    fn down(&mut self, top: u64) -> Option<Vec<u64>> {
        let (mut branches, mut left) = (Vec::new(), vec![top]);
        while let Some(rdd) = left.pop() {
            let node = self.step(rdd)?;
            if branches.len() + left.len() + node.united.len() > MOST_BRANCHES {
                return None;
            }
            left.extend(node.united.iter().rev());
            left.extend(node.only);
            if node.united.is_empty() && node.only.is_none() {
                branches.push(node.partitions);
                self.below(node)?;
            }
        }
        Some(branches)
    }

    /// Counts the RDDs that a branch computes.
    fn below(&mut self, branch: &Node) -> Option<()> {
        let (mut seen, mut left) = (HashSet::new(), branch.below.clone());
        while let Some(rdd) = left.pop() {
            if seen.insert(rdd) {
                left.extend(&self.step(rdd)?.below);
            }
        }
        Some(())
    }

    fn step(&mut self, rdd: u64) -> Option<&'a Node> {
        self.steps += 1;
        *self.found.entry(rdd).or_default() += 1;
        self.nodes.get(&rdd).filter(|_| self.steps <= MOST_STEPS)
    }
}

fn nodes(json: &Object) -> HashMap<u64, Node> {
    let rdds = || json.list("rdds").iter().filter_map(serde_json::Value::as_object);
    let partitions: HashMap<u64, u64> =
        rdds().filter_map(|rdd| Some((rdd.number("id")?, rdd.number("partitions").unwrap_or(0)))).collect();
    rdds().filter_map(|rdd| Some((rdd.number("id")?, node(rdd, &partitions)))).collect()
}

fn node(rdd: &Object, partitions: &HashMap<u64, u64>) -> Node {
    let (own, parents) = (rdd.number("partitions").unwrap_or(0), rdd.numbers("parents"));
    let here: Vec<u64> = parents.iter().copied().filter(|parent| partitions.contains_key(parent)).collect();
    let is_called = |what: &str| {
        ["name", "operation"].iter().any(|name| rdd.text(name).to_ascii_lowercase().contains(what))
    };
    let of = |parent: &u64| partitions.get(parent).copied().unwrap_or(0);
    let all = here.iter().fold(0_u64, |all, parent| all.saturating_add(of(parent)));
    let unites = here.len() > 1 && here.len() == parents.len() && all == own && is_called("union");
    // A coalesced RDD may have its partitions in another order.
    let only = here.first().copied().filter(|parent| here.len() == 1 && of(parent) == own);
    let only = only.filter(|_| !is_called("coalesce"));
    let united = if unites { here.clone() } else { Vec::new() };
    let mut below = here;
    below.sort_unstable();
    below.dedup();
    Node { below, partitions: own, united, only }
}
