//! The index of a line: all shards, the versions that it has, and the leases on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codec::Codec;
use super::key::shard;
use super::memory::{Arena, Stretch};
use super::packed::{frame, Packed, FRAME};
use super::place::Place;
use super::plan::{fits, is_key};
use super::records::Records;
use super::scan::Scan;
use super::segment::SectionKind;
use super::shard::{Planned, ShardIndex, ShardSize};
use super::slot::MOST_VERSIONS;
use super::stream::{LineReader, PlacedSection};
use crate::error::{Code, Error, Result};
use crate::sync::{lock, Mutex, MutexGuard};

/// All versions of a line that are in memory, from its base on.
///
/// Versions are numbered from the base: 0 to 2,046. Calls of `append` and `drop_newest` come from one thread at a time;
/// all others from any thread.
pub struct TableIndex {
    records: Arc<dyn Records>,
    bits: u32,
    place: Place,
    line: Mutex<Line>,
    /// Held by `append` and `drop_newest` from beginning to end.
    writing: Mutex<()>,
}

struct Line {
    codec: Arc<Codec>,
    versions: Vec<LineVersion>,
    shards: Arc<Shards>,
    era: Arc<Era>,
}

/// The time between two exchanges of side tables. A lease holds the era in which it was taken, and with it all later
/// ones: its readers may be in any side table that was outgrown since.
#[derive(Default)]
struct Era(Mutex<(Vec<Stretch>, Option<Arc<Era>>)>);

impl Era {
    /// Ends the era with side tables that were outgrown in it.
    fn end(&self, outgrown: Vec<Stretch>) -> Arc<Era> {
        let next: Arc<Era> = Arc::default();
        *lock(&self.0) = (outgrown, Some(Arc::clone(&next)));
        next
    }
}

struct LineVersion {
    sections: Arc<BTreeMap<u16, PlacedSection>>,
    leases: u64,
}

/// The shards of a line, as they were when a lease was taken or later.
pub struct Shards {
    all: Box<[ShardIndex]>,
    bits: u32,
    directory: Box<[u64]>,
}

impl Shards {
    fn new(all: Vec<ShardIndex>) -> Arc<Shards> {
        let directory = all.iter().flat_map(|shard| [shard.address(), shard.slots()]).collect();
        let bits = all.len().trailing_zeros();
        Arc::new(Shards { all: all.into(), bits, directory })
    }

    /// The index of the shard that a hash belongs to.
    #[inline]
    pub fn of(&self, hash: u64) -> &ShardIndex {
        &self.all[shard(hash, self.bits)]
    }
}

impl TableIndex {
    /// Builds the index of a base, with this number of threads, for a table with 2^`bits` shards.
    pub fn build(
        codec: Codec,
        bits: u32,
        records: Arc<dyn Records>,
        base: Vec<PlacedSection>,
        threads: usize,
        place: Place,
    ) -> Result<TableIndex> {
        let sections = by_shard(base, SectionKind::Base, bits)?;
        let size = |shard: u16| {
            let keys = sections.get(&shard).map_or(0, |section| section.section.records);
            ShardSize::of(keys, 0, &place)
        };
        let sizes = (0..1_u32 << bits).map(|shard| size(shard as u16)).collect::<Result<Vec<ShardSize>>>()?;
        let arena = Arena::new(sizes.iter().map(|size| size.words).sum(), &place)?;
        let starts: Vec<usize> =
            sizes.iter().scan(0, |at, size| Some(std::mem::replace(at, *at + size.words))).collect();
        let reader = LineReader { records: &*records, codec: &codec, bits };
        let one = |number: usize| {
            let section = sections.get(&(number as u16)).map(|section| (0, section));
            reader.build(sizes[number], &arena, starts[number], section.as_slice())
        };
        let shards = in_threads(sizes.len(), threads, &one)?;
        let first = LineVersion { sections: Arc::new(sections), leases: 0 };
        let (codec, shards, era) = (Arc::new(codec), Shards::new(shards), Arc::default());
        let line = Line { codec, versions: vec![first], shards, era };
        Ok(TableIndex { records, bits, place, line: Mutex::new(line), writing: Mutex::new(()) })
    }

