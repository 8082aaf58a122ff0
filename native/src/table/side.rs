//! Side tables: the older records of changed keys, by the number of their slot.

use super::memory::PAGE;
use super::slot::SlotWord;
use crate::sync::{AtomicU64, Ordering};

/// Words of a group, which is a line of the processor's caches: three words with the numbers of slots, then records.
pub(super) const SIDE_GROUP: usize = 8;

/// Records of a group.
const RECORDS: usize = 5;
const RECORDS_AT: usize = 3;

/// A side table: open addressing by groups. The records of one slot are in the order in which they were pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    start: usize,
    groups: u64,
}

impl Side {
    /// The table that begins at the word `start`, a multiple of 8.
    pub(super) fn new(start: usize, groups: u64) -> Side {
        Side { start, groups }
    }

    /// The table that a header's word names; none for 0.
    pub(super) fn of(word: u64) -> Option<Side> {
        (word != 0).then_some(Side { start: SIDE_GROUP * (word >> 32) as usize, groups: word & 0xffff_ffff })
    }

    /// The word for the header.
    pub(super) fn word(self) -> u64 {
        ((self.start / SIDE_GROUP) as u64) << 32 | self.groups
    }

    /// The first word.
    pub(super) fn start(self) -> usize {
        self.start
    }

    /// The number of words.
    pub(super) fn words(self) -> usize {
        SIDE_GROUP * self.groups as usize
    }

    /// The groups of a table that is at most 0.6 full with this number of records: whole pages.
    pub(super) fn groups_for(records: u64) -> u64 {
        records.div_ceil(3).max(1).next_multiple_of((PAGE / SIDE_GROUP) as u64)
    }

    /// Whether it is at most 0.85 full with this number of records.
    pub(super) fn holds(self, records: u64) -> bool {
        4 * records <= 17 * self.groups
    }

    /// The records of a slot, the oldest push first.
    pub(super) fn records(self, words: &[AtomicU64], slot: u32) -> impl Iterator<Item = SlotWord> + '_ {
        let numbered = self.places(slot).map(move |place| (number(words, place), place));
        let used = numbered.take_while(|(number, _)| *number != 0);
        let of_slot = used.filter(move |(number, _)| *number == slot + 1);
        of_slot.map(|(_, (group, at))| SlotWord(words[group + RECORDS_AT + at].load(Ordering::Relaxed)))
    }

    /// Adds a record of a slot after all others; there is room.
    pub(super) fn push(self, words: &[AtomicU64], slot: u32, record: SlotWord) {
        let empty = self.places(slot).find(|place| number(words, *place) == 0);
        debug_assert!(empty.is_some());
        let Some((group, at)) = empty else { return };
        words[group + RECORDS_AT + at].store(record.0, Ordering::Relaxed);
        let numbers = &words[group + at / 2];
        let added = u64::from(slot + 1) << (32 * (at % 2));
        // A reader that sees the number sees the record.
        numbers.store(numbers.load(Ordering::Relaxed) | added, Ordering::Release);
    }

    /// Pushes all records into an empty table, those of a slot in the same order.
    pub(super) fn copy_to(self, words: &[AtomicU64], other: Side) {
        // After a group with room no run of records goes on, so each run is met from its beginning.
        let has_room = |group: &u64| number(words, (self.group(*group), RECORDS - 1)) == 0;
        let first = (0..self.groups).find(has_room).map_or(0, |group| group + 1);
        for group in (first..self.groups).chain(0..first).map(|group| self.group(group)) {
            for at in 0..RECORDS {
                if let Some(slot) = number(words, (group, at)).checked_sub(1) {
                    other.push(words, slot, SlotWord(words[group + RECORDS_AT + at].load(Ordering::Relaxed)));
                }
            }
        }
    }

    /// Where records of a slot may be: the group's first word and the number in it.
    fn places(self, slot: u32) -> impl Iterator<Item = (usize, usize)> {
        let home = (u64::from(slot.wrapping_mul(0x9e37_79b1)) * self.groups) >> 32;
        let groups = (home..self.groups).chain(0..home);
        groups.flat_map(move |group| (0..RECORDS).map(move |at| (self.group(group), at)))
    }

    fn group(self, number: u64) -> usize {
        self.start + SIDE_GROUP * number as usize
    }
}

/// One more than the number of the slot that has a record; 0 for none.
fn number(words: &[AtomicU64], (group, at): (usize, usize)) -> u32 {
    (words[group + at / 2].load(Ordering::Acquire) >> (32 * (at % 2))) as u32
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    fn record(from: u16, address: u64) -> SlotWord {
        SlotWord::new(0, from, true, address)
    }

    #[test]
    fn a_copy_keeps_the_order_of_runs_that_go_round_the_end() {
        let words: Vec<AtomicU64> = (0..8 * 64).map(|_| AtomicU64::new(0)).collect();
        let (small, large) = (Side::new(8, 16), Side::new(8 * 20, 32));
        // Slots that belong to the last group, so that their records go on in the first.
        let last = |slot: &u32| small.places(*slot).next() == Some((small.group(15), 0));
        let slots: Vec<u32> = (0..10_000).filter(last).take(6).collect();
        for from in 0..4 {
            slots.iter().for_each(|slot| small.push(&words, *slot, record(from, 8 * u64::from(*slot))));
        }
        assert_ne!(number(&words, (small.group(0), 0)), 0);
        small.copy_to(&words, large);
        for slot in slots {
            let expected: Vec<SlotWord> = (0..4).map(|from| record(from, 8 * u64::from(slot))).collect();
            for side in [small, large] {
                assert_eq!(side.records(&words, slot).collect::<Vec<_>>(), expected, "{slot} in {side:?}");
            }
        }
        assert_eq!(large.records(&words, 20_000).count(), 0);
    }

    #[test]
    fn a_header_s_word_names_the_table() {
        let side = Side::new(4096, 77);
        assert_eq!((Side::of(side.word()), Side::of(0)), (Some(side), None));
        let full = Side::new(8, Side::groups_for(1000));
        assert!(full.holds(1000) && !full.holds(full.groups * 5) && Side::new(8, 1).holds(4));
    }
}
