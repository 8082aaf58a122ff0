//! The file layer of a log, which tests replace by disks that lie, fill up or lose data.

use std::fs::File;
use std::io::{self, Write};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::folder::Folder;

/// Storage of segments. Called from the log's own thread only, except for [`remove`](Medium::remove).
pub trait Medium: Send + Sync {
    /// Creates a new, empty file in the folder.
    fn create(&self, folder: &Folder, name: &str) -> io::Result<Box<dyn SegmentFile>>;

    /// Makes the names of the folder survive a crash of the machine.
    fn sync_names(&self, folder: &Folder) -> io::Result<()>;

    /// Removes a file of the folder.
    fn remove(&self, folder: &Folder, name: &str) -> io::Result<()>;
}

/// One segment that is being written. It is not used again after an error.
pub trait SegmentFile: Send {
    /// Writes all of `bytes` at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all appended bytes survive a crash of the machine.
    fn sync(&mut self) -> io::Result<()>;

    /// Whether the file was removed, so that no reader can open it any more.
    fn is_removed(&self) -> bool {
        false
    }
}

/// The files of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskFiles;

impl Medium for DiskFiles {
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
