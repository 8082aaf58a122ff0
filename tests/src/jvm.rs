//! The JVM of a test process: started by jni 0.22 under -Xcheck:jni, shared with robusta_jni's jni 0.19.

use crate::artifacts::required;
use jni::objects::{JObject, JString, JThrowable};
use jni::{jni_sig, jni_str, Env, InitArgsBuilder, JNIVersion, JavaVM};
use std::path::PathBuf;
use std::sync::OnceLock;

static JVM: OnceLock<Jvm> = OnceLock::new();

struct Jvm {
    vm: JavaVM,
    log: PathBuf,
}

/// The process's JVM with the packaged jar and Spark. Only the `options` of the first caller take effect.
pub fn start(options: &[String]) -> &'static JavaVM {
    &JVM.get_or_init(|| {
        let log = std::env::temp_dir().join(format!("andiron-tests-{}.vm.log", std::process::id()));
        let mut builder = InitArgsBuilder::new()
            .version(JNIVersion::V1_8)
            .ignore_unrecognized(true)
            .option("-Xmx512m")
            .option("-Xcheck:jni")
            // The messages of -Xcheck:jni go to the VM's own output; this copies them to a file.
            .option("-XX:+UnlockDiagnosticVMOptions")
            .option("-XX:+LogVMOutput")
            .option(format!("-XX:LogFile={}", log.display()))
            .option(format!("-Djava.class.path={}", required("ANDIRON_TEST_CLASSPATH")));
        for option in required("ANDIRON_TEST_JVM_OPTS")
            .split_whitespace()
            .map(str::to_string)
            .chain(options.iter().cloned())
        {
            builder = builder.option(option);
        }
        Jvm { vm: JavaVM::new(builder.build().expect("JVM options")).expect("a JVM"), log }
    })
    .vm
}

/// The same JVM for robusta_jni.
pub fn robusta() -> robusta_jni::jni::JavaVM {
    let vm = start(&[]).get_raw();
    // SAFETY: both crates only wrap this pointer, which is valid until the process ends.
    unsafe { robusta_jni::jni::JavaVM::from_raw(vm.cast()) }.expect("the JVM for robusta")
}

/// Fails if -Xcheck:jni has complained about Andiron's natives in this process so far.
pub fn assert_no_complaints() {
    let log = &JVM.get().expect("a JVM").log;
    let text = String::from_utf8_lossy(&std::fs::read(log).expect("the VM's log")).into_owned();
    assert!(text.contains("<hotspot_log"), "{} is not a log of the VM", log.display());
    for (at, _) in text.match_indices("\nWARNING").chain(text.match_indices("\nFATAL ERROR")) {
        let complaint: Vec<&str> = text[at + 1..].lines().take(12).collect();
        assert!(!complaint.iter().any(|line| line.contains("at andiron.")), "-Xcheck:jni: {complaint:#?}");
    }
}

/// Runs `body` on this thread, attached, with the class loader that Spark and log4j expect a thread to have.
pub fn attached<T>(body: impl FnOnce(&mut Env<'_>) -> jni::errors::Result<T>) -> T {
    start(&[])
        .attach_current_thread(|env| -> jni::errors::Result<T> {
            let loader = jni::objects::JClassLoader::get_system_class_loader(env)?;
            let thread = jni::objects::JThread::current_thread(env)?;
            thread.set_context_class_loader(env, loader)?;
            body(env)
        })
        .expect("no pending exception")
}

/// Class name and message of the pending exception, which is cleared.
pub fn caught(env: &mut Env<'_>) -> Option<(String, String)> {
    let thrown: JThrowable<'_> = env.exception_occurred()?;
    env.exception_clear();
    let thrown: JObject<'_> = thrown.into();
    let class = env.get_object_class(&thrown).expect("its class");
    let name = text(env, &class, jni_str!("getName"));
    let message = text(env, &thrown, jni_str!("getMessage"));
    Some((name, message))
}

fn text<'l>(env: &mut Env<'l>, of: impl AsRef<JObject<'l>>, method: &jni::strings::JNIStr) -> String {
    let value = env
        .call_method(of, method, jni_sig!("()Ljava/lang/String;"), &[])
        .and_then(|v| v.l())
        .expect("a string");
    let value = env.cast_local::<JString>(value).expect("a string");
    value.try_to_string(env).expect("readable text")
}

/// Loads the native library in the way of Andiron's own code.
pub fn load_library(env: &mut Env<'_>) -> jni::errors::Result<()> {
    env.call_static_method(
        jni_str!("andiron/internal/boundary/NativeLibrary"),
        jni_str!("load"),
        jni_sig!("()Landiron/internal/boundary/NativeLibrary$Loaded;"),
        &[],
    )
    .map(drop)
}
