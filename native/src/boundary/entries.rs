//! The natives of `andiron.internal.boundary.Native`. They translate arguments and call the core, which makes every
//! decision.
//!
//! Handles cross as `jlong`s that carry kind and generation: a wrong or stale one is an exception. Natives
//! that a task calls per row take primitives only.

use super::anchor::ABI;
use super::arguments::millis;
use super::guard::{entry, hot, Fault};
use super::object::{next_evicted, JvmObject, JvmThrowable};
use super::raw;
use crate::cache::process::{process, ViewId};
use crate::cache::store::Checksum;
use crate::cache::CacheSettings;
use crate::cache::{AttemptId, CatalogId, CursorId, Handle, Listing, LoadId, PayloadKind, SlotId, Stats};
use crate::error::{Code, Error, Result};
use jni::objects::{JByteArray, JLongArray, JObject, JString, JThrowable};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The longest wait of a native; between such slices the task checks whether it was killed.
const LONGEST_SLICE: Duration = Duration::from_millis(100);

/// The handle of this number, or the error for a number that is no handle.
fn handle<T: crate::cache::HandleKind>(raw: jlong, what: &str) -> Result<Handle<T>> {
    Handle::from_raw(raw)
        .ok_or_else(|| Error::new(Code::BadHandle, format!("no {what} is open under the handle {raw}")))
}

fn load_id(raw: jlong) -> Result<LoadId> {
    LoadId::try_from(raw).map_err(|_| Error::new(Code::BadHandle, format!("{raw} is not a load")))
}

fn string(env: &Env<'_>, text: &JString<'_>, what: &str) -> std::result::Result<String, Fault> {
    present(text, what)?;
    Ok(text.try_to_string(env)?)
}

fn present<'l>(object: &impl AsRef<JObject<'l>>, what: &str) -> Result<()> {
    if object.as_ref().is_null() {
        return Err(Error::new(Code::BadArgument, format!("{what} is null")));
    }
    Ok(())
}

fn checksum(text: &str) -> Result<Option<Checksum>> {
    if text.is_empty() {
        return Ok(None);
    }
    Checksum::parse(text).map(Some)
}

/// The result of a move or a wait: the residency, 0 if it waits, -1 if it waits for the budget while its task
/// holds other versions.
fn leased(cursor: CursorId, residency: Option<u64>) -> jlong {
    match residency {
        Some(residency) => residency as jlong,
        None if process().cache.waits_on_its_own(cursor) => -1,
        None => 0,
    }
}

pub(super) extern "system" fn build_info<'l>(env: EnvUnowned<'l>, this: JObject<'l>) -> JString<'l> {
    entry(env, &this, "buildInfo", |env| {
        let text =
            format!("version={};abi={ABI};build={}", env!("CARGO_PKG_VERSION"), env!("ANDIRON_BUILD_ID"));
        Ok(raw::new_string(env, text)?)
    })
}

pub(super) extern "system" fn configure<'l>(env: EnvUnowned<'l>, this: JObject<'l>, settings: JString<'l>) {
    entry(env, &this, "configure", |env| {
        let settings = CacheSettings::parse(&string(env, &settings, "settings")?)?;
        Ok(process().configure(settings)?)
    })
}

pub(super) extern "system" fn open_catalog<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    application: JString<'l>,
    dataset: JString<'l>,
    kind: jint,
    loader_scope: jlong,
) -> jlong {
    entry(env, &this, "openCatalog", |env| {
        let kind = match kind {
            0 => PayloadKind::Bytes,
            1 => PayloadKind::Object,
            other => {
                return Err(Error::new(Code::BadArgument, format!("{other} is not a kind of payload")).into())
            }
        };
        let (application, dataset) =
            (string(env, &application, "application")?, string(env, &dataset, "dataset")?);
        Ok(process().cache.open_catalog(&application, &dataset, kind, loader_scope as u64)?.raw())
    })
}

pub(super) extern "system" fn add_version<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    catalog: jlong,
    version: JString<'l>,
    digest: JString<'l>,
    bytes: jlong,
    source: JString<'l>,
) -> jlong {
    entry(env, &this, "addVersion", |env| {
        let catalog: CatalogId = handle(catalog, "catalog")?;
        let version = string(env, &version, "version")?;
        let (digest, label) = (string(env, &digest, "digest")?, string(env, &source, "source")?);
        let listing =
            Listing { version: &version, digest: &digest, bytes: u64::try_from(bytes).ok(), label: &label };
        Ok(process().cache.add_version(catalog, &listing)?.raw())
    })
}

