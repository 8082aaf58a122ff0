//! Words of the index: the records of keys, and the versions that wrote them.

/// A slot that never had a record; it ends a probe.
pub(super) const EMPTY: u64 = 0;

/// A slot whose record was dropped; a probe goes on after it. Its tag is 0, which no hash has.
pub(super) const DROPPED: u64 = 1;

/// The most versions in a line.
pub const MOST_VERSIONS: u16 = 2047;

/// One more than the highest address of a record, in bytes.
pub const ADDRESSES: u64 = 8 << 40;

const ADDRESS_BITS: u32 = 40;
const OLDER: u64 = 1 << ADDRESS_BITS;
const FROM_SHIFT: u32 = ADDRESS_BITS + 1;
const FROM_MASK: u64 = 0x7ff;
const TAG_SHIFT: u32 = 52;

/// The tag of a hash: 1 to 4,095.
pub(super) fn tag(hash: u64) -> u64 {
    (hash >> ADDRESS_BITS & 0xfff).max(1)
}

/// The first slot to look at, of `slots`.
#[inline]
pub(super) fn home(hash: u64, slots: u64) -> u64 {
    ((hash & 0xffff_ffff) * slots) >> 32
}

/// A slot's word, or a record of a side table, whose tag is 0.
///
/// `| tag 12 | from 11 | older 1 | address divided by 8 40 |`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotWord(pub(super) u64);

impl SlotWord {
    /// A record at `address` (bytes, a multiple of 8 below [`ADDRESSES`]) that the relative version `from` wrote.
    pub(super) fn new(tag: u64, from: u16, has_older: bool, address: u64) -> SlotWord {
        let older = if has_older { OLDER } else { 0 };
        SlotWord(tag << TAG_SHIFT | u64::from(from) << FROM_SHIFT | older | address >> 3)
    }

    pub(super) fn tag(self) -> u64 {
        self.0 >> TAG_SHIFT
    }

    pub(super) fn from(self) -> u16 {
        (self.0 >> FROM_SHIFT & FROM_MASK) as u16
    }

    pub(super) fn has_older(self) -> bool {
        self.0 & OLDER != 0
    }

    /// In bytes.
    pub(super) fn address(self) -> u64 {
        (self.0 & (OLDER - 1)) << 3
    }

    /// The same without the tag, for a side table.
    pub(super) fn without_tag(self) -> SlotWord {
        SlotWord(self.0 & ((1 << TAG_SHIFT) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_word_are_independent() {
        let word = SlotWord::new(0xfff, 2046, false, ADDRESSES - 8);
        assert_eq!(
            (word.tag(), word.from(), word.has_older(), word.address()),
            (0xfff, 2046, false, ADDRESSES - 8)
        );
        let word = SlotWord::new(1, 0, true, 8);
        assert_eq!((word.tag(), word.from(), word.has_older(), word.address()), (1, 0, true, 8));
        assert_eq!(word.without_tag(), SlotWord::new(0, 0, true, 8));
        assert_ne!(SlotWord(DROPPED).tag(), tag(0));
    }

    #[test]
    fn every_hash_has_a_home() {
        assert_eq!((home(u64::MAX, 7), home(0, 7), home(0xffff_ffff, 1 << 31)), (6, 0, (1 << 31) - 1));
    }
}
