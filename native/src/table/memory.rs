//! Raw memory of tables: the words of an index, and the region of addresses that segments are mapped into.
//!
//! The words are memory that Rust owns and never frees under a reader: a memfd that is sealed against shrinking, or
//! anonymous memory. Mapped segments are never dereferenced here; a lost page is the JVM's to report. This is the only
//! file of tables with `unsafe`.

use std::ops::Deref;
use std::sync::Arc;

use super::place::Place;
use crate::error::Result;
use crate::sync::AtomicU64;

/// Words of a page: stretches begin and end on pages. Models create each word, and so have small ones.
pub(super) const PAGE: usize = if cfg!(feature = "shuttle") { 8 } else { 512 };

/// Words, all zero at first, whose pages take memory when they are written to.
pub(super) struct Arena(imp::Words);

impl Arena {
    /// An arena of at least `words` words. A refusal is [`Code::TableLimit`](crate::error::Code::TableLimit).
    pub(super) fn new(words: usize, place: &Place) -> Result<Arc<Arena>> {
        let pages = words.max(1).div_ceil(PAGE) * PAGE;
        let refused = |error: std::io::Error| {
            place.beyond(format!(
                "{} bytes for an index are refused: {error}; raise the container's memory or `ulimit -v`",
                8 * pages
            ))
        };
        Ok(Arc::new(Arena(imp::Words::new(pages).map_err(refused)?)))
    }
}

/// A part of an arena, whose pages are given back when it is dropped.
pub(super) struct Stretch {
    arena: Arc<Arena>,
    start: usize,
    length: usize,
}

impl Stretch {
    /// The part from `start` of `length` words, which no other stretch has. Both are multiples of [`PAGE`].
    pub(super) fn of(arena: &Arc<Arena>, start: usize, length: usize) -> Stretch {
        debug_assert!(start.is_multiple_of(PAGE) && length.is_multiple_of(PAGE));
        Stretch { arena: Arc::clone(arena), start, length }
    }

    fn words(&self) -> &[AtomicU64] {
        &self.arena.0.all()[self.start..self.start + self.length]
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        self.arena.0.forget(self.start, self.length);
    }
}

/// The words of a stretch, found without a detour. A clone has the same words.
#[derive(Clone)]
pub(super) struct Words {
    start: *const AtomicU64,
    length: usize,
    of: Arc<Stretch>,
}

// SAFETY: the words belong to `of`, are only read and written as atomics, and stay where they are while it lives.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    pub(super) fn new(of: Stretch) -> Words {
        let words = of.words();
        Words { start: words.as_ptr(), length: words.len(), of: Arc::new(of) }
    }

    /// A part that gives its pages back when it is dropped, before the whole does. Both are multiples of [`PAGE`].
    pub(super) fn part(&self, start: usize, length: usize) -> Stretch {
        debug_assert!(start + length <= self.length);
        Stretch::of(&self.of.arena, self.of.start + start, length)
    }

    /// The address of the first word, for readers outside Rust.
    pub(super) fn address(&self) -> u64 {
        self.start.cast::<u8>().expose_provenance() as u64
    }

    /// Asks the processor to load the cache line of a word.
    #[inline]
    pub(super) fn prefetch(&self, at: usize) {
        let Some(word) = self.get(at) else { return };
        #[cfg(all(target_arch = "x86_64", not(miri), not(feature = "shuttle")))]
        // SAFETY: a prefetch has no effect on memory, and the word is one of this value's.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
                std::ptr::from_ref(word).cast(),
            );
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri), not(feature = "shuttle"))))]
        std::hint::black_box(word.load(crate::sync::Ordering::Relaxed));
    }
}

impl Deref for Words {
    type Target = [AtomicU64];

    #[inline]
    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: taken from a slice of `of`, whose arena stays where it is while `of` lives.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

#[cfg(all(target_os = "linux", not(miri), not(feature = "shuttle")))]
mod imp {
    use super::AtomicU64;
    use rustix::fs::{MemfdFlags, SealFlags};
    use rustix::io::Errno;
    use rustix::mm::{Advice, MapFlags, ProtFlags};
    use std::os::fd::OwnedFd;
    use std::ptr;

