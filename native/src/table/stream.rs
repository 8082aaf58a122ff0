//! A section's records in their order, each checked.

use std::hash::Hasher as _;

use twox_hash::XxHash3_64;

use super::codec::Codec;
use super::key::{order, shard};
use super::packed::{frame, Packed};
use super::place::Place;
use super::records::Records;
use super::segment::{Section, SectionKind};
use super::why::Why;
use crate::error::Result;

/// Bytes of one read.
const BLOCK: usize = 256 << 10;

/// A section in a line's addresses.
#[derive(Debug, Clone)]
pub struct PlacedSection {
    /// The section.
    pub section: Section,
    /// The address of its first byte.
    pub address: u64,
    /// Its table, version and file.
    pub place: Place,
}

impl PlacedSection {
    /// The sections of a segment that lies at `address`.
    pub fn all(sections: Vec<Section>, address: u64, place: &Place) -> Vec<PlacedSection> {
        let placed = |section: Section| PlacedSection {
            address: address + section.offset,
            place: place.section(section.family, section.shard),
            section,
        };
        sections.into_iter().map(placed).collect()
    }
}

/// The parts of a line that its sections are read with.
#[derive(Clone, Copy)]
pub(super) struct LineReader<'a> {
    pub(super) records: &'a dyn Records,
    pub(super) codec: &'a Codec,
    /// The table has 2^bits shards.
    pub(super) bits: u32,
}

/// Reads a section front to back.
///
/// Every record is checked before it is given: its form, its shard, and that its key comes after the one before. The
/// end checks the counts and the checksum, so records are only trusted when the stream has ended.
pub(super) struct SectionStream {
    of: PlacedSection,
    buffer: Vec<u8>,
    /// The current record in `buffer`.
    start: usize,
    length: usize,
    /// Bytes of the section that were read.
    read: u64,
    hasher: XxHash3_64,
    hash: u64,
    before: Vec<u8>,
    counted: (u64, u64),
}

impl SectionStream {
    /// A stream before its first record.
    pub(super) fn new(of: PlacedSection) -> SectionStream {
        SectionStream {
            of,
            buffer: Vec::new(),
            start: 0,
            length: 0,
            read: 0,
            hasher: XxHash3_64::new(),
            hash: 0,
            before: Vec::new(),
            counted: (0, 0),
        }
    }

    /// Goes to the next record; false at the end.
    pub(super) fn advance(&mut self, from: &LineReader<'_>) -> Result<bool> {
        self.start += self.length;
        self.length = 0;
        if self.start == self.buffer.len() && self.read == self.of.section.bytes {
            return self.finish().map(|()| false);
        }
        self.fill(8, from)?;
        let (length, ..) = frame(&self.buffer[self.start..]).map_err(|why| self.of.place.refused(why))?;
        self.fill(length, from)?;
        self.length = length;
        self.check(from).map_err(|why| self.of.place.refused(why))?;
        Ok(true)
    }

    /// The current record.
    pub(super) fn record(&self) -> Result<Packed<'_>> {
        let record = Packed::first(&self.buffer[self.start..self.start + self.length]);
        record.map_err(|why| self.of.place.refused(why))
    }

    /// The hash of the current record's key.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// The address of the current record.
    pub(super) fn address(&self) -> u64 {
        self.of.address + self.read - (self.buffer.len() - self.start) as u64
    }

    fn check(&mut self, from: &LineReader<'_>) -> std::result::Result<(), Why> {
        let record = Packed::first(&self.buffer[self.start..self.start + self.length])?;
        from.codec.check(&record)?;
        let damaged = |why: &str| {
            Err(Why::Damaged(format!("the record of the key {} {why}", from.codec.show(record.key()))))
        };
        let hash = from.codec.hash().of(record.key());
        if shard(hash, from.bits) != usize::from(self.of.section.shard) {
            return damaged("belongs to another shard");
        }
        let is_first = self.counted.0 == 0;
        if !is_first && (order(self.hash), &self.before[..]) >= (order(hash), record.key()) {
            return damaged("comes after one that it should precede, or twice");
        }
        if record.is_deletion() && self.of.section.kind != SectionKind::Delta {
            return damaged("is a deletion outside of a delta");
        }
        self.before.clear();
        self.before.extend_from_slice(record.key());
        self.counted.0 += 1;
        self.counted.1 += u64::from(record.is_deletion());
        self.hash = hash;
        Ok(())
    }

    /// Makes sure that `wanted` bytes from `start` on are in the buffer.
    fn fill(&mut self, wanted: usize, from: &LineReader<'_>) -> Result<()> {
        let have = self.buffer.len() - self.start;
        if have >= wanted {
            return Ok(());
        }
        let left = self.of.section.bytes - self.read;
        if ((wanted - have) as u64) > left {
            return Err(self.of.place.damaged("its last record goes beyond its end"));
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let more = (wanted - have).max(BLOCK).min(usize::try_from(left).unwrap_or(usize::MAX));
        self.buffer.resize(have + more, 0);
        let read = from.records.read(self.of.address + self.read, &mut self.buffer[have..]);
        let read =
            read.map_err(|error| self.of.place.damaged(format!("its bytes cannot be read: {error}")))?;
        if read < more {
            return Err(self.of.place.damaged("its file ends within it"));
        }
        self.hasher.write(&self.buffer[have..]);
        self.read += more as u64;
        Ok(())
    }

    fn finish(&self) -> Result<()> {
        let section = &self.of.section;
        if self.hasher.finish() != section.xxh3 {
            return Err(self.of.place.damaged("its bytes do not have their checksum"));
        }
        if self.counted != (section.records, section.deletions) {
            let (records, deletions) = self.counted;
            return Err(self
                .of
                .place
                .damaged(format!("it has {records} records and {deletions} deletions, and says otherwise")));
        }
        Ok(())
    }
}
