//! A panic in any native becomes an exception, and the process continues.
//!
//! Runs with the library that has test hooks, loaded by its path in the way a user would override the shipped
//! one.

use andiron_tests::{artifacts, jvm};
use jni::signature::{RuntimeFieldSignature, RuntimeMethodSignature};
use jni::strings::JNIString;
use jni::sys::jvalue;
use jni::{jni_str, Env};
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
    name: *const c_char,
    signature: *const c_char,
    function: *const c_void,
}

#[test]
fn a_panic_behind_every_native_is_an_exception() {
    let path = artifacts::hooks_library();
    jvm::start(&[format!("-Dandiron.native.path={}", path.display())]);
    jvm::attached(jvm::load_library);
    // SAFETY: the JVM has loaded this library already, so that no initialiser runs.
    let library = unsafe { libloading::Library::new(&path) }.expect("the library with hooks");
    // SAFETY: the hook has this signature (native/src/boundary/guard.rs).
    let panic_at = unsafe { library.get::<extern "C" fn(i64)>(b"andiron_test_panic_at") }.expect("the hook");
    for (symbol, class, first, least) in
        [("andiron_anchor_1", "Native$", 0, 30), ("andiron_metrics_anchor_1", "NativeMetrics$", 1000, 19)]
    {
        // SAFETY: the symbol is a constant table of this layout.
        let table = unsafe { &**library.get::<*const Table>(symbol.as_bytes()).expect("the table") };
        assert_eq!(
            (table.magic.to_be_bytes().as_slice(), table.abi),
            (b"NORIDNA1".as_slice(), artifacts::ABI)
        );
        // SAFETY: the table has this number of rows, all of them constants.
        let rows = unsafe { std::slice::from_raw_parts(table.natives, table.count as usize) };
        assert!(rows.len() >= least, "only {} natives of {class}", rows.len());
        for (index, row) in rows.iter().enumerate() {
            let index = first + index;
            // SAFETY: names and signatures are NUL-terminated constants.
            let (name, signature) = unsafe { (CStr::from_ptr(row.name), CStr::from_ptr(row.signature)) };
            let (name, signature) = (name.to_str().expect("ASCII"), signature.to_str().expect("ASCII"));
            assert!(!row.function.is_null(), "{name} has no function");
            panic_at(index as i64);
            let (thrown, message) = jvm::attached(|env| call(env, class, name, signature))
                .unwrap_or_else(|| panic!("{name} returned"));
            panic_at(-1);
            assert_eq!(thrown, "andiron.NativePanicException", "{name}: {message}");
            assert!(message.contains(&format!("injected behind native {index}")), "{name}: {message}");
        }
    }
    let after = jvm::attached(|env| call(env, "Native$", "buildInfo", "()Ljava/lang/String;"));
    assert_eq!(after, None, "the process goes on");
    for (name, signature) in
        [("release", "(J)V"), ("buildInfo", "()Ljava/lang/String;"), ("closeView", "(J)V")]
    {
        let thrown = jvm::attached(|env| call(env, "Native$", name, signature)).map(|(class, _)| class);
        let expected = (name != "buildInfo").then(|| "andiron.ReleasedException".to_string());
        assert_eq!(thrown, expected, "{name} of a handle that never was, with no panic injected");
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
    let path = JNIString::from(format!("andiron/internal/{class}"));
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
