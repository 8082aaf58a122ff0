//! A claim on the log of an application that has ended, held while the log is replayed.

use std::path::Path;

use super::folder::Folder;
use super::recovery::recover;
use crate::error::Result;
use crate::event::Sequence;

/// A shared lock on the log of an application that has ended. While it is held, no process can write or
/// remove the log; other processes may replay it for other sinks.
pub struct Claim {
    folder: Folder,
    last: Sequence,
}

impl Claim {
    /// Takes the lock and makes the readable part of the log durable; `None` while a process writes the log.
    pub fn of(folder: &Path) -> Result<Option<Claim>> {
        let Some(folder) = Folder::shared(folder)? else { return Ok(None) };
        let last = Sequence(recover(&folder, false)?.last);
        Ok(Some(Claim { folder, last }))
    }

    /// The folder of the log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The last event.
    pub fn last(&self) -> Sequence {
        self.last
    }
}
