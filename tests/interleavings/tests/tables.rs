//! Appends and drops of versions beside lookups of leased ones, under random schedules.
//!
//! A version that was dropped comes back with other rows, and its segment is gone at once. Shuttle explores orders of
//! sequentially consistent steps; docs/internals/tables.md has the argument for weaker ones.

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use andiron::table::{
    read_directory, Codec, Column, MemoryRecords, Place, PlacedSection, Schema, SectionKind, SegmentWriter,
    ShardRows, TableIndex, Type, Value,
};
use shuttle::thread;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const TABLE: (u64, u32) = (7, 1);

type Expected = BTreeMap<i64, i64>;

/// A version's rows, and the segment of those that it writes.
#[derive(Clone)]
struct Version {
    rows: Expected,
    segment: Vec<u8>,
}

fn codec() -> Codec {
    let column = |id, of| Column { id, name: format!("c{id}"), of, nullable: false };
    let schema = Schema { id: 0, columns: vec![column(1, Type::Long), column(2, Type::Long)] };
    Codec::new(&[1], 0, &[schema]).unwrap()
}

/// The version after `before` that writes these rows.
fn version(before: &Expected, kind: SectionKind, written: &[(i64, i64)]) -> Version {
    let (codec, place) = (codec(), Place::default());
    let mut rows = ShardRows::new(&codec, 0, 0, place.clone());
    for (key, value) in written {
        let mut record = Vec::new();
        codec.row(&[Value::Int(*key)], &[Value::Int(*value)], &mut record, &place).unwrap();
        rows.add(&record).unwrap();
    }
    let content = rows.compare(None).unwrap().content;
    let mut segment = Vec::new();
    let mut writer = SegmentWriter::new(TABLE.0, TABLE.1, &mut segment);
    writer.section((0, 0, kind), &content, &mut segment, &place).unwrap();
    writer.finish(&mut segment);
    let mut rows = before.clone();
    rows.extend(written.iter().copied());
    Version { rows, segment }
}

fn sections(records: &MemoryRecords, address: u64, bytes: usize) -> Vec<PlacedSection> {
    let place = Place::default();
    let directory = read_directory(records, address, bytes as u64, TABLE, &place).unwrap();
    PlacedSection::all(directory, address, &place)
}

struct Bench {
    records: Arc<MemoryRecords>,
    index: Arc<TableIndex>,
    /// The rows of each version in memory. A version is here before it can be leased.
    expected: Mutex<Vec<Expected>>,
    next_address: AtomicU64,
    refused: Arc<AtomicU64>,
}

impl Bench {
    fn new(base: &Version, refused: Arc<AtomicU64>) -> Arc<Bench> {
        let records: Arc<MemoryRecords> = Arc::default();
        records.add(4096, base.segment.clone());
        let placed = sections(&records, 4096, base.segment.len());
        let index = TableIndex::build(codec(), 0, records.clone(), placed, 1, Place::default()).unwrap();
        let expected = Mutex::new(vec![base.rows.clone()]);
        Arc::new(Bench {
            records,
            index: Arc::new(index),
            expected,
            next_address: AtomicU64::new(1 << 20),
            refused,
        })
    }

    fn append(&self, version: &Version) -> u64 {
        let address = self.next_address.fetch_add(1 << 20, Ordering::SeqCst);
        self.records.add(address, version.segment.clone());
        self.expected.lock().unwrap().push(version.rows.clone());
        let placed = sections(&self.records, address, version.segment.len());
        self.index.append(codec(), placed).unwrap();
        address
    }

    /// Drops the newest version once no reader has leased it.
    fn drop_newest(&self, address: u64) {
        while self.index.drop_newest().is_err() {
            self.refused.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
        }
        self.records.remove(address);
        self.expected.lock().unwrap().pop();
    }

    /// Leases the newest version, and compares every row of it and of all before.
    fn read(&self) {
        let Ok(lease) = self.index.lease(self.index.versions() - 1) else { return };
        let expected: Vec<Expected> = self.expected.lock().unwrap()[..=usize::from(lease.version())].to_vec();
        for (version, rows) in (0..).zip(&expected) {
            for key in 0..20 {
                let found = lease.row(version, &i64::to_le_bytes(key)).unwrap();
                let found = found.map(|record| i64::from_le_bytes(record[16..24].try_into().unwrap()));
                assert_eq!(found, rows.get(&key).copied(), "key {key} of version {version}");
            }
        }
    }
}

fn explore(name: &str, times: usize, versions: [Version; 4]) {
    let refused: Arc<AtomicU64> = Arc::default();
    let count = Arc::clone(&refused);
    let scenario = move || {
        let [base, first, second, other] = versions.clone();
        let bench = Bench::new(&base, Arc::clone(&count));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let bench = Arc::clone(&bench);
                thread::spawn(move || (0..3).for_each(|_| bench.read()))
            })
            .collect();
        bench.append(&first);
        let address = bench.append(&second);
        bench.read();
        bench.drop_newest(address);
        bench.append(&other);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        bench.read();
    };
    let factor = std::env::var("INTERLEAVINGS").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    shuttle::check_random(scenario.clone(), times * factor);
    shuttle::check_pct(scenario, times / 2 * factor, 4);
    assert!(refused.load(Ordering::SeqCst) > 0, "{name}: no drop met a lease");
}

#[test]
fn changed_keys_are_right_for_every_leased_version() {
    let base = version(&Expected::new(), SectionKind::Base, &[(1, 10), (2, 20), (3, 30)]);
    let first = version(&base.rows, SectionKind::Delta, &[(1, 11), (4, 41)]);
    let second = version(&first.rows, SectionKind::Delta, &[(1, 12), (2, 22), (5, 52)]);
    let other = version(&first.rows, SectionKind::Delta, &[(2, 23), (4, 43), (5, 53)]);
    explore("changes", 1500, [base, first, second, other]);
}

#[test]
fn a_shard_is_rebuilt_under_its_readers() {
    let base = version(&Expected::new(), SectionKind::Base, &[(1, 10), (2, 20)]);
    let first = version(&base.rows, SectionKind::Delta, &[(1, 11), (3, 31)]);
    let many: Vec<(i64, i64)> = (1..18).map(|key| (key, 100 + key)).collect();
    let second = version(&first.rows, SectionKind::Delta, &many);
    let other = version(&first.rows, SectionKind::Delta, &[(1, 13), (5, 53)]);
    explore("rebuilt", 1000, [base, first, second, other]);
}

#[test]
fn side_tables_grow_under_their_readers() {
    let all: Vec<(i64, i64)> = (0..11).map(|key| (key, key)).collect();
    let base = version(&Expected::new(), SectionKind::Base, &all);
    let first = version(&base.rows, SectionKind::Delta, &[(1, 11), (2, 12)]);
    let more: Vec<(i64, i64)> = (2..9).map(|key| (key, 200 + key)).collect();
    let second = version(&first.rows, SectionKind::Delta, &more);
    let other =
        version(&first.rows, SectionKind::Delta, &all.iter().map(|(key, _)| (*key, 300)).collect::<Vec<_>>());
    explore("side", 1500, [base, first, second, other]);
}
