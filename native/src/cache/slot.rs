//! A slot: the place of one version in this process, from its first demand to its last lease.

use super::advice::Eviction;
use super::loading::LoadId;
use super::slab::{Handle, Kind};
use crate::clock::Moment;
use crate::error::Error;
use std::any::Any;
use std::sync::Arc;

/// What kind of payload a catalog's versions have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// Bytes off the heap, read in place.
    Bytes,
    /// A JVM object that the user's loader made.
    Object,
}

/// What makes two versions the same: they share one slot exactly when their keys are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionKey {
    /// The Spark application's id.
    pub application: String,
    /// The dataset's name.
    pub dataset: String,
    /// The version's name; ordered cursors visit versions in the order of their UTF-8 bytes.
    pub version: String,
    /// Stable digest of where the version comes from (source, size, modification time or checksum, loader).
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

/// What a load made and leases share. Dropping the last reference frees it.
pub trait Payload: Send + Sync {
    /// Gives the memory back while somebody may still hold a reference (pages are dropped, addresses stay).
    ///
    /// Called once for each load that it ended, whatever became of the load; without any lock held, and perhaps late: after
    /// the same payload ended its version's next load.
    fn evict(&self);

    /// Whether an attempt that leased it keeps a reference until it ends, for readers that run late.
    fn kept_by_attempts(&self) -> bool;

    /// The concrete payload, for the boundary.
    fn as_any(&self) -> &dyn Any;
}

/// Names one stay of a version in memory; a later stay of the same version has another.
pub type Residency = u64;

/// Where a version stands: `Absent -> Loading -> Resident -> Absent`, or `Loading -> Failed -> Absent`.
///
/// *Retired* is not a state of the slot but of a payload that has left it: whoever leased it or looks at it keeps it.
pub enum SlotState {
    /// Not here, and nobody is loading it.
    Absent,
    /// One load is under way.
    Loading(LoadId),
    /// Here, to be leased.
    Resident {
        /// This stay.
        residency: Residency,
        /// What is leased.
        payload: Arc<dyn Payload>,
        /// What it is charged with.
        bytes: u64,
    },
    /// The last load failed; the error answers until the moment.
    Failed {
        /// What every caller gets.
        error: Error,
        /// When the next caller may try again.
        until: Moment,
    },
}

/// A handle of a slot.
pub type SlotId = Handle<Slot>;

/// The place of one version.
pub struct Slot {
    /// Its key.
    pub key: VersionKey,
    /// Names the source in messages.
    pub label: String,
    /// The size by the last load, or by the catalogs before it.
    pub bytes: Option<u64>,
    /// The size by the catalogs, where one of them declares it.
    pub declared: Option<u64>,
    /// How many open catalogs list it. At 0 it is doomed: nobody may lease it any more.
    pub catalogs: usize,
    /// What `catalog.demand` said.
    pub demand_hint: u64,
    /// Where it stands.
    pub state: SlotState,
    /// Leases on the current stay.
    pub leases: usize,
    /// The cache's tick at its last grant or release.
    pub last_used: u64,
    /// Its last eviction for another's bytes, until it is loaded again.
    pub evicted: Option<Eviction>,
}

impl Kind for Slot {
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

    /// What `bytes` of it add to the heap: all of an object, nothing of bytes off the heap.
    pub fn on_heap(&self, bytes: u64) -> u64 {
        match self.key.kind {
            PayloadKind::Bytes => 0,
            PayloadKind::Object => bytes,
        }
    }

    /// "dataset .. version .. from ..", as messages name it.
    pub fn name(&self) -> String {
        format!("{} from {}", self.key, self.label)
    }
}
