//! The natives of `andiron.internal.NativeMetrics`. As in [`super::entries`], the core makes every decision.
//!
//! An application's metrics have a number that is never reused. They stay reachable by it until another
//! application is opened: tasks and events that arrive after an application's end are still counted.

use super::anchor::Native;
use super::gauges::{atlas_check, atlas_figures, atlas_start, atlas_stop};
use super::guard::{entry, Fault};
use super::raw;
use crate::error::{Code, Error, Result};
use crate::metrics::{Application, Limits, MetricsSettings, ValueKind};
use crate::report::command::{report_html, report_text, run_json};
use crate::report::text::Colour;
use crate::sinks::{self, SinkSettings};
use crate::sync::held;
use jni::objects::{JByteArray, JByteBuffer, JObject, JString};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// Numbers of natives in [`super::guard::hooks`] begin here.
pub(super) const FIRST_INDEX: usize = 1000;

/// The longest wait of a native for a sentinel.
const LONGEST_SLICE: Duration = Duration::from_millis(100);

macro_rules! natives {
    ($($function:ident $name:literal $signature:literal,)+) => {
        /// All natives of the metrics, in the order of [`Index`].
        pub(super) static TABLE: &[Native] = &[$(Native {
            name: concat!($name, "\0").as_ptr().cast(),
            signature: concat!($signature, "\0").as_ptr().cast(),
            function: $function as *const std::ffi::c_void,
        }),+];

        /// Positions in [`TABLE`].
        #[allow(non_camel_case_types)]
        pub(super) enum Index {
            $($function),+
        }
    };
}

natives! {
    open "open" "(Ljava/lang/String;Ljava/lang/String;)J",
    accumulator "accumulator" "(JJLjava/lang/String;I)V",
    task_ends "taskEnds" "(JLjava/nio/ByteBuffer;I)V",
    event "event" "(JILjava/lang/String;)V",
    step_cell "stepCell" "(J[B)V",
    judge "judge" "(JLjava/lang/String;Ljava/lang/String;)Ljava/lang/String;",
    step_figures "stepFigures" "(JJ)Ljava/lang/String;",
    sentinel "sentinel" "(JJ)V",
    await_sentinel "awaitSentinel" "(JJJ)Z",
    dropped_events "droppedEvents" "(JJ)V",
    flush "flush" "(JJ)Z",
    end "end" "(JLjava/lang/String;J)V",
    figures "figures" "(J)Ljava/lang/String;",
    report "report" "(Ljava/lang/String;Ljava/lang/String;Z)Ljava/lang/String;",
    command "command" "(Ljava/lang/String;)Ljava/lang/String;",
    check_sinks "checkSinks" "(Ljava/lang/String;)V",
    series "series" "(J)Ljava/lang/String;",
    atlas_check "atlasCheck" "(Ljava/lang/String;)V",
    atlas_start "atlasStart" "(Ljava/lang/String;Ljava/lang/String;J)J",
    atlas_figures "atlasFigures" "(J)Ljava/lang/String;",
    atlas_stop "atlasStop" "(JJ)Z",
    ask "ask" "(JLjava/lang/String;)Ljava/lang/String;",
    failures "failures" "(JJ)Ljava/lang/String;",
    secret "secret" "(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;",
}

macro_rules! at {
    ($function:ident) => {
        FIRST_INDEX + Index::$function as usize
    };
}

/// The metrics of this process by number: the running application's, and those of the one before it.
struct Open {
    next: jlong,
    applications: BTreeMap<jlong, Arc<Application>>,
}

static OPEN: RwLock<Open> = RwLock::new(Open { next: 1, applications: BTreeMap::new() });

fn add(application: Arc<Application>) -> jlong {
    let mut open = held(OPEN.write());
    let number = open.next;
    open.next += 1;
    while open.applications.len() > 1 {
        open.applications.pop_first();
    }
    open.applications.insert(number, application);
    number
}

