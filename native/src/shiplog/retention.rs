//! Removal of logs, whenever a log begins a segment.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::claim::Claim;
use super::folder::{self, Folder};
use super::found::{applications, look, Found};
use super::{position, tail, Sequence};
use crate::error::Result;
use crate::sync::held;

/// The limits below one root.
#[derive(Debug, Clone)]
pub(super) struct RetentionLimits {
    pub(super) root: PathBuf,
    /// The log of the application itself.
    pub(super) own: PathBuf,
    pub(super) age: Duration,
    pub(super) bytes: u64,
}

/// The state of a sweeper.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RetentionState {
    Idle,
    Busy,
    /// Busy, and asked for another sweep since it began.
    Again,
}

/// Sweeps on its own thread, one sweep at a time.
pub(super) struct Sweeper {
    limits: RetentionLimits,
    state: Mutex<RetentionState>,
}

impl Sweeper {
    pub(super) fn new(limits: RetentionLimits) -> Arc<Sweeper> {
        Arc::new(Sweeper { limits, state: Mutex::new(RetentionState::Idle) })
    }

    /// Begins a sweep, now or after the one under way.
    pub(super) fn start(self: &Arc<Sweeper>) {
        if self.turn(
            |state| if state == RetentionState::Idle { RetentionState::Busy } else { RetentionState::Again },
        ) != RetentionState::Idle
        {
            return;
        }
        let sweeper = Arc::clone(self);
        let spawned =
            std::thread::Builder::new().name("andiron-log-old".to_string()).spawn(move || sweeper.run());
        if let Err(error) = spawned {
            log::warn!("old logs were not removed: {error}");
            self.turn(|_| RetentionState::Idle);
        }
    }

    fn run(&self) {
        loop {
            if let Err(error) = sweep(&self.limits) {
                log::warn!("old logs were not removed: {error}");
            }
            if self.turn(|state| {
                if state == RetentionState::Again {
                    RetentionState::Busy
                } else {
                    RetentionState::Idle
                }
            }) == RetentionState::Busy
            {
                return;
            }
        }
    }

    /// Changes the state and returns the previous one.
    fn turn(&self, to: impl Fn(RetentionState) -> RetentionState) -> RetentionState {
        let mut state = held(self.state.lock());
        let was = *state;
        *state = to(was);
        was
    }
}

/// Removes logs that are older than allowed and completely shipped, then the oldest logs until the rest fits
/// the limit. If that is not enough, removes segments of the own log, oldest first and thus already shipped
/// ones first, except for the first segment, which describes the application, and the newest two.
///
/// A log that a process writes or replays stays, and so do entries that are not logs.
pub(super) fn sweep(limits: &RetentionLimits) -> Result<()> {
    let found = applications(&limits.root)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut bytes: u64 = found.iter().map(|found| found.bytes).sum();
    let mut old: Vec<&Found> = found.iter().filter(|found| !found.live).collect();
    old.sort_by_key(|found| found.modified_ms);
    for found in old {
        let age = now.saturating_sub(Duration::from_millis(found.modified_ms));
        let large = bytes > limits.bytes;
        if !large && age <= limits.age {
            continue;
        }
        let last = Claim::of(&found.folder).ok().flatten().map(|claim| claim.last());
        let owed = last.is_none_or(|last| position::owed(&found.folder, last));
        if owed && !large {
            continue;
        }
        match Folder::alone(&found.folder)
            .and_then(|folder| folder.map(|folder| remove(folder, found)).transpose())
        {
            Ok(Some(false)) => continue,
            Ok(Some(true)) if owed => {
                let why = "the logs take more than spark.andiron.log.maxBytes";
                log::warn!(
                    "{} was removed although sinks have not shipped all of it: {why}",
                    found.folder.display()
                );
            }
            Ok(Some(true)) => {}
            Ok(None) => continue,
            Err(error) => {
                log::warn!("an old log was not removed: {error}");
                continue;
            }
        }
        bytes -= found.bytes;
    }
    shorten(&limits.own, bytes, limits.bytes)
}

/// Removes a log whose lock is held; false if the log has changed since it was found.
fn remove(folder: Folder, found: &Found) -> Result<bool> {
    let is_same = |now: Found| (now.modified_ms, now.bytes) == (found.modified_ms, found.bytes);
    if !look(folder.path()).is_some_and(is_same) {
        return Ok(false);
    }
    folder.remove().map(|()| true)
}

/// Removes segments from the middle of a log.
fn shorten(own: &Path, mut bytes: u64, most: u64) -> Result<()> {
    let segments = folder::segments(own)?;
    let middle = segments.windows(2).skip(1).take(segments.len().saturating_sub(3));
    let mut owed = false;
    for (path, next) in middle.map(|pair| (&pair[0].1, &pair[1].1)) {
        if bytes <= most {
            return Ok(());
        }
        let length = path.metadata().map_or(0, |metadata| metadata.len());
        let last = || tail::begin(next).map(|first| Sequence(first.0.saturating_sub(1)));
        let is_first_owed = !owed && last().is_none_or(|last| position::owed(own, last));
        match folder::remove_file(path) {
            Ok(()) => bytes -= length.min(bytes),
            Err(error) => log::warn!("{} was not removed: {error}", path.display()),
        }
        if is_first_owed {
            owed = true;
            let why = "the logs take more than spark.andiron.log.maxBytes";
            log::warn!("{} was removed although sinks have not shipped all of it: {why}", path.display());
        }
    }
    Ok(())
}
