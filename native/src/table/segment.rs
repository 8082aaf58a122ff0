//! Segments: files of sections, each with its counts and checksum.

use std::hash::Hasher as _;

use twox_hash::XxHash3_64;

use super::little::{array, is_zero, u16_at, u32_at, u64_at};
use super::place::Place;
use super::records::Records;
use crate::error::Result;

const MAGIC: &[u8; 8] = b"ANDISEG1";
const END: &[u8; 8] = b"ANDISEGE";
const HEAD: u64 = 32;
const ENTRY: usize = 48;
const TRAILER: usize = 32;

/// The rows that a section has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SectionKind {
    /// All rows of a version, from which a line begins.
    Base = 0,
    /// The rows that differ from the parent's.
    Delta = 1,
    /// All rows of a version, beside its delta.
    Checkpoint = 2,
}

/// A section as the directory of its segment names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The family of columns.
    pub family: u16,
    /// The shard of keys.
    pub shard: u16,
    /// The rows that it has.
    pub kind: SectionKind,
    /// Bytes from the start of the file.
    pub offset: u64,
    /// Bytes of all records.
    pub bytes: u64,
    /// Records, deletions included.
    pub records: u64,
    /// Records that delete their key.
    pub deletions: u64,
    /// XXH3, 64 bits, of the bytes.
    pub xxh3: u64,
}

/// The records of a section in the order of sections, ready to be written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SectionBytes {
    /// The records, back to back.
    pub bytes: Vec<u8>,
    /// Records, deletions included.
    pub records: u64,
    /// Records that delete their key.
    pub deletions: u64,
}

/// A written segment, for the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenSegment {
    /// Bytes of the file.
    pub bytes: u64,
    /// XXH3, 64 bits, of the file.
    pub xxh3: u64,
    /// The directory.
    pub sections: Vec<Section>,
}

/// Writes a segment by appending to buffers of the caller, who drains them into the file in order.
pub struct SegmentWriter {
    of_file: XxHash3_64,
    of_frame: XxHash3_64,
    at: u64,
    sections: Vec<Section>,
}

impl SegmentWriter {
    /// Begins a segment of a table of `shards` shards.
    pub fn new(table: u64, shards: u32, out: &mut Vec<u8>) -> SegmentWriter {
        let mut head = [0; HEAD as usize];
        head[..8].copy_from_slice(MAGIC);
        head[8..16].copy_from_slice(&table.to_le_bytes());
        head[16..20].copy_from_slice(&shards.to_le_bytes());
        let (of_file, of_frame) = (XxHash3_64::new(), XxHash3_64::new());
        let mut writer = SegmentWriter { of_file, of_frame, at: 0, sections: Vec::new() };
        writer.of_frame.write(&head);
        writer.put(&head, out);
        writer
    }

    /// Appends a section. Sections ascend by family, shard and kind; another order is
    /// [`Code::TableDamaged`](crate::error::Code::TableDamaged).
    pub fn section(
        &mut self,
        (family, shard, kind): (u16, u16, SectionKind),
        content: &SectionBytes,
        out: &mut Vec<u8>,
        place: &Place,
    ) -> Result<()> {
        let last = self.sections.last().map(|last| (last.family, last.shard, last.kind));
        if last.is_some_and(|last| last >= (family, shard, kind)) {
            return Err(place.section(family, shard).damaged("sections are written out of their order"));
        }
        self.sections.push(Section {
            family,
            shard,
            kind,
            offset: self.at,
            bytes: content.bytes.len() as u64,
            records: content.records,
            deletions: content.deletions,
            xxh3: XxHash3_64::oneshot(&content.bytes),
        });
        self.put(&content.bytes, out);
        Ok(())
    }

    /// Ends the segment.
    pub fn finish(mut self, out: &mut Vec<u8>) -> WrittenSegment {
        let mut tail = Vec::with_capacity(self.sections.len() * ENTRY + TRAILER);
        for section in &self.sections {
            tail.extend(section.family.to_le_bytes());
            tail.extend(section.shard.to_le_bytes());
            tail.extend([section.kind as u8, 0, 0, 0]);
            let numbers = [section.offset, section.bytes, section.records, section.deletions, section.xxh3];
            tail.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        tail.extend(self.at.to_le_bytes());
        tail.extend((self.sections.len() as u32).to_le_bytes());
        tail.extend([0; 4]);
        self.of_frame.write(&tail);
        tail.extend(self.of_frame.finish().to_le_bytes());
        tail.extend(END);
        self.put(&tail, out);
        WrittenSegment { bytes: self.at, xxh3: self.of_file.finish(), sections: self.sections }
    }

    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.of_file.write(bytes);
        self.at += bytes.len() as u64;
        out.extend_from_slice(bytes);
    }
}

