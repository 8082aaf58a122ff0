//! The index of one shard: for every version of a line, the record of each key.
//!
//! One thread writes at a time, any number read without a lock. docs/internals/tables.md has the layout and the
//! argument: each state that a reader can see is right for the versions that it has leased.

use super::memory::{Stretch, PAGE};
use super::place::Place;
use super::slot::{home, tag, SlotWord, DROPPED, EMPTY};
use crate::error::Result;
use crate::sync::{lock, AtomicU64, Mutex, Ordering};

/// Words of the header, before the slots.
const HEADER: usize = 8;
const SLOTS: usize = 0;
const SIDE: usize = 1;
const CHAINS: usize = 2;
const USED: usize = 3;
const LINKS: usize = 4;
const SIDE_END: usize = 5;
const ENTRIES: usize = 6;

/// The most slots of a shard.
const MOST_SLOTS: u64 = 1 << 30;

/// The least side table: a page.
const LEAST_SIDE: u32 = PAGE.trailing_zeros();

/// The sizes of a shard's parts, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShardSize {
    slots: u64,
    side_at: usize,
    chains_at: usize,
    pub(super) words: usize,
}

impl ShardSize {
    /// Room for `keys` at a load of 0.70, and for at least `links` older records.
    pub(super) fn of(keys: u64, links: u64, place: &Place) -> Result<ShardSize> {
        let slots = (keys.saturating_mul(10) / 7 + 1).max(16);
        let links = links.max(2 * slots);
        if slots > MOST_SLOTS || links > u64::from(u32::MAX) {
            return Err(place.beyond(format!(
                "a shard cannot have {keys} keys and {links} older records; copy the table to one with more shards"
            )));
        }
        let page = |words: usize| words.div_ceil(PAGE) * PAGE;
        let side_at = page(HEADER + slots as usize);
        let chains_at = side_at + page(2 << side_bits(slots));
        Ok(ShardSize { slots, side_at, chains_at, words: chains_at + page(2 * links as usize) })
    }
}

/// The bits of a side table that is at most half full with this number of entries.
fn side_bits(entries: u64) -> u32 {
    (2 * entries).next_power_of_two().trailing_zeros().max(LEAST_SIDE)
}

/// A record that a delta brings: its hash, its address, and the slot that has its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) hash: u64,
    pub(super) address: u64,
    pub(super) slot: Option<u32>,
}

/// The index of one shard.
pub struct ShardIndex {
    memory: Stretch,
    size: ShardSize,
    /// The slots that each version after the base has written, newest last.
    written: Mutex<Vec<(u16, Vec<u32>)>>,
}

impl ShardIndex {
    /// An empty index in memory that is zero.
    pub(super) fn new(memory: Stretch, size: ShardSize) -> ShardIndex {
        let index = ShardIndex { memory, size, written: Mutex::new(Vec::new()) };
        index.word(SLOTS).store(size.slots, Ordering::Relaxed);
        index.word(CHAINS).store(size.chains_at as u64, Ordering::Relaxed);
        index.word(SIDE_END).store(size.side_at as u64, Ordering::Relaxed);
        index
    }

    /// The address of the header, for readers outside Rust. Valid while this value lives.
    pub fn address(&self) -> u64 {
        self.memory.address()
    }

    /// Bytes of memory that the index takes.
    pub fn bytes(&self) -> u64 {
        let pages = |words: u64| words.div_ceil(PAGE as u64) * PAGE as u64;
        let side = self.load(SIDE_END) - self.size.side_at as u64;
        let lists: usize = lock(&self.written).iter().map(|(_, slots)| slots.capacity()).sum();
        8 * (self.size.side_at as u64 + pages(side) + pages(2 * self.load(LINKS))) + 4 * lists as u64
    }

    /// Slots in use, dropped ones included.
    pub(super) fn used(&self) -> u64 {
        self.load(USED)
    }

