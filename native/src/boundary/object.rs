//! JVM objects that the core holds: payloads, and the causes of errors.

use crate::cache::Payload;
use jni::objects::{JObject, JThrowable};
use jni::refs::Global;
use std::any::Any;

/// What a user's loader returned, held by a global reference. The JVM's collector protects whoever still uses it.
pub(super) struct JvmObject(pub(super) Global<JObject<'static>>);

impl Payload for JvmObject {
    fn evict(&self) {}

    fn kept_by_attempts(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An exception that a callback raised: the cause of an error that others get.
pub(super) struct JvmThrowable(pub(super) Global<JThrowable<'static>>);
