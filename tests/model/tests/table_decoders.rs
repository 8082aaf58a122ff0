//! Segments, manifests and descriptions that are cut, flipped or forged: a typed error, or the rows that were written.

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use andiron::error::Code;
use andiron::table::{Description, Manifest, MemoryRecords, SectionBytes, SectionKind, SegmentWriter};
use andiron_model::config;
use andiron_model::tables::{RowsByKey, Segment, TableWorld};
use proptest::prelude::*;
use std::sync::Arc;

fn rows(count: u32) -> RowsByKey {
    (0..count).map(|number| (number, i64::from(number) * 7 % 50)).collect()
}

/// The rows that a segment gives as the first version of a new table, or the error.
fn read(bytes: Vec<u8>, texts: bool) -> Result<Vec<Vec<u8>>, andiron::error::Error> {
    let mut world = TableWorld::new(1, texts);
    let written = world.segment(&RowsByKey::new(), 0).written;
    world.publish(RowsByKey::new(), &Segment { bytes, written })?;
    let lease = world.index.as_ref().unwrap().lease(0)?;
    let scanned = world.scanned(0)?;
    for record in &scanned {
        let length = usize::from(u16::from_le_bytes(record[4..6].try_into().unwrap()));
        assert_eq!(lease.row(0, &record[8..8 + length])?.as_ref(), Some(record));
    }
    Ok(scanned)
}

fn damaged(bytes: Vec<u8>, texts: bool, what: &str) {
    let error = read(bytes, texts).err().unwrap_or_else(|| panic!("{what} is not seen"));
    assert_eq!(error.code(), Code::TableDamaged, "{what}: {error}");
    assert!(error.message().starts_with("table t, version 0"), "{error}");
}

#[test]
fn every_flipped_or_missing_byte_of_a_segment_is_seen() {
    for texts in [false, true] {
        let whole = TableWorld::new(1, texts).segment(&rows(9), 3).bytes;
        assert_eq!(read(whole.clone(), texts).unwrap().len(), 9);
        for at in 0..whole.len() {
            for bit in [1, 0x80] {
                let mut flipped = whole.clone();
                flipped[at] ^= bit;
                damaged(flipped, texts, &format!("a flip of byte {at}"));
            }
            damaged(whole[..at].to_vec(), texts, &format!("an end at byte {at}"));
        }
    }
}

#[test]
fn every_flipped_or_missing_byte_of_a_document_is_seen() {
    let mut world = TableWorld::new(1, true);
    let place = world.place();
    let base = world.segment(&rows(9), 0);
    world.publish(rows(9), &base).unwrap();
    let manifest = world.manifest(&[&base, &world.segment(&rows(8), 0)]);
    let text = manifest.text(&place).unwrap();
    assert_eq!(Manifest::read(text.as_bytes(), &world.description, 1, &place).unwrap(), manifest);
    let description = world.description.text(&place).unwrap();
    assert_eq!(Description::read(description.as_bytes(), &place).unwrap(), world.description);
    let seen = |code: Code| assert!(matches!(code, Code::TableDamaged | Code::TableFormat), "{code:?}");
    for at in 0..text.len() {
        let mut flipped = text.clone().into_bytes();
        flipped[at] ^= 1;
        seen(Manifest::read(&flipped, &world.description, 1, &place).unwrap_err().code());
        seen(Manifest::read(&text.as_bytes()[..at], &world.description, 1, &place).unwrap_err().code());
    }
    for at in 0..description.len() {
        let mut flipped = description.clone().into_bytes();
        flipped[at] ^= 1;
        seen(Description::read(&flipped, &place).unwrap_err().code());
        seen(Description::read(&description.as_bytes()[..at], &place).unwrap_err().code());
    }
    let foreign = Manifest::read(text.as_bytes(), &world.description, 2, &place).unwrap_err();
    assert!(foreign.message().contains("version 1 of the table"), "{foreign}");
}

