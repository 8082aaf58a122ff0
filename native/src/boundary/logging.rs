//! Connects the `log` crate to Spark's log: all records go to the slf4j logger `andiron`.
//!
//! A record never fails its caller: an exception of the logger is cleared, and the record is counted as lost.

use super::raw;
use jni::objects::{JMethodID, JObject, JValue};
use jni::refs::Global;
use jni::{jni_sig, jni_str, Env, JavaVM};
use log::{Level, LevelFilter, Log, Metadata, Record};
use once_cell::sync::OnceCell;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

static LOGGER: OnceCell<Slf4j> = OnceCell::new();
static LOST: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Set while this thread logs, so that a logger that calls back into Andiron does not recurse.
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

struct Slf4j {
    vm: JavaVM,
    logger: Global<JObject<'static>>,
    /// Its methods `error`, `warn`, `info` and `debug`, looked up early, while there is enough stack.
    methods: [JMethodID; 4],
}

/// Sends records to slf4j from now on, if it is on the class path. Later calls have no effect.
pub(super) fn install(env: &mut Env<'_>) -> jni::errors::Result<()> {
    if LOGGER.get().is_some() {
        return Ok(());
    }
    let name = env.new_string("andiron")?;
    let logger = env
        .call_static_method(
            jni_str!("org/slf4j/LoggerFactory"),
            jni_str!("getLogger"),
            jni_sig!("(Ljava/lang/String;)Lorg/slf4j/Logger;"),
            &[JValue::Object(&name)],
        )?
        .l()?;
    let class = env.get_object_class(&logger)?;
    let signature = jni_sig!("(Ljava/lang/String;)V");
    let methods = [
        env.get_method_id(&class, jni_str!("error"), &signature)?,
        env.get_method_id(&class, jni_str!("warn"), &signature)?,
        env.get_method_id(&class, jni_str!("info"), &signature)?,
        env.get_method_id(&class, jni_str!("debug"), &signature)?,
    ];
    let slf4j = Slf4j { vm: env.get_java_vm()?, logger: env.new_global_ref(logger)?, methods };
    let slf4j = LOGGER.get_or_init(|| slf4j);
    if log::set_logger(slf4j).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
    Ok(())
}

impl Slf4j {
    fn write(&self, record: &Record<'_>) -> jni::errors::Result<()> {
        let text = record.args().to_string();
        // Attached for this call only: the JVM's shutdown waits for every thread that stays attached.
        self.vm.attach_current_thread_for_scope(|env| -> jni::errors::Result<()> {
            // A pending exception belongs to the caller, and no call into the JVM is allowed under it.
            if raw::is_pending(env) {
                LOST.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            let [error, warn, info, debug] = self.methods;
            let method = match record.level() {
                Level::Error => error,
                Level::Warn => warn,
                Level::Info => info,
                Level::Debug | Level::Trace => debug,
            };
            let written = raw::new_string(env, text).and_then(|text| {
                // SAFETY: the methods belong to the logger's class and take a string.
                let written = unsafe { raw::call_void(env, &self.logger, method, &text) };
                if written.is_err() {
                    raw::clear(env);
                }
                env.delete_local_ref(text);
                written
            });
            if written.is_err() {
                raw::clear(env);
                LOST.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
    }
}

impl Log for Slf4j {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if LOGGING.with(|logging| logging.replace(true)) {
            return;
        }
        if self.write(record).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        LOGGING.with(|logging| logging.set(false));
    }

    fn flush(&self) {}
}
