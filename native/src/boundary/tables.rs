//! The natives of `andiron.internal.boundary.NativeTable`. They translate arguments and call the module `table`.
//!
//! Documents cross as their texts. Writers, lines and views cross as handles.

use super::arguments::string;
use super::guard::{entry, hot, Fault};
use super::raw;
use crate::cache::process::process;
use crate::cache::{CursorId, Handle, HandleKind, Slab};
use crate::error::{Code, Error, Result};
use crate::sync::{lock, Mutex};
use crate::table::{
    self, Description, LineFile, LineView, Manifest, MappedLine, NewColumn, NewVersion, PartWriter, Place,
};
use jni::objects::{JByteArray, JLongArray, JObject, JString};
use jni::sys::{jint, jlong};
use jni::{Env, EnvUnowned};
use once_cell::sync::Lazy;
use serde::de::DeserializeOwned;
use serde::Deserialize;
use std::sync::Arc;

/// An object of a table that the JVM holds by a handle.
#[derive(Clone)]
enum Held {
    /// A task's segment.
    Part(Arc<Mutex<PartWriter>>),
    /// A line in memory.
    Line(Arc<MappedLine>),
    /// A version of a line that the JVM reads by address.
    View { _kept: Arc<LineView> },
}

impl HandleKind for Held {
    const TAG: u64 = 6;
}

static HELD: Lazy<Mutex<Slab<Held>>> = Lazy::new(|| Mutex::new(Slab::new()));

fn keep(held: Held) -> jlong {
    lock(&HELD).insert(held).raw()
}

fn held(raw: jlong) -> Result<Held> {
    let found = Handle::from_raw(raw).and_then(|handle| lock(&HELD).get(handle).cloned());
    found.ok_or_else(|| {
        Error::new(Code::BadHandle, format!("no part of a table is open under the handle {raw}"))
    })
}

fn part(raw: jlong) -> Result<Arc<Mutex<PartWriter>>> {
    match held(raw)? {
        Held::Part(part) => Ok(part),
        _ => Err(Error::new(Code::BadHandle, format!("the handle {raw} is not that of a segment"))),
    }
}

fn line(raw: jlong) -> Result<Arc<MappedLine>> {
    match held(raw)? {
        Held::Line(line) => Ok(line),
        _ => Err(Error::new(Code::BadHandle, format!("the handle {raw} is not that of a line"))),
    }
}

fn cursor(raw: jlong) -> Result<CursorId> {
    Handle::from_raw(raw)
        .ok_or_else(|| Error::new(Code::BadHandle, format!("no cursor is open under the handle {raw}")))
}

fn number<T: TryFrom<jint>>(raw: jint, what: &str) -> Result<T> {
    T::try_from(raw).map_err(|_| Error::new(Code::BadArgument, format!("{raw} is no {what}")))
}

/// The table as the JVM names it, and a file of it.
fn place(table: &str, file: &str) -> Place {
    Place { table: table.to_string(), file: file.to_string(), ..Place::default() }
}

/// The error for columns that cannot be stored does not know its table.
fn named<T>(place: &Place, result: Result<T>) -> Result<T> {
    result.map_err(|error| match error.code() {
        Code::TableSchema => Error::new(error.code(), format!("{place}: {}", error.message())),
        _ => error,
    })
}

fn json<T: DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::new(Code::BadArgument, format!("{what} cannot be read: {error}")))
}

type Entry<T> = std::result::Result<T, Fault>;

fn table_name(env: &Env<'_>, table: &JString<'_>) -> Entry<String> {
    string(env, table, "table")
}

fn description(env: &Env<'_>, text: &JString<'_>, table: &str) -> Entry<Description> {
    let text = string(env, text, "description")?;
    Ok(Description::read(text.as_bytes(), &place(table, "_andiron/table"))?)
}

/// A manifest, whose file is named by its own ordinal if the JVM does not say one.
fn manifest(
    env: &Env<'_>,
    text: &JString<'_>,
    of: &Description,
    ordinal: Option<u64>,
    table: &str,
) -> Entry<Manifest> {
    #[derive(Deserialize)]
    struct OfOrdinal {
        ordinal: u64,
    }
    let text = string(env, text, "manifest")?;
    let ordinal = match ordinal {
        Some(ordinal) => ordinal,
        None => serde_json::from_str::<OfOrdinal>(&text).map_or(0, |stamp| stamp.ordinal),
    };
    Ok(Manifest::read(text.as_bytes(), of, ordinal, &place(table, &format!("_andiron/v/{ordinal:020}")))?)
}

