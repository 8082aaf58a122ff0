//! The disk that the environment of a process chooses, in the library built for tests:
//! `ANDIRON_TEST_DISK=lossy:<seed>`, or `full:<file>`, which is full while the file exists.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::lossy::Lossy;
use super::{Files, Folder, Medium, SegmentFile};

pub(super) fn medium() -> Option<Arc<dyn Medium>> {
    let told = std::env::var("ANDIRON_TEST_DISK").ok()?;
    match told.split_once(':') {
        Some(("lossy", seed)) => Some(Arc::new(Lossy::new(seed.parse().ok()?))),
        Some(("full", file)) => Some(Arc::new(Full { as_long_as: file.into() })),
        _ => None,
    }
}

struct Full {
    as_long_as: PathBuf,
}

struct FullFile {
    file: Box<dyn SegmentFile>,
    as_long_as: PathBuf,
}

impl Medium for Full {
    fn create(&self, folder: &Folder, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let file = Files.create(folder, name)?;
        Ok(Box::new(FullFile { file, as_long_as: self.as_long_as.clone() }))
    }

    fn sync_names(&self, folder: &Folder) -> io::Result<()> {
        Files.sync_names(folder)
    }

    fn remove(&self, folder: &Folder, name: &str) -> io::Result<()> {
        Files.remove(folder, name)
    }
}

impl SegmentFile for FullFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.as_long_as.exists() {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}
