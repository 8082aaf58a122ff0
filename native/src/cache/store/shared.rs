//! The part of a store that its writers share.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::directory::Directory;
use super::pins::{Pin, Pins};
use super::tally::DiskTally;
use crate::file_lock::HeldLock;

/// The part of the store that its writers use even after it is closed.
pub(super) struct StoreShared {
    pub(super) directory: Directory,
    pub(super) disk_bytes: u64,
    pub(super) pins: Arc<Pins>,
    pub(super) tally: DiskTally,
    /// Published files found by `begin`, kept from eviction until `adopt` takes them.
    pub(super) offers: Mutex<HashMap<String, Offer>>,
}

pub(super) struct Offer {
    pub(super) file: OwnedFd,
    pub(super) pin: Pin,
    /// The locked directory, for a version whose files keep their names.
    pub(super) tree: Option<HeldLock>,
    pub(super) made: Instant,
}
