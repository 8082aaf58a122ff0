//! Tables whose handles carry a generation: a stale handle is an error, and never another object.

use std::marker::PhantomData;

/// The type of a table's objects. The tag is part of every handle, so that a cursor's handle is not an
/// attempt's.
pub trait HandleKind {
    /// 1 to 7, different for each type.
    const TAG: u64;
}

/// The identity of one object: tag, generation and index in 63 bits. Never zero, never negative as a `jlong`.
pub struct Handle<T> {
    raw: u64,
    kind: PhantomData<fn() -> T>,
}

const INDEX_BITS: u32 = 32;
const GENERATION_BITS: u32 = 28;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;

impl<T: HandleKind> Handle<T> {
    fn new(index: usize, generation: u64) -> Handle<T> {
        Handle {
            raw: T::TAG << (INDEX_BITS + GENERATION_BITS)
                | (generation & GENERATION_MASK) << INDEX_BITS
                | index as u64,
            kind: PhantomData,
        }
    }

    /// The handle with this number, if the number has this type's tag.
    pub fn from_raw(raw: i64) -> Option<Handle<T>> {
        let raw = raw as u64;
        (raw >> (INDEX_BITS + GENERATION_BITS) == T::TAG).then_some(Handle { raw, kind: PhantomData })
    }

    /// The number that crosses the boundary.
    pub fn raw(self) -> i64 {
        self.raw as i64
    }

    fn index(self) -> usize {
        (self.raw & ((1 << INDEX_BITS) - 1)) as usize
    }

    fn generation(self) -> u64 {
        self.raw >> INDEX_BITS & GENERATION_MASK
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Handle<T> {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Handle<T>) -> bool {
        self.raw == other.raw
    }
}

impl<T> Eq for Handle<T> {}

impl<T> std::hash::Hash for Handle<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

impl<T> std::fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:x}", self.raw)
    }
}

struct SlabEntry<T> {
    generation: u64,
    value: Option<T>,
}

/// A table of objects by handle. Insertion, look-up and removal take constant time.
pub(crate) struct Slab<T> {
    places: Vec<SlabEntry<T>>,
    free: Vec<usize>,
}

impl<T: HandleKind> Slab<T> {
    /// An empty table.
    pub(crate) fn new() -> Slab<T> {
        Slab { places: Vec::new(), free: Vec::new() }
    }

    /// Adds an object. The generation of its place grows with each reuse.
    pub(crate) fn insert(&mut self, value: T) -> Handle<T> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(SlabEntry { generation: 0, value: None });
            self.places.len() - 1
        });
        let place = &mut self.places[index];
        place.generation += 1;
        place.value = Some(value);
        Handle::new(index, place.generation)
    }

    /// The object, unless the handle is stale.
    pub(crate) fn get(&self, handle: Handle<T>) -> Option<&T> {
        let place = self.places.get(handle.index())?;
        (place.generation & GENERATION_MASK == handle.generation()).then_some(())?;
        place.value.as_ref()
    }

    /// The object, unless the handle is stale.
    pub(crate) fn get_mut(&mut self, handle: Handle<T>) -> Option<&mut T> {
        let place = self.places.get_mut(handle.index())?;
        (place.generation & GENERATION_MASK == handle.generation()).then_some(())?;
        place.value.as_mut()
    }

    /// Takes the object out; its handle is stale from now on.
    pub(crate) fn remove(&mut self, handle: Handle<T>) -> Option<T> {
        self.get(handle)?;
        let value = self.places[handle.index()].value.take();
        self.free.push(handle.index());
        value
    }

    /// All objects, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle<T>, &T)> {
        self.places.iter().enumerate().filter_map(|(index, place)| {
            place.value.as_ref().map(|value| (Handle::new(index, place.generation), value))
        })
    }

    /// The number of objects.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there are no objects.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: HandleKind> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl HandleKind for &'static str {
        const TAG: u64 = 7;
    }

    impl HandleKind for u8 {
        const TAG: u64 = 6;
    }

    #[test]
    fn a_stale_handle_finds_nothing() {
        let mut slab = Slab::new();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"second"));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn a_handle_of_another_kind_is_refused() {
        let mut slab = Slab::new();
        let handle = slab.insert("text");
        assert!(handle.raw() > 0);
        assert_eq!(Handle::<&'static str>::from_raw(handle.raw()), Some(handle));
        assert_eq!(Handle::<u8>::from_raw(handle.raw()), None);
        for raw in [0, -1, 1, i64::MAX, i64::MIN] {
            assert!(Handle::<&'static str>::from_raw(raw).and_then(|h| slab.get(h)).is_none());
        }
    }
}