    pub(super) use MappedWords as Words;

    pub(super) struct MappedWords {
        start: *mut AtomicU64,
        length: usize,
        /// Kept open for processes that map it by its path. None for anonymous memory.
        file: Option<OwnedFd>,
    }

    // SAFETY: the memory belongs to this value until it is dropped and is only read and written as atomics.
    unsafe impl Send for MappedWords {}
    // SAFETY: as above.
    unsafe impl Sync for MappedWords {}

    impl MappedWords {
        pub(super) fn new(length: usize) -> std::io::Result<MappedWords> {
            let bytes = length * size_of::<AtomicU64>();
            let both = ProtFlags::READ | ProtFlags::WRITE;
            let file = sealed(bytes).ok();
            let start = match &file {
                // SAFETY: the kernel chooses an unused range; the file is as long as the mapping and cannot shrink.
                Some(file) => unsafe {
                    rustix::mm::mmap(ptr::null_mut(), bytes, both, MapFlags::SHARED, file, 0)
                },
                // SAFETY: the kernel chooses an unused range.
                None => unsafe {
                    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
                    rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, both, flags)
                },
            }?;
            Ok(MappedWords { start: start.cast(), length, file })
        }

        pub(super) fn all(&self) -> &[AtomicU64] {
            // SAFETY: `length` zeroed words are mapped at `start`, on a page boundary, until this value is dropped.
            unsafe { std::slice::from_raw_parts(self.start, self.length) }
        }

        pub(super) fn forget(&self, start: usize, length: usize) {
            let advice = if self.file.is_some() { Advice::LinuxRemove } else { Advice::LinuxDontNeed };
            let bytes = length * size_of::<AtomicU64>();
            // SAFETY: the range is within this mapping; its words read as zero afterwards, and its stretch has ended.
            let done = unsafe { rustix::mm::madvise(self.start.add(start).cast(), bytes, advice) };
            if let Err(errno) = done {
                log::warn!(
                    "{bytes} bytes of an index cannot be given back before its table is closed: {errno}"
                );
            }
        }
    }

    impl Drop for MappedWords {
        fn drop(&mut self) {
            // SAFETY: mapped by `new`, unmapped only here, and no slice outlives this value.
            let done = unsafe { rustix::mm::munmap(self.start.cast(), self.length * size_of::<AtomicU64>()) };
            if let Err(errno) = done {
                log::error!("an index of {} words cannot be unmapped: {errno}", self.length);
            }
        }
    }

    /// A file in memory that nobody can shrink or grow.
    fn sealed(bytes: usize) -> Result<OwnedFd, Errno> {
        let file =
            rustix::fs::memfd_create("andiron-index", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&file, bytes as u64)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(file)
    }
}

/// Memory that models and Miri understand.
#[cfg(not(all(target_os = "linux", not(miri), not(feature = "shuttle"))))]
mod imp {
    use super::AtomicU64;

    pub(super) use HeapWords as Words;

    pub(super) struct HeapWords(Box<[AtomicU64]>);

    impl HeapWords {
        pub(super) fn new(length: usize) -> std::io::Result<HeapWords> {
            Ok(HeapWords((0..length).map(|_| AtomicU64::new(0)).collect()))
        }

        pub(super) fn all(&self) -> &[AtomicU64] {
            &self.0
        }

        /// A reader that is still there then finds zeros, as it does in pages that were given back.
        pub(super) fn forget(&self, start: usize, length: usize) {
            self.0[start..start + length]
                .iter()
                .for_each(|word| word.store(0, crate::sync::Ordering::Relaxed));
        }
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
pub use addresses::AddressSpace;

#[cfg(all(target_os = "linux", not(miri)))]
mod addresses {
    use super::{Place, Result};
    use rustix::io::Errno;
    use rustix::mm::{Advice, MapFlags, ProtFlags};
    use std::os::fd::BorrowedFd;
    use std::ptr;

