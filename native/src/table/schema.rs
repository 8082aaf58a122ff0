//! Schemas, and the changes that leave older records as they are.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::column::Column;
use super::key::parts;
use super::why::refused;
use crate::error::Result;

/// The schema id of a record that has no values: the deletion of its key.
pub const DELETED: u16 = u16::MAX;

/// The columns of a version's rows, key columns included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The id that records carry: 0 to 65,534.
    pub id: u16,
    /// The columns, in the order of the rows.
    pub columns: Vec<Column>,
}

impl Schema {
    /// The column with this id.
    pub fn column(&self, id: u16) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// The least id that is greater than that of every column.
    pub(super) fn next_column(&self) -> u32 {
        self.columns.iter().map(|column| u32::from(column.id) + 1).max().unwrap_or(0)
    }

    /// The key columns in the order of the key; an id that the schema lacks is left out.
    pub fn key(&self, ids: &[u16]) -> Vec<&Column> {
        ids.iter().filter_map(|id| self.column(*id)).collect()
    }

    /// [`Code::TableSchema`](crate::error::Code::TableSchema) unless rows with this schema and key can be stored.
    pub fn check(&self, key: &[u16]) -> Result<()> {
        if self.id == DELETED {
            return Err(refused("a table has at most 65,535 schemas; copy it to a new table"));
        }
        let mut ids = BTreeSet::new();
        let mut names = BTreeSet::new();
        for column in &self.columns {
            let name = &column.name;
            if let Some(fault) = column.of.fault() {
                return Err(refused(format!("the column {name:?} cannot be stored: {fault}")));
            }
            if !ids.insert(column.id) || !names.insert(name) {
                return Err(refused(format!("two columns have the name {name:?} or the id {}", column.id)));
            }
        }
        let of_key: BTreeSet<u16> = key.iter().copied().collect();
        if key.is_empty() || of_key.len() < key.len() {
            return Err(refused("the key has no columns, or one of them twice; name each key column once"));
        }
        if let Some(absent) = key.iter().find(|id| !ids.contains(id)) {
            return Err(refused(format!("the key column with the id {absent} is not among the columns")));
        }
        parts(&self.key(key)).map(drop)
    }

    /// [`Code::TableSchema`](crate::error::Code::TableSchema) unless records of this schema can stay while new ones have the schema `next`.
    pub fn check_next(&self, next: &Schema, key: &[u16]) -> Result<()> {
        next.check(key)?;
        let help = "publish the version as a base of its own, or add a column beside it";
        for column in &next.columns {
            let name = &column.name;
            let Some(before) = self.column(column.id) else {
                if column.nullable {
                    continue;
                }
                let why = format!(
                    "the new column {name:?} must be nullable, since older rows have no value for it"
                );
                return Err(refused(why));
            };
            if !before.of.widens_to(&column.of) {
                let (from, to) = (&before.of, &column.of);
                return Err(refused(format!(
                    "the column {name:?} cannot change from {from:?} to {to:?}; {help}"
                )));
            }
            if before.nullable && !column.nullable {
                return Err(refused(format!("older rows may have no value in the column {name:?}; {help}")));
            }
        }
        if parts(&self.key(key))? != parts(&next.key(key))? {
            return Err(refused(format!("the types of the key columns give another key; {help}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::column;
    use super::super::types::Type;
    use super::*;
    use crate::error::Code;

    fn schema(columns: &[(u16, Type, bool)]) -> Schema {
        let columns = columns.iter().map(|(id, of, nullable)| column(*id, of.clone(), *nullable));
        Schema { id: 0, columns: columns.collect() }
    }

    #[test]
    fn columns_are_added_dropped_and_widened() {
        let first = schema(&[(1, Type::Int, false), (2, Type::Float, true), (3, Type::String, false)]);
        let next = schema(&[(1, Type::Long, false), (2, Type::Double, true), (4, Type::Binary, true)]);
        first.check_next(&next, &[1]).unwrap();
        let dropped_key = schema(&[(2, Type::Float, true)]);
        for (wrong, named) in [
            (schema(&[(1, Type::Int, false), (2, Type::Int, true)]), "cannot change"),
            (schema(&[(1, Type::Int, false), (2, Type::Float, false)]), "no value in the column"),
            (schema(&[(1, Type::Int, false), (5, Type::Int, false)]), "must be nullable"),
            (schema(&[(1, Type::Short, false)]), "cannot change"),
            (dropped_key, "key column"),
        ] {
            let error = first.check_next(&wrong, &[1]).unwrap_err();
            assert_eq!(error.code(), Code::TableSchema);
            assert!(error.message().contains(named), "{error}");
        }
    }

    #[test]
    fn a_decimal_key_keeps_its_width() {
        let decimal = |precision| Type::Decimal { precision, scale: 2 };
        let first = schema(&[(1, decimal(9), false)]);
        first.check_next(&schema(&[(1, decimal(18), false)]), &[1]).unwrap();
        let error = first.check_next(&schema(&[(1, decimal(19), false)]), &[1]).unwrap_err();
        assert!(error.message().contains("another key"), "{error}");
    }

    #[test]
    fn impossible_columns_and_keys_are_refused() {
        let deep = (0..40).fold(Type::Int, |of, _| Type::Array(Box::new(of)));
        let wrong = [
            (schema(&[(1, Type::Int, false), (1, Type::Int, false)]), vec![1]),
            (schema(&[(1, Type::Decimal { precision: 39, scale: 0 }, false)]), vec![1]),
            (schema(&[(1, Type::Int, false), (2, deep, true)]), vec![1]),
            (schema(&[(1, Type::Int, false)]), vec![]),
            (schema(&[(1, Type::Int, false)]), vec![1, 1]),
            (schema(&[(1, Type::Int, false)]), vec![2]),
            (schema(&[(1, Type::Array(Box::new(Type::Int)), false)]), vec![1]),
        ];
        for (schema, key) in wrong {
            assert_eq!(schema.check(&key).unwrap_err().code(), Code::TableSchema, "{schema:?}");
        }
    }
}
