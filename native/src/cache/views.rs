//! Open views of leased bytes.

use super::bytes::Bytes;
use super::slab::{Handle, HandleKind, Slab};
use super::slot::{Payload, Residency};
use crate::error::{Code, Error, Result};
use crate::sync::held;
use std::sync::{Arc, Mutex, MutexGuard};

/// Access to leased bytes that outlives the lease: while the view is open, their addresses stay mapped.
pub struct OpenView {
    payload: Arc<dyn Payload>,
}

impl HandleKind for OpenView {
    const TAG: u64 = 5;
}

/// A handle of a view.
pub type ViewId = Handle<OpenView>;

/// The location of a view's bytes.
pub struct Region {
    /// The handle that keeps them mapped.
    pub view: ViewId,
    /// The first byte's address; 0 if there are no bytes.
    pub address: u64,
    /// The number of bytes.
    pub length: u64,
    /// Their residency.
    pub residency: Residency,
}

/// The open views of this process.
pub(super) struct Views(Mutex<Slab<OpenView>>);

impl Views {
    pub(super) fn new() -> Views {
        Views(Mutex::new(Slab::new()))
    }

    /// Opens a view of leased bytes.
    pub(super) fn open(&self, residency: Residency, payload: Arc<dyn Payload>) -> Result<Region> {
        let bytes = payload.as_any().downcast_ref::<Bytes>().ok_or_else(|| {
            Error::new(Code::BadArgument, "this version is an object, not bytes; read it with leasedObject")
        })?;
        let (address, length) = (bytes.mapping().address(), bytes.mapping().len());
        let view = self.lock().insert(OpenView { payload });
        Ok(Region { view, address, length, residency })
    }

    /// Closes a view. Idempotent.
    pub(super) fn close(&self, view: ViewId) {
        let closed = self.lock().remove(view);
        drop(closed);
    }

    /// The address of `length` bytes at `offset` of a view.
    pub(super) fn region(&self, view: ViewId, offset: u64, length: u64) -> Result<u64> {
        let payload = self.lock().get(view).map(|view| Arc::clone(&view.payload));
        let payload =
            payload.ok_or_else(|| Error::new(Code::Released, "this view of a version's bytes is closed"))?;
        let mapping = payload.as_any().downcast_ref::<Bytes>().map(Bytes::mapping);
        mapping
            .filter(|mapping| offset.checked_add(length).is_some_and(|end| end <= mapping.len()))
            .map(|mapping| mapping.address() + offset)
            .ok_or_else(|| {
                Error::new(
                    Code::BadArgument,
                    format!("{length} bytes at offset {offset} are outside the version"),
                )
            })
    }

    fn lock(&self) -> MutexGuard<'_, Slab<OpenView>> {
        held(self.0.lock())
    }
}
