//! Catalogs: the versions of a dataset in this process.

use super::slab::{Handle, HandleKind};
use super::slot::{PayloadKind, SlotId};

/// A handle of a catalog.
pub type CatalogId = Handle<Catalog>;

/// One open catalog. Two catalogs that list the same version key share its slot.
pub struct Catalog {
    /// The Spark application's id.
    pub application: String,
    /// The dataset's name.
    pub dataset: String,
    /// Bytes or objects.
    pub kind: PayloadKind,
    /// The class loader of objects; 0 for bytes.
    pub loader_scope: u64,
    /// Its versions.
    pub slots: Vec<SlotId>,
}

impl HandleKind for Catalog {
    const TAG: u64 = 4;
}

/// A catalog's entry for one version.
pub struct Listing<'a> {
    /// The version's name.
    pub version: &'a str,
    /// See [`VersionKey::digest`].
    pub digest: &'a str,
    /// The size, if it is known.
    pub bytes: Option<u64>,
    /// The name of the source in messages.
    pub label: &'a str,
}