pub(super) extern "system" fn set_demand<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    version: jlong,
    tasks: jlong,
) {
    hot(env, &this, "setDemand", || {
        process().cache.set_demand(handle(version, "version")?, tasks.max(0) as u64)
    })
}

pub(super) extern "system" fn close_catalog<'l>(env: EnvUnowned<'l>, this: JObject<'l>, catalog: jlong) {
    hot(env, &this, "closeCatalog", || {
        process().cache.close_catalog(handle(catalog, "catalog")?);
        Ok(())
    })
}

pub(super) extern "system" fn begin_attempt<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    name: JString<'l>,
    barrier: jboolean,
) -> jlong {
    entry(env, &this, "beginAttempt", |env| {
        let (cache, name) = (&process().cache, string(env, &name, "name")?);
        let attempt = if barrier { cache.begin_barrier_attempt(&name) } else { cache.begin_attempt(&name) };
        Ok(attempt.raw())
    })
}

pub(super) extern "system" fn end_attempt<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    attempt: jlong,
) -> jint {
    hot(env, &this, "endAttempt", || {
        let attempt: AttemptId = handle(attempt, "task attempt")?;
        Ok(process().cache.end_attempt(attempt) as jint)
    })
}

pub(super) extern "system" fn open_cursor<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    attempt: jlong,
    ordered: jboolean,
) -> jlong {
    hot(env, &this, "openCursor", || {
        Ok(process().cache.open_cursor(handle(attempt, "task attempt")?, ordered)?.raw())
    })
}

pub(super) extern "system" fn advance<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    version: jlong,
) -> jlong {
    hot(env, &this, "advance", || {
        let (cursor, slot): (CursorId, SlotId) = (handle(cursor, "cursor")?, handle(version, "version")?);
        Ok(leased(cursor, process().cache.advance(cursor, slot)?))
    })
}

pub(super) extern "system" fn advance_all<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    versions: JLongArray<'l>,
) -> jlong {
    entry(env, &this, "advanceAll", |env| {
        let cursor: CursorId = handle(cursor, "cursor")?;
        present(&versions, "versions")?;
        let mut raw = vec![0; versions.len(env)?];
        versions.get_region(env, 0, &mut raw)?;
        let slots =
            raw.into_iter().map(|version| handle(version, "version")).collect::<Result<Vec<SlotId>>>()?;
        Ok(leased(cursor, process().cache.advance_all(cursor, &slots)?))
    })
}

pub(super) extern "system" fn await_slice<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    slice_millis: jlong,
) -> jlong {
    hot(env, &this, "await", || {
        let cursor: CursorId = handle(cursor, "cursor")?;
        Ok(leased(cursor, process().cache.wait(cursor, millis(slice_millis).min(LONGEST_SLICE))?))
    })
}

pub(super) extern "system" fn release<'l>(env: EnvUnowned<'l>, this: JObject<'l>, cursor: jlong) {
    hot(env, &this, "release", || {
        process().cache.release(handle(cursor, "cursor")?);
        Ok(())
    })
}

pub(super) extern "system" fn close_cursor<'l>(env: EnvUnowned<'l>, this: JObject<'l>, cursor: jlong) {
    hot(env, &this, "closeCursor", || {
        process().cache.close_cursor(handle(cursor, "cursor")?);
        Ok(())
    })
}

pub(super) extern "system" fn open_view<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    index: jint,
    out: JLongArray<'l>,
) -> jlong {
    entry(env, &this, "openView", |env| {
        let cursor: CursorId = handle(cursor, "cursor")?;
        present(&out, "out")?;
        if out.len(env)? < 3 {
            return Err(Error::new(Code::BadArgument, "the array out needs room for three numbers").into());
        }
        let region = process().open_view(cursor, place(index)?)?;
        let told = out.set_region(
            env,
            0,
            &[region.address as jlong, region.length as jlong, region.residency as jlong],
        );
        if let Err(error) = told {
            process().close_view(region.view);
            return Err(error.into());
        }
        Ok(region.view.raw())
    })
}

fn place(index: jint) -> Result<usize> {
    usize::try_from(index)
        .map_err(|_| Error::new(Code::BadArgument, format!("{index} is not a position in a set of leases")))
}

pub(super) extern "system" fn close_view<'l>(env: EnvUnowned<'l>, this: JObject<'l>, view: jlong) {
    hot(env, &this, "closeView", || {
        process().close_view(handle(view, "view")?);
        Ok(())
    })
}

