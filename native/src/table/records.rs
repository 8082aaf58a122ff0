//! The bytes of a line's segments by address, read into memory of Rust's.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::place::Place;
use crate::error::Result;
use crate::sync::{lock, Mutex};

/// Bytes by address. Implementations read files, or memory of Rust's; none reads a mapped file.
pub trait Records: Send + Sync {
    /// Reads from `address` on until `into` is full or the segment ends. Returns the number of bytes.
    ///
    /// An address outside all segments is 0 bytes.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<usize>;
}

/// Segments in files, by `pread`.
#[derive(Default)]
pub struct FileRecords(Mutex<Arc<[FilePart]>>);

#[derive(Clone)]
struct FilePart {
    start: u64,
    bytes: u64,
    file: Arc<File>,
    place: Place,
}

impl FileRecords {
    /// Adds the first `bytes` of a file at `start`. It must not overlap another one.
    pub fn add(&self, start: u64, bytes: u64, file: Arc<File>, place: Place) {
        self.change(|parts| parts.push(FilePart { start, bytes, file, place }));
    }

    /// Removes the file at `start`.
    pub fn remove(&self, start: u64) {
        self.change(|parts| parts.retain(|part| part.start != start));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<FilePart>)) {
        let mut parts = lock(&self.0);
        let mut all = parts.to_vec();
        change(&mut all);
        all.sort_by_key(|part| part.start);
        *parts = all.into();
    }
}

impl Records for FileRecords {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<usize> {
        let parts = Arc::clone(&lock(&self.0));
        let after = parts.partition_point(|part| part.start <= address);
        let Some(part) = after.checked_sub(1).and_then(|at| parts.get(at)) else { return Ok(0) };
        let left = part.bytes.saturating_sub(address - part.start);
        let wanted = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        part.file.read_exact_at(&mut into[..wanted], address - part.start).map_err(|error| {
            let at = address - part.start;
            part.place.damaged(format!("{wanted} bytes at {at} of {} cannot be read: {error}", part.bytes))
        })?;
        Ok(wanted)
    }
}

/// Segments in memory, for tests and for small files that are not kept.
#[derive(Default)]
pub struct MemoryRecords(Mutex<BTreeMap<u64, Arc<[u8]>>>);

impl MemoryRecords {
    /// Adds bytes at `start`. They must not overlap others.
    pub fn add(&self, start: u64, bytes: impl Into<Arc<[u8]>>) {
        lock(&self.0).insert(start, bytes.into());
    }

    /// Removes the bytes at `start`.
    pub fn remove(&self, start: u64) {
        lock(&self.0).remove(&start);
    }
}

impl Records for MemoryRecords {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<usize> {
        let parts = lock(&self.0);
        let Some((start, bytes)) = parts.range(..=address).next_back() else { return Ok(0) };
        let at = usize::try_from(address - start).unwrap_or(usize::MAX);
        let rest = bytes.get(at..).unwrap_or_default();
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}