    /// Adds the next version; `codec` knows its schemas and all earlier ones. Returns its number.
    ///
    /// On an error nothing has changed.
    pub fn append(&self, codec: Codec, delta: Vec<PlacedSection>) -> Result<u16> {
        let _one = lock(&self.writing);
        let (shards, before) = {
            let line = self.line();
            let before: Vec<_> = line.versions.iter().map(|version| Arc::clone(&version.sections)).collect();
            (Arc::clone(&line.shards), before)
        };
        let version = before.len();
        if version >= usize::from(MOST_VERSIONS) {
            let help = "publish a base, from which a new line begins";
            return Err(self.place.beyond(format!("a line has at most {MOST_VERSIONS} versions; {help}")));
        }
        let delta = by_shard(delta, SectionKind::Delta, self.bits)?;
        let reader = LineReader { records: &*self.records, codec: &codec, bits: self.bits };
        let mut rebuilt: BTreeMap<u16, ShardIndex> = BTreeMap::new();
        let mut plans: Vec<(u16, Vec<Planned>)> = Vec::new();
        for (number, section) in &delta {
            let index = &shards.all[usize::from(*number)];
            let planned = reader.plan(index, section)?;
            if fits(index, &planned) {
                plans.push((*number, planned));
                continue;
            }
            let earlier = before
                .iter()
                .zip(0..)
                .filter_map(|(sections, version)| Some((version, sections.get(number)?)));
            let all: Vec<(u16, &PlacedSection)> = earlier.chain([(version as u16, section)]).collect();
            let keys = index.used() + planned.len() as u64;
            rebuilt.insert(*number, reader.rebuild(keys, &all, &section.place)?);
        }
        let commit = |(number, planned): &(u16, Vec<Planned>)| {
            shards.all[usize::from(*number)].commit(version as u16, planned)
        };
        let outgrown: Vec<Stretch> = plans.iter().filter_map(commit).collect();
        let mut line = self.line();
        let mut ended = None;
        if !outgrown.is_empty() {
            let next = line.era.end(outgrown);
            ended = Some(std::mem::replace(&mut line.era, next));
        }
        if !rebuilt.is_empty() {
            let current = |(number, old): (u16, &ShardIndex)| rebuilt.get(&number).unwrap_or(old).clone();
            line.shards = Shards::new((0..).zip(&shards.all).map(current).collect());
        }
        line.codec = Arc::new(codec);
        line.versions.push(LineVersion { sections: Arc::new(delta), leases: 0 });
        drop(line);
        // Without a lease this gives the pages of outgrown side tables back.
        drop(ended);
        Ok(version as u16)
    }

    /// Removes the newest version. [`Code::TableInUse`] while it is leased; a base goes with its index.
    ///
    /// Its segments may be unmapped afterwards.
    pub fn drop_newest(&self) -> Result<()> {
        let _one = lock(&self.writing);
        let (version, shards, sections) = {
            let mut line = self.line();
            let version = line.versions.len() - 1;
            let newest = &line.versions[version];
            if newest.leases > 0 || version == 0 {
                let why = if version == 0 { "it is a base" } else { "tasks have leased it" };
                let message =
                    format!("{}: version {version} of the line cannot be dropped, since {why}", self.place);
                return Err(Error::new(Code::TableInUse, message));
            }
            // No lease on it can be taken from here on.
            let sections = Arc::clone(&newest.sections);
            line.versions.pop();
            (version as u16, Arc::clone(&line.shards), sections)
        };
        for number in sections.keys() {
            shards.all[usize::from(*number)].drop_newest(version);
        }
        Ok(())
    }

    /// Leases a version and all before it.
    pub fn lease(self: &Arc<Self>, version: u16) -> Result<IndexLease> {
        let mut line = self.line();
        let count = line.versions.len();
        let Some(leased) = line.versions.get_mut(usize::from(version)) else {
            let message =
                format!("{}: the line has {count} versions in memory, and no version {version}", self.place);
            return Err(Error::new(Code::UnknownVersion, message));
        };
        leased.leases += 1;
        let (shards, era) = (Arc::clone(&line.shards), Arc::clone(&line.era));
        Ok(IndexLease { table: Arc::clone(self), shards, version, _era: era })
    }

    /// The number of versions.
    pub fn versions(&self) -> u16 {
        self.line().versions.len() as u16
    }

    /// Bytes of memory that the index takes, without frozen parts that only older leases use.
    pub fn bytes(&self) -> u64 {
        let shards = Arc::clone(&self.line().shards);
        shards.all.iter().map(|shard| shard.bytes() + 16).sum()
    }

