//! The files that a log is written to, as a layer that tests replace by disks that lie, fill up or forget.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::folder::Folder;

/// Where segments are written. Called from the log's own thread only, but for [`remove`](Medium::remove).
pub trait Medium: Send + Sync {
    /// Makes a new, empty file in the folder.
    fn create(&self, folder: &Folder, name: &str) -> io::Result<Box<dyn SegmentFile>>;

    /// Makes the names of the folder survive a crash of the machine.
    fn sync_names(&self, folder: &Folder) -> io::Result<()>;

    /// Removes a file of the folder.
    fn remove(&self, folder: &Folder, name: &str) -> io::Result<()>;
}

/// One segment that is being written. After an error nothing is asked of it again.
pub trait SegmentFile: Send {
    /// Writes all of `bytes` at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was appended survive a crash of the machine.
    fn sync(&mut self) -> io::Result<()>;

    /// Whether somebody has removed the file, so that nobody will ever read it.
    fn is_removed(&self) -> bool {
        false
    }
}

/// What logs of this process are written to unless their options say otherwise: the operating system's files, in the
/// library built for tests also what the environment says.
pub(super) fn of_process() -> Arc<dyn Medium> {
    #[cfg(feature = "test-hooks")]
    if let Some(told) = super::told::medium() {
        return told;
    }
    Arc::new(Files)
}

/// The files of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

impl Medium for Files {
    fn create(&self, folder: &Folder, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder.fd(), name, flags | OFlags::APPEND, Mode::RUSR | Mode::WUSR)?;
        Ok(Box::new(File::from(file)))
    }

    fn sync_names(&self, folder: &Folder) -> io::Result<()> {
        Ok(rustix::fs::fsync(folder.fd())?)
    }

    fn remove(&self, folder: &Folder, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(folder.fd(), name, AtFlags::empty())?)
    }
}

impl SegmentFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn is_removed(&self) -> bool {
        rustix::fs::fstat(self).is_ok_and(|stat| stat.st_nlink == 0)
    }
}
