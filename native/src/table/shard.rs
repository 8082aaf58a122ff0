//! The index of one shard: for every version of a line, the record of each key.
//!
//! One thread writes at a time, any number read without a lock. docs/internals/tables.md has the layout and the
//! argument: each state that a reader can see is right for the versions that it has leased.

use super::memory::{Stretch, Words, PAGE};
use super::place::Place;
use super::side::{Side, SIDE_GROUP};
use super::slot::{home, tag, SlotWord, DROPPED, EMPTY};
use crate::error::Result;
use crate::sync::{AtomicU64, Ordering};

/// Words of the header, before the slots.
const HEADER: usize = 8;
const SLOTS: usize = 0;
const SIDE: usize = 1;
const USED: usize = 2;
const OLDER: usize = 3;
const SIDE_END: usize = 4;

/// Slots of a group, which is a line of the processor's caches.
const GROUP: u64 = 8;

/// The most slots of a shard.
const MOST_SLOTS: u64 = 1 << 30;

/// Pages for side tables beyond those of a large shard's proportion.
const SIDE_PAGES: usize = 4;

/// The sizes of a shard's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShardSize {
    slots: u64,
    /// Words of header and slots.
    side_at: usize,
    pub(super) words: usize,
}

impl ShardSize {
    /// Room for `keys` at a load of 0.70, and for at least `older` records beside them.
    pub(super) fn of(keys: u64, older: u64, place: &Place) -> Result<ShardSize> {
        let slots = (keys.saturating_mul(10) / 7 + 1).max(16).next_multiple_of(GROUP);
        let older = older.max(2 * slots);
        if slots > MOST_SLOTS || older > u64::from(u32::MAX) {
            return Err(place.beyond(format!(
                "a shard cannot have {keys} keys and {older} older records; copy the table to one with more shards"
            )));
        }
        let side_at = (HEADER + slots as usize).next_multiple_of(PAGE);
        // Side tables lie one after another, so the last one is less than half of them.
        let sides = 5 * (SIDE_GROUP * Side::groups_for(older) as usize).div_ceil(2 * PAGE) * PAGE;
        Ok(ShardSize { slots, side_at, words: side_at + sides + SIDE_PAGES * PAGE })
    }
}

/// A record that a delta brings: its hash, its address, and the slot that has its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) hash: u64,
    pub(super) address: u64,
    pub(super) slot: Option<u32>,
}

/// The record that a lookup finds if the slot with its tag is that of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likely {
    /// No record.
    Absent,
    /// The record at this address.
    At(u64),
    /// Another group is to be looked at.
    Unknown,
}

/// The index of one shard. A clone is the same index.
#[derive(Clone)]
pub struct ShardIndex {
    words: Words,
    slots: u64,
}

impl ShardIndex {
    /// An empty index in memory that is zero.
    pub(super) fn new(memory: Stretch, size: ShardSize) -> ShardIndex {
        let index = ShardIndex { words: Words::new(memory), slots: size.slots };
        index.store(SLOTS, size.slots);
        index.store(SIDE_END, size.side_at as u64);
        index
    }

    /// The address of the header, for readers outside Rust. Valid while this value lives.
    pub(super) fn address(&self) -> u64 {
        self.words.address()
    }

    /// The number of slots.
    pub(super) fn slots(&self) -> u64 {
        self.slots
    }

    /// Bytes of memory that the index takes, without side tables that only older leases use.
    pub(super) fn bytes(&self) -> u64 {
        let slots = (HEADER + self.slots as usize).next_multiple_of(PAGE);
        8 * (slots + self.side().map_or(0, |side| side.words())) as u64
    }

    /// The bytes that `more` older records would add.
    pub(super) fn price(&self, more: u64) -> u64 {
        let words = self.side().map_or(0, |side| side.words());
        self.wanted_side(more)
            .map_or(0, |groups| 8 * (SIDE_GROUP * groups as usize).saturating_sub(words) as u64)
    }

    /// Slots in use, dropped ones included.
    pub(super) fn used(&self) -> u64 {
        self.load(USED)
    }

