//! JVM objects that the core holds: payloads, and the causes of errors.

use crate::cache::Payload;
use crossbeam::channel::{unbounded, Receiver, Sender};
use jni::objects::{JObject, JThrowable};
use jni::refs::Global;
use once_cell::sync::Lazy;
use std::any::Any;
use std::sync::Arc;

/// A reference that counts, so that it can be handed on without the JVM.
type Reference = Arc<Global<JObject<'static>>>;

/// Objects that have left their slots and whose owners want to know, in that order.
static EVICTED: Lazy<(Sender<Reference>, Receiver<Reference>)> = Lazy::new(unbounded);

/// What a user's loader returned, held by a global reference. The JVM's collector protects whoever still uses it.
pub(super) struct JvmObject {
    /// The object.
    pub(super) object: Reference,
    /// Whether [`next_evicted`] tells of its evictions.
    tells: bool,
}

impl JvmObject {
    /// An object for the load that made it.
    pub(super) fn new(object: Global<JObject<'static>>, tells: bool) -> JvmObject {
        JvmObject { object: Arc::new(object), tells }
    }
}

/// The next object that has left its slot, of those that tell: once for each load that it ended.
pub(super) fn next_evicted() -> Option<Reference> {
    EVICTED.1.try_recv().ok()
}

impl Payload for JvmObject {
    fn evict(&self) {
        if self.tells && EVICTED.0.send(Arc::clone(&self.object)).is_err() {
            log::error!("an object that was evicted cannot be closed: the process is ending");
        }
    }

    fn kept_by_attempts(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An exception that a callback raised: the cause of an error that others get.
pub(super) struct JvmThrowable(pub(super) Global<JThrowable<'static>>);