pub(super) extern "system" fn view_buffer<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    view: jlong,
    offset: jlong,
    length: jint,
) -> JObject<'l> {
    entry(env, &this, "viewBuffer", |env| {
        let view: ViewId = handle(view, "view")?;
        let bad =
            |_| Error::new(Code::BadArgument, format!("{length} bytes at offset {offset} are not a region"));
        let (offset, length) = (u64::try_from(offset).map_err(bad)?, u64::try_from(length).map_err(bad)?);
        let address = process().region(view, offset, length)?;
        // An empty version has no address, but the JVM needs one.
        let address =
            if length == 0 { std::ptr::NonNull::<u8>::dangling().as_ptr() } else { address as *mut u8 };
        // SAFETY: the region lies in a mapping that the view keeps, and the caller keeps the view while the
        // buffer is reachable. The pages are read-only, and so is every buffer that the caller hands out.
        let buffer = unsafe { raw::direct_buffer(env, address, length as usize)? };
        Ok(buffer.into())
    })
}

pub(super) extern "system" fn leased_file<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    index: jint,
    out: JLongArray<'l>,
) -> JString<'l> {
    entry(env, &this, "leasedFile", |env| {
        present(&out, "out")?;
        if out.len(env)? < 3 {
            return Err(Error::new(Code::BadArgument, "the array out needs room for three numbers").into());
        }
        let file = process().leased_file(handle(cursor, "cursor")?, place(index)?)?;
        out.set_region(env, 0, &[file.length as jlong, file.device as jlong, file.inode as jlong])?;
        Ok(raw::new_string(env, file.path)?)
    })
}

pub(super) extern "system" fn leased_path<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    index: jint,
) -> JString<'l> {
    entry(env, &this, "leasedPath", |env| {
        let path = process().leased_path(handle(cursor, "cursor")?, place(index)?)?;
        let path = path.into_os_string().into_string();
        let path = path.map_err(|path| {
            let message =
                format!("the path {path:?} is not UTF-8: set spark.andiron.cache.dir to one that is");
            Error::new(Code::BadSetting, message)
        })?;
        Ok(raw::new_string(env, path)?)
    })
}

pub(super) extern "system" fn leased_object<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    index: jint,
) -> JObject<'l> {
    entry(env, &this, "leasedObject", |env| {
        let (_, payload) = process().cache.leased(handle(cursor, "cursor")?, place(index)?)?;
        let object = payload.as_any().downcast_ref::<JvmObject>().ok_or_else(|| {
            Error::new(Code::BadArgument, "this version is bytes, not an object; open a view of it")
        })?;
        Ok(env.new_local_ref(&**object.object)?)
    })
}

pub(super) extern "system" fn next_load<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    wait_millis: jlong,
) -> jlong {
    hot(env, &this, "nextLoad", || {
        Ok(process().next_load(millis(wait_millis)).map_or(0, |load| load as jlong))
    })
}

pub(super) extern "system" fn load_version<'l>(env: EnvUnowned<'l>, this: JObject<'l>, load: jlong) -> jlong {
    hot(env, &this, "loadVersion", || Ok(process().load_slot(load_id(load)?)?.raw()))
}

pub(super) extern "system" fn give_back_load<'l>(env: EnvUnowned<'l>, this: JObject<'l>, load: jlong) {
    hot(env, &this, "giveBackLoad", || process().give_back_load(load_id(load)?))
}

pub(super) extern "system" fn store_begin<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    sum: JString<'l>,
) -> jboolean {
    entry(env, &this, "storeBegin", |env| {
        let sum = checksum(&string(env, &sum, "checksum")?)?;
        Ok(process().begin_bytes(load_id(load)?, sum)?)
    })
}

pub(super) extern "system" fn store_write<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    buffer: JByteArray<'l>,
    length: jint,
) {
    entry(env, &this, "storeWrite", |env| {
        present(&buffer, "buffer")?;
        let length =
            usize::try_from(length).ok().filter(|length| buffer.len(env).is_ok_and(|most| *length <= most));
        let length = length.ok_or_else(|| Error::new(Code::BadArgument, "the length exceeds the buffer"))?;
        CHUNK.with(|chunk| -> std::result::Result<(), Fault> {
            let mut chunk = chunk.borrow_mut();
            chunk.resize(length, 0);
            buffer.get_region(env, 0, &mut chunk)?;
            process().write(load_id(load)?, |writer| writer.write(unsigned(&chunk)))?;
            Ok(())
        })
    })
}

