//! A log that nobody writes, held while it is replayed.

use std::path::Path;

use super::event::Sequence;
use super::folder::Folder;
use super::recovery::recover;
use crate::error::Result;

/// The hold on the log of an application that is gone. While it lasts nobody writes or removes it; others may replay it
/// too, for other sinks.
pub struct Claim {
    folder: Folder,
    last: Sequence,
}

impl Claim {
    /// Takes the hold and makes durable what can be read; `None` if somebody writes the log.
    pub fn of(folder: &Path) -> Result<Option<Claim>> {
        let Some(folder) = Folder::shared(folder)? else { return Ok(None) };
        let last = Sequence(recover(&folder, false)?.last);
        Ok(Some(Claim { folder, last }))
    }

    /// Where the log is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The last event.
    pub fn last(&self) -> Sequence {
        self.last
    }
}
