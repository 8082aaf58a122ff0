//! The medium of this process's logs: the operating system's files, or, in the library built for tests, the disk that
//! the environment chooses by `ANDIRON_TEST_DISK`.

use std::sync::Arc;

use super::medium::{DiskFiles, Medium};

/// The medium of this process's logs.
pub(super) fn of_process() -> Arc<dyn Medium> {
    #[cfg(feature = "test-hooks")]
    if let Some(chosen) = test_disk::of_environment() {
        return chosen;
    }
    Arc::new(DiskFiles)
}

#[cfg(feature = "test-hooks")]
mod test_disk {
    //! `ANDIRON_TEST_DISK=lossy:<seed>`, or `full:<file>`, which is full while the file exists.

    use std::io;
    use std::path::PathBuf;
    use std::sync::Arc;

    use crate::shiplog::folder::Folder;
    use crate::shiplog::lossy::Lossy;
    use crate::shiplog::medium::{DiskFiles, Medium, SegmentFile};

    pub(super) fn of_environment() -> Option<Arc<dyn Medium>> {
        let chosen = std::env::var("ANDIRON_TEST_DISK").ok()?;
        match chosen.split_once(':') {
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
            let file = DiskFiles.create(folder, name)?;
            Ok(Box::new(FullFile { file, as_long_as: self.as_long_as.clone() }))
        }

        fn sync_names(&self, folder: &Folder) -> io::Result<()> {
            DiskFiles.sync_names(folder)
        }

        fn remove(&self, folder: &Folder, name: &str) -> io::Result<()> {
            DiskFiles.remove(folder, name)
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
}
