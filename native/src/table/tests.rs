//! Tables over files, changes of schemas, and the messages of refusals.

use std::fs::File;
use std::sync::Arc;

use super::testing::column;
use super::*;
use crate::error::{Code, Result};

fn place() -> Place {
    Place { table: "t".to_string(), version: "v".to_string(), file: "a.seg".to_string(), section: None }
}

fn codec(schemas: &[Schema]) -> Codec {
    Codec::new(&[1], 42, schemas).unwrap()
}

fn narrow() -> Schema {
    Schema { id: 0, columns: vec![column(1, Type::Int, false), column(2, Type::Int, true)] }
}

/// The key and a column widened, and a column added.
fn wide() -> Schema {
    let columns = [(1, Type::Long, false), (2, Type::Long, true), (3, Type::String, true)];
    Schema { id: 1, columns: columns.map(|(id, of, nullable)| column(id, of, nullable)).to_vec() }
}

fn segment(
    codec: &Codec,
    kind: SectionKind,
    rows: &[(i64, Vec<Value>)],
    parent: Option<Scan>,
) -> Result<(ShardDelta, Vec<u8>)> {
    let mut incoming = ShardRows::new(codec, 0, 0, place());
    let mut bytes = Vec::new();
    for (key, values) in rows {
        let start = bytes.len();
        codec.row(&[Value::Int(*key)], values, &mut bytes, &place())?;
        incoming.add(&bytes[start..])?;
    }
    let delta = incoming.compare(parent)?;
    let mut out = Vec::new();
    let mut writer = SegmentWriter::new(5, 1, &mut out);
    writer.section((0, 0, kind), &delta.content, &mut out, &place())?;
    writer.finish(&mut out);
    Ok((delta, out))
}

fn sections(records: &dyn Records, address: u64, bytes: usize) -> Vec<PlacedSection> {
    let directory = read_directory(records, address, bytes as u64, (5, 1), &place()).unwrap();
    PlacedSection::all(directory, address, &place())
}

fn narrow_rows(count: i64) -> Vec<(i64, Vec<Value>)> {
    (0..count).map(|key| (key, vec![Value::Int(key * 2)])).collect()
}

#[test]
fn keys_that_occur_twice_are_named() {
    let codec = codec(&[narrow()]);
    let mut rows = narrow_rows(40);
    rows.extend(narrow_rows(12));
    let error = segment(&codec, SectionKind::Base, &rows, None).unwrap_err();
    assert_eq!(error.code(), Code::DuplicateKeys);
    assert!(error.message().contains("12 keys occur more than once"), "{error}");
    assert!(error.message().contains(", …"), "{error}");
    rows.truncate(40);
    rows.push((7, vec![Value::Null]));
    let error = segment(&codec, SectionKind::Base, &rows, None).unwrap_err();
    assert!(error.message().contains("1 key occurs more than once: 7;"), "{error}");
}

#[test]
fn a_new_schema_rewrites_only_rows_with_other_values() {
    let (old, new) = (codec(&[narrow()]), codec(&[narrow(), wide()]));
    let (_, base) = segment(&old, SectionKind::Base, &narrow_rows(5), None).unwrap();
    let records = Arc::new(MemoryRecords::default());
    records.add(4096, base.clone());
    let placed = sections(&*records, 4096, base.len());
    let scan = Scan::new(records.clone(), Arc::new(new.clone()), 0, placed.clone()).unwrap();
    let value = |key: i64| if key == 3 { Value::text("new") } else { Value::Null };
    let rows: Vec<_> = (0..4).map(|key| (key, vec![Value::Int(key * 2), value(key)])).collect();
    let (delta, bytes) = segment(&new, SectionKind::Delta, &rows, Some(scan)).unwrap();
    assert_eq!((delta.rows, delta.added, delta.changed, delta.deleted), (4, 0, 1, 1));

    let index = TableIndex::build(old, 0, records.clone(), placed, 1, place()).unwrap();
    let index = Arc::new(index);
    records.add(1 << 20, bytes.clone());
    index.append(new.clone(), sections(&*records, 1 << 20, bytes.len())).unwrap();
    let lease = index.lease(1).unwrap();
    let row = |key: i64| {
        let row = lease.row(1, &key.to_le_bytes()).unwrap();
        row.map(|row| new.values_of(&new.read(&row, &place()).unwrap(), &place()).unwrap())
    };
    assert_eq!(row(2), Some(vec![Value::Int(4), Value::Null]));
    assert_eq!(row(3), Some(vec![Value::Int(6), Value::text("new")]));
    assert_eq!(row(4), None);
    assert!(lease.row(2, &[0; 8]).is_err() && index.lease(2).is_err());
}