    /// An estimate of the bytes that a version of `records` records adds, if they spread over the shards as keys do and
    /// no shard is rebuilt.
    pub fn price(&self, records: u64) -> u64 {
        let shards = Arc::clone(&self.line().shards);
        // A shard's share, and four times its deviation.
        let share = records.div_ceil(1 << self.bits);
        let share = (share + 4 * (share.isqrt() + 1)).min(records);
        shards.all.iter().map(|shard| shard.price(share)).sum()
    }

    /// The rows that a version has in a shard.
    pub fn scan(&self, version: u16, shard: u16) -> Result<Scan> {
        let line = self.line();
        let of_version = line.versions.iter().take(usize::from(version) + 1).rev();
        let sections = of_version.filter_map(|version| version.sections.get(&shard)).cloned().collect();
        let (records, codec) = (Arc::clone(&self.records), Arc::clone(&line.codec));
        drop(line);
        Scan::new(records, codec, self.bits, sections)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        lock(&self.line)
    }
}

/// A hold on a version and all before it: their records stay, and the index is right for them.
pub struct IndexLease {
    table: Arc<TableIndex>,
    shards: Arc<Shards>,
    version: u16,
    _era: Arc<Era>,
}

impl IndexLease {
    /// The version. Lookups for later ones are wrong.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// The shards, for readers in Rust.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    /// For each shard the address of its header and its number of slots, for readers outside Rust. Valid while the lease
    /// lives.
    pub fn directory(&self) -> &[u64] {
        &self.shards.directory
    }

    /// The row of a key in a version that is leased, as a record; none for a key that it has not.
    pub fn row(&self, version: u16, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if version > self.version {
            let message = format!("{}: version {version} is not leased", self.table.place);
            return Err(Error::new(Code::UnknownVersion, message));
        }
        let codec = Arc::clone(&self.table.line().codec);
        let hash = codec.hash().of(key);
        let mut buffer = vec![0; FRAME + key.len()];
        let found = self.shards.of(hash).find(hash, version, |address| {
            let read = self.table.records.read(address, &mut buffer)?;
            if read < FRAME {
                let why = format!("the record at the address {address} lies outside of all files in memory");
                return Err(self.table.place.damaged(why));
            }
            Ok::<bool, Error>(is_key(&buffer[..read], 0, key))
        })?;
        let Some(address) = found else { return Ok(None) };
        let damaged = |why| self.table.place.refused(why);
        let (length, ..) = frame(&buffer).map_err(damaged)?;
        let mut bytes = vec![0; length];
        let read = self.table.records.read(address, &mut bytes)?;
        let record = Packed::first(&bytes[..read]).map_err(damaged)?;
        codec.check(&record).map_err(damaged)?;
        let is_deletion = record.is_deletion();
        Ok((!is_deletion).then_some(bytes))
    }
}

impl Drop for IndexLease {
    fn drop(&mut self) {
        if let Some(version) = self.table.line().versions.get_mut(usize::from(self.version)) {
            version.leases -= 1;
        }
    }
}

/// The sections of one version, each shard at most once.
fn by_shard(
    sections: Vec<PlacedSection>,
    kind: SectionKind,
    bits: u32,
) -> Result<BTreeMap<u16, PlacedSection>> {
    let mut found = BTreeMap::new();
    for section in sections {
        let place = section.place.clone();
        let (of, shard) = (section.section.kind, section.section.shard);
        let known = u32::from(shard) >> bits == 0 && section.section.family == 0 && of == kind;
        if !known || found.insert(shard, section).is_some() {
            return Err(place.damaged("the version has it twice, or in another place than this"));
        }
    }
    Ok(found)
}

/// Calls `one` for 0 to `count` in threads; the results are in order.
fn in_threads<T: Send>(
    count: usize,
    threads: usize,
    one: &(dyn Fn(usize) -> Result<T> + Sync),
) -> Result<Vec<T>> {
    if threads < 2 || count < 2 {
        return (0..count).map(one).collect();
    }
    let chunk = count.div_ceil(threads);
    let parts = std::thread::scope(|scope| {
        let start = |from: usize| {
            scope.spawn(move || (from..count.min(from + chunk)).map(one).collect::<Result<Vec<T>>>())
        };
        let running: Vec<_> = (0..count).step_by(chunk).map(start).collect();
        running.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut all = Vec::with_capacity(count);
    for part in parts {
        all.extend(part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
    }
    Ok(all)
}
