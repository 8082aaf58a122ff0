//! Facts about a stage from the lineage of its RDDs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::json::{Object, Reads};

/// Facts from the RDDs of a stage; those below a shuffle are not part of it.
#[derive(Debug)]
pub(super) struct Lineage {
    /// Some RDD is computed more than once: each of its partitions by several tasks, as below a Cartesian product, or
    /// several times by one task, as below a union with itself.
    pub(super) repeats: bool,
    /// Some RDD reads several others, or one several times.
    pub(super) unites: bool,
    /// A union of Spark SQL reads several others.
    pub(super) unites_plans: bool,
    /// Some RDD skips partitions of another one.
    pub(super) pruned: bool,
    /// A task that reads a persisted block reports `has_read`: all caches are stored as objects in memory, and none
    /// is a checkpoint.
    pub(super) caches_tell: bool,
    /// The RDDs whose rows may come from persisted blocks or a checkpoint.
    caches: Vec<u64>,
}

impl Lineage {
    /// The facts of a stage that begins, from its `rdds` and `caches`.
    pub(super) fn of(json: &Object) -> Lineage {
        let rdds: Vec<&Object> = json.list("rdds").iter().filter_map(serde_json::Value::as_object).collect();
        let partitions: HashMap<u64, u64> = rdds
            .iter()
            .filter_map(|rdd| Some((rdd.number("id")?, rdd.number("partitions").unwrap_or(0))))
            .collect();
        let mut lineage = Lineage {
            repeats: false,
            unites: false,
            unites_plans: false,
            pruned: false,
            caches_tell: true,
            caches: Vec::new(),
        };
        let mut read = HashSet::new();
        for rdd in rdds {
            let here: Vec<(u64, u64)> = rdd
                .numbers("parents")
                .into_iter()
                .filter_map(|parent| partitions.get(&parent).map(|parts| (parent, *parts)))
                .collect();
            lineage.repeats |= here.iter().any(|(parent, _)| !read.insert(*parent));
            lineage.repeats |= is_cartesian(rdd, &here);
            lineage.unites |= here.len() > 1;
            lineage.unites_plans |= here.len() > 1 && rdd.text("operation") == "Union";
            lineage.pruned |= rdd.text("name") == "PartitionPruningRDD"
                && here.iter().any(|(_, parts)| rdd.number("partitions").is_some_and(|own| own < *parts));
        }
        for cache in json.list("caches").iter().filter_map(serde_json::Value::as_object) {
            lineage.caches.extend(cache.number("rdd"));
            lineage.caches_tell &= cache.is("tells");
        }
        lineage
    }

    /// Its caches together with those of earlier attempts, whose tasks may be running.
    pub(super) fn caches_and(&self, before: Option<&[u64]>) -> Option<Arc<[u64]>> {
        let mut all = self.caches.clone();
        all.extend(before.unwrap_or_default());
        all.sort_unstable();
        all.dedup();
        (!all.is_empty()).then(|| all.into())
    }
}

/// Whether an RDD reads partitions of its parents more than once, judged by its name or by its number of partitions.
fn is_cartesian(rdd: &Object, here: &[(u64, u64)]) -> bool {
    if ["name", "operation"].iter().any(|name| rdd.text(name).to_lowercase().contains("cartesian")) {
        return true;
    }
    let Some(own) = rdd.number("partitions").filter(|_| !here.is_empty()) else { return false };
    let (most, sum) =
        here.iter().fold((0, 0_u64), |(most, sum), (_, parts)| (parts.max(&most).to_owned(), sum + parts));
    let one_of_each = own <= most;
    let fewest = here.iter().map(|(_, parts)| *parts).min().unwrap_or(0);
    // A zip has as many partitions as each parent, a union as many as all together, and a coalesced RDD fewer.
    !(own == sum || (one_of_each && (here.len() == 1 || fewest == own || own < fewest)))
}
