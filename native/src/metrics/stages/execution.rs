//! One execution of a query.

use super::super::json::Object;
use super::super::revision::Shipped;
use super::stage::LONGEST;
use super::tree::PlanTree;
use crate::event::{read_object, ExecutionBody, PlanNode};
use crate::words::cut;

/// The limit of a plan's text, in bytes.
const LONGEST_PLAN: usize = 64 << 10;
/// The limits of a plan's nodes and of a node's SQL metrics.
const MOST_NODES: usize = 1024;
const MOST_METRICS: usize = 64;

#[derive(Debug, Default)]
pub(in crate::metrics) struct Execution {
    pub(in crate::metrics) body: ExecutionBody,
    limited: bool,
    unites_one_plan: bool,
    pub(in crate::metrics) dirty: bool,
    pub(in crate::metrics) shipped: Shipped,
}

impl Execution {
    /// Takes the fields that `json` has; the others stay.
    pub(super) fn learn(&mut self, json: &Object) {
        let told: ExecutionBody = read_object(json);
        let body = &mut self.body;
        body.id = told.id;
        body.started_ms = told.started_ms.or(body.started_ms);
        body.ended_ms = told.ended_ms.or(body.ended_ms);
        let texts = [
            (&mut body.description, told.description, 4 * LONGEST),
            (&mut body.failure, told.failure, 4 * LONGEST),
            (&mut body.plan, told.plan, LONGEST_PLAN),
        ];
        for (text, told, longest) in texts.into_iter().filter(|(_, told, _)| !told.is_empty()) {
            *text = told;
            cut(text, longest);
        }
        if json.contains_key("nodes") {
            body.nodes = told.nodes;
            body.nodes.truncate(MOST_NODES);
            for node in &mut body.nodes {
                cut(&mut node.name, LONGEST);
                node.metrics.truncate(MOST_METRICS);
            }
            let tree = PlanTree::of(json);
            self.limited |= tree.is_limited();
            self.unites_one_plan |= tree.unites_one_plan();
        }
        self.dirty = true;
    }

    /// Whether an operator stops reading when it has enough rows, above one that may run a function of the user.
    pub(super) fn is_limited(&self) -> bool {
        self.limited
    }

    /// Whether several branches of a union read the same rows.
    pub(super) fn unites_one_plan(&self) -> bool {
        self.unites_one_plan
    }

    /// The ids of the nodes that have one of these SQL metrics, which must ascend.
    pub(super) fn nodes_with(&self, metrics: &[u64]) -> Vec<u64> {
        let has = |node: &&PlanNode| node.metrics.iter().any(|id| metrics.binary_search(id).is_ok());
        self.body.nodes.iter().filter(has).filter_map(|node| node.id).collect()
    }

    /// The ids of the nodes with this name.
    pub(in crate::metrics) fn nodes_named(&self, name: &str) -> Vec<u64> {
        self.body.nodes.iter().filter(|node| node.name == name).filter_map(|node| node.id).collect()
    }
}
