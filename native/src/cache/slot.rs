//! A slot: the place of one version in this process.

use super::slab::{Handle, HandleKind};
use super::thrash::Eviction;
use crate::clock::Moment;
use crate::error::Error;
use std::any::Any;
use std::sync::Arc;
use std::sync::Weak;

/// The kind of payload of a catalog's versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// Bytes off the heap, read in place.
    Bytes,
    /// A JVM object that the user's loader made.
    Object,
}

/// The identity of a version: two versions share one slot exactly when their keys are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionKey {
    /// The Spark application's id.
    pub application: String,
    /// The dataset's name.
    pub dataset: String,
    /// The version's name; ordered cursors visit versions in the order of their UTF-8 bytes.
    pub version: String,
    /// Stable digest of the version's origin (source, size, modification time or checksum, loader).
    pub digest: String,
    /// Bytes or objects.
    pub kind: PayloadKind,
    /// The class loader that objects belong to; 0 for bytes.
    pub loader_scope: u64,
}

impl VersionKey {
    /// Whether both are versions of one dataset of one application.
    pub(super) fn same_dataset(&self, other: &VersionKey) -> bool {
        self.dataset == other.dataset && self.application == other.application
    }
}

impl std::fmt::Display for VersionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "dataset {:?} version {:?}", self.dataset, self.version)
    }
}

/// The result of a load, shared by its leases. Dropping the last reference frees it.
pub trait Payload: Send + Sync {
    /// Gives the memory back while references may still exist (pages are dropped, addresses stay valid).
    ///
    /// Called once for each load that ended with this payload, including results that are dropped; without any
    /// lock held, and possibly late, that is after the same payload ended its version's next load.
    fn evict(&self);

    /// Whether an attempt that leased it keeps a reference until the attempt ends, for readers that run late.
    fn kept_by_attempts(&self) -> bool;

    /// Names another mapping of its memory, whose pages go with its own. Without such memory it does nothing.
    fn mapped_again(&self, _elsewhere: Weak<dyn Pages>) {}

    /// The concrete payload, for the boundary.
    fn as_any(&self) -> &dyn Any;
}

/// A mapping of a payload's memory that the payload does not own.
pub trait Pages: Send + Sync {
    /// Lets go of the pages; addresses stay valid. Takes no lock of the cache.
    fn drop_pages(&self);
}

/// The number of one residency of a version; a later residency of the same version has another number.
pub type Residency = u64;

/// The state of a version: `Absent -> Loading -> Resident -> Absent`, or `Loading -> Failed -> Absent`.
///
/// *Retired* is not a state of the slot but of a payload that has left it: its former lessees and open views
/// keep it alive.
pub enum SlotState {
    /// Not resident, and no load is under way.
    Absent,
    /// One load is under way.
    Loading(LoadId),
    /// Resident and available for leases.
    Resident {
        /// The number of this residency.
        residency: Residency,
        /// The leased payload.
        payload: Arc<dyn Payload>,
        /// The charge to the budget.
        bytes: u64,
    },
    /// The last load failed; its error is the answer until a point in time.
    Failed {
        /// The error for every caller.
        error: Error,
        /// The time of the next allowed load.
        until: Moment,
    },
}

/// The number of one load attempt; never reused.
pub type LoadId = u64;

/// A handle of a slot.
pub type SlotId = Handle<Slot>;

/// The place of one version.
pub struct Slot {
    /// Its key.
    pub key: VersionKey,
    /// The name of the source in messages.
    pub label: String,
    /// The size from the last load, or from the catalogs before the first load.
    pub bytes: Option<u64>,
    /// The size from the catalogs, if one of them declares it.
    pub declared: Option<u64>,
    /// The number of open catalogs that list it. At 0 it is doomed: it cannot be leased any more.
    pub catalogs: usize,
    /// The value of `catalog.demand`.
    pub demand_hint: u64,
    /// Its state.
    pub state: SlotState,
    /// Leases on the current residency.
    pub leases: usize,
    /// The cache's tick at its last grant or release.
    pub last_used: u64,
    /// Its last eviction to make room for another version, until it is loaded again.
    pub evicted: Option<Eviction>,
}

impl HandleKind for Slot {
    const TAG: u64 = 1;
}

impl Slot {
    /// Whether every catalog that listed it is closed.
    pub fn doomed(&self) -> bool {
        self.catalogs == 0
    }

    /// Whether it is resident without a lease.
    pub fn idle(&self) -> bool {
        self.leases == 0 && matches!(self.state, SlotState::Resident { .. })
    }

    /// The part of `bytes` on the heap: all of an object, none of bytes off the heap.
    pub fn on_heap(&self, bytes: u64) -> u64 {
        match self.key.kind {
            PayloadKind::Bytes => 0,
            PayloadKind::Object => bytes,
        }
    }

    /// "dataset .. version .. from ..", for messages.
    pub fn name(&self) -> String {
        format!("{} from {}", self.key, self.label)
    }
}
