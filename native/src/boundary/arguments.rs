//! Arguments of natives, from the JVM's types to the core's.

use super::guard::Fault;
use crate::error::{Code, Error};
use jni::objects::JString;
use jni::sys::jlong;
use jni::Env;
use std::time::Duration;

/// The text of an argument; null is an error that names the argument.
pub(super) fn string(env: &Env<'_>, text: &JString<'_>, what: &str) -> std::result::Result<String, Fault> {
    if text.is_null() {
        return Err(null(what).into());
    }
    Ok(text.try_to_string(env)?)
}

/// The error for an argument that is null.
pub(super) fn null(what: &str) -> Error {
    Error::new(Code::BadArgument, format!("{what} is null"))
}

/// Milliseconds of a wait; a negative number is 0.
pub(super) fn millis(raw: jlong) -> Duration {
    Duration::from_millis(raw.max(0) as u64)
}
