//! The micro-batches that operators are created for.

use serde_json::{Map, Value};

use crate::metrics::json::Reads;

/// The batch that an operator is created for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OfBatch {
    pub(super) query: String,
    pub(super) number: u64,
    /// The run of the query; empty if unknown.
    pub(super) run: String,
}

impl OfBatch {
    /// The batch that a declaration names.
    pub(super) fn of(declaration: &Map<String, Value>) -> Option<OfBatch> {
        let (query, run) = (declaration.text("query").to_string(), declaration.text("run").to_string());
        Some(OfBatch { number: declaration.number("batch").filter(|_| !query.is_empty())?, query, run })
    }
}

/// The last batch of a query, with the operators that were created for it.
#[derive(Debug, Default)]
pub(super) struct LastBatch {
    pub(super) number: u64,
    pub(super) runs: Vec<(String, Vec<u64>)>,
}

/// The label of an operator that is created for a batch, and the operators of earlier runs that it replaces.
pub(super) struct Placement {
    pub(super) label: String,
    pub(super) replaces: Vec<u64>,
    /// It may be another execution of the batch, or another operator.
    pub(super) unclear: bool,
}
