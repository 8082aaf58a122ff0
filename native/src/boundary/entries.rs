//! The natives of `andiron.internal.Native`. They translate arguments and call the core, which makes every
//! decision.
//!
//! Handles cross as `jlong`s that carry kind and generation: a wrong or stale one is an exception. Natives
//! that a task calls per row take primitives only.

use super::anchor::{Native, ABI};
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

macro_rules! natives {
    ($($function:ident $name:literal $signature:literal,)+) => {
        /// All natives, in the order of [`Index`].
        pub(super) static TABLE: &[Native] = &[$(Native {
            name: concat!($name, "\0").as_ptr().cast(),
            signature: concat!($signature, "\0").as_ptr().cast(),
            function: $function as *const std::ffi::c_void,
        }),+];

        /// Positions in [`TABLE`].
        #[allow(non_camel_case_types)]
        enum Index {
            $($function),+
        }
    };
}

natives! {
    build_info "buildInfo" "()Ljava/lang/String;",
    configure "configure" "(Ljava/lang/String;)V",
    open_catalog "openCatalog" "(Ljava/lang/String;Ljava/lang/String;IJ)J",
    add_version "addVersion" "(JLjava/lang/String;Ljava/lang/String;JLjava/lang/String;)J",
    set_demand "setDemand" "(JJ)V",
    close_catalog "closeCatalog" "(J)V",
    begin_attempt "beginAttempt" "(Ljava/lang/String;Z)J",
    end_attempt "endAttempt" "(J)I",
    open_cursor "openCursor" "(JZ)J",
    advance "advance" "(JJ)J",
    advance_all "advanceAll" "(J[J)J",
    await_slice "await" "(JJ)J",
    release "release" "(J)V",
    close_cursor "closeCursor" "(J)V",
    open_view "openView" "(JI[J)J",
    close_view "closeView" "(J)V",
    view_buffer "viewBuffer" "(JJI)Ljava/nio/ByteBuffer;",
    leased_file "leasedFile" "(JI[J)Ljava/lang/String;",
    leased_object "leasedObject" "(JI)Ljava/lang/Object;",
    leased_path "leasedPath" "(JI)Ljava/lang/String;",
    next_load "nextLoad" "(J)J",
    load_version "loadVersion" "(J)J",
    give_back_load "giveBackLoad" "(J)V",
    store_begin "storeBegin" "(JLjava/lang/String;)Z",
    store_write "storeWrite" "(J[BI)V",
    store_entry "storeEntry" "(JLjava/lang/String;J)V",
    store_copy "storeCopy" "(JLjava/lang/String;)V",
    store_publish "storePublish" "(J)V",
    map_in_place "mapInPlace" "(JLjava/lang/String;Ljava/lang/String;)V",
    load_object "loadObject" "(JLjava/lang/Object;JZ)V",
    next_evicted_object "nextEvicted" "()Ljava/lang/Object;",
    load_failed "loadFailed" "(JLjava/lang/String;Ljava/lang/Throwable;)V",
    stat_names "statNames" "()Ljava/lang/String;",
    stat_kinds "statKinds" "()Ljava/lang/String;",
    stats "stats" "([J)I",
    close_application "closeApplication" "(Ljava/lang/String;)V",
}

macro_rules! at {
    ($function:ident) => {
        Index::$function as usize
    };
}

