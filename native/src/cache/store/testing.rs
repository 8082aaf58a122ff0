//! Shared parts of the store's tests.

#[path = "../../../tests/again/mod.rs"]
pub(super) mod again;

use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::{Mapping, Store, Writer};

/// A small reproducible generator (xorshift64*), for tests only.
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Noise {
        Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform enough in `0..limit`; 0 if limit is 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }
}

/// `length` bytes that no file system can compress or share.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Noise::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The bytes of a mapping. The kernel reads them, so that a lost page is an error and not a signal.
pub(super) fn read(mapping: &Mapping) -> Vec<u8> {
    let mut bytes = vec![0; mapping.len() as usize];
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut bytes, mapping.address()).unwrap();
    bytes
}

/// The longest time that a test waits for an expected state.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A fresh directory that is private to this user.
pub(super) fn root() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// A store in a fresh directory that is removed with the returned guard.
pub(super) fn store(disk_bytes: u64) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("cache"), "app-1", disk_bytes).unwrap();
    (dir, store)
}

/// A writer of a digest that is neither published nor being written.
pub(super) fn begin(store: &Store, digest: &str, bytes: Option<u64>) -> Writer {
    store.begin(digest, "videos/v1", bytes, None, PATIENCE).unwrap().unwrap()
}

/// Publishes `bytes` under a digest.
pub(super) fn publish(store: &Store, digest: &str, bytes: &[u8]) -> Mapping {
    let mut writer = begin(store, digest, Some(bytes.len() as u64));
    writer.write(bytes).unwrap();
    writer.publish().unwrap()
}

/// The names in an application's directory except for the lock files, sorted.
pub(super) fn files(store: &Store) -> Vec<String> {
    let entries = std::fs::read_dir(store.shared.directory.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
    names.sort();
    names
}
