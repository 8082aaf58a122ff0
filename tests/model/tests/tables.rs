//! Random publishes, drops, leases and lookups of a table, against a map of (version, key).

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use andiron::error::Code;
use andiron::table::{find_all, IndexLease, Lookup};
use andiron_model::config;
use andiron_model::tables::{RowsByKey, TableWorld};
use proptest::prelude::*;
use std::sync::Arc;

const KEYS: u32 = 120;

#[derive(Clone, Debug)]
enum Step {
    /// Changes of the newest version's rows: a value, or none for a key that goes.
    Publish(Vec<(u32, Option<i64>)>, u64),
    DropNewest,
    Lease(u16),
    Release(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let change = (0..KEYS, prop_oneof![5 => (0i64..1000).prop_map(Some), 1 => Just(None)]);
    prop_oneof![
        6 => (prop::collection::vec(change, 0..30), any::<u64>()).prop_map(|(all, order)| Step::Publish(all, order)),
        3 => Just(Step::DropNewest),
        2 => any::<u16>().prop_map(Step::Lease),
        2 => any::<usize>().prop_map(Step::Release),
    ]
}

/// Every key of every version that a lease holds, by single lookups.
fn compare(world: &TableWorld, leases: &[IndexLease]) {
    for lease in leases {
        for version in 0..=lease.version() {
            let rows = &world.versions[usize::from(version)].0;
            for number in 0..KEYS {
                let expected = rows.get(&number).map(|value| world.record(number, *value));
                let found = lease.row(version, &world.key(number)).unwrap();
                assert_eq!(found, expected, "key {number} of version {version}");
            }
        }
    }
}

/// The same by one batch of lookups, of versions in turn.
fn compare_batch(world: &TableWorld, lease: &IndexLease) {
    let keys: Vec<Vec<u8>> = (0..KEYS).map(|number| world.key(number)).collect();
    let versions = u32::from(lease.version()) + 1;
    let probes: Vec<Lookup> = (0..KEYS * versions)
        .map(|probe| (world.codec.hash().of(&keys[(probe / versions) as usize]), (probe % versions) as u16))
        .collect();
    let read = |address: u64| {
        let mut bytes = vec![0; 512];
        let length = andiron::table::Records::read(&*world.records, address, &mut bytes).unwrap();
        assert!(length > 0, "a record that was dropped is read");
        bytes
    };
    let mut found = Vec::new();
    let is_key = |probe: usize, address: u64| {
        let (key, bytes) = (&keys[probe / versions as usize], read(address));
        bytes[8..8 + key.len()] == key[..] && bytes[4..6] == (key.len() as u16).to_le_bytes()
    };
    find_all(lease.shards(), &probes, &mut found, |address| u64::from(read(address)[0]), is_key);
    for (probe, address) in found.iter().enumerate() {
        let (number, version) = ((probe / versions as usize) as u32, probe % versions as usize);
        let expected = world.versions[version].0.get(&number).map(|value| world.record(number, *value));
        let bytes = if *address == 0 { vec![0; 8] } else { read(*address) };
        let is_deletion = bytes[6..8] == [0xff, 0xff];
        let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        let found = (*address != 0 && !is_deletion).then(|| bytes[..length].to_vec());
        assert_eq!(found, expected, "key {number} of version {version}");
    }
}

fn run(bits: u32, texts: bool, first: RowsByKey, steps: &[Step]) {
    let mut world = TableWorld::new(bits, texts);
    let segment = world.segment(&first, 0);
    world.publish(first, &segment).unwrap();
    let mut leases: Vec<IndexLease> = Vec::new();
    for step in steps {
        let index = Arc::clone(world.index.as_ref().unwrap());
        match step {
            Step::Publish(changes, order) => {
                let mut rows = world.versions.last().unwrap().0.clone();
                for (number, value) in changes {
                    match value {
                        Some(value) => drop(rows.insert(*number, *value)),
                        None => drop(rows.remove(number)),
                    }
                }
                let segment = world.segment(&rows, *order);
                world.publish(rows, &segment).unwrap();
            }
            Step::DropNewest => {
                let newest = world.versions.len() - 1;
                let is_leased = leases.iter().any(|lease| usize::from(lease.version()) == newest);
                let dropped = index.drop_newest();
                if is_leased || newest == 0 {
                    assert_eq!(dropped.unwrap_err().code(), Code::TableInUse);
                } else {
                    dropped.unwrap();
                    let (_, address, _) = world.versions.pop().unwrap();
                    world.records.remove(address);
                }
            }
            Step::Lease(number) => {
                let version = *number % index.versions();
                leases.push(index.lease(version).unwrap());
                compare_batch(&world, leases.last().unwrap());
            }
            Step::Release(number) if !leases.is_empty() => drop(leases.swap_remove(number % leases.len())),
            Step::Release(_) => {}
        }
        compare(&world, &leases);
    }
    let newest = world.versions.len() - 1;
    let index = Arc::clone(world.index.as_ref().unwrap());
    leases.push(index.lease(newest as u16).unwrap());
    compare(&world, &leases);
    compare_batch(&world, leases.last().unwrap());
    for version in 0..=newest {
        assert_eq!(world.scanned(version).unwrap(), world.expected(version), "version {version}");
    }
}

#[test]
fn a_table_does_what_a_map_of_version_and_key_does() {
    let first = prop::collection::btree_map(0..KEYS, 0i64..1000, 0..80);
    let steps = prop::collection::vec(step(), 1..25);
    proptest!(config(150), |(bits in 0u32..3, texts in any::<bool>(), first in first, steps in steps)| {
        run(bits, texts, first, &steps);
    });
}

#[test]
fn a_line_ends_at_2_047_versions() {
    let mut world = TableWorld::new(0, false);
    for version in 0..2047_i64 {
        let rows: RowsByKey = [(1, version)].into();
        let segment = world.segment_of(&rows, 0, false);
        world.publish(rows, &segment).unwrap();
    }
    let index = Arc::clone(world.index.as_ref().unwrap());
    let lease = index.lease(2046).unwrap();
    for version in [0, 1, 1000, 2046] {
        let found = lease.row(version, &world.key(1)).unwrap();
        assert_eq!(found, Some(world.record(1, version.into())));
    }
    let rows: RowsByKey = [(1, 0)].into();
    let segment = world.segment_of(&rows, 0, false);
    let error = world.publish(rows, &segment).unwrap_err();
    assert_eq!(error.code(), Code::TableLimit);
    assert!(error.message().contains("2047 versions"), "{error}");
}