#[test]
fn a_column_that_becomes_nullable_leaves_older_records_as_they_are() {
    let of = |id: u16, second: bool| Schema {
        id,
        columns: [
            (1, Type::Long, false),
            (2, Type::Long, second),
            (3, Type::String, true),
            (4, Type::Byte, false),
        ]
        .map(|(id, of, nullable)| column(id, of, nullable))
        .to_vec(),
    };
    let (old, new) = (codec(&[of(0, false)]), codec(&[of(0, false), of(1, true)]));
    of(0, false).check_next(&of(1, true), &[1]).unwrap();
    let values = |key: i64, second: Value| {
        let text = if key % 2 == 0 { Value::Null } else { Value::text("odd") };
        vec![second, text, Value::Int(key % 100)]
    };
    let rows: Vec<_> = (0..9).map(|key| (key, values(key, Value::Int(-key)))).collect();
    let (_, base) = segment(&old, SectionKind::Base, &rows, None).unwrap();
    let records = Arc::new(MemoryRecords::default());
    records.add(4096, base.clone());
    let placed = sections(&*records, 4096, base.len());
    let scan = Scan::new(records.clone(), Arc::new(new.clone()), 0, placed.clone()).unwrap();
    let second = |key: i64| if key == 5 { Value::Null } else { Value::Int(-key) };
    let rows: Vec<_> = (0..9).map(|key| (key, values(key, second(key)))).collect();
    let (delta, bytes) = segment(&new, SectionKind::Delta, &rows, Some(scan)).unwrap();
    assert_eq!((delta.rows, delta.changed, delta.content.records), (9, 1, 1));
    let index = Arc::new(TableIndex::build(old.clone(), 0, records.clone(), placed, 1, place()).unwrap());
    records.add(1 << 20, bytes.clone());
    index.append(new.clone(), sections(&*records, 1 << 20, bytes.len())).unwrap();
    let lease = index.lease(1).unwrap();
    for (key, expected) in &rows {
        let row = lease.row(1, &key.to_le_bytes()).unwrap().unwrap();
        assert_eq!(&new.values_of(&new.read(&row, &place()).unwrap(), &place()).unwrap(), expected);
        let first = lease.row(0, &key.to_le_bytes()).unwrap().unwrap();
        let then = old.values_of(&old.read(&first, &place()).unwrap(), &place()).unwrap();
        assert_eq!(then, values(*key, Value::Int(-key)));
    }
    let error = segment(&old, SectionKind::Base, &rows, None).unwrap_err();
    assert_eq!(error.code(), Code::TableSchema);
    assert!(error.message().contains("\"c2\", which is not nullable"), "{error}");
}

#[test]
fn twelve_longs_and_a_long_key_are_112_bytes() {
    let column = |id| column(id, Type::Long, false);
    let longs = Schema { id: 0, columns: (1..14).map(column).collect() };
    let mut bytes = Vec::new();
    let values: Vec<Value> = (0..12).map(Value::Int).collect();
    codec(&[longs]).row(&[Value::Int(1)], &values, &mut bytes, &place()).unwrap();
    assert_eq!(bytes.len(), 112);
}

#[test]
fn a_truncated_file_is_an_error_that_names_it() {
    let codec = codec(&[narrow()]);
    let (_, base) = segment(&codec, SectionKind::Base, &narrow_rows(100_000), None).unwrap();
    let file: Arc<File> = Arc::new(tempfile::tempfile().unwrap());
    std::io::Write::write_all(&mut &*file, &base).unwrap();
    let records = Arc::new(FileRecords::default());
    records.add(4096, base.len() as u64, Arc::clone(&file), place());
    let placed = sections(&*records, 4096, base.len());
    let build = || TableIndex::build(codec.clone(), 0, records.clone(), placed.clone(), 2, place());
    let index = Arc::new(build().unwrap());
    let lease = index.lease(0).unwrap();
    assert!(lease.row(0, &99_999_i64.to_le_bytes()).unwrap().is_some());
    file.set_len(base.len() as u64 / 2).unwrap();
    let lost: Vec<Code> = (0..100_000_i64)
        .filter_map(|key| lease.row(0, &key.to_le_bytes()).err())
        .map(|error| error.code())
        .collect();
    assert!(lost.len() > 40_000 && lost.iter().all(|code| *code == Code::TableDamaged), "{}", lost.len());
    let error = build().err().unwrap();
    assert!(error.message().contains("file a.seg, section of family 0 and shard 0"), "{error}");
}

