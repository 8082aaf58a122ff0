//! Lookups in a table of ten versions, beside plain open addressing of one version, in the same run.
//!
//! | benchmark | timed operation, per key |
//! |---|---|
//! | `plain` | a table of (key, address) of one version, then a field of the record |
//! | `single/latest`, `single/by row` | `ShardIndex::find` in the newest version, in a random one of ten |
//! | `batch/latest`, `batch/by row` | `find_all` of 256 keys at a time |
//! | `single/miss`, `batch/miss` | the same for keys that no version has |
//! | `build` | `TableIndex::build` from a file, checksum included, one thread |
//! | `append` | `TableIndex::append` of the newest version from a file, checksum included; per key of the table |
//!
//! 2 M keys of 8 bytes, records of 112 bytes, 1 % of the keys change in each version: `ANDIRON_BENCH_KEYS` and
//! `ANDIRON_BENCH_CHURN` (1 in …) set others. `cargo bench -p andiron --bench table`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

use std::convert::Infallible;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andiron::table::{
    find_all, read_directory, shard, shards_for, Codec, Column, FileRecords, IndexLease, Lookup, Place,
    PlacedSection, Schema, SectionKind, SegmentWriter, ShardRows, TableIndex, Type, Value,
};
use criterion::{criterion_group, criterion_main, BenchmarkGroup, Criterion, Throughput};

const VERSIONS: usize = 10;
const FIELDS: u16 = 12;
const BATCH: usize = 256;
const TABLE: u64 = 1;
const VALUE_AT: usize = 16;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn codec() -> Codec {
    let column = |id| Column { id, name: format!("c{id}"), of: Type::Long, nullable: false };
    Codec::new(&[0], 42, &[Schema { id: 0, columns: (0..=FIELDS).map(column).collect() }]).unwrap()
}

/// A key that no other number has.
fn key(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// All segments at their addresses, as one file and in memory.
struct Tables {
    memory: Vec<u8>,
    records: Arc<FileRecords>,
    sections: Vec<Vec<PlacedSection>>,
    bits: u32,
    keys: u64,
}

impl Tables {
    fn new(keys: u64, churn: u64) -> Tables {
        let bits = shards_for(112 * keys, keys).trailing_zeros();
        let mut memory = vec![0; 4096];
        let mut starts = Vec::new();
        for version in 0..VERSIONS as u64 {
            starts.push(memory.len());
            let of_version = |number: &u64| {
                version == 0 || fastrand::Rng::with_seed(number ^ version << 40).u64(..churn) == 0
            };
            memory.extend(segment(version, bits, (0..keys).filter(of_version)));
            memory.resize(memory.len().next_multiple_of(4096), 0);
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&memory).unwrap();
        let file = Arc::new(file);
        let records = Arc::new(FileRecords::default());
        records.add(0, memory.len() as u64, file, Place::default());
        let ends: Vec<usize> = starts[1..].iter().copied().chain([memory.len()]).collect();
        let directory = |(start, end): (&usize, &usize)| {
            // The segment ends with the last of its bytes that is not zero.
            let length = memory[*start..*end].iter().rposition(|byte| *byte != 0).unwrap() + 1;
            let sections = read_directory(
                &*records,
                *start as u64,
                length as u64,
                (TABLE, 1 << bits),
                &Place::default(),
            );
            PlacedSection::all(sections.unwrap(), *start as u64, &Place::default())
        };
        let sections = starts.iter().zip(&ends).map(directory).collect();
        Tables { sections, memory, records, bits, keys }
    }

    fn base(&self) -> TableIndex {
        let (records, base) = (self.records.clone(), self.sections[0].clone());
        TableIndex::build(codec(), self.bits, records, base, 1, Place::default()).unwrap()
    }

    fn field(&self, address: u64) -> u64 {
        self.word(address as usize + VALUE_AT)
    }

    fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.memory[at..at + 8].try_into().unwrap())
    }

    fn is_key(&self, address: u64, key: u64) -> bool {
        self.word(address as usize + 8) == key
    }
}

fn segment(version: u64, bits: u32, numbers: impl Iterator<Item = u64>) -> Vec<u8> {
    let (codec, place) = (codec(), Place::default());
    let mut shards: Vec<Vec<u8>> = vec![Vec::new(); 1 << bits];
    for number in numbers {
        let key = key(number);
        let values: Vec<Value> =
            (0..FIELDS).map(|field| Value::Int((number * version + u64::from(field)) as i64)).collect();
        let of = shard(codec.hash().of(&key.to_le_bytes()), bits);
        codec.row(&[Value::Int(key as i64)], &values, &mut shards[of], &place).unwrap();
    }
    let mut bytes = Vec::new();
    let kind = if version == 0 { SectionKind::Base } else { SectionKind::Delta };
    let mut writer = SegmentWriter::new(TABLE, 1 << bits, &mut bytes);
    for (shard, records) in (0..).zip(&shards) {
        let mut rows = ShardRows::new(&codec, bits, shard, place.clone());
        rows.add(records).unwrap();
        let content = rows.compare(None).unwrap().content;
        writer.section((0, shard, kind), &content, &mut bytes, &place).unwrap();
    }
    writer.finish(&mut bytes);
    bytes
}

/// Keys and addresses of one version, at a load of at most a half.
struct Plain(Vec<(u64, u64)>, u32);