/// The handle of this number, or the error for a number that is no handle.
fn handle<T: crate::cache::Kind>(raw: jlong, what: &str) -> Result<Handle<T>> {
    Handle::from_raw(raw).ok_or_else(|| {
        Error::new(
            Code::BadHandle,
            format!("{raw} is not the handle of a {what}; it is closed, or never was"),
        )
    })
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

fn millis(raw: jlong) -> Duration {
    Duration::from_millis(raw.max(0) as u64)
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

extern "system" fn build_info<'l>(env: EnvUnowned<'l>, this: JObject<'l>) -> JString<'l> {
    entry(env, &this, at!(build_info), |env| {
        let text =
            format!("version={};abi={ABI};build={}", env!("CARGO_PKG_VERSION"), env!("ANDIRON_BUILD_ID"));
        Ok(raw::new_string(env, text)?)
    })
}

extern "system" fn configure<'l>(env: EnvUnowned<'l>, this: JObject<'l>, settings: JString<'l>) {
    entry(env, &this, at!(configure), |env| {
        let settings = CacheSettings::parse(&string(env, &settings, "settings")?)?;
        Ok(process().configure(settings)?)
    })
}

extern "system" fn open_catalog<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    application: JString<'l>,
    dataset: JString<'l>,
    kind: jint,
    loader_scope: jlong,
) -> jlong {
    entry(env, &this, at!(open_catalog), |env| {
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

extern "system" fn add_version<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    catalog: jlong,
    version: JString<'l>,
    digest: JString<'l>,
    bytes: jlong,
    source: JString<'l>,
) -> jlong {
    entry(env, &this, at!(add_version), |env| {
        let catalog: CatalogId = handle(catalog, "catalog")?;
        let version = string(env, &version, "version")?;
        let (digest, label) = (string(env, &digest, "digest")?, string(env, &source, "source")?);
        let listing =
            Listing { version: &version, digest: &digest, bytes: u64::try_from(bytes).ok(), label: &label };
        Ok(process().cache.add_version(catalog, &listing)?.raw())
    })
}

extern "system" fn set_demand<'l>(env: EnvUnowned<'l>, this: JObject<'l>, version: jlong, tasks: jlong) {
    hot(env, &this, at!(set_demand), || {
        process().cache.set_demand(handle(version, "version")?, tasks.max(0) as u64)
    })
}

extern "system" fn close_catalog<'l>(env: EnvUnowned<'l>, this: JObject<'l>, catalog: jlong) {
    hot(env, &this, at!(close_catalog), || {
        process().cache.close_catalog(handle(catalog, "catalog")?);
        Ok(())
    })
}

extern "system" fn begin_attempt<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    name: JString<'l>,
    barrier: jboolean,
) -> jlong {
    entry(env, &this, at!(begin_attempt), |env| {
        let (cache, name) = (&process().cache, string(env, &name, "name")?);
        let attempt = if barrier { cache.begin_barrier_attempt(&name) } else { cache.begin_attempt(&name) };
        Ok(attempt.raw())
    })
}

extern "system" fn end_attempt<'l>(env: EnvUnowned<'l>, this: JObject<'l>, attempt: jlong) -> jint {
    hot(env, &this, at!(end_attempt), || {
        let attempt: AttemptId = handle(attempt, "task attempt")?;
        Ok(process().cache.end_attempt(attempt) as jint)
    })
}

extern "system" fn open_cursor<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    attempt: jlong,
    ordered: jboolean,
) -> jlong {
    hot(env, &this, at!(open_cursor), || {
        Ok(process().cache.open_cursor(handle(attempt, "task attempt")?, ordered)?.raw())
    })
}

extern "system" fn advance<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    version: jlong,
) -> jlong {
    hot(env, &this, at!(advance), || {
        let (cursor, slot): (CursorId, SlotId) = (handle(cursor, "cursor")?, handle(version, "version")?);
        Ok(leased(cursor, process().cache.advance(cursor, slot)?))
    })
}

extern "system" fn advance_all<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    versions: JLongArray<'l>,
) -> jlong {
    entry(env, &this, at!(advance_all), |env| {
        let cursor: CursorId = handle(cursor, "cursor")?;
        present(&versions, "versions")?;
        let mut raw = vec![0; versions.len(env)?];
        versions.get_region(env, 0, &mut raw)?;
        let slots =
            raw.into_iter().map(|version| handle(version, "version")).collect::<Result<Vec<SlotId>>>()?;
        Ok(leased(cursor, process().cache.advance_all(cursor, &slots)?))
    })
}