/// As `manifest`, for a text that may be empty.
fn parent(env: &Env<'_>, text: &JString<'_>, of: &Description, table: &str) -> Entry<Option<Manifest>> {
    if string(env, text, "parent")?.is_empty() {
        return Ok(None);
    }
    manifest(env, text, of, None, table).map(Some)
}

pub(super) extern "system" fn check_description<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    text: JString<'l>,
    table: JString<'l>,
) {
    entry(env, &this, "checkDescription", |env| {
        let table = table_name(env, &table)?;
        description(env, &text, &table).map(drop)
    })
}

pub(super) extern "system" fn check_manifest<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    of: JString<'l>,
    text: JString<'l>,
    ordinal: jlong,
    table: JString<'l>,
) {
    entry(env, &this, "checkManifest", |env| {
        let table = table_name(env, &table)?;
        let of = description(env, &of, &table)?;
        manifest(env, &text, &of, Some(ordinal as u64), &table).map(drop)
    })
}

pub(super) extern "system" fn shards_for<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    bytes: jlong,
    keys: jlong,
) -> jint {
    hot(env, &this, "shardsFor", || Ok(table::shards_for(bytes.max(0) as u64, keys.max(0) as u64) as jint))
}

/// The request for a new table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTable {
    table: i64,
    seed: i64,
    shards: u32,
    columns: Vec<NewColumn>,
    key: Vec<String>,
}

pub(super) extern "system" fn new_table<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    request: JString<'l>,
    table: JString<'l>,
) -> JString<'l> {
    entry(env, &this, "newTable", |env| {
        let table = table_name(env, &table)?;
        let new: NewTable = json(&string(env, &request, "request")?, "the request for a table")?;
        let made = table::new_table(new.table as u64, &new.columns, &new.key, new.shards, new.seed as u64);
        let made = named(&place(&table, ""), made)?;
        Ok(raw::new_string(env, made.text(&place(&table, "_andiron/table"))?)?)
    })
}

pub(super) extern "system" fn draft<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    of: JString<'l>,
    before: JString<'l>,
    request: JString<'l>,
    table: JString<'l>,
) -> JString<'l> {
    entry(env, &this, "draft", |env| {
        let table = table_name(env, &table)?;
        let of = description(env, &of, &table)?;
        let before = parent(env, &before, &of, &table)?;
        let new: NewVersion = json(&string(env, &request, "request")?, "the request for a version")?;
        let place = Place { version: new.version.clone(), ..place(&table, "") };
        let draft = named(&place, table::draft(&of, before.as_ref(), &new, &place))?;
        Ok(raw::new_string(env, draft.text(&place)?)?)
    })
}

pub(super) extern "system" fn complete<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    of: JString<'l>,
    draft: JString<'l>,
    parts: JString<'l>,
    table: JString<'l>,
) -> JString<'l> {
    entry(env, &this, "complete", |env| {
        let table = table_name(env, &table)?;
        let of = description(env, &of, &table)?;
        let draft = manifest(env, &draft, &of, None, &table)?;
        let parts = json(&string(env, &parts, "parts")?, "the list of parts")?;
        let place = Place { version: draft.version.clone(), ..place(&table, "") };
        let done = table::complete(&of, draft, parts, &place)?;
        Ok(raw::new_string(env, done.text(&place)?)?)
    })
}

pub(super) extern "system" fn index_estimate<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    of: JString<'l>,
    text: JString<'l>,
    table: JString<'l>,
) -> jlong {
    entry(env, &this, "indexEstimate", |env| {
        let table = table_name(env, &table)?;
        let of = description(env, &of, &table)?;
        let manifest = manifest(env, &text, &of, None, &table)?;
        Ok(table::index_estimate(&of, &manifest) as jlong)
    })
}

pub(super) extern "system" fn open_part<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    of: JString<'l>,
    draft: JString<'l>,
    before: JString<'l>,
    table: JString<'l>,
) -> jlong {
    entry(env, &this, "openPart", |env| {
        let table = table_name(env, &table)?;
        let of = description(env, &of, &table)?;
        let before = parent(env, &before, &of, &table)?;
        let draft = manifest(env, &draft, &of, None, &table)?;
        let part = PartWriter::new(of, draft, before, place(&table, ""))?;
        Ok(keep(Held::Part(Arc::new(Mutex::new(part)))))
    })
}

pub(super) extern "system" fn part_parent<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    handle: jlong,
    file: jint,
    leases: jlong,
    position: jint,
) {
    hot(env, &this, "partParent", || {
        let (part, file) = (part(handle)?, number(file, "file of a manifest")?);
        let (open, keeper) =
            process().leased_segment(cursor(leases)?, number(position, "position of a lease")?)?;
        let done = lock(&part).parent_file(file, open, keeper);
        done
    })
}