    /// Addresses for the segments of a line, reserved without access until a segment is mapped.
    ///
    /// Dropping it unmaps all of them; no reader may be left.
    pub struct AddressSpace {
        start: usize,
        bytes: usize,
    }

    impl AddressSpace {
        /// Reserves `most` bytes, or as much as the system grants by halves, but at least `least`.
        pub fn reserve(most: u64, least: u64, place: &Place) -> Result<AddressSpace> {
            let page = rustix::param::page_size();
            if page > 4096 {
                return Err(place.beyond(format!(
                    "the system's pages have {page} bytes, and tables need pages of 4,096"
                )));
            }
            let mut bytes = most.max(least);
            loop {
                let length = bytes as usize;
                let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
                // SAFETY: the kernel chooses an unused range, and nothing can be read or written there.
                match unsafe {
                    rustix::mm::mmap_anonymous(ptr::null_mut(), length, ProtFlags::empty(), flags)
                } {
                    Ok(start) => return Ok(AddressSpace { start: start.expose_provenance(), bytes: length }),
                    Err(errno) if bytes == least => {
                        let why =
                            format!("{least} bytes of addresses are refused: {errno}; raise `ulimit -v`");
                        return Err(place.beyond(why));
                    }
                    Err(_) => bytes = (bytes / 2).max(least),
                }
            }
        }

        /// The address of the first byte.
        pub fn address(&self) -> u64 {
            self.start as u64
        }

        /// Bytes that are reserved.
        pub fn len(&self) -> u64 {
            self.bytes as u64
        }

        /// Whether no bytes are reserved.
        pub fn is_empty(&self) -> bool {
            self.bytes == 0
        }

        /// Maps the first `bytes` of a file, read-only, at `at` bytes from the start, a multiple of the page's size,
        /// and brings its pages in. On an error nothing is mapped there.
        pub fn map(&self, at: u64, file: BorrowedFd<'_>, bytes: u64, place: &Place) -> Result<()> {
            let (start, length) = self.range(at, bytes, place)?;
            if length == 0 {
                return Ok(());
            }
            let failed = |errno: Errno| place.damaged(format!("{bytes} bytes cannot be mapped: {errno}"));
            // SAFETY: the range lies within this reservation, which has no mapping of Rust's in it; what is mapped is
            // never dereferenced in Rust.
            unsafe {
                let flags = MapFlags::SHARED | MapFlags::FIXED;
                rustix::mm::mmap(
                    ptr::with_exposed_provenance_mut(start),
                    length,
                    ProtFlags::READ,
                    flags,
                    file,
                    0,
                )
            }
            .map_err(failed)?;
            let populated = self.advise(start, length, Advice::LinuxPopulateRead);
            match populated.or_else(|errno| match errno {
                Errno::INVAL => self.advise(start, length, Advice::WillNeed),
                errno => Err(errno),
            }) {
                Ok(()) => Ok(()),
                Err(errno) => {
                    self.unmap(at, bytes, place)?;
                    Err(failed(errno))
                }
            }
        }

        /// Lets go of the pages of `bytes` bytes that are mapped at `at`; a late read brings them in again.
        pub fn drop_pages(&self, at: u64, bytes: u64, place: &Place) -> Result<()> {
            let (start, length) = self.range(at, bytes, place)?;
            let done = if length == 0 { Ok(()) } else { self.advise(start, length, Advice::LinuxDontNeed) };
            done.map_err(|errno| place.damaged(format!("its pages cannot be given back: {errno}")))
        }

        /// Replaces a segment by addresses without access.
        pub fn unmap(&self, at: u64, bytes: u64, place: &Place) -> Result<()> {
            let (start, length) = self.range(at, bytes, place)?;
            if length == 0 {
                return Ok(());
            }
            let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
            // SAFETY: the range lies within this reservation, and the caller has no reader of it left.
            let done = unsafe {
                let start = ptr::with_exposed_provenance_mut(start);
                rustix::mm::mmap_anonymous(start, length, ProtFlags::empty(), flags)
            };
            done.map(drop)
                .map_err(|errno| place.damaged(format!("{bytes} bytes cannot be unmapped: {errno}")))
        }

