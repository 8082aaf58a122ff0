//! How often the functions of a query run, as far as its plan shows.

use serde_json::Value;

use super::super::json::{Object, Reads};

/// The limit of nodes that are inspected.
const MOST_NODES: usize = 4096;
/// The limit of the depth that is inspected.
const DEEPEST: usize = 512;
/// Prefixes of the names of operators that run no function of the user. A limit above only these operators skips no
/// call of a function.
const PLAIN: [&str; 22] = [
    "AQEShuffleRead",
    "AdaptiveSparkPlan",
    "BatchScan",
    "BroadcastExchange",
    "BroadcastQueryStage",
    "Coalesce",
    "CollectLimit",
    "ColumnarToRow",
    "EmptyRelation",
    "Exchange",
    "FileScan",
    "GlobalLimit",
    "InputAdapter",
    "LocalLimit",
    "LocalTableScan",
    "OneRowRelation",
    "Range",
    "ResultQueryStage",
    "ReusedExchange",
    "ShuffleQueryStage",
    "Union",
    "WholeStageCodegen",
];

/// A plan: nodes from the root down, each with its children.
pub(super) struct PlanTree<'a> {
    names: Vec<&'a str>,
    texts: Vec<&'a str>,
    children: Vec<Vec<usize>>,
}

impl<'a> PlanTree<'a> {
    /// A plan from its `nodes`, each with `name`, `text`, and `parent`, the index of an earlier node.
    pub(super) fn of(json: &'a Object) -> PlanTree<'a> {
        let nodes: Vec<&Object> =
            json.list("nodes").iter().filter_map(Value::as_object).take(MOST_NODES).collect();
        let mut children = vec![Vec::new(); nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            let parent = node.number("parent").map(|parent| parent as usize).filter(|parent| *parent < at);
            if let Some(parent) = parent {
                children[parent].push(at);
            }
        }
        let names = nodes.iter().map(|node| node.text("name")).collect();
        let texts = nodes.iter().map(|node| node.text("text")).collect();
        PlanTree { names, texts, children }
    }

    /// Whether a limit is above an operator that may run a function of the user. A limit without children counts as
    /// such, since nothing is known of it.
    pub(super) fn is_limited(&self) -> bool {
        let limits = (0..self.names.len()).filter(|at| self.names[*at].contains("Limit"));
        limits.into_iter().any(|at| self.children[at].is_empty() || !self.is_plain(at, 0))
    }

    fn is_plain(&self, at: usize, depth: usize) -> bool {
        let name = self.names[at];
        let plain = PLAIN.iter().any(|plain| name.starts_with(plain))
            || (name.starts_with("Scan ") && !name.contains("RDD"));
        plain && depth < DEEPEST && self.children[at].iter().all(|child| self.is_plain(*child, depth + 1))
    }

    /// Whether two branches of a union are the same plan.
    pub(super) fn unites_one_plan(&self) -> bool {
        let unions = (0..self.names.len()).filter(|at| self.names[*at] == "Union");
        unions.into_iter().any(|at| {
            let mut branches: Vec<String> =
                self.children[at].iter().map(|child| self.plain_text(*child)).collect();
            branches.sort_unstable();
            branches.windows(2).any(|two| two[0] == two[1])
        })
    }

    /// A subtree as text, without the ids that distinguish executions of one plan.
    fn plain_text(&self, at: usize) -> String {
        let mut text = String::new();
        self.write(at, &mut text, 0);
        text
    }

    fn write(&self, at: usize, to: &mut String, depth: usize) {
        if depth > DEEPEST || to.len() > 1 << 20 {
            return;
        }
        let name = self.names[at];
        if name == "ReusedExchange" {
            if let Some(first) = self.reused(at) {
                return self.write(first, to, depth + 1);
            }
        }
        let wraps = ["WholeStageCodegen", "InputAdapter", "ShuffleQueryStage", "BroadcastQueryStage"];
        if !wraps.iter().any(|wrapper| name.starts_with(wrapper)) {
            to.push_str(name);
            to.push(' ');
            without_ids(self.texts[at], to);
        }
        to.push('(');
        self.children[at].iter().for_each(|child| self.write(*child, to, depth + 1));
        to.push(')');
    }

    /// The node of the exchange that a reused exchange refers to.
    fn reused(&self, at: usize) -> Option<usize> {
        let id = |at: usize| self.texts[at].split_once("[plan_id=").map(|(_, after)| after.split(']').next());
        let wanted = id(at)?;
        (0..self.names.len())
            .find(|other| self.names[*other] != "ReusedExchange" && id(*other) == Some(wanted))
    }
}

/// Appends `text` without the numbers that Spark gives to columns and plans.
fn without_ids(text: &str, to: &mut String) {
    let mut skips = false;
    for (at, character) in text.char_indices() {
        skips = if skips { character.is_ascii_digit() } else { false };
        if !skips {
            to.push(character);
        }
        skips |= character == '#' || text[..=at].ends_with("plan_id=");
    }
}
