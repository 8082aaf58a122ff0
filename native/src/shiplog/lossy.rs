//! A disk that loses unsynced bytes when the process dies. For tests only, in this crate and in others.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::shiplog::{DiskFiles, Folder, Medium, SegmentFile};

/// Unsynced bytes are held in memory, except for some sectors that reach the file early.
pub(crate) struct Lossy {
    seed: u64,
}

impl Lossy {
    /// `seed` determines the early sectors and the duration of syncs.
    pub(crate) fn new(seed: u64) -> Lossy {
        Lossy { seed }
    }
}

struct LossyFile {
    file: File,
    synced: u64,
    unsynced: Vec<u8>,
    noise: Noise,
}

/// A reproducible generator (xorshift64*).
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}

impl Medium for Lossy {
    fn create(&self, folder: &Folder, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        // The name is durable after `sync_names` only.
        let file = File::create(folder.path().join(format!("unsynced-{name}")))?;
        Ok(Box::new(LossyFile { file, synced: 0, unsynced: Vec::new(), noise: Noise(self.seed | 1) }))
    }

    fn sync_names(&self, folder: &Folder) -> io::Result<()> {
        for entry in folder.path().read_dir()? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(synced) = name.strip_prefix("unsynced-") {
                std::fs::rename(folder.path().join(&name), folder.path().join(synced))?;
            }
        }
        Ok(())
    }

    fn remove(&self, folder: &Folder, name: &str) -> io::Result<()> {
        DiskFiles.remove(folder, name)
    }
}

impl SegmentFile for LossyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        const SECTOR: usize = 512;
        self.unsynced.extend_from_slice(bytes);
        // Some sectors reach the disk early, in any order, and leave holes.
        for at in (0..self.unsynced.len()).step_by(SECTOR) {
            if self.noise.below(4) == 0 {
                let end = self.unsynced.len().min(at + SECTOR);
                self.file.write_all_at(&self.unsynced[at..end], self.synced + at as u64)?;
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        // A slow sync, so that most kills hit a sync under way.
        std::thread::sleep(std::time::Duration::from_micros(self.noise.below(4_000)));
        self.file.write_all_at(&self.unsynced, self.synced)?;
        self.synced += self.unsynced.len() as u64;
        self.unsynced.clear();
        Ok(())
    }
}