        fn range(&self, at: u64, bytes: u64, place: &Place) -> Result<(usize, usize)> {
            let end = at.checked_add(bytes.next_multiple_of(4096));
            if end.is_none_or(|end| end > self.len()) || !at.is_multiple_of(4096) {
                let why = format!("{bytes} bytes at {at} do not fit the {} reserved addresses", self.bytes);
                return Err(place.beyond(why));
            }
            Ok((self.start + at as usize, bytes as usize))
        }

        fn advise(&self, start: usize, length: usize, advice: Advice) -> std::result::Result<(), Errno> {
            loop {
                // SAFETY: the range was mapped by `map`; none of the three advices changes what it shows.
                match unsafe { rustix::mm::madvise(ptr::with_exposed_provenance_mut(start), length, advice) }
                {
                    Err(Errno::INTR) => {}
                    done => return done,
                }
            }
        }
    }

    impl Drop for AddressSpace {
        fn drop(&mut self) {
            // SAFETY: reserved by `reserve`, unmapped only here; the owner drops it when no reader is left.
            let done =
                unsafe { rustix::mm::munmap(ptr::with_exposed_provenance_mut(self.start), self.bytes) };
            if let Err(errno) = done {
                log::error!("{} bytes of addresses cannot be given back: {errno}", self.bytes);
            }
        }
    }
}

#[cfg(all(test, target_os = "linux", not(miri), not(feature = "shuttle")))]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::sync::Ordering;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn stretches_are_zero_and_apart() {
        let arena = Arena::new(2 * PAGE, &Place::default()).unwrap();
        let of = |start| Words::new(Stretch::of(&arena, start, PAGE));
        let (a, b) = (of(0), of(PAGE));
        a[PAGE - 1].store(7, Ordering::Relaxed);
        assert_eq!(b[0].load(Ordering::Relaxed), 0);
        assert_eq!((b.address() - a.address(), a.address() % 4096), (4096, 0));
        drop(a);
        let again = of(0);
        assert_eq!(again[PAGE - 1].load(Ordering::Relaxed), 0, "its page was not given back");
        again[0].store(7, Ordering::Relaxed);
        drop(again.part(0, PAGE));
        assert_eq!(again[0].load(Ordering::Relaxed), 0, "the page of a part was not given back");
    }

    #[test]
    fn a_truncated_segment_is_an_error_and_not_a_signal() {
        let place = Place { file: "a.seg".to_string(), ..Place::default() };
        let space = AddressSpace::reserve(1 << 40, 1 << 20, &place).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 10_000]).unwrap();
        space.map(4096, file.as_fd(), 10_000, &place).unwrap();
        space.unmap(4096, 10_000, &place).unwrap();
        file.set_len(100).unwrap();
        let error = space.map(4096, file.as_fd(), 10_000, &place).unwrap_err();
        assert_eq!(error.code(), Code::TableDamaged);
        assert!(error.message().contains("a.seg"), "{error}");
        for (at, bytes) in [(space.len(), 1), (100, 1), (u64::MAX - 4095, 4096)] {
            assert_eq!(space.map(at, file.as_fd(), bytes, &place).unwrap_err().code(), Code::TableLimit);
        }
    }

    #[test]
    fn a_refused_reservation_is_halved_and_then_an_error() {
        let space = AddressSpace::reserve(1 << 60, 1 << 20, &Place::default()).unwrap();
        assert!(space.len() >= 1 << 20 && space.len() < 1 << 60);
        let refused = AddressSpace::reserve(1 << 60, 1 << 60, &Place::default());
        assert_eq!(refused.err().map(|error| error.code()), Some(Code::TableLimit));
    }
}
