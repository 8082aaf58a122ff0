//! Columns of a table.

use serde::{Deserialize, Serialize};

use super::types::Type;

/// A column. Its id belongs to it for the table's whole life, whatever its name becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The id, unique among all columns that the table ever had.
    pub id: u16,
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub of: Type,
    /// Whether a row may have no value in it.
    pub nullable: bool,
}
