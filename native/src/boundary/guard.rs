//! The single entry of every native call.
//!
//! An error of the core or a panic becomes the exception that `Native.failure(code, message, cause)` builds.
//! It is called on the object whose native was called, so the exception's class comes from the caller's class
//! loader. An exception that is already pending from a Java call is left unchanged.

use super::object::JvmThrowable;
use super::raw;
use crate::error::{Code, Error};
use jni::objects::JObject;
use jni::{Env, EnvUnowned};
use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// The reason why a native fails.
pub(super) enum Fault {
    /// An error of the core.
    Core(Error),
    /// A failed call into the JVM; a pending exception, if there is one, is the better description.
    Jvm(jni::errors::Error),
    /// A failed call into the JVM without a description other than the pending exception.
    Refused,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Core(error)
    }
}

impl From<jni::errors::Error> for Fault {
    fn from(error: jni::errors::Error) -> Fault {
        Fault::Jvm(error)
    }
}

impl From<raw::Refused> for Fault {
    fn from(_: raw::Refused) -> Fault {
        Fault::Refused
    }
}

/// Runs a native that needs the JVM. `native` is its name in Scala.
pub(super) fn entry<'local, T: Default>(
    env: EnvUnowned<'local>,
    this: &JObject<'local>,
    native: &'static str,
    body: impl FnOnce(&mut Env<'local>) -> Result<T, Fault>,
) -> T {
    guarded(env, this, |env| {
        hooks::before(native);
        body(env)
    })
}

/// Runs a body that needs the JVM; its fault or panic becomes the pending exception.
fn guarded<'local, T: Default>(
    mut env: EnvUnowned<'local>,
    this: &JObject<'local>,
    body: impl FnOnce(&mut Env<'local>) -> Result<T, Fault>,
) -> T {
    let outcome = env.with_env(|env| -> Result<T, jni::errors::Error> {
        let result = catch_unwind(AssertUnwindSafe(|| body(env)));
        Ok(match result {
            Ok(Ok(value)) => value,
            Ok(Err(fault)) => raise(env, this, fault),
            Err(panic) => raise(env, this, Fault::Core(panicked(panic))),
        })
    });
    match outcome.into_outcome() {
        jni::Outcome::Ok(value) => value,
        jni::Outcome::Err(_) => T::default(),
        jni::Outcome::Panic(payload) => {
            // Dropping a payload may panic itself.
            std::mem::forget(payload);
            T::default()
        }
    }
}

/// Runs a native that takes and returns primitives only: the JVM is used only when it fails.
pub(super) fn hot<'local, T: Default>(
    env: EnvUnowned<'local>,
    this: &JObject<'local>,
    native: &'static str,
    body: impl FnOnce() -> Result<T, Error>,
) -> T {
    let result = catch_unwind(AssertUnwindSafe(|| {
        hooks::before(native);
        body()
    }));
    let error = match result {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => error,
        Err(panic) => panicked(panic),
    };
    guarded(env, this, |_| Err(Fault::Core(error)))
}

fn panicked(payload: Box<dyn Any + Send>) -> Error {
    let text = payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_string())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "its payload is not a string".to_string());
    // Dropping a payload may panic itself.
    std::mem::forget(payload);
    Error::new(
        Code::Panic,
        format!("native code panicked: {text}; the process continues; please report this"),
    )
}

/// Leaves an exception pending in every case.
fn raise<T: Default>(env: &mut Env<'_>, this: &JObject<'_>, fault: Fault) -> T {
    let error = match fault {
        Fault::Core(error) => error,
        Fault::Jvm(error) => Error::new(Code::Panic, format!("a call into the JVM failed: {error}")),
        Fault::Refused => Error::new(Code::Panic, "a call into the JVM failed without an exception"),
    };
    if raw::is_pending(env) {
        return T::default();
    }
    // If throwing fails, the cause of that stays pending: a StackOverflowError, an OutOfMemoryError.
    if throw(env, this, &error).is_err() && !raw::is_pending(env) {
        raw::throw_plain(env, c"java/lang/IllegalStateException", &error.to_string());
    }
    T::default()
}

fn throw(env: &Env<'_>, this: &JObject<'_>, error: &Error) -> Result<(), raw::Refused> {
    let null = JObject::null();
    let cause = error.cause().and_then(|cause| cause.downcast_ref::<JvmThrowable>());
    let cause: &JObject<'_> = cause.map_or(&null, |cause| cause.0.as_ref());
    raw::throw_failure(env, this, error.code() as i32, error.message(), cause)
}

#[cfg(feature = "test-hooks")]
pub(super) mod hooks {
    //! Panics on demand, in the library built for tests: the host requests one by the name of a native, or the file that
    //! `ANDIRON_TEST_PANICS` names lists such names.

    use crate::sync::{lock, Mutex};
    use std::ffi::{c_char, CStr};
    use std::path::PathBuf;
    use std::sync::OnceLock;

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    static PANIC_AT: OnceLock<Mutex<String>> = OnceLock::new();

    /// Makes the native of this name panic from now on; an empty name ends that.
    ///
    /// # Safety
    /// `name` is NUL-terminated.
    #[no_mangle]
    pub(super) unsafe extern "C" fn andiron_test_panic_at(name: *const c_char) {
        // SAFETY: guaranteed by the caller.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        *lock(PANIC_AT.get_or_init(Mutex::default)) = name;
    }

    pub(in super::super) fn before(native: &'static str) {
        let named = || {
            let file =
                FILE.get_or_init(|| std::env::var_os("ANDIRON_TEST_PANICS").map(PathBuf::from)).as_ref()?;
            let places = std::fs::read_to_string(file).ok()?;
            places.split_whitespace().find(|place| *place == native).map(drop)
        };
        let asked = PANIC_AT.get().is_some_and(|at| *lock(at) == native);
        if asked || named().is_some() {
            panic!("injected behind native {native}");
        }
    }
}

#[cfg(not(feature = "test-hooks"))]
pub(super) mod hooks {
    //! No hooks in the library that ships.

    #[inline(always)]
    pub(in super::super) fn before(_native: &'static str) {}
}
