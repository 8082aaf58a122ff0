//! The single publisher of this process and its sources: the cache's figures, and on the driver the
//! application's.

use super::arguments::{millis, string};
use super::guard::entry;
use super::metrics::application;
use super::raw;
use crate::cache::process::process;
use crate::cache::{StatKind, Stats};
use crate::gauges::{AtlasHealth, AtlasSettings, Figure, Publisher, Reading, ReadingSource};
use crate::metrics::Application;
use crate::sync::held;
use jni::objects::{JObject, JString};
use jni::sys::{jboolean, jlong};
use jni::EnvUnowned;
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// The running publisher, with a number that is never reused.
struct Running {
    next: jlong,
    publisher: Option<(jlong, Arc<Publisher>)>,
}

static RUNNING: Mutex<Running> = Mutex::new(Running { next: 1, publisher: None });

fn running() -> MutexGuard<'static, Running> {
    held(RUNNING.lock())
}

pub(super) extern "system" fn atlas_check<'l>(env: EnvUnowned<'l>, this: JObject<'l>, settings: JString<'l>) {
    entry(env, &this, "atlasCheck", |env| {
        AtlasSettings::parse(&string(env, &settings, "settings")?)?;
        Ok(())
    })
}

pub(super) extern "system" fn atlas_start<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    settings: JString<'l>,
    id: JString<'l>,
    metrics: jlong,
) -> jlong {
    entry(env, &this, "atlasStart", |env| {
        let settings = AtlasSettings::parse(&string(env, &settings, "settings")?)?;
        let id = string(env, &id, "application")?;
        let of_driver = if metrics == 0 { Weak::new() } else { Arc::downgrade(&application(metrics)?) };
        let publisher = Arc::new(Publisher::start(settings, source(id, of_driver))?);
        let mut running = running();
        let number = running.next;
        running.next += 1;
        running.publisher = Some((number, publisher));
        Ok(number)
    })
}

pub(super) extern "system" fn atlas_figures<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    number: jlong,
) -> JString<'l> {
    entry(env, &this, "atlasFigures", |env| {
        let found = find(number).map(|publisher| publisher.health()).unwrap_or_default();
        Ok(raw::new_string(env, json(&found))?)
    })
}

pub(super) extern "system" fn atlas_stop<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    number: jlong,
    wait: jlong,
) -> jboolean {
    entry(env, &this, "atlasStop", |_| {
        let Some(publisher) = find(number) else { return Ok(true) };
        let ended = publisher.stop(millis(wait));
        let mut running = running();
        if running.publisher.as_ref().is_some_and(|(current, _)| *current == number) {
            running.publisher = None;
        }
        Ok(ended)
    })
}

fn find(number: jlong) -> Option<Arc<Publisher>> {
    let running = running();
    running.publisher.as_ref().filter(|(current, _)| *current == number).map(|(_, found)| Arc::clone(found))
}

/// The figures of `metrics` while that exists, and of the cache while `id` is its application.
fn source(id: String, metrics: Weak<Application>) -> ReadingSource {
    Box::new(move || {
        let mut readings = metrics.upgrade().map(|metrics| metrics.readings()).unwrap_or_default();
        if process().cache.settings().is_some_and(|settings| settings.application == id) {
            let values = process().stats().values();
            let figures = Stats::NAMES.iter().zip(Stats::KINDS).zip(values);
            let cache = figures.map(|((name, kind), value)| {
                let value = match kind {
                    StatKind::Gauge | StatKind::Maximum => Figure::Gauge(value as f64),
                    StatKind::Counter => Figure::Counter(value as f64),
                };
                Reading::figure("andiron.cache", name, value)
            });
            readings.splice(0..0, cache);
        }
        readings
    })
}

fn json(health: &AtlasHealth) -> String {
    let told = json!({
        "sent": health.sent,
        "refused": health.refused,
        "unanswered": health.unanswered,
        "late": health.late,
        "retried": health.retried,
        "left_out": health.left_out,
        "unread": health.unread,
        "last_failure": health.last_failure,
    });
    told.to_string()
}