thread_local! {
    /// A loader thread's buffer for chunks between the JVM's heap and the file.
    static CHUNK: std::cell::RefCell<Vec<i8>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn unsigned(bytes: &[i8]) -> &[u8] {
    // SAFETY: `i8` and `u8` have the same layout, and the lifetime of the borrow is kept.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

pub(super) extern "system" fn store_entry<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    path: JString<'l>,
    bytes: jlong,
) {
    entry(env, &this, "storeEntry", |env| {
        let path = string(env, &path, "path")?;
        let bytes = u64::try_from(bytes)
            .map_err(|_| Error::new(Code::BadArgument, format!("a file cannot have {bytes} bytes")))?;
        Ok(process().write(load_id(load)?, |writer| writer.entry(&path, bytes))?)
    })
}

pub(super) extern "system" fn store_copy<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    path: JString<'l>,
) {
    entry(env, &this, "storeCopy", |env| {
        let path = string(env, &path, "path")?;
        Ok(process().write(load_id(load)?, |writer| writer.copy_local(Path::new(&path)))?)
    })
}

pub(super) extern "system" fn store_publish<'l>(env: EnvUnowned<'l>, this: JObject<'l>, load: jlong) {
    hot(env, &this, "storePublish", || process().publish_bytes(load_id(load)?))
}

pub(super) extern "system" fn map_in_place<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    path: JString<'l>,
    sum: JString<'l>,
) {
    entry(env, &this, "mapInPlace", |env| {
        let (path, sum) = (string(env, &path, "path")?, checksum(&string(env, &sum, "checksum")?)?);
        Ok(process().map_in_place(load_id(load)?, Path::new(&path), sum)?)
    })
}

pub(super) extern "system" fn load_object<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    value: JObject<'l>,
    bytes: jlong,
    tells: jboolean,
) {
    entry(env, &this, "loadObject", |env| {
        let load = load_id(load)?;
        let (_, order) = process().cache.load_slot(load)?;
        if value.is_null() {
            return Err(
                Error::new(Code::LoadFailed, format!("{}: its loader returned null", order.name)).into()
            );
        }
        let bytes = u64::try_from(bytes).map_err(|_| {
            Error::new(Code::LoadFailed, format!("{}: its loader says it has {bytes} bytes", order.name))
        })?;
        let object = JvmObject::new(env.new_global_ref(value)?, tells);
        Ok(process().cache.finish_load(load, Arc::new(object), bytes)?)
    })
}

pub(super) extern "system" fn next_evicted_object<'l>(env: EnvUnowned<'l>, this: JObject<'l>) -> JObject<'l> {
    entry(env, &this, "nextEvicted", |env| match next_evicted() {
        Some(object) => Ok(env.new_local_ref(&**object)?),
        None => Ok(JObject::null()),
    })
}

pub(super) extern "system" fn load_failed<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    message: JString<'l>,
    cause: JThrowable<'l>,
) {
    entry(env, &this, "loadFailed", |env| {
        let load = load_id(load)?;
        let message = string(env, &message, "message")?;
        let error = if cause.is_null() {
            Error::new(Code::LoadFailed, message)
        } else {
            let code = code_of(env, &cause);
            Error::with_cause(code, message, Box::new(JvmThrowable(env.new_global_ref(cause)?)))
        };
        Ok(process().fail_load(load, error)?)
    })
}

/// The code of an `AndironException`; [`Code::LoadFailed`] for any other exception.
fn code_of(env: &Env<'_>, cause: &JThrowable<'_>) -> Code {
    let code = raw::code_of(env, cause, c"andiron/AndironException");
    code.and_then(Code::from_number).unwrap_or(Code::LoadFailed)
}

pub(super) extern "system" fn stat_names<'l>(env: EnvUnowned<'l>, this: JObject<'l>) -> JString<'l> {
    entry(env, &this, "statNames", |env| Ok(raw::new_string(env, Stats::NAMES.join("\n"))?))
}

pub(super) extern "system" fn stat_kinds<'l>(env: EnvUnowned<'l>, this: JObject<'l>) -> JString<'l> {
    entry(env, &this, "statKinds", |env| {
        let kinds: Vec<&str> = Stats::KINDS.iter().map(|kind| kind.name()).collect();
        Ok(raw::new_string(env, kinds.join("\n"))?)
    })
}

pub(super) extern "system" fn stats<'l>(env: EnvUnowned<'l>, this: JObject<'l>, out: JLongArray<'l>) -> jint {
    entry(env, &this, "stats", |env| {
        present(&out, "out")?;
        let values: Vec<jlong> = process().stats().values().into_iter().map(|value| value as jlong).collect();
        let count = values.len().min(out.len(env)?);
        out.set_region(env, 0, &values[..count])?;
        Ok(count as jint)
    })
}

pub(super) extern "system" fn close_application<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    application: JString<'l>,
) {
    entry(env, &this, "closeApplication", |env| {
        process().close_application(&string(env, &application, "application")?);
        Ok(())
    })
}
