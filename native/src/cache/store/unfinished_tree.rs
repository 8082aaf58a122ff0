//! The tree that a writer fills.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use super::checksum::{Checksum, Hasher};
use super::names::Form;
use crate::file_lock::HeldLock;

/// The unfinished tree of a writer.
pub(super) struct TreeWriter {
    pub(super) temporary: File,
    pub(super) name: String,
    pub(super) parts: HeldLock,
    /// The file being written, and its start and end among all bytes.
    pub(super) entry: String,
    pub(super) base: u64,
    pub(super) end: u64,
    pub(super) directories: BTreeSet<String>,
    /// Complete files, in the byte order of their names.
    pub(super) sums: BTreeMap<String, Checksum>,
}

impl TreeWriter {
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn temporary(&self) -> &File {
        &self.temporary
    }

    /// The checksum of the version: that of the single file, or that of the lines `<digits>  <name>` of all
    /// files.
    pub(super) fn checksum(&self, form: Form, like: Option<&Checksum>) -> Checksum {
        if let (Form::File, Some(only)) = (form, self.sums.values().next()) {
            return *only;
        }
        let mut hasher = Hasher::like(like);
        for (name, sum) in &self.sums {
            let text = sum.to_string();
            let digits = text.split_once(':').map_or(text.as_str(), |(_, digits)| digits);
            hasher.update(format!("{digits}  {name}\n").as_bytes());
        }
        hasher.finish()
    }
}
