//! Calls through the JVM's function table that can fail when the stack is nearly full.
//!
//! The functions of the `jni` crate look up the classes of exceptions through the thread's class loader to
//! classify a failure. On a nearly full stack that look-up fails and looks up a class in turn, endlessly,
//! until the process dies. The functions here look up no class after a failure: the exception stays pending,
//! and the native returns. Of these only [`direct_buffer`], [`throw_failure`] and [`call_void`] run Java
//! code.

use jni::objects::{JByteBuffer, JMethodID, JObject, JString, JThrowable};
use jni::sys::{jint, jlong, jobject, jsize, jvalue};
use jni::Env;
use std::ffi::CStr;

/// Calls a function of the JVM's table.
macro_rules! jvm {
    ($env:expr, $version:ident, $function:ident $(, $argument:expr)*) => {{
        let raw = $env.get_raw();
        // SAFETY: the environment is that of this thread and outlives the call. References are of this frame
        // or global, pointers are to memory that lives until the call returns, and no exception is pending
        // unless the function may be called with one.
        unsafe { ((**raw).$version.$function)(raw $(, $argument)*) }
    }};
}

/// An exception is pending, or a JVM function failed without one.
pub(super) struct Refused;

/// Whether an exception is pending.
pub(super) fn is_pending(env: &Env<'_>) -> bool {
    jvm!(env, v1_2, ExceptionCheck)
}

/// Clears the pending exception.
pub(super) fn clear(env: &Env<'_>) {
    jvm!(env, v1_1, ExceptionClear);
}

/// Checks a reference that the JVM returned.
fn made(env: &Env<'_>, reference: jobject) -> Result<jobject, Refused> {
    if reference.is_null() || is_pending(env) {
        return Err(Refused);
    }
    Ok(reference)
}

/// A new Java string.
pub(super) fn new_string<'l>(env: &Env<'l>, text: impl AsRef<str>) -> Result<JString<'l>, Refused> {
    let units: Vec<u16> = text.as_ref().encode_utf16().collect();
    let length = jsize::try_from(units.len()).map_err(|_| Refused)?;
    let string = made(env, jvm!(env, v1_1, NewString, units.as_ptr(), length))?;
    // SAFETY: a new local reference of this frame, to a string.
    Ok(unsafe { JString::from_raw(env, string) })
}

/// A direct buffer over memory.
///
/// # Safety
/// The memory stays valid as long as the buffer or one derived from it is reachable, and only code that is
/// allowed to write to it does so.
pub(super) unsafe fn direct_buffer<'l>(
    env: &Env<'l>,
    address: *mut u8,
    length: usize,
) -> Result<JByteBuffer<'l>, Refused> {
    let length = jlong::try_from(length).map_err(|_| Refused)?;
    let buffer = made(env, jvm!(env, v1_4, NewDirectByteBuffer, address.cast(), length))?;
    // SAFETY: a new local reference of this frame, to a buffer.
    Ok(unsafe { JByteBuffer::from_raw(env, buffer) })
}

/// Throws the exception that `failure(code, message, cause)` of `this` returns.
pub(super) fn throw_failure(
    env: &Env<'_>,
    this: &JObject<'_>,
    code: jint,
    message: &str,
    cause: &JObject<'_>,
) -> Result<(), Refused> {
    let message = new_string(env, message)?;
    let class = made(env, jvm!(env, v1_1, GetObjectClass, this.as_raw()))?;
    let signature = c"(ILjava/lang/String;Ljava/lang/Throwable;)Ljava/lang/Throwable;";
    let method = jvm!(env, v1_1, GetMethodID, class, c"failure".as_ptr(), signature.as_ptr());
    if method.is_null() {
        return Err(Refused);
    }
    let arguments = [jvalue { i: code }, jvalue { l: message.as_raw() }, jvalue { l: cause.as_raw() }];
    let thrown = jvm!(env, v1_1, CallObjectMethodA, this.as_raw(), method, arguments.as_ptr());
    let thrown = made(env, thrown)?;
    if jvm!(env, v1_1, Throw, thrown) == 0 {
        Ok(())
    } else {
        Err(Refused)
    }
}

/// Throws an exception of a class from the Java library, if possible.
pub(super) fn throw_plain(env: &Env<'_>, class: &CStr, message: &str) {
    let class = jvm!(env, v1_1, FindClass, class.as_ptr());
    if let (false, Ok(message)) = (class.is_null(), std::ffi::CString::new(message)) {
        jvm!(env, v1_1, ThrowNew, class, message.as_ptr());
    }
}

/// Calls a method that takes one object and returns nothing.
///
/// # Safety
/// The method is one of the object's class, with that signature.
pub(super) unsafe fn call_void(
    env: &Env<'_>,
    object: &JObject<'_>,
    method: JMethodID,
    argument: &JObject<'_>,
) -> Result<(), Refused> {
    let arguments = [jvalue { l: argument.as_raw() }];
    jvm!(env, v1_1, CallVoidMethodA, object.as_raw(), method.into_raw(), arguments.as_ptr());
    if is_pending(env) {
        Err(Refused)
    } else {
        Ok(())
    }
}

/// The result of an exception's `code()` if it is of this class, whose name is in JNI's form; an exception on
/// the way is cleared.
pub(super) fn code_of(env: &Env<'_>, thrown: &JThrowable<'_>, class: &CStr) -> Option<jint> {
    let code = || {
        let class = made(env, jvm!(env, v1_1, FindClass, class.as_ptr())).ok()?;
        if !jvm!(env, v1_1, IsInstanceOf, thrown.as_raw(), class) {
            return None;
        }
        let method = jvm!(env, v1_1, GetMethodID, class, c"code".as_ptr(), c"()I".as_ptr());
        if method.is_null() {
            return None;
        }
        Some(jvm!(env, v1_1, CallIntMethodA, thrown.as_raw(), method, std::ptr::null()))
    };
    let code = code();
    if is_pending(env) {
        clear(env);
        return None;
    }
    code
}