pub(super) fn application(number: jlong) -> Result<Arc<Application>> {
    let open = held(OPEN.read());
    open.applications.get(&number).cloned().ok_or_else(|| {
        Error::new(
            Code::BadHandle,
            format!("{number} is not the handle of an application's metrics, or no longer is"),
        )
    })
}

pub(super) fn string(env: &Env<'_>, text: &JString<'_>, what: &str) -> std::result::Result<String, Fault> {
    if text.is_null() {
        return Err(null(what).into());
    }
    Ok(text.try_to_string(env)?)
}

fn null(what: &str) -> Error {
    Error::new(Code::BadArgument, format!("{what} is null"))
}

pub(super) fn millis(raw: jlong) -> Duration {
    Duration::from_millis(raw.max(0) as u64)
}

extern "system" fn open<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    settings: JString<'l>,
    facts: JString<'l>,
) -> jlong {
    entry(env, &this, at!(open), |env| {
        let settings = MetricsSettings::parse(&string(env, &settings, "settings")?)?;
        Ok(add(Application::start(&settings, &string(env, &facts, "facts")?)?))
    })
}

extern "system" fn accumulator<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    id: jlong,
    name: JString<'l>,
    kind: jint,
) {
    entry(env, &this, at!(accumulator), |env| {
        let kind = match kind {
            0 => ValueKind::Long,
            1 => ValueKind::Double,
            3 => ValueKind::MergedLong,
            4 => ValueKind::MergedDouble,
            _ => ValueKind::Other,
        };
        application(metrics)?.accumulator(id as u64, &string(env, &name, "name")?, kind);
        Ok(())
    })
}

extern "system" fn task_ends<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    buffer: JByteBuffer<'l>,
    length: jint,
) {
    entry(env, &this, at!(task_ends), |env| {
        if buffer.is_null() {
            return Err(null("buffer").into());
        }
        let (address, capacity) =
            (env.get_direct_buffer_address(&buffer)?, env.get_direct_buffer_capacity(&buffer)?);
        let length = usize::try_from(length).ok().filter(|length| *length <= capacity).ok_or_else(|| {
            Error::new(Code::BadArgument, format!("{length} bytes of task ends in a buffer of {capacity}"))
        })?;
        // SAFETY: the JVM gave address and capacity of a buffer that the caller holds during the call, and
        // `length` is within the capacity. The caller is the only thread that writes to it.
        let bytes = unsafe { std::slice::from_raw_parts(address.cast_const(), length) };
        Ok(application(metrics)?.task_ends(bytes)?)
    })
}

extern "system" fn event<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    kind: jint,
    json: JString<'l>,
) {
    entry(env, &this, at!(event), |env| {
        let (to, json) = (application(metrics)?, string(env, &json, "json")?);
        match kind {
            1 => to.stage_submitted(&json),
            2 => to.stage_completed(&json),
            3 => to.job_start(&json),
            4 => to.job_end(&json),
            5 => to.execution(&json),
            6 => to.log_line(&json),
            7 => to.step_declared(&json),
            8 => to.callback_failed(&json),
            20 => to.accumulator_values(&json),
            21 => to.speculation(&json),
            other => return Err(Error::new(Code::BadArgument, format!("{other} is no kind of event")).into()),
        }
        Ok(())
    })
}

extern "system" fn step_cell<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    cell: JByteArray<'l>,
) {
    entry(env, &this, at!(step_cell), |env| {
        if cell.is_null() {
            return Err(null("cell").into());
        }
        application(metrics)?.step_cell(&env.convert_byte_array(&cell)?);
        Ok(())
    })
}

extern "system" fn judge<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    step: JString<'l>,
    limits: JString<'l>,
) -> JString<'l> {
    entry(env, &this, at!(judge), |env| {
        let limits = Limits::parse(&string(env, &limits, "limits")?)?;
        let verdict = application(metrics)?.judge(&string(env, &step, "step")?, &limits);
        Ok(raw::new_string(env, serde_json::Value::Object(verdict.json()).to_string())?)
    })
}

extern "system" fn step_figures<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    step: jlong,
) -> JString<'l> {
    entry(env, &this, at!(step_figures), |env| {
        let figures = application(metrics)?.figures_of(step as u64)?;
        Ok(raw::new_string(env, figures.json().to_string())?)
    })
}

