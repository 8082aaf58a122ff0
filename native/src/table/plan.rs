//! The changes that a section brings to its shard, found before any of them is made.

use std::sync::Arc;

use super::memory::{Arena, Stretch};
use super::packed::FRAME;
use super::place::Place;
use super::segment::SectionKind;
use super::shard::{Planned, ShardIndex, ShardSize};
use super::stream::{LineReader, PlacedSection, SectionStream};
use crate::error::Result;

/// Reads that begin within this many bytes of each other are one.
const NEAR: u64 = 4 << 10;

/// The most bytes of one read of keys.
const LONGEST_READ: u64 = 64 << 10;

/// A record of the section whose key may be that of an older one.
struct Candidate {
    record: usize,
    slot: u32,
    address: u64,
}

impl LineReader<'_> {
    /// An index of all sections of a shard, by version: a base or nothing first, then deltas.
    pub(super) fn build(
        &self,
        size: ShardSize,
        arena: &Arc<Arena>,
        start: usize,
        sections: &[(u16, &PlacedSection)],
    ) -> Result<ShardIndex> {
        let index = ShardIndex::new(Stretch::of(arena, start, size.words), size);
        for (version, section) in sections {
            if section.section.kind == SectionKind::Base {
                self.fill(&index, *version, section)?;
                continue;
            }
            let planned = self.plan(&index, section)?;
            if !fits(&index, &planned) {
                return Err(section.place.damaged("its shard has more keys than its sections say"));
            }
            // No reader has the index yet, so what it outgrows can go.
            drop(index.commit(*version, &planned));
        }
        Ok(index)
    }

    /// A new index of a shard with room for `more` records beyond those of its sections.
    pub(super) fn rebuild(
        &self,
        keys: u64,
        sections: &[(u16, &PlacedSection)],
        place: &Place,
    ) -> Result<ShardIndex> {
        let older = sections.iter().skip(1).map(|(_, section)| section.section.records).sum::<u64>();
        let size = ShardSize::of(keys + keys / 8, 2 * older, place)?;
        self.build(size, &Arena::new(size.words, place)?, 0, sections)
    }

    fn fill(&self, index: &ShardIndex, version: u16, section: &PlacedSection) -> Result<()> {
        if !index.has_room(section.section.records, 0) {
            return Err(section.place.damaged("its shard has more keys than its sections say"));
        }
        let mut stream = SectionStream::new(section.clone());
        let mut left = section.section.records;
        while stream.advance(self)? {
            left = left
                .checked_sub(1)
                .ok_or_else(|| section.place.damaged("it has more records than it says"))?;
            index.insert(stream.hash(), version, stream.address());
        }
        Ok(())
    }

    /// The changes of a delta, in the order of its records. Nothing is changed.
    pub(super) fn plan(&self, index: &ShardIndex, section: &PlacedSection) -> Result<Vec<Planned>> {
        let mut planned = Vec::new();
        let mut candidates = Vec::new();
        let mut keys = Vec::new();
        let mut ends = Vec::new();
        let mut stream = SectionStream::new(section.clone());
        while stream.advance(self)? {
            let record = planned.len();
            candidates.extend(index.candidates(stream.hash()).map(|(slot, address)| Candidate {
                record,
                slot,
                address,
            }));
            keys.extend_from_slice(stream.record()?.key());
            ends.push(keys.len());
            planned.push(Planned { hash: stream.hash(), address: stream.address(), slot: None });
        }
        let key_of = |record: usize| {
            let start = record.checked_sub(1).map_or(0, |before| ends[before]);
            &keys[start..ends[record]]
        };
        candidates.sort_unstable_by_key(|candidate| candidate.address);
        let mut rest = &candidates[..];
        let mut buffer = Vec::new();
        while let Some(first) = rest.first() {
            let need =
                |candidate: &Candidate| candidate.address + (FRAME + key_of(candidate.record).len()) as u64;
            let mut end = need(first);
            let near = rest.iter().skip(1).take_while(|next| {
                let together = next.address <= end + NEAR && need(next) <= first.address + LONGEST_READ;
                if together {
                    end = end.max(need(next));
                }
                together
            });
            let together = 1 + near.count();
            buffer.resize((end - first.address) as usize, 0);
            let read = self.records.read(first.address, &mut buffer)?;
            // A read ends with its segment; the candidates in the next one are read anew.
            let read_to = first.address + read as u64;
            let beyond = rest[..together].iter().skip(1).position(|next| need(next) > read_to);
            let (now, later) = rest.split_at(beyond.map_or(together, |beyond| beyond + 1));
            rest = later;
            for candidate in now {
                let key = key_of(candidate.record);
                let at = (candidate.address - first.address) as usize;
                if is_key(&buffer[..read], at, key) {
                    planned[candidate.record].slot = Some(candidate.slot);
                }
            }
        }
        Ok(planned)
    }
}

/// Whether a plan's changes fit its shard.
pub(super) fn fits(index: &ShardIndex, planned: &[Planned]) -> bool {
    let older = planned.iter().filter(|record| record.slot.is_some()).count();
    index.has_room((planned.len() - older) as u64, older as u64)
}

/// Whether the record at `at` has this key.
pub(super) fn is_key(bytes: &[u8], at: usize, key: &[u8]) -> bool {
    let length = bytes.get(at + 4..at + 6).is_some_and(|length| length == (key.len() as u16).to_le_bytes());
    length && bytes.get(at + FRAME..at + FRAME + key.len()) == Some(key)
}