impl Plain {
    fn new(tables: &Tables, lease: &IndexLease) -> Plain {
        let bits = (2 * tables.keys).next_power_of_two().trailing_zeros();
        let mut slots = vec![(0, 0); 1 << bits];
        for number in 0..tables.keys {
            let key = key(number);
            let address = single(tables, lease, key, 0);
            let mut at = (codec_hash(key) >> (64 - bits)) as usize;
            while slots[at].1 != 0 {
                at = (at + 1) & ((1 << bits) - 1);
            }
            slots[at] = (key, address);
        }
        Plain(slots, bits)
    }

    fn find(&self, key: u64) -> u64 {
        let mut at = (codec_hash(key) >> (64 - self.1)) as usize;
        loop {
            let (found, address) = self.0[at];
            if found == key || address == 0 {
                return address;
            }
            at = (at + 1) & ((1 << self.1) - 1);
        }
    }
}

fn codec_hash(key: u64) -> u64 {
    andiron::table::KeyHash::Fmix64(42).of(&key.to_le_bytes())
}

fn single(tables: &Tables, lease: &IndexLease, key: u64, version: u16) -> u64 {
    let hash = codec_hash(key);
    let same = |address| Ok::<bool, Infallible>(tables.is_key(address, key));
    let Ok(found) = lease.shards().of(hash).find(hash, version, same);
    found.unwrap_or(0)
}

type Group<'a> = BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn lookups(group: &mut Group<'_>, name: &str, tables: &Tables, lease: &IndexLease, asked: &[(u64, u16)]) {
    group.bench_function(format!("single/{name}"), |b| {
        b.iter(|| {
            asked.iter().fold(0, |sum: u64, (key, version)| match single(tables, lease, *key, *version) {
                0 => sum,
                address => sum.wrapping_add(tables.field(address)),
            })
        });
    });
    group.bench_function(format!("batch/{name}"), |b| {
        let (mut probes, mut found): (Vec<Lookup>, Vec<u64>) = (Vec::new(), Vec::new());
        b.iter(|| {
            let mut sum = 0_u64;
            for keys in asked.chunks(BATCH) {
                probes.clear();
                found.clear();
                probes.extend(keys.iter().map(|(key, version)| (codec_hash(*key), *version)));
                let touch = |address: u64| tables.word(address as usize + 8);
                let same = |probe: usize, address| tables.is_key(address, keys[probe].0);
                find_all(lease.shards(), &probes, &mut found, touch, same);
                sum = found
                    .iter()
                    .filter(|address| **address != 0)
                    .fold(sum, |sum, address| sum.wrapping_add(tables.field(*address)));
            }
            sum
        });
    });
}

fn tables(criterion: &mut Criterion) {
    let tables = Tables::new(number("ANDIRON_BENCH_KEYS", 2_000_000), number("ANDIRON_BENCH_CHURN", 100));
    let index = Arc::new(tables.base());
    let one = index.bytes();
    for sections in &tables.sections[1..VERSIONS - 1] {
        index.append(codec(), sections.clone()).unwrap();
    }
    let newest = tables.sections[VERSIONS - 1].clone();
    let mut group = criterion.benchmark_group("table");
    group.throughput(Throughput::Elements(tables.keys));
    group.bench_function("build", |b| {
        b.iter_custom(|times| (0..times).map(|_| timed(|| tables.base())).sum());
    });
    index.append(codec(), newest.clone()).unwrap();
    let lease = index.lease(VERSIONS as u16 - 1).unwrap();
    let records =
        |sections: &[PlacedSection]| sections.iter().map(|section| section.section.bytes).sum::<u64>();
    let (first, all) =
        (records(&tables.sections[0]), tables.sections.iter().map(|sections| records(sections)).sum::<u64>());
    println!(
        "records: {first} bytes of one version, {all} of {VERSIONS}; index: {one} of one, {} of {VERSIONS}; ratio {:.4}",
        index.bytes(),
        (all + index.bytes()) as f64 / (first + one) as f64
    );
    let plain = Plain::new(&tables, &lease);
    let mut random = fastrand::Rng::with_seed(7);
    let mut draw = |from: u64, versions: u16| -> Vec<(u64, u16)> {
        (0..1 << 16)
            .map(|_| (key(from + random.u64(..tables.keys)), VERSIONS as u16 - 1 - random.u16(..versions)))
            .collect()
    };
    let (latest, by_row, misses) = (draw(0, 1), draw(0, VERSIONS as u16), draw(tables.keys, 1));
    group.throughput(Throughput::Elements(latest.len() as u64));
    group.bench_function("plain", |b| {
        b.iter(|| {
            latest.iter().fold(0, |sum: u64, (key, _)| sum.wrapping_add(tables.field(plain.find(*key))))
        });
    });
    lookups(&mut group, "latest", &tables, &lease, &latest);
    lookups(&mut group, "by row", &tables, &lease, &by_row);
    lookups(&mut group, "miss", &tables, &lease, &misses);
    group.bench_function("plain, again", |b| {
        b.iter(|| {
            latest.iter().fold(0, |sum: u64, (key, _)| sum.wrapping_add(tables.field(plain.find(*key))))
        });
    });
    drop(lease);
    index.drop_newest().unwrap();
    group.throughput(Throughput::Elements(tables.keys));
    group.bench_function("append", |b| {
        b.iter_custom(|times| {
            let once = |_| {
                let took = timed(|| index.append(codec(), newest.clone()).unwrap());
                index.drop_newest().unwrap();
                took
            };
            (0..times).map(once).sum()
        });
    });
    group.finish();
}

fn timed<T>(body: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    let made = black_box(body());
    let took = began.elapsed();
    drop(made);
    took
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = tables
}
criterion_main!(benches);