extern "system" fn await_slice<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    slice_millis: jlong,
) -> jlong {
    hot(env, &this, at!(await_slice), || {
        let cursor: CursorId = handle(cursor, "cursor")?;
        Ok(leased(cursor, process().cache.wait(cursor, millis(slice_millis).min(LONGEST_SLICE))?))
    })
}

extern "system" fn release<'l>(env: EnvUnowned<'l>, this: JObject<'l>, cursor: jlong) {
    hot(env, &this, at!(release), || {
        process().cache.release(handle(cursor, "cursor")?);
        Ok(())
    })
}

extern "system" fn close_cursor<'l>(env: EnvUnowned<'l>, this: JObject<'l>, cursor: jlong) {
    hot(env, &this, at!(close_cursor), || {
        process().cache.close_cursor(handle(cursor, "cursor")?);
        Ok(())
    })
}

extern "system" fn open_view<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    index: jint,
    out: JLongArray<'l>,
) -> jlong {
    entry(env, &this, at!(open_view), |env| {
        let cursor: CursorId = handle(cursor, "cursor")?;
        present(&out, "out")?;
        if out.len(env)? < 3 {
            return Err(Error::new(Code::BadArgument, "out has no room for three numbers").into());
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
        .map_err(|_| Error::new(Code::BadArgument, format!("{index} is not a place in a set of leases")))
}

extern "system" fn close_view<'l>(env: EnvUnowned<'l>, this: JObject<'l>, view: jlong) {
    hot(env, &this, at!(close_view), || {
        process().close_view(handle(view, "view")?);
        Ok(())
    })
}

extern "system" fn view_buffer<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    view: jlong,
    offset: jlong,
    length: jint,
) -> JObject<'l> {
    entry(env, &this, at!(view_buffer), |env| {
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

extern "system" fn leased_file<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    index: jint,
    out: JLongArray<'l>,
) -> JString<'l> {
    entry(env, &this, at!(leased_file), |env| {
        present(&out, "out")?;
        if out.len(env)? < 3 {
            return Err(Error::new(Code::BadArgument, "out has no room for three numbers").into());
        }
        let file = process().leased_file(handle(cursor, "cursor")?, place(index)?)?;
        out.set_region(env, 0, &[file.length as jlong, file.device as jlong, file.inode as jlong])?;
        Ok(raw::new_string(env, file.path)?)
    })
}

extern "system" fn leased_path<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    index: jint,
) -> JString<'l> {
    entry(env, &this, at!(leased_path), |env| {
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

extern "system" fn leased_object<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    cursor: jlong,
    index: jint,
) -> JObject<'l> {
    entry(env, &this, at!(leased_object), |env| {
        let (_, payload) = process().cache.leased(handle(cursor, "cursor")?, place(index)?)?;
        let object = payload.as_any().downcast_ref::<JvmObject>().ok_or_else(|| {
            Error::new(Code::BadArgument, "this version is bytes, not an object; open a view of it")
        })?;
        Ok(env.new_local_ref(&**object.object)?)
    })
}

extern "system" fn next_load<'l>(env: EnvUnowned<'l>, this: JObject<'l>, wait_millis: jlong) -> jlong {
    hot(env, &this, at!(next_load), || {
        Ok(process().next_load(millis(wait_millis)).map_or(0, |load| load as jlong))
    })
}

extern "system" fn load_version<'l>(env: EnvUnowned<'l>, this: JObject<'l>, load: jlong) -> jlong {
    hot(env, &this, at!(load_version), || Ok(process().load_slot(load_id(load)?)?.raw()))
}

extern "system" fn give_back_load<'l>(env: EnvUnowned<'l>, this: JObject<'l>, load: jlong) {
    hot(env, &this, at!(give_back_load), || process().give_back_load(load_id(load)?))
}

extern "system" fn store_begin<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    sum: JString<'l>,
) -> jboolean {
    entry(env, &this, at!(store_begin), |env| {
        let sum = checksum(&string(env, &sum, "checksum")?)?;
        Ok(process().begin_bytes(load_id(load)?, sum)?)
    })
}