#[test]
fn a_record_of_a_segment_that_is_not_there_is_an_error_and_not_absent() {
    let codec = codec(&[narrow()]);
    let (_, base) = segment(&codec, SectionKind::Base, &narrow_rows(10), None).unwrap();
    let records = Arc::new(MemoryRecords::default());
    records.add(4096, base.clone());
    let placed = sections(&*records, 4096, base.len());
    let index = Arc::new(TableIndex::build(codec, 0, records.clone(), placed, 1, place()).unwrap());
    let lease = index.lease(0).unwrap();
    records.remove(4096);
    let error = lease.row(0, &3_i64.to_le_bytes()).unwrap_err();
    assert_eq!(error.code(), Code::TableDamaged);
    assert!(error.message().contains("outside of all files"), "{error}");
    assert_eq!(lease.row(0, &77_i64.to_le_bytes()).unwrap(), None);
}

#[test]
fn a_version_costs_no_more_than_its_price() {
    let codec = codec(&[narrow()]);
    let (_, base) = segment(&codec, SectionKind::Base, &narrow_rows(50_000), None).unwrap();
    let records = Arc::new(MemoryRecords::default());
    records.add(4096, base.clone());
    let placed = sections(&*records, 4096, base.len());
    let index = TableIndex::build(codec.clone(), 0, records.clone(), placed, 1, place()).unwrap();
    let one = index.bytes();
    assert!(one < 12 * 50_000, "{one} bytes of an index of 50,000 keys");
    for (version, count) in (1..).zip([10, 5000, 5000, 5000]) {
        let (before, price) = (index.bytes(), index.price(count as u64));
        let rows: Vec<_> = (0..count).map(|key| (key * 3, vec![Value::Int(-version)])).collect();
        let (_, bytes) = segment(&codec, SectionKind::Delta, &rows, None).unwrap();
        records.add(version as u64 * (1 << 30), bytes.clone());
        index.append(codec.clone(), sections(&*records, version as u64 * (1 << 30), bytes.len())).unwrap();
        let grown = index.bytes() - before;
        assert!(grown <= price, "{count} records: {grown} bytes, and the price was {price}");
    }
}

/// Records and index of ten versions over those of one; rows have a long as key and twelve longs, one in `churn` changes.
fn ratio(keys: i64, churn: i64) -> f64 {
    let schema = Schema { id: 0, columns: (1..14).map(|id| column(id, Type::Long, false)).collect() };
    let codec = codec(&[schema]);
    let version = |version: i64| {
        let kind = if version == 0 { SectionKind::Base } else { SectionKind::Delta };
        let changes = |key: &i64| version == 0 || (key * 7919 + version * 104_729) % churn == 0;
        let row = |key: i64| (key, (0..12).map(|field| Value::Int(key * version + field)).collect());
        segment(&codec, kind, &(0..keys).filter(changes).map(row).collect::<Vec<_>>(), None).unwrap().1
    };
    let records = Arc::new(MemoryRecords::default());
    let mut at = 0_u64;
    let mut add = |bytes: Vec<u8>| {
        at += 1 << 30;
        records.add(at, bytes.clone());
        sections(&*records, at, bytes.len())
    };
    let index = TableIndex::build(codec.clone(), 0, records.clone(), add(version(0)), 1, place()).unwrap();
    let bytes = |sections: &[PlacedSection]| sections.iter().map(|of| of.section.bytes).sum::<u64>();
    let base = 112 * keys as u64;
    let (one, mut all) = (base + index.bytes(), base);
    for number in 1..10 {
        let delta = add(version(number));
        all += bytes(&delta);
        index.append(codec.clone(), delta).unwrap();
    }
    (all + index.bytes()) as f64 / one as f64
}

#[test]
fn ten_versions_take_little_more_than_one() {
    let (percent, least) = (ratio(100_000, 100), ratio(100_000, 10_000));
    println!("one in 100: {percent:.4}, one in 10,000: {least:.4}");
    assert!(percent <= 1.10 && least <= 1.005, "{percent} {least}");
}

#[test]
fn shards_follow_bytes_and_keys() {
    assert_eq!(
        [(0, 0), (10, 10), (200_000_000, 1), (1, 2_000_000), (u64::MAX, 1)]
            .map(|(bytes, keys)| shards_for(bytes, keys)),
        [1, 1, 4, 4, 4096]
    );
}