    /// The address of the record that a version has for a key; `is_key` compares the key of the record at an address.
    ///
    /// `is_key` is given records of that version or earlier ones only. The record may be a deletion.
    pub fn find<E>(
        &self,
        hash: u64,
        version: u16,
        mut is_key: impl FnMut(u64) -> std::result::Result<bool, E>,
    ) -> std::result::Result<Option<u64>, E> {
        let wanted = tag(hash);
        let mut place = home(hash, self.size.slots);
        loop {
            let word = self.slot(place);
            if word.0 == EMPTY {
                return Ok(None);
            }
            if word.tag() == wanted {
                let address = match word.from() <= version {
                    true => Some(word.address()),
                    false if word.has_older() => self.older(place as u32, version).map(SlotWord::address),
                    false => None,
                };
                if let Some(address) = address {
                    if is_key(address)? {
                        return Ok(Some(address));
                    }
                }
            }
            place = self.after(place);
        }
    }

    /// The slots whose newest record may have the key of this hash, with the record's address.
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = (u32, u64)> + '_ {
        let wanted = tag(hash);
        let mut place = home(hash, self.size.slots);
        std::iter::from_fn(move || loop {
            let (at, word) = (place, self.slot(place));
            if word.0 == EMPTY {
                return None;
            }
            place = self.after(place);
            if word.tag() == wanted {
                return Some((at as u32, word.address()));
            }
        })
    }

    /// Whether `new` keys and `older` links fit.
    pub(super) fn has_room(&self, new: u64, older: u64) -> bool {
        let links = (self.size.words - self.size.chains_at) as u64 / 2;
        let entries = self.load(LINKS) + older;
        5 * (self.load(USED) + new) <= 4 * self.size.slots && entries <= links && self.side_room(older)
    }

    /// Adds a key that the index does not have; there is room.
    pub(super) fn insert(&self, hash: u64, version: u16, address: u64) -> u32 {
        let mut place = home(hash, self.size.slots);
        while self.slot(place).0 != EMPTY {
            place = self.after(place);
        }
        let word = SlotWord::new(tag(hash), version, false, address);
        self.put(place, word.0);
        self.word(USED).store(self.load(USED) + 1, Ordering::Relaxed);
        place as u32
    }

    /// Makes the records of a version visible; there is room, and no reader has leased the version.
    pub(super) fn commit(&self, version: u16, planned: &[Planned]) {
        let older = planned.iter().filter(|record| record.slot.is_some()).count() as u64;
        if older > 0 {
            self.grow_side(older);
        }
        let mut slots = Vec::with_capacity(planned.len());
        for record in planned {
            slots.push(match record.slot {
                None => self.insert(record.hash, version, record.address),
                Some(slot) => {
                    self.push(slot);
                    let word = SlotWord::new(tag(record.hash), version, true, record.address);
                    self.put(u64::from(slot), word.0);
                    slot
                }
            });
        }
        if !slots.is_empty() {
            lock(&self.written).push((version, slots));
        }
    }

    /// Takes back the newest version, which no reader has leased.
    pub(super) fn drop_newest(&self, version: u16) {
        let mut written = lock(&self.written);
        let Some((_, slots)) = written.pop_if(|(newest, _)| *newest == version) else { return };
        for slot in slots {
            let word = self.slot(u64::from(slot));
            let older = match version.checked_sub(1) {
                Some(before) if word.has_older() => self.older(slot, before),
                _ => None,
            };
            let word = older.map_or(DROPPED, |link| {
                SlotWord::new(word.tag(), link.from(), link.has_older(), link.address()).0
            });
            self.put(u64::from(slot), word);
        }
    }

    /// The newest link of a slot that is not later than `version`.
    fn older(&self, slot: u32, version: u16) -> Option<SlotWord> {
        let mut link = self.side_entry(slot)?.1;
        while link != 0 {
            let at = self.size.chains_at + 2 * (link as usize - 1);
            let word = SlotWord(self.load(at));
            if word.from() <= version {
                return Some(word);
            }
            link = self.load(at + 1) as u32;
        }
        None
    }

    /// Puts the slot's record at the head of its chain.
    fn push(&self, slot: u32) {
        let link = self.load(LINKS) + 1;
        let at = self.size.chains_at + 2 * (link as usize - 1);
        let (place, before) = match self.side_entry(slot) {
            Some(entry) => entry,
            None => {
                self.word(ENTRIES).store(self.load(ENTRIES) + 1, Ordering::Relaxed);
                (self.side_place(slot), 0)
            }
        };
        self.word(at).store(self.slot(u64::from(slot)).link().0, Ordering::Relaxed);
        self.word(at + 1).store(u64::from(before), Ordering::Relaxed);
        self.word(LINKS).store(link, Ordering::Relaxed);
        self.word(place).store(side_word(slot, link), Ordering::Release);
    }

    /// The word of the slot's entry in the side table, and the link that it leads to.
    fn side_entry(&self, slot: u32) -> Option<(usize, u32)> {
        if self.word(SIDE).load(Ordering::Acquire) == 0 {
            return None;
        }
        let place = self.side_place(slot);
        let entry = self.word(place).load(Ordering::Acquire);
        (entry != 0).then_some((place, entry as u32))
    }

    /// The word where the slot's entry is, or would be. There is a side table.
    fn side_place(&self, slot: u32) -> usize {
        let side = self.word(SIDE).load(Ordering::Acquire);
        let (start, bits) = ((side >> 8) as usize, side as u32 & 0xff);
        let mask = (1_u32 << bits) - 1;
        let mut at = slot.wrapping_mul(0x9e37_79b1) >> (32 - bits);
        loop {
            let entry = self.word(start + at as usize).load(Ordering::Acquire);
            if entry == 0 || entry >> 32 == u64::from(slot) + 1 {
                return start + at as usize;
            }
            at = (at + 1) & mask;
        }
    }

    /// The bits of the side table that `more` entries need, if it is not the present one.
    fn wanted_side(&self, more: u64) -> Option<u32> {
        let bits = self.load(SIDE) as u32 & 0xff;
        let wanted = side_bits((self.load(ENTRIES) + more).min(self.size.slots));
        (wanted > bits).then_some(wanted)
    }

    fn side_room(&self, more: u64) -> bool {
        let end = self.wanted_side(more).map_or(0, |bits| self.load(SIDE_END) + (1 << bits));
        end <= self.size.chains_at as u64
    }

    /// Makes a side table for `more` links further on, if the present one would be more than half full.
    fn grow_side(&self, more: u64) {
        let Some(bits) = self.wanted_side(more) else { return };
        let old = self.load(SIDE);
        let start = self.load(SIDE_END);
        self.word(SIDE_END).store(start + (1 << bits), Ordering::Relaxed);
        let mask = (1_u32 << bits) - 1;
        let entries = if old == 0 { 0 } else { 1 << (old & 0xff) };
        for entry in (0..entries).map(|at| self.load((old >> 8) as usize + at)).filter(|entry| *entry != 0) {
            let slot = (entry >> 32) as u32 - 1;
            let mut at = slot.wrapping_mul(0x9e37_79b1) >> (32 - bits);
            while self.load(start as usize + at as usize) != 0 {
                at = (at + 1) & mask;
            }
            self.word(start as usize + at as usize).store(entry, Ordering::Relaxed);
        }
        self.word(SIDE).store(start << 8 | u64::from(bits), Ordering::Release);
    }

    fn slot(&self, place: u64) -> SlotWord {
        SlotWord(self.word(HEADER + place as usize).load(Ordering::Acquire))
    }

    fn put(&self, place: u64, word: u64) {
        self.word(HEADER + place as usize).store(word, Ordering::Release);
    }

    fn after(&self, place: u64) -> u64 {
        match place + 1 {
            next if next == self.size.slots => 0,
            next => next,
        }
    }

    fn load(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Relaxed)
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        &self.memory.words()[at]
    }
}

fn side_word(slot: u32, link: u64) -> u64 {
    (u64::from(slot) + 1) << 32 | link
}
