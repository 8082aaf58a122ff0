//! A panic in any native becomes an exception, and the process continues.
//!
//! Runs with the library that has test hooks, loaded by its path in the way a user would override the shipped
//! one.

use andiron_tests::{artifacts, jvm};
use jni::signature::{RuntimeFieldSignature, RuntimeMethodSignature};
use jni::strings::JNIString;
use jni::sys::jvalue;
use jni::{jni_str, Env};
use std::collections::BTreeMap;
use std::ffi::{c_char, c_void, CStr};

/// The library's table of natives, in the layout of native/src/boundary/anchor.rs.
#[repr(C)]
struct Table {
    magic: u64,
    abi: u32,
    count: u32,
    natives: *const Row,
}

#[repr(C)]
struct Row {
    class: *const c_char,
    name: *const c_char,
    signature: *const c_char,
    function: *const c_void,
}

const NATIVE: &str = "andiron/internal/boundary/Native$";

#[test]
fn a_panic_behind_every_native_is_an_exception() {
    let path = artifacts::hooks_library();
    jvm::start(&[format!("-Dandiron.native.path={}", path.display())]);
    jvm::attached(jvm::load_library);
    // SAFETY: the JVM has loaded this library already, so that no initialiser runs.
    let library = unsafe { libloading::Library::new(&path) }.expect("the library with hooks");
    // SAFETY: the hook has this signature (native/src/boundary/guard.rs).
    let panic_at = unsafe { library.get::<unsafe extern "C" fn(*const c_char)>(b"andiron_test_panic_at") }
        .expect("the hook");
    // SAFETY: the symbol is a constant table of this layout.
    let table = unsafe { &**library.get::<*const Table>(b"andiron_anchor_1").expect("the table") };
    assert_eq!((table.magic.to_be_bytes().as_slice(), table.abi), (b"NORIDNA1".as_slice(), artifacts::ABI));
    // SAFETY: the table has this number of rows, all of them constants.
    let rows = unsafe { std::slice::from_raw_parts(table.natives, table.count as usize) };
    let mut natives = BTreeMap::new();
    for row in rows {
        // SAFETY: classes, names and signatures are NUL-terminated constants.
        let [class, name, signature] = [row.class, row.name, row.signature]
            .map(|text| unsafe { CStr::from_ptr(text) }.to_str().expect("ASCII"));
        *natives.entry(class).or_insert(0) += 1;
        assert!(!row.function.is_null(), "{name} has no function");
        // SAFETY: the name is NUL-terminated.
        unsafe { panic_at(row.name) };
        let (thrown, message) = jvm::attached(|env| call(env, class, name, signature))
            .unwrap_or_else(|| panic!("{name} returned"));
        // SAFETY: the name is NUL-terminated.
        unsafe { panic_at(c"".as_ptr()) };
        assert_eq!(thrown, "andiron.NativePanicException", "{name}: {message}");
        assert!(message.contains(&format!("injected behind native {name};")), "{name}: {message}");
    }
    for (class, least) in [
        (NATIVE, 30),
        ("andiron/internal/boundary/NativeMetrics$", 19),
        ("andiron/internal/boundary/NativeTable$", 20),
    ] {
        let found = natives.get(class).copied().unwrap_or_default();
        assert!(found >= least, "only {found} natives of {class}");
    }
    let after = jvm::attached(|env| call(env, NATIVE, "buildInfo", "()Ljava/lang/String;"));
    assert_eq!(after, None, "the process continues");
    for (name, signature) in
        [("release", "(J)V"), ("buildInfo", "()Ljava/lang/String;"), ("closeView", "(J)V")]
    {
        let thrown = jvm::attached(|env| call(env, NATIVE, name, signature)).map(|(class, _)| class);
        let expected = (name != "buildInfo").then(|| "andiron.ReleasedException".to_string());
        assert_eq!(thrown, expected, "{name} of an invalid handle, with no panic injected");
    }
    jvm::assert_no_complaints();
}

/// Calls a native with zeros and nulls; returns the exception that it throws.
fn call(
    env: &mut Env<'_>,
    class: &str,
    name: &str,
    signature: &str,
) -> jni::errors::Result<Option<(String, String)>> {
    let path = JNIString::from(class);
    let class = env.find_class(&path)?;
    let field = RuntimeFieldSignature::from_str(format!("L{};", path.to_str()))?;
    let natives = env.get_static_field(&class, jni_str!("MODULE$"), field.field_signature())?.l()?;
    let parsed = RuntimeMethodSignature::from_str(signature)?;
    let parsed = parsed.method_signature();
    let method = env.get_method_id(class, JNIString::from(name), &parsed)?;
    let arguments = vec![jvalue { j: 0 }; parsed.args().len()];
    // SAFETY: method and return type come from one signature; zero is a value of every parameter's type, null included.
    let called = unsafe { env.call_method_unchecked(&natives, method, parsed.ret(), &arguments) };
    let thrown = jvm::caught(env);
    assert_eq!(called.is_err(), thrown.is_some());
    Ok(thrown)
}