extern "system" fn store_write<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    buffer: JByteArray<'l>,
    length: jint,
) {
    entry(env, &this, at!(store_write), |env| {
        present(&buffer, "buffer")?;
        let length =
            usize::try_from(length).ok().filter(|length| buffer.len(env).is_ok_and(|most| *length <= most));
        let length = length.ok_or_else(|| {
            Error::new(Code::BadArgument, "the length is outside the buffer that is written")
        })?;
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

extern "system" fn store_entry<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    path: JString<'l>,
    bytes: jlong,
) {
    entry(env, &this, at!(store_entry), |env| {
        let path = string(env, &path, "path")?;
        let bytes = u64::try_from(bytes)
            .map_err(|_| Error::new(Code::BadArgument, format!("a file of {bytes} bytes does not exist")))?;
        Ok(process().write(load_id(load)?, |writer| writer.entry(&path, bytes))?)
    })
}

extern "system" fn store_copy<'l>(env: EnvUnowned<'l>, this: JObject<'l>, load: jlong, path: JString<'l>) {
    entry(env, &this, at!(store_copy), |env| {
        let path = string(env, &path, "path")?;
        Ok(process().write(load_id(load)?, |writer| writer.copy_local(Path::new(&path)))?)
    })
}

extern "system" fn store_publish<'l>(env: EnvUnowned<'l>, this: JObject<'l>, load: jlong) {
    hot(env, &this, at!(store_publish), || process().publish_bytes(load_id(load)?))
}

extern "system" fn map_in_place<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    path: JString<'l>,
    sum: JString<'l>,
) {
    entry(env, &this, at!(map_in_place), |env| {
        let (path, sum) = (string(env, &path, "path")?, checksum(&string(env, &sum, "checksum")?)?);
        Ok(process().map_in_place(load_id(load)?, Path::new(&path), sum)?)
    })
}

extern "system" fn load_object<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    value: JObject<'l>,
    bytes: jlong,
    tells: jboolean,
) {
    entry(env, &this, at!(load_object), |env| {
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

extern "system" fn next_evicted_object<'l>(env: EnvUnowned<'l>, this: JObject<'l>) -> JObject<'l> {
    entry(env, &this, at!(next_evicted_object), |env| match next_evicted() {
        Some(object) => Ok(env.new_local_ref(&**object)?),
        None => Ok(JObject::null()),
    })
}

extern "system" fn load_failed<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    load: jlong,
    message: JString<'l>,
    cause: JThrowable<'l>,
) {
    entry(env, &this, at!(load_failed), |env| {
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

extern "system" fn stat_names<'l>(env: EnvUnowned<'l>, this: JObject<'l>) -> JString<'l> {
    entry(env, &this, at!(stat_names), |env| Ok(raw::new_string(env, Stats::NAMES.join("\n"))?))
}

extern "system" fn stat_kinds<'l>(env: EnvUnowned<'l>, this: JObject<'l>) -> JString<'l> {
    entry(env, &this, at!(stat_kinds), |env| {
        let kinds: Vec<&str> = Stats::KINDS.iter().map(|kind| kind.name()).collect();
        Ok(raw::new_string(env, kinds.join("\n"))?)
    })
}

extern "system" fn stats<'l>(env: EnvUnowned<'l>, this: JObject<'l>, out: JLongArray<'l>) -> jint {
    entry(env, &this, at!(stats), |env| {
        present(&out, "out")?;
        let values: Vec<jlong> = process().stats().values().into_iter().map(|value| value as jlong).collect();
        let count = values.len().min(out.len(env)?);
        out.set_region(env, 0, &values[..count])?;
        Ok(count as jint)
    })
}

extern "system" fn close_application<'l>(env: EnvUnowned<'l>, this: JObject<'l>, application: JString<'l>) {
    entry(env, &this, at!(close_application), |env| {
        process().close_application(&string(env, &application, "application")?);
        Ok(())
    })
}