#[test]
fn a_later_format_is_named() {
    let place = TableWorld::new(0, false).place();
    let error = Description::read(br#"{"format":2,"new":true}"#, &place).unwrap_err();
    assert_eq!(error.code(), Code::TableFormat);
    assert!(error.message().contains("later release"), "{error}");
}

#[test]
fn documents_of_any_text_are_read_or_refused() {
    let world = TableWorld::new(0, false);
    proptest!(config(2000), |(bytes in prop::collection::vec(any::<u8>(), 0..200))| {
        prop_assert!(Description::read(&bytes, &world.place()).is_err());
        prop_assert!(Manifest::read(&bytes, &world.description, 0, &world.place()).is_err());
    });
}

/// A segment whose checksums are right for any content of its one section.
fn forged(content: &SectionBytes, kind: SectionKind, texts: bool) -> Vec<u8> {
    let world = TableWorld::new(1, texts);
    let mut bytes = Vec::new();
    let mut writer = SegmentWriter::new(world.description.table, world.description.shards, &mut bytes);
    writer.section((0, 0, kind), content, &mut bytes, &world.place()).unwrap();
    writer.finish(&mut bytes);
    bytes
}

#[test]
fn forged_sections_with_right_checksums_give_records_that_can_be_read() {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    proptest!(config(3000), |(texts in any::<bool>(), changes in changes, records in 0u64..12, cut in 0usize..3)| {
        let world = TableWorld::new(1, texts);
        let whole = world.segment(&rows(20), 0);
        let first = &whole.written.sections[0];
        let mut content = whole.bytes[first.offset as usize..(first.offset + first.bytes) as usize].to_vec();
        for (at, value) in &changes {
            let at = at.index(content.len());
            content[at] = *value;
        }
        content.truncate(content.len() - 8 * cut);
        let records = if records < 10 { first.records } else { records };
        let content = SectionBytes { bytes: content, records, deletions: 0 };
        match read(forged(&content, SectionKind::Base, texts), texts) {
            Ok(rows) => for row in rows {
                let place = world.place();
                let record = world.codec.read(&row, &place).unwrap();
                world.codec.values_of(&record, &place).unwrap();
                world.codec.key_of(&record, &place).unwrap();
            },
            Err(error) => prop_assert_eq!(error.code(), Code::TableDamaged),
        }
    });
}

#[test]
fn sections_of_another_kind_are_no_base() {
    let content = SectionBytes::default();
    damaged(forged(&content, SectionKind::Checkpoint, false), false, "a checkpoint in place of a base");
    damaged(forged(&content, SectionKind::Delta, false), false, "a delta in place of a base");
}

#[test]
fn a_segment_of_another_table_is_refused() {
    let world = TableWorld::new(1, false);
    let mut bytes = Vec::new();
    SegmentWriter::new(0xbad, world.description.shards, &mut bytes).finish(&mut bytes);
    let error = read(bytes, false).unwrap_err();
    assert!(error.message().contains("0000000000000bad"), "{error}");
}

#[test]
fn a_failed_append_changes_nothing() {
    let mut world = TableWorld::new(1, false);
    let base = world.segment(&rows(30), 0);
    world.publish(rows(30), &base).unwrap();
    let changed: RowsByKey = rows(30).into_iter().map(|(number, value)| (number, value + 1)).collect();
    let delta = world.segment(&changed, 0);
    let records: Arc<MemoryRecords> = Arc::clone(&world.records);
    for at in 32..delta.bytes.len() - 200 {
        let mut flipped = Segment { bytes: delta.bytes.clone(), written: delta.written.clone() };
        flipped.bytes[at] ^= 4;
        assert_eq!(world.publish(changed.clone(), &flipped).unwrap_err().code(), Code::TableDamaged);
        assert_eq!(world.index.as_ref().unwrap().versions(), 1);
    }
    world.publish(changed.clone(), &delta).unwrap();
    let lease = world.index.as_ref().unwrap().lease(1).unwrap();
    for (number, value) in rows(30) {
        assert_eq!(lease.row(0, &world.key(number)).unwrap(), Some(world.record(number, value)));
        assert_eq!(lease.row(1, &world.key(number)).unwrap(), Some(world.record(number, value + 1)));
    }
    drop(records);
}
