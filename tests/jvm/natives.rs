//! The natives in the form of robusta_jni: static forwarders of `andiron.internal.boundary.Native`.

use andiron_tests::jvm;
use java::Native;
use jni::{jni_sig, jni_str};
use robusta_jni::bridge;

/// The result of a native; its exception goes to standard error and fails the test.
pub fn call<T>(env: &robusta_jni::jni::JNIEnv<'_>, result: robusta_jni::jni::errors::Result<T>) -> T {
    result.unwrap_or_else(|error| {
        // Prints the pending exception, if that is the cause of the error.
        let described = env.exception_describe();
        panic!("{error} ({described:?}); the exception is printed above")
    })
}

/// The figure `name` of `Native.stats`.
pub fn figure(env: &robusta_jni::jni::JNIEnv<'_>, name: &str) -> i64 {
    let names = call(env, Native::statNames(env));
    let index =
        names.lines().position(|line| line == name).unwrap_or_else(|| panic!("no figure {name} in {names}"));
    jvm::attached(|env| {
        let out = env.new_long_array(names.lines().count())?;
        env.call_static_method(
            jni_str!("andiron/internal/boundary/Native"),
            jni_str!("stats"),
            jni_sig!("([J)I"),
            &[(&out).into()],
        )?;
        let mut values = vec![0i64; names.lines().count()];
        out.get_region(env, 0, &mut values)?;
        Ok(values[index])
    })
}

#[bridge]
#[allow(non_snake_case)]
pub mod java {
    use robusta_jni::convert::{IntoJavaValue, Signature, TryFromJavaValue, TryIntoJavaValue};
    use robusta_jni::jni::errors::Result as JniResult;
    use robusta_jni::jni::objects::AutoLocal;
    use robusta_jni::jni::JNIEnv;

    #[derive(Signature, TryIntoJavaValue, IntoJavaValue, TryFromJavaValue)]
    #[package(andiron.internal.boundary)]
    pub struct Native<'env: 'borrow, 'borrow> {
        #[instance]
        raw: AutoLocal<'env, 'borrow>,
    }

    impl<'env: 'borrow, 'borrow> Native<'env, 'borrow> {
        pub extern "java" fn buildInfo(env: &'borrow JNIEnv<'env>) -> JniResult<String> {}
        pub extern "java" fn configure(env: &'borrow JNIEnv<'env>, settings: String) -> JniResult<()> {}
        pub extern "java" fn openCatalog(
            env: &'borrow JNIEnv<'env>,
            application: String,
            dataset: String,
            kind: i32,
            scope: i64,
        ) -> JniResult<i64> {
        }
        pub extern "java" fn addVersion(
            env: &'borrow JNIEnv<'env>,
            catalog: i64,
            version: String,
            digest: String,
            bytes: i64,
            label: String,
        ) -> JniResult<i64> {
        }
        pub extern "java" fn closeCatalog(env: &'borrow JNIEnv<'env>, catalog: i64) -> JniResult<()> {}
        pub extern "java" fn beginAttempt(
            env: &'borrow JNIEnv<'env>,
            name: String,
            barrier: bool,
        ) -> JniResult<i64> {
        }
        pub extern "java" fn endAttempt(env: &'borrow JNIEnv<'env>, attempt: i64) -> JniResult<i32> {}
        pub extern "java" fn openCursor(
            env: &'borrow JNIEnv<'env>,
            attempt: i64,
            ordered: bool,
        ) -> JniResult<i64> {
        }
        pub extern "java" fn advance(
            env: &'borrow JNIEnv<'env>,
            cursor: i64,
            version: i64,
        ) -> JniResult<i64> {
        }
        pub extern "java" fn nextLoad(env: &'borrow JNIEnv<'env>, millis: i64) -> JniResult<i64> {}
        pub extern "java" fn loadVersion(env: &'borrow JNIEnv<'env>, load: i64) -> JniResult<i64> {}
        pub extern "java" fn storeBegin(
            env: &'borrow JNIEnv<'env>,
            load: i64,
            checksum: String,
        ) -> JniResult<bool> {
        }
        pub extern "java" fn storeWrite(
            env: &'borrow JNIEnv<'env>,
            load: i64,
            buffer: Box<[u8]>,
            length: i32,
        ) -> JniResult<()> {
        }
        pub extern "java" fn storePublish(env: &'borrow JNIEnv<'env>, load: i64) -> JniResult<()> {}
        pub extern "java" fn statNames(env: &'borrow JNIEnv<'env>) -> JniResult<String> {}
        pub extern "java" fn closeApplication(
            env: &'borrow JNIEnv<'env>,
            application: String,
        ) -> JniResult<()> {
        }
    }
}