    /// The address of the record that a version has for a key; `is_key` compares the key of the record at an address.
    ///
    /// `is_key` is given records of that version or earlier ones only. The record may be a deletion.
    #[inline]
    pub fn find<E>(
        &self,
        hash: u64,
        version: u16,
        mut is_key: impl FnMut(u64) -> std::result::Result<bool, E>,
    ) -> std::result::Result<Option<u64>, E> {
        let wanted = tag(hash);
        let mut group = home(hash, self.slots) / GROUP;
        loop {
            let (mut same, has_empty) = self.compare(group, wanted);
            while same != 0 {
                let place = GROUP * group + u64::from(same.trailing_zeros());
                same &= same - 1;
                if let Some(address) = self.record(place, wanted, version) {
                    if is_key(address)? {
                        return Ok(Some(address));
                    }
                }
            }
            if has_empty {
                return Ok(None);
            }
            group = if group + 1 == self.slots / GROUP { 0 } else { group + 1 };
        }
    }

    /// Has the processor load the group where a hash belongs.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        self.words.prefetch(HEADER + home(hash, self.slots) as usize);
    }

    /// The record of a version for a key, if the first slot with its tag is the key's.
    #[inline]
    pub(super) fn likely(&self, hash: u64, version: u16) -> Likely {
        let (wanted, group) = (tag(hash), home(hash, self.slots) / GROUP);
        let (same, has_empty) = self.compare(group, wanted);
        if same == 0 {
            return if has_empty { Likely::Absent } else { Likely::Unknown };
        }
        let place = GROUP * group + u64::from(same.trailing_zeros());
        self.record(place, wanted, version).map_or(Likely::Unknown, Likely::At)
    }

    /// Which slots of a group have a tag, as bits, and whether one is empty. There is no branch on a slot.
    #[inline]
    fn compare(&self, group: u64, wanted: u64) -> (u32, bool) {
        let start = HEADER + (GROUP * group) as usize;
        let slots = &self.words[start..start + GROUP as usize];
        let (mut same, mut empty) = (0, false);
        for (at, slot) in slots.iter().enumerate() {
            let word = SlotWord(slot.load(Ordering::Relaxed));
            same |= u32::from(word.tag() == wanted) << at;
            empty |= word.0 == EMPTY;
        }
        (same, empty)
    }

    /// The record that a version has in a slot, if the slot has this tag.
    #[inline]
    fn record(&self, place: u64, wanted: u64, version: u16) -> Option<u64> {
        let word = self.slot(place);
        if word.from() <= version {
            // A drop may have taken the key since the tags were compared.
            return (word.tag() == wanted).then(|| word.address());
        }
        self.not_newest(word, place as u32, version)
    }

    #[cold]
    fn not_newest(&self, word: SlotWord, slot: u32, version: u16) -> Option<u64> {
        if !word.has_older() {
            return None;
        }
        self.older(slot, version).map(SlotWord::address)
    }

    /// The slots whose newest record may have the key of this hash, with the record's address.
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = (u32, u64)> + '_ {
        let slots = self.probe(hash).map(|place| (place, self.slot(place)));
        let used = slots.take_while(|(_, word)| word.0 != EMPTY);
        let wanted = tag(hash);
        used.filter(move |(_, word)| word.tag() == wanted).map(|(place, word)| (place as u32, word.address()))
    }

    /// Whether `new` keys and `older` records beside them fit.
    pub(super) fn has_room(&self, new: u64, older: u64) -> bool {
        let end =
            self.wanted_side(older).map_or(0, |groups| self.load(SIDE_END) + SIDE_GROUP as u64 * groups);
        5 * (self.load(USED) + new) <= 4 * self.slots && end <= self.words.len() as u64
    }

    /// Adds a key that the index does not have; there is room.
    pub(super) fn insert(&self, hash: u64, version: u16, address: u64) {
        let empty = self.probe(hash).find(|place| self.slot(*place).0 == EMPTY);
        debug_assert!(empty.is_some());
        if let Some(place) = empty {
            self.put(place, SlotWord::new(tag(hash), version, false, address).0);
            self.store(USED, self.load(USED) + 1);
        }
    }

    /// Makes the records of a version visible; there is room, and no reader has leased the version.
    ///
    /// Returns a side table that was outgrown. It stays as long as a lease that was taken before.
    pub(super) fn commit(&self, version: u16, planned: &[Planned]) -> Option<Stretch> {
        let older = planned.iter().filter(|record| record.slot.is_some()).count() as u64;
        let outgrown = self.grow_side(older);
        for record in planned {
            match record.slot {
                None => self.insert(record.hash, version, record.address),
                Some(slot) => {
                    self.push(slot);
                    let word = SlotWord::new(tag(record.hash), version, true, record.address);
                    self.put(u64::from(slot), word.0);
                }
            }
        }
        outgrown
    }

    /// Takes back the newest version, which no reader has leased.
    pub(super) fn drop_newest(&self, version: u16) {
        for place in 0..self.slots {
            let word = self.slot(place);
            if word.tag() == 0 || word.from() != version {
                continue;
            }
            let older = match version.checked_sub(1) {
                Some(before) if word.has_older() => self.older(place as u32, before),
                _ => None,
            };
            let word = older.map_or(DROPPED, |older| {
                SlotWord::new(word.tag(), older.from(), older.has_older(), older.address()).0
            });
            self.put(place, word);
        }
    }

    /// The older record of a slot's key that a version has.
    fn older(&self, slot: u32, version: u16) -> Option<SlotWord> {
        let side = Side::of(self.words[SIDE].load(Ordering::Acquire))?;
        let records = side.records(&self.words, slot);
        records.filter(|record| record.from() <= version).last()
    }

    /// Puts the slot's record into the side table, unless it is the last one there, as after a drop.
    fn push(&self, slot: u32) {
        let record = self.slot(u64::from(slot)).without_tag();
        let Some(side) = self.side() else { return };
        if side.records(&self.words, slot).last() != Some(record) {
            side.push(&self.words, slot, record);
            self.store(OLDER, self.load(OLDER) + 1);
        }
    }

    /// The groups of the side table that `more` records need, if it is not the present one.
    fn wanted_side(&self, more: u64) -> Option<u64> {
        let records = self.load(OLDER) + more;
        let holds = self.side().is_some_and(|side| side.holds(records));
        (more > 0 && !holds).then(|| Side::groups_for(records))
    }

    /// Makes a side table for `more` records further on, if the present one would be too full; returns that one.
    fn grow_side(&self, more: u64) -> Option<Stretch> {
        let groups = self.wanted_side(more)?;
        let old = self.side();
        let start = self.load(SIDE_END) as usize;
        let side = Side::new(start, groups);
        self.store(SIDE_END, (start + side.words()) as u64);
        if let Some(old) = old {
            old.copy_to(&self.words, side);
        }
        self.words[SIDE].store(side.word(), Ordering::Release);
        old.map(|old| self.words.part(old.start(), old.words()))
    }

    /// As the writer sees it.
    fn side(&self) -> Option<Side> {
        Side::of(self.load(SIDE))
    }

    /// All slots in the order in which a key takes the first empty one: its group from its own slot on, then the next.
    fn probe(&self, hash: u64) -> impl Iterator<Item = u64> {
        let (home, groups) = (home(hash, self.slots), self.slots / GROUP);
        let in_order = (home / GROUP..groups).chain(0..home / GROUP);
        in_order.flat_map(move |group| (0..GROUP).map(move |at| GROUP * group + (home + at) % GROUP))
    }

    #[inline]
    fn slot(&self, place: u64) -> SlotWord {
        SlotWord(self.words[HEADER + place as usize].load(Ordering::Acquire))
    }

    fn put(&self, place: u64, word: u64) {
        self.words[HEADER + place as usize].store(word, Ordering::Release);
    }

    fn load(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Relaxed)
    }

    fn store(&self, at: usize, value: u64) {
        self.word(at).store(value, Ordering::Relaxed);
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        &self.words[at]
    }
}