pub(super) extern "system" fn part_rows<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    handle: jlong,
    records: JByteArray<'l>,
    length: jint,
) {
    entry(env, &this, "partRows", |env| {
        let part = part(handle)?;
        let all = records.len(env)?;
        let used = usize::try_from(length).ok().filter(|length| *length <= all);
        let used = used.ok_or_else(|| Error::new(Code::BadArgument, "the length exceeds the records"))?;
        let mut signed = vec![0_i8; used];
        records.get_region(env, 0, &mut signed)?;
        lock(&part).rows(signed.into_iter().map(|byte| byte as u8).collect());
        Ok(())
    })
}

pub(super) extern "system" fn part_shard<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    handle: jlong,
    shard: jint,
) {
    hot(env, &this, "partShard", || {
        let part = part(handle)?;
        let done = lock(&part).shard(number(shard, "shard")?);
        done
    })
}

pub(super) extern "system" fn part_take<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    handle: jlong,
    buffer: JByteArray<'l>,
) -> jint {
    entry(env, &this, "partTake", |env| {
        let part = part(handle)?;
        let mut bytes = vec![0; buffer.len(env)?];
        let taken = lock(&part).take(&mut bytes);
        let signed: Vec<i8> = bytes[..taken].iter().map(|byte| *byte as i8).collect();
        buffer.set_region(env, 0, &signed)?;
        Ok(taken as jint)
    })
}

pub(super) extern "system" fn part_finish<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    handle: jlong,
    name: JString<'l>,
) -> JString<'l> {
    entry(env, &this, "partFinish", |env| {
        let name = string(env, &name, "name")?;
        let part = part(handle)?;
        let done = lock(&part).finish(&name);
        let text = serde_json::to_string(&done)
            .map_err(|error| Error::new(Code::TableDamaged, error.to_string()))?;
        Ok(raw::new_string(env, text)?)
    })
}

pub(super) extern "system" fn open_line<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    of: JString<'l>,
    newest: JString<'l>,
    table: JString<'l>,
) -> jlong {
    entry(env, &this, "openLine", |env| {
        let table = table_name(env, &table)?;
        let of = description(env, &of, &table)?;
        let newest = manifest(env, &newest, &of, None, &table)?;
        Ok(keep(Held::Line(MappedLine::shared(of, newest, place(&table, ""))?)))
    })
}

pub(super) extern "system" fn line_offer<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    handle: jlong,
    files: jint,
    leases: jlong,
    position: jint,
) {
    hot(env, &this, "lineOffer", || {
        let (line, leases) = (line(handle)?, cursor(leases)?);
        let (files, position): (usize, usize) =
            (number(files, "number of files")?, number(position, "position of a lease")?);
        for file in line.offered()..files {
            let (open, keeper) = process().leased_segment(leases, position + file)?;
            line.offer(file, LineFile { file: open, keeper })?;
        }
        Ok(())
    })
}

pub(super) extern "system" fn line_grow<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    handle: jlong,
    version: jint,
    threads: jint,
) {
    hot(env, &this, "lineGrow", || {
        line(handle)?.grow(number(version, "version of a line")?, number(threads, "number of threads")?)
    })
}

pub(super) extern "system" fn line_versions<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    handle: jlong,
) -> jint {
    hot(env, &this, "lineVersions", || Ok(jint::from(line(handle)?.versions())))
}

pub(super) extern "system" fn line_bytes<'l>(env: EnvUnowned<'l>, this: JObject<'l>, handle: jlong) -> jlong {
    hot(env, &this, "lineBytes", || Ok(line(handle)?.bytes() as jlong))
}

pub(super) extern "system" fn open_line_view<'l>(
    env: EnvUnowned<'l>,
    this: JObject<'l>,
    handle: jlong,
    version: jint,
    out: JLongArray<'l>,
) -> jlong {
    entry(env, &this, "openLineView", |env| {
        let view = line(handle)?.view(number(version, "version of a line")?)?;
        out.set_region(env, 0, &[view.region() as jlong, view.directory() as jlong])?;
        Ok(keep(Held::View { _kept: Arc::new(view) }))
    })
}

pub(super) extern "system" fn close_table<'l>(env: EnvUnowned<'l>, this: JObject<'l>, handle: jlong) {
    hot(env, &this, "closeTable", || {
        let Some(handle) = Handle::from_raw(handle) else {
            return Err(Error::new(
                Code::BadHandle,
                format!("no part of a table is open under the handle {handle}"),
            ));
        };
        let closed = lock(&HELD).remove(handle);
        drop(closed);
        Ok(())
    })
}