/// Reads the directory of the segment of `bytes` bytes at `address`, which must be one of this table.
///
/// Header and directory are checked whole. The sections' own bytes are checked when they are read.
pub fn read_directory(
    records: &dyn Records,
    address: u64,
    bytes: u64,
    (table, shards): (u64, u32),
    place: &Place,
) -> Result<Vec<Section>> {
    let fetch = |at: u64, length: usize| {
        let mut buffer = vec![0; length];
        match records.read(address + at, &mut buffer)? {
            read if read == length => Ok(buffer),
            read => Err(place.damaged(format!("the file ends {} bytes early", length - read))),
        }
    };
    let Some(trailer_at) =
        bytes.checked_sub(TRAILER as u64).filter(|at| *at >= HEAD && bytes.is_multiple_of(8))
    else {
        return Err(place.damaged(format!("a segment cannot have {bytes} bytes")));
    };
    let head = fetch(0, HEAD as usize)?;
    let trailer = fetch(trailer_at, TRAILER)?;
    if head[..8] != *MAGIC || trailer[24..] != *END {
        return Err(place.damaged("the file is no segment of a table"));
    }
    let entries = u32_at(&trailer, 8).unwrap_or_default() as usize;
    let directory_at = u64_at(&trailer, 0).unwrap_or_default();
    if directory_at < HEAD || directory_at.checked_add((entries * ENTRY) as u64) != Some(trailer_at) {
        return Err(place.damaged("the directory of sections is not where the file says"));
    }
    let directory = fetch(directory_at, entries * ENTRY)?;
    let mut hasher = XxHash3_64::new();
    [&head[..], &directory, &trailer[..16]].into_iter().for_each(|part| hasher.write(part));
    if Some(hasher.finish()) != u64_at(&trailer, 16) {
        return Err(place.damaged("header and directory do not have their checksum"));
    }
    if u64_at(&head, 8) != Some(table) || u32_at(&head, 16) != Some(shards) {
        let found = u64_at(&head, 8).unwrap_or_default();
        return Err(
            place.damaged(format!("it belongs to the table {found:016x}, and this one is {table:016x}"))
        );
    }
    if !is_zero(&head[20..]) || !is_zero(&trailer[12..16]) {
        return Err(place.damaged("bytes without a meaning are not zero"));
    }
    let mut sections: Vec<Section> = Vec::with_capacity(entries);
    let mut at = HEAD;
    for entry in directory.chunks_exact(ENTRY) {
        let section = read_entry(entry, shards).filter(|section| section.offset == at);
        let ascends = |section: &Section| {
            let of = |section: &Section| (section.family, section.shard, section.kind);
            sections.last().is_none_or(|last| of(last) < of(section))
        };
        let end = |section: &Section| at.checked_add(section.bytes).filter(|end| *end <= directory_at);
        let Some((section, end)) = section.filter(ascends).and_then(|section| {
            let end = end(&section)?;
            Some((section, end))
        }) else {
            return Err(place.damaged(format!("the section {} of the directory cannot be", sections.len())));
        };
        at = end;
        sections.push(section);
    }
    if at != directory_at {
        return Err(place.damaged("bytes before the directory belong to no section"));
    }
    Ok(sections)
}

fn read_entry(entry: &[u8], shards: u32) -> Option<Section> {
    let number = |at: usize| u64_at(entry, 8 + 8 * at);
    let kind = match array::<4>(entry, 4)? {
        [0, 0, 0, 0] => SectionKind::Base,
        [1, 0, 0, 0] => SectionKind::Delta,
        [2, 0, 0, 0] => SectionKind::Checkpoint,
        _ => return None,
    };
    let section = Section {
        family: u16_at(entry, 0)?,
        shard: u16_at(entry, 2)?,
        kind,
        offset: number(0)?,
        bytes: number(1)?,
        records: number(2)?,
        deletions: number(3)?,
        xxh3: number(4)?,
    };
    // A record has 8 bytes at least.
    let possible = section.bytes.is_multiple_of(8)
        && section.records <= section.bytes / 8
        && section.deletions <= section.records
        && (kind == SectionKind::Delta || section.deletions == 0)
        && u32::from(section.shard) < shards;
    possible.then_some(section)
}
