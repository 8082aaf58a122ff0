//! The natives of `andiron.internal.boundary.NativeMetrics`. As in [`super::entries`], the core makes every decision.
//!
//! An application's metrics have a number that is never reused. They stay reachable by it until another
//! application is opened: tasks and events that arrive after an application's end are still counted.

use super::arguments::{millis, null, string};
use super::guard::entry;
use super::raw;
use crate::error::{Code, Error, Result};
use crate::event::Body;
use crate::metrics::{Application, Limits, MetricsSettings, ValueKind};
use crate::report::command::{report_html, report_text, run_json};
use crate::report::text::Colour;
use crate::sinks::{self, SinkSettings};
use crate::sync::held;
use jni::objects::{JByteArray, JByteBuffer, JObject, JString};
use jni::sys::{jboolean, jint, jlong};
use jni::EnvUnowned;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// The longest wait of a native for a sentinel.
const LONGEST_SLICE: Duration = Duration::from_millis(100);

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
    open.applications
        .get(&number)
        .cloned()
        .ok_or_else(|| Error::new(Code::BadHandle, format!("no metrics are open under the handle {number}")))
}

pub(super) extern "system" fn open<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    settings: JString<'l>,
    facts: JString<'l>,
) -> jlong {
    entry(env, &this, "open", |env| {
        let settings = MetricsSettings::parse(&string(env, &settings, "settings")?)?;
        Ok(add(Application::start(&settings, &string(env, &facts, "facts")?)?))
    })
}

pub(super) extern "system" fn accumulator<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    id: jlong,
    name: JString<'l>,
    kind: jint,
) {
    entry(env, &this, "accumulator", |env| {
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

pub(super) extern "system" fn task_ends<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    buffer: JByteBuffer<'l>,
    length: jint,
) {
    entry(env, &this, "taskEnds", |env| {
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

pub(super) extern "system" fn event<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    kind: jint,
    json: JString<'l>,
) {
    entry(env, &this, "event", |env| {
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
            other => {
                return Err(Error::new(Code::BadArgument, format!("{other} is not a kind of event")).into())
            }
        }
        Ok(())
    })
}

pub(super) extern "system" fn step_cell<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    cell: JByteArray<'l>,
) {
    entry(env, &this, "stepCell", |env| {
        if cell.is_null() {
            return Err(null("cell").into());
        }
        application(metrics)?.step_cell(&env.convert_byte_array(&cell)?);
        Ok(())
    })
}

pub(super) extern "system" fn judge<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    step: JString<'l>,
    limits: JString<'l>,
) -> JString<'l> {
    entry(env, &this, "judge", |env| {
        let limits = Limits::parse(&string(env, &limits, "limits")?)?;
        let verdict = application(metrics)?.judge(&string(env, &step, "step")?, &limits);
        Ok(raw::new_string(env, verdict.body().json())?)
    })
}

pub(super) extern "system" fn step_figures<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    step: jlong,
) -> JString<'l> {
    entry(env, &this, "stepFigures", |env| {
        let figures = application(metrics)?.figures_of(step as u64)?;
        Ok(raw::new_string(env, figures.json().to_string())?)
    })
}

pub(super) extern "system" fn sentinel<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    number: jlong,
) {
    entry(env, &this, "sentinel", |_| {
        application(metrics)?.sentinel(number as u64);
        Ok(())
    })
}

pub(super) extern "system" fn await_sentinel<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    number: jlong,
    wait: jlong,
) -> jboolean {
    entry(env, &this, "awaitSentinel", |_| {
        Ok(application(metrics)?.reached(number as u64, millis(wait).min(LONGEST_SLICE)))
    })
}

pub(super) extern "system" fn dropped_events<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    count: jlong,
) {
    entry(env, &this, "droppedEvents", |_| {
        application(metrics)?.dropped_events(count.max(0) as u64);
        Ok(())
    })
}

pub(super) extern "system" fn flush<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    wait: jlong,
) -> jboolean {
    entry(env, &this, "flush", |_| Ok(application(metrics)?.flush(millis(wait))))
}

pub(super) extern "system" fn end<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    json: JString<'l>,
    wait: jlong,
) {
    entry(env, &this, "end", |env| {
        application(metrics)?.end(&string(env, &json, "json")?, millis(wait));
        Ok(())
    })
}

pub(super) extern "system" fn figures<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
) -> JString<'l> {
    entry(env, &this, "figures", |env| Ok(raw::new_string(env, application(metrics)?.figures_json())?))
}

pub(super) extern "system" fn series<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
) -> JString<'l> {
    entry(env, &this, "series", |env| Ok(raw::new_string(env, application(metrics)?.gauges_json())?))
}

pub(super) extern "system" fn report<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    log_directory: JString<'l>,
    application: JString<'l>,
    html: jboolean,
) -> JString<'l> {
    entry(env, &this, "report", |env| {
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

pub(super) extern "system" fn secret<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    log_directory: JString<'l>,
    run: JString<'l>,
) -> JString<'l> {
    entry(env, &this, "secret", |env| {
        let (root, run) = (string(env, &log_directory, "log directory")?, string(env, &run, "run")?);
        let bytes = crate::metrics::secret(Path::new(&root), &run)?;
        Ok(raw::new_string(env, bytes.map(|byte| format!("{byte:02x}")).concat())?)
    })
}

pub(super) extern "system" fn command<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    arguments: JString<'l>,
) -> JString<'l> {
    entry(env, &this, "command", |env| {
        let printed = run_json(&string(env, &arguments, "arguments")?)?;
        Ok(raw::new_string(env, printed)?)
    })
}

pub(super) extern "system" fn ask<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    question: JString<'l>,
) -> JString<'l> {
    entry(env, &this, "ask", |env| {
        let answer = application(metrics)?.ask(&string(env, &question, "question")?)?;
        Ok(env.new_string(answer.to_string())?)
    })
}

pub(super) extern "system" fn failures<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    metrics: jlong,
    step: jlong,
) -> JString<'l> {
    entry(env, &this, "failures", |env| {
        let step = u64::try_from(step).ok().filter(|step| *step > 0);
        Ok(raw::new_string(env, application(metrics)?.failures_json(step))?)
    })
}

pub(super) extern "system" fn check_sinks<'l>(env: EnvUnowned<'l>, this: JObject<'l>, settings: JString<'l>) {
    entry(env, &this, "checkSinks", |env| {
        sinks::check(&SinkSettings::parse(&string(env, &settings, "settings")?)?)?;
        Ok(())
    })
}
