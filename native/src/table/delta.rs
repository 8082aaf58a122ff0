//! The rows that a version has otherwise than its parent.

use std::cmp::Ordering;

use super::codec::Codec;
use super::key::{order, shard};
use super::packed::{self, Packed};
use super::place::Place;
use super::scan::Scan;
use super::segment::SectionBytes;
use crate::error::{Code, Error, Result};
use crate::words::some;

/// Keys that a message shows.
const SHOWN: usize = 10;

/// The differences of one shard.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ShardDelta {
    /// The records that differ, and deletions; of a version without a parent, all.
    pub content: SectionBytes,
    /// Rows of the version.
    pub rows: u64,
    /// Rows that the parent has not.
    pub added: u64,
    /// Rows whose values differ from the parent's.
    pub changed: u64,
    /// Rows of the parent that the version has not.
    pub deleted: u64,
}

/// Takes the rows of one shard of a version in any order, and compares them with the parent's.
pub struct ShardRows<'a> {
    codec: &'a Codec,
    bits: u32,
    shard: u16,
    place: Place,
    bytes: Vec<u8>,
    /// The order of each record, and where it begins.
    rows: Vec<(u64, u64)>,
}

impl<'a> ShardRows<'a> {
    /// No rows yet, of a shard of a table with 2^`bits` shards.
    pub fn new(codec: &'a Codec, bits: u32, shard: u16, place: Place) -> ShardRows<'a> {
        ShardRows { codec, bits, shard, place: place.section(0, shard), bytes: Vec::new(), rows: Vec::new() }
    }

    /// Takes records that lie back to back. Each is checked whole, and belongs to this shard.
    pub fn add(&mut self, mut records: &[u8]) -> Result<()> {
        while !records.is_empty() {
            let record = Packed::first(records).map_err(|why| self.place.refused(why))?;
            self.codec.check(&record).map_err(|why| self.place.refused(why))?;
            let hash = self.codec.hash().of(record.key());
            if record.is_deletion() || shard(hash, self.bits) != usize::from(self.shard) {
                return Err(self
                    .place
                    .damaged(format!("the key {} is not a row of it", self.codec.show(record.key()))));
            }
            self.rows.push((order(hash), self.bytes.len() as u64));
            self.bytes.extend_from_slice(record.bytes());
            records = &records[record.bytes().len()..];
        }
        Ok(())
    }

    /// Bytes of the rows so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Compares with the parent's rows of this shard.
    ///
    /// A key that was added twice is [`Code::DuplicateKeys`]; the message has up to ten of them.
    pub fn compare(mut self, parent: Option<Scan>) -> Result<ShardDelta> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| self.key(a.1).cmp(self.key(b.1))));
        self.refuse_twins(&rows)?;
        let mut delta = ShardDelta { rows: rows.len() as u64, ..ShardDelta::default() };
        let mut parent = parent;
        let mut has_old = next(&mut parent)?;
        for (place, at) in rows {
            let row = self.record(at)?;
            let mut is_new = true;
            while has_old {
                let Some((scan, old)) = current(&parent)? else { break };
                match (scan.order(), old.key()).cmp(&(place, row.key())) {
                    Ordering::Less => delta.delete(&old, &self.place)?,
                    Ordering::Greater => break,
                    Ordering::Equal => {
                        is_new = false;
                        if !self.codec.is_same(&old, &row).map_err(|why| self.place.refused(why))? {
                            delta.changed += 1;
                            delta.content.put(&row);
                        }
                    }
                }
                has_old = next(&mut parent)?;
                if !is_new {
                    break;
                }
            }
            if is_new {
                delta.added += 1;
                delta.content.put(&row);
            }
        }
        while has_old {
            if let Some((_, old)) = current(&parent)? {
                delta.delete(&old, &self.place)?;
            }
            has_old = next(&mut parent)?;
        }
        Ok(delta)
    }

    fn refuse_twins(&self, rows: &[(u64, u64)]) -> Result<()> {
        let twins = rows
            .windows(2)
            .filter(|pair| pair[0].0 == pair[1].0 && self.key(pair[0].1) == self.key(pair[1].1));
        let mut keys: Vec<&[u8]> = twins.map(|pair| self.key(pair[0].1)).collect();
        keys.dedup();
        if keys.is_empty() {
            return Ok(());
        }
        let shown: Vec<String> = keys.iter().take(SHOWN).map(|key| self.codec.show(key)).collect();
        let message = format!(
            "{}: {} more than once: {}{}; keep one row for each key, or add a column to the key",
            self.place,
            some(keys.len() as u64, "key occurs", "keys occur"),
            shown.join(", "),
            if keys.len() > SHOWN { ", …" } else { "" }
        );
        Err(Error::new(Code::DuplicateKeys, message))
    }

    fn key(&self, at: u64) -> &[u8] {
        Packed::first(&self.bytes[at as usize..]).map_or(&[], |record| record.key())
    }

    fn record(&self, at: u64) -> Result<Packed<'_>> {
        Packed::first(&self.bytes[at as usize..]).map_err(|why| self.place.refused(why))
    }
}

impl ShardDelta {
    fn delete(&mut self, old: &Packed<'_>, place: &Place) -> Result<()> {
        self.deleted += 1;
        self.content.records += 1;
        self.content.deletions += 1;
        packed::encode_deletion(old.key(), &mut self.content.bytes).map_err(|why| place.refused(why))
    }
}

impl SectionBytes {
    fn put(&mut self, record: &Packed<'_>) {
        self.records += 1;
        self.bytes.extend_from_slice(record.bytes());
    }
}

fn next(parent: &mut Option<Scan>) -> Result<bool> {
    parent.as_mut().map_or(Ok(false), Scan::next_row)
}

fn current(parent: &Option<Scan>) -> Result<Option<(&Scan, Packed<'_>)>> {
    let Some(scan) = parent else { return Ok(None) };
    Ok(scan.row()?.map(|row| (scan, row)))
}
