//! The place of a fault in a table, and the errors that name it.

use std::fmt;

use super::why::Why;
use crate::error::{Code, Error};

/// Table, version, file and section of a part that is read or written. Empty texts are left out of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The table as the user names it: its path.
    pub table: String,
    /// The version's name.
    pub version: String,
    /// The file below the table's path.
    pub file: String,
    /// Family and shard.
    pub section: Option<(u16, u16)>,
}

impl Place {
    /// The same place, in one of its file's sections.
    pub fn section(&self, family: u16, shard: u16) -> Place {
        Place { section: Some((family, shard)), ..self.clone() }
    }

    /// [`Code::TableDamaged`] for a part that is in another form than it should be.
    pub fn damaged(&self, why: impl fmt::Display) -> Error {
        let help = "restore the file from a copy, or publish the version again under another name";
        Error::new(Code::TableDamaged, format!("{self}: {why}; {help}"))
    }

    /// [`Code::TableLimit`] for a part beyond a limit of tables.
    pub fn beyond(&self, why: impl fmt::Display) -> Error {
        Error::new(Code::TableLimit, format!("{self}: {why}"))
    }

    /// The error for a record that cannot be packed.
    pub(super) fn refused(&self, why: Why) -> Error {
        match why {
            Why::Damaged(why) => self.damaged(why),
            Why::Beyond(why) => self.beyond(why),
            Why::NullKey(column) => Error::new(
                Code::NullKey,
                format!("{self}: a row has no value in the key column {column:?}; filter such rows before publish"),
            ),
            Why::Unfit(why) => Error::new(Code::TableSchema, format!("{self}: {why}")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}", self.table)?;
        for (name, text) in [("version", &self.version), ("file", &self.file)] {
            if !text.is_empty() {
                write!(f, ", {name} {text}")?;
            }
        }
        match self.section {
            Some((family, shard)) => write!(f, ", section of family {family} and shard {shard}"),
            None => Ok(()),
        }
    }
}
