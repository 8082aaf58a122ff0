//! The hooks that the JVM calls when a class loader loads or unloads the library.

use super::anchor::{self, Native};
use super::logging;
use super::raw;
use super::table::andiron_anchor_1;
use jni::strings::JNIStr;
use jni::sys::{jint, JNI_ERR, JNI_VERSION_1_8};
use jni::{jni_str, Env, EnvUnowned, NativeMethod};
use std::ffi::{c_void, CStr};

/// Binds the natives of the loading class loader's `andiron.internal.boundary.Native` and `NativeMetrics` to the
/// first copy's entries.
#[no_mangle]
pub(super) extern "system" fn JNI_OnLoad(vm: *mut jni::sys::JavaVM, _reserved: *mut c_void) -> jint {
    let mut raw: *mut c_void = std::ptr::null_mut();
    // SAFETY: the JVM passes a valid pointer, and calls on an attached thread.
    let status = unsafe { ((**vm).v1_2.GetEnv)(vm, &mut raw, JNI_VERSION_1_8) };
    if status != jni::sys::JNI_OK || raw.is_null() {
        return JNI_ERR;
    }
    // SAFETY: `GetEnv` returned the environment of this thread, which outlives this call.
    let mut env = unsafe { EnvUnowned::from_raw(raw.cast()) };
    match env.with_env(bind).into_outcome() {
        jni::Outcome::Ok(version) => version,
        // `System.load` rethrows the pending exception.
        jni::Outcome::Err(_) | jni::Outcome::Panic(_) => JNI_ERR,
    }
}

/// Frees nothing: the code stays mapped (`-z nodelete`), and other class loaders may be bound to it.
#[no_mangle]
pub(super) extern "system" fn JNI_OnUnload(_vm: *mut jni::sys::JavaVM, _reserved: *mut c_void) {}

fn bind(env: &mut Env<'_>) -> jni::errors::Result<jint> {
    let table = anchor::first(&andiron_anchor_1);
    if table.abi != anchor::ABI {
        env.throw_new(
            jni_str!("java/lang/UnsatisfiedLinkError"),
            jni::strings::JNIString::from(format!(
                "another build of Andiron, with native table {}, is already loaded in this process; this one \
                 has {}: use one version of the jar for the whole application",
                table.abi,
                anchor::ABI
            )),
        )?;
        return Ok(JNI_ERR);
    }
    for natives in table.natives().chunk_by(|a, b| class(a) == class(b)) {
        register(env, natives)?;
    }
    // The JVM prepares direct buffers once, at the first use; if that fails for lack of stack, it never
    // supports them.
    // SAFETY: the buffer has no bytes.
    let first = unsafe { raw::direct_buffer(env, std::ptr::NonNull::dangling().as_ptr(), 0) };
    if first.is_err() {
        raw::clear(env);
    }
    if logging::install(env).is_err() {
        // Without slf4j on the class path, Andiron works without a log.
        env.exception_clear();
    }
    Ok(JNI_VERSION_1_8)
}

fn class(native: &Native) -> &'static JNIStr {
    // SAFETY: classes of a table are NUL-terminated ASCII constants, which are valid modified UTF-8.
    unsafe { text(native.class) }
}

/// Binds the natives of one class.
fn register(env: &mut Env<'_>, natives: &[Native]) -> jni::errors::Result<()> {
    let Some(first) = natives.first() else { return Ok(()) };
    let mut methods = Vec::with_capacity(natives.len());
    for native in natives {
        // SAFETY: names and signatures of a table are NUL-terminated ASCII constants, which are valid
        // modified UTF-8.
        let (name, signature) = unsafe { (text(native.name), text(native.signature)) };
        // SAFETY: the table pairs every function with its signature.
        methods.push(unsafe { NativeMethod::from_raw_parts(name, signature, native.function.cast_mut()) });
    }
    let class = env.find_class(class(first))?;
    // SAFETY: all natives are instance methods, and their functions take the receiver second.
    unsafe { env.register_native_methods(class, &methods) }
}

/// # Safety
/// `pointer` is to a NUL-terminated string in modified UTF-8 that lives as long as the process.
unsafe fn text(pointer: *const std::ffi::c_char) -> &'static JNIStr {
    // SAFETY: guaranteed by the caller.
    unsafe { JNIStr::from_cstr_unchecked(CStr::from_ptr(pointer)) }
}
