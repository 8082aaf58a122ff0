//! One execution of a query.

use serde_json::{json, Value};

use super::super::json::{copy, cut, Object, Reads};
use super::super::ship::Shipped;
use super::tree::Tree;
use super::LONGEST;

/// The limit of a plan's text, in bytes.
const LONGEST_PLAN: usize = 64 << 10;
/// The limits of a plan's nodes and of a node's SQL metrics.
const MOST_NODES: usize = 1024;
const MOST_METRICS: usize = 64;

#[derive(Debug)]
struct Node {
    id: Value,
    name: String,
    metrics: Vec<u64>,
}

#[derive(Debug, Default)]
pub(in crate::metrics) struct Execution {
    body: Object,
    nodes: Vec<Node>,
    limited: bool,
    unites_one_plan: bool,
    pub(in crate::metrics) dirty: bool,
    pub(in crate::metrics) shipped: Shipped,
}

impl Execution {
    pub(super) fn learn(&mut self, json: &Object) {
        copy(
            json,
            &mut self.body,
            &["execution", "description", "started_ms", "ended_ms", "failure"],
            4 * LONGEST,
        );
        copy(json, &mut self.body, &["plan"], LONGEST_PLAN);
        if json.contains_key("nodes") {
            let nodes = json.list("nodes").iter().filter_map(Value::as_object).take(MOST_NODES);
            self.nodes = nodes.map(node).collect();
        }
        if json.contains_key("nodes") {
            let tree = Tree::of(json);
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
    pub(super) fn nodes_with(&self, metrics: &[u64]) -> Vec<Value> {
        let has = |node: &&Node| node.metrics.iter().any(|id| metrics.binary_search(id).is_ok());
        self.nodes.iter().filter(has).map(|node| node.id.clone()).collect()
    }

    /// The ids of the nodes with this name.
    pub(in crate::metrics) fn nodes_named(&self, name: &str) -> Vec<Value> {
        self.nodes.iter().filter(|node| node.name == name).map(|node| node.id.clone()).collect()
    }

    /// The body of its Execution event.
    pub(in crate::metrics) fn event(&self) -> Object {
        let mut body = self.body.clone();
        let nodes = self.nodes.iter();
        let nodes: Vec<Value> =
            nodes.map(|node| json!({"id": node.id, "name": node.name, "metrics": node.metrics})).collect();
        body.insert("nodes".to_string(), Value::from(nodes));
        body
    }
}

fn node(json: &Object) -> Node {
    let mut metrics = json.numbers("metrics");
    metrics.truncate(MOST_METRICS);
    let id = json.get("id").filter(|id| id.is_number() || id.is_string()).cloned();
    Node {
        id: id.unwrap_or_else(|| Value::from("")),
        name: cut(json.text("name"), LONGEST).to_string(),
        metrics,
    }
}