extern "system" fn sentinel<'l>(env: EnvUnowned<'l>, this: JObject<'l>, metrics: jlong, number: jlong) {
    entry(env, &this, at!(sentinel), |_| {
        application(metrics)?.sentinel(number as u64);
        Ok(())
    })
}

extern "system" fn await_sentinel<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    number: jlong,
    wait: jlong,
) -> jboolean {
    entry(env, &this, at!(await_sentinel), |_| {
        Ok(application(metrics)?.reached(number as u64, millis(wait).min(LONGEST_SLICE)))
    })
}

extern "system" fn dropped_events<'l>(env: EnvUnowned<'l>, this: JObject<'l>, metrics: jlong, count: jlong) {
    entry(env, &this, at!(dropped_events), |_| {
        application(metrics)?.dropped_events(count.max(0) as u64);
        Ok(())
    })
}

extern "system" fn flush<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    wait: jlong,
) -> jboolean {
    entry(env, &this, at!(flush), |_| Ok(application(metrics)?.flush(millis(wait))))
}

extern "system" fn end<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    json: JString<'l>,
    wait: jlong,
) {
    entry(env, &this, at!(end), |env| {
        application(metrics)?.end(&string(env, &json, "json")?, millis(wait));
        Ok(())
    })
}

extern "system" fn figures<'l>(env: EnvUnowned<'l>, this: JObject<'l>, metrics: jlong) -> JString<'l> {
    entry(env, &this, at!(figures), |env| Ok(raw::new_string(env, application(metrics)?.figures_json())?))
}

extern "system" fn series<'l>(env: EnvUnowned<'l>, this: JObject<'l>, metrics: jlong) -> JString<'l> {
    entry(env, &this, at!(series), |env| Ok(raw::new_string(env, application(metrics)?.gauges_json())?))
}

extern "system" fn report<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    log_directory: JString<'l>,
    application: JString<'l>,
    html: jboolean,
) -> JString<'l> {
    entry(env, &this, at!(report), |env| {
        let (root, application) =
            (string(env, &log_directory, "log directory")?, string(env, &application, "application")?);
        let root = Path::new(&root);
        let text = if html {
            report_html(root, &application)?
        } else {
            report_text(root, &application, Colour::Plain)?
        };
        Ok(raw::new_string(env, text)?)
    })
}

extern "system" fn secret<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    log_directory: JString<'l>,
    run: JString<'l>,
) -> JString<'l> {
    entry(env, &this, at!(secret), |env| {
        let (root, run) = (string(env, &log_directory, "log directory")?, string(env, &run, "run")?);
        let bytes = crate::metrics::secret(Path::new(&root), &run)?;
        Ok(raw::new_string(env, bytes.map(|byte| format!("{byte:02x}")).concat())?)
    })
}

extern "system" fn command<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    arguments: JString<'l>,
) -> JString<'l> {
    entry(env, &this, at!(command), |env| {
        let printed = run_json(&string(env, &arguments, "arguments")?)?;
        Ok(raw::new_string(env, printed)?)
    })
}

extern "system" fn ask<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    question: JString<'l>,
) -> JString<'l> {
    entry(env, &this, at!(ask), |env| {
        let answer = application(metrics)?.ask(&string(env, &question, "question")?)?;
        Ok(env.new_string(answer.to_string())?)
    })
}

extern "system" fn failures<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    step: jlong,
) -> JString<'l> {
    entry(env, &this, at!(failures), |env| {
        let step = u64::try_from(step).ok().filter(|step| *step > 0);
        Ok(raw::new_string(env, application(metrics)?.failures_json(step))?)
    })
}

extern "system" fn check_sinks<'l>(env: EnvUnowned<'l>, this: JObject<'l>, settings: JString<'l>) {
    entry(env, &this, at!(check_sinks), |env| {
        sinks::check(&SinkSettings::parse(&string(env, &settings, "settings")?)?)?;
        Ok(())
    })
}
