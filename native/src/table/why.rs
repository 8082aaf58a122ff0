//! The reasons that bytes are no record, and rows or columns none of a table.

use crate::error::{Code, Error};

/// The reason that bytes are no record, or values none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// Bytes in another form than the encoder gives.
    Damaged(String),
    /// More than a limit.
    Beyond(String),
    /// No value in the key column with this name.
    NullKey(String),
    /// A value that its column cannot have.
    Unfit(String),
}

/// [`Code::TableSchema`] for columns that a table cannot have.
pub(super) fn refused(why: impl Into<String>) -> Error {
    Error::new(Code::TableSchema, why)
}
