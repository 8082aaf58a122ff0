//! A JVM driven from Rust: the packaged library loads, and a lease goes through the natives from `configure`
//! to release.

mod natives;

use andiron_tests::{artifacts, jvm};
use jni::objects::{JByteBuffer, JObject};
use jni::{jni_sig, jni_str, JValue};
use natives::{call, java::Native};

#[test]
fn the_packaged_library_loads_and_says_its_build() {
    jvm::attached(jvm::load_library);
    let vm = jvm::robusta();
    let env = vm.attach_current_thread().expect("an attached thread");
    let info = call(&env, Native::buildInfo(&env));
    assert_eq!(
        info,
        format!(
            "version={};abi={};build={}",
            env!("CARGO_PKG_VERSION"),
            artifacts::ABI,
            artifacts::build_id()
        )
    );
    jvm::assert_no_complaints();
}

#[test]
fn a_version_is_loaded_leased_read_in_place_and_released() {
    const CONTENT: &[u8] = b"one copy for the whole executor";
    jvm::attached(jvm::load_library);
    let vm = jvm::robusta();
    let env = vm.attach_current_thread().expect("an attached thread");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let settings = format!(
        "application=app-1\ncacheDir={}\nspark.andiron.cache.diskBytes=1048576\n\
         spark.andiron.cache.budgetBytes=1048576\nspark.andiron.cache.budgetVersions=0\n\
         spark.andiron.cache.hardLimitBytes=2097152\nspark.andiron.cache.keepWarm=true\n\
         spark.andiron.cache.overdraftAfter=1000\nspark.andiron.cache.deadlockAfter=10000\n\
         spark.andiron.cache.failureMemory=5000\nspark.andiron.cache.loadTimeout=60000\n\
         spark.andiron.cache.waitTimeout=60000\nspark.andiron.cache.queueAge=1000",
        directory.path().join("cache").display()
    );
    call(&env, Native::configure(&env, settings));
    let catalog = call(&env, Native::openCatalog(&env, "app-1".into(), "videos".into(), 0, 0));
    let version = call(
        &env,
        Native::addVersion(
            &env,
            catalog,
            "2020-06-01".into(),
            "digest-of-videos-2020-06-01".into(),
            CONTENT.len() as i64,
            "version '2020-06-01' of dataset 'videos'".into(),
        ),
    );
    let attempt = call(&env, Native::beginAttempt(&env, "a task".into(), false));
    let cursor = call(&env, Native::openCursor(&env, attempt, false));

    assert_eq!(call(&env, Native::advance(&env, cursor, version)), 0, "nothing is loaded yet");
    let load = call(&env, Native::nextLoad(&env, 1000));
    assert_eq!(call(&env, Native::loadVersion(&env, load)), version);
    assert!(call(&env, Native::storeBegin(&env, load, String::new())), "it was not published before");
    call(&env, Native::storeWrite(&env, load, CONTENT.into(), CONTENT.len() as i32));
    call(&env, Native::storePublish(&env, load));
    assert!(call(&env, Native::advance(&env, cursor, version)) > 0, "resident, and leased");

    assert_eq!(read(cursor), CONTENT);
    assert_eq!(natives::figure(&env, "leases"), 1);
    assert_eq!(call(&env, Native::endAttempt(&env, attempt)), 1, "the lease was still held");
    assert_eq!(call(&env, Native::endAttempt(&env, attempt)), 0, "ending twice is harmless");
    assert_eq!((natives::figure(&env, "leases"), natives::figure(&env, "loads")), (0, 1));

    let refused = jvm::attached(|env| {
        let after = native(env)?;
        let called =
            env.call_method(&after, jni_str!("advance"), jni_sig!("(JJ)J"), &[cursor.into(), version.into()]);
        assert!(called.is_err());
        Ok(jvm::caught(env).expect("an exception"))
    });
    assert_eq!(refused.0, "andiron.ReleasedException", "{}", refused.1);

    call(&env, Native::closeCatalog(&env, catalog));
    call(&env, Native::closeApplication(&env, "app-1".into()));
    assert_eq!(natives::figure(&env, "residentBytes"), 0);
    jvm::assert_no_complaints();
}

/// The bytes under the cursor's lease, through a view and the direct buffer on it.
fn read(cursor: i64) -> Vec<u8> {
    jvm::attached(|env| {
        let natives = native(env)?;
        let out = env.new_long_array(3)?;
        let arguments = [cursor.into(), JValue::Int(0), (&out).into()];
        let view = env.call_method(&natives, jni_str!("openView"), jni_sig!("(JI[J)J"), &arguments)?.j()?;
        let mut region = [0i64; 3];
        out.get_region(env, 0, &mut region)?;
        let length = region[1];
        let arguments = [view.into(), 0i64.into(), JValue::Int(length as i32)];
        let buffer = env
            .call_method(
                &natives,
                jni_str!("viewBuffer"),
                jni_sig!("(JJI)Ljava/nio/ByteBuffer;"),
                &arguments,
            )?
            .l()?;
        let buffer = env.cast_local::<JByteBuffer>(buffer)?;
        let address = env.get_direct_buffer_address(&buffer)?;
        assert_eq!(address as i64, region[0], "the buffer is on the mapping, not on a copy");
        // SAFETY: the open view keeps `length` bytes at `address` mapped and unchanged.
        let bytes = unsafe { std::slice::from_raw_parts(address, length as usize) }.to_vec();
        env.call_method(&natives, jni_str!("closeView"), jni_sig!("(J)V"), &[view.into()])?;
        Ok(bytes)
    })
}

fn native<'l>(env: &mut jni::Env<'l>) -> jni::errors::Result<JObject<'l>> {
    let class = jni_str!("andiron/internal/boundary/Native$");
    env.get_static_field(class, jni_str!("MODULE$"), jni_sig!("Landiron/internal/boundary/Native$;"))?.l()
}
