//! JVM objects held by the core: payloads, and causes of errors.

use crate::cache::Payload;
use crossbeam::channel::{unbounded, Receiver, Sender};
use jni::objects::{JObject, JThrowable};
use jni::refs::Global;
use once_cell::sync::Lazy;
use std::any::Any;
use std::sync::Arc;

/// A counted reference, which can be cloned without the JVM.
type Reference = Arc<Global<JObject<'static>>>;

/// Evicted objects whose owners asked for a notification, in the order of eviction.
static EVICTED: Lazy<(Sender<Reference>, Receiver<Reference>)> = Lazy::new(unbounded);

/// The object that a user's loader returned, held by a global reference. Code that still uses it keeps it
/// alive through the JVM's collector.
pub(super) struct JvmObject {
    /// The object.
    pub(super) object: Reference,
    /// Whether [`next_evicted`] reports its eviction.
    tells: bool,
}

impl JvmObject {
    pub(super) fn new(object: Global<JObject<'static>>, tells: bool) -> JvmObject {
        JvmObject { object: Arc::new(object), tells }
    }
}

/// The next evicted object whose owner asked for a notification; once for each load that produced it.
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

/// An exception that a callback raised, as the cause of an error.
pub(super) struct JvmThrowable(pub(super) Global<JThrowable<'static>>);
