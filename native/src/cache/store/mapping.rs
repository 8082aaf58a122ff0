//! A file's bytes at an address: mapped read-only, brought into memory, released on drop.
//!
//! A mapping covers its file from the first byte to the last for its whole life, also after the file lost its
//! name. Rust never reads through the address: the kernel brings the pages in and reports an unreadable page
//! as an error, where a load from the address would be a signal. This is the only Rust file that maps memory.

use std::ffi::c_void;
use std::os::fd::OwnedFd;
use std::ptr;

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::checksum::Checksum;
use super::pins::Pin;
use super::residency;
use crate::error::{Code, Error, Result};

/// The most bytes of one populate call of the kernel, so that an error shows the place.
const POPULATE_STEP: usize = 1 << 30;

/// A file mapped read-only at [`address`](Mapping::address) for [`len`](Mapping::len) bytes.
///
/// The bytes do not change while it lives: published files are never rewritten or truncated. (For a file
/// mapped in place, the user guarantees this.) Dropping it unmaps the address; no user of the address may be
/// left.
pub struct Mapping {
    /// Start of the region that this value alone unmaps; 0 if `length` is 0.
    address: usize,
    length: usize,
    file: OwnedFd,
    checksum: Option<Checksum>,
    _pin: Option<Pin>,
}

/// A mapping's file as other processes of this user find it.
///
/// `path` is valid as long as the mapping lives, also after the file lost its name. A later opening may find
/// another file; `device` and `inode` distinguish them.
pub struct OpenFile {
    /// The path to open, read-only.
    pub path: String,
    /// Bytes of the file.
    pub length: u64,
    /// The file system's number.
    pub device: u64,
    /// The file's number in it.
    pub inode: u64,
}

impl Mapping {
    /// Maps the whole of a regular file of `length` bytes, without reading any page.
    pub(super) fn of(file: OwnedFd, length: u64, pin: Option<Pin>, label: &str) -> Result<Mapping> {
        let failed = |errno: Errno| Error::io(&format!("{label}: map {length} bytes"), &errno.into());
        let length = usize::try_from(length).map_err(|_| failed(Errno::OVERFLOW))?;
        let address = match length {
            0 => 0,
            // SAFETY: the kernel chooses an unused range, so no memory known to Rust is replaced; the result
            // is kept as a number and never dereferenced.
            _ => unsafe {
                rustix::mm::mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, &file, 0)
            }
            .map_err(failed)?
            .expose_provenance(),
        };
        Ok(Mapping { address, length, file, checksum: None, _pin: pin })
    }

    /// Brings every page in and maps it. A page that cannot be read, or that the file no longer has, is an
    /// error.
    ///
    /// Linux before 5.14 does not support this; there the pages are only read ahead.
    pub fn populate(&self, label: &str) -> Result<()> {
        for offset in (0..self.length).step_by(POPULATE_STEP) {
            let length = POPULATE_STEP.min(self.length - offset);
            let done = match self.advise(offset, length, system::POPULATE) {
                Err(Errno::INVAL) => self.advise(offset, length, Advice::WillNeed),
                done => done,
            };
            done.map_err(|errno| {
                let what =
                    format!("{label}: bytes {offset} to {} cannot be brought into memory", offset + length);
                match errno {
                    Errno::FAULT => Error::new(
                        Code::Io,
                        format!(
                            "{what}: the file was truncated under the mapping, or its disk cannot be read"
                        ),
                    ),
                    errno => Error::io(&what, &errno.into()),
                }
            })?;
        }
        Ok(())
    }

    /// Adds the checksum that was computed at publication.
    pub(super) fn with_checksum(mut self, checksum: Checksum) -> Mapping {
        self.checksum = Some(checksum);
        self
    }

    /// The address of the first byte, on a page boundary; 0 for an empty file.
    pub fn address(&self) -> u64 {
        self.address as u64
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.length as u64
    }

    /// Whether the file has no bytes, and thus no address.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The file's path and identity for another process of this user.
    pub fn open_file(&self) -> Result<OpenFile> {
        let told = rustix::fs::fstat(&self.file).and_then(|stat| Ok((stat, system::path(&self.file)?)));
        let (stat, path) = told.map_err(|errno| {
            Error::io("find the path of a version's file for other processes", &errno.into())
        })?;
        let (device, inode) = identity(&stat);
        Ok(OpenFile { path, length: self.len(), device, inode })
    }

    /// The checksum of the bytes, if this process has seen all of them (not after adopting a file).
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }

    /// Bytes in the page cache, including those that other processes read. For a file that this user neither
    /// owns nor may write, all.
    pub fn resident_bytes(&self) -> u64 {
        residency::resident_bytes(self.address(), self.len()).unwrap_or_else(|error| {
            log::warn!("the residency of a mapping of {} bytes is unknown: {error}", self.length);
            0
        })
    }

    /// Releases the memory while the address stays valid: a late read brings the page in again.
    ///
    /// The pages leave this process at once. They leave the page cache unless another process maps them or
    /// they are not yet on disk: then writeback starts in the background, and the kernel reclaims them on
    /// demand.
    pub fn drop_pages(&self) {
        if self.length == 0 {
            return;
        }
        let unmapped = self.advise(0, self.length, system::DROP);
        let dropped = unmapped.and_then(|()| system::forget(&self.file));
        if let Err(errno) = dropped {
            log::warn!("the pages of a mapping of {} bytes cannot be dropped: {errno}", self.length);
        }
    }

    fn advise(&self, offset: usize, length: usize, advice: Advice) -> std::result::Result<(), Errno> {
        let start: *mut c_void = ptr::with_exposed_provenance_mut(self.address + offset);
        loop {
            // SAFETY: callers keep `offset + length` within this mapping, which is live. The advice is one of
            // populate, will-need and don't-need, none of which changes the content of the shared file
            // mapping.
            match unsafe { rustix::mm::madvise(start, length, advice) } {
                Err(Errno::INTR) => {}
                done => return done,
            }
        }
    }
}

/// Device and inode, whose types differ between platforms.
#[allow(clippy::unnecessary_cast)]
fn identity(stat: &rustix::fs::Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.length == 0 {
            return;
        }
        // SAFETY: the range was mapped by `of` and is unmapped only here; Rust holds no reference into it, and the
        // cache drops a mapping only when no view of it is left.
        let unmapped =
            unsafe { rustix::mm::munmap(ptr::with_exposed_provenance_mut(self.address), self.length) };
        if let Err(errno) = unmapped {
            log::error!("a mapping of {} bytes cannot be unmapped: {errno}", self.length);
        }
    }
}

impl std::fmt::Debug for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mapping({:#x}, {} bytes)", self.address, self.length)
    }
}

/// Features of Linux, with replacements for other systems.
#[cfg(target_os = "linux")]
mod system {
    use super::{Advice, Errno, OwnedFd};
    use std::os::fd::AsRawFd;

    /// The path of the descriptor, since the file may have lost its name.
    pub(super) fn path(file: &OwnedFd) -> Result<String, Errno> {
        Ok(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
    }

    pub(super) const POPULATE: Advice = Advice::LinuxPopulateRead;
    pub(super) const DROP: Advice = Advice::LinuxDontNeed;

    /// Lets the page cache release the file's pages.
    pub(super) fn forget(file: &OwnedFd) -> Result<(), Errno> {
        rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Advice, Errno, OwnedFd};

    pub(super) fn path(file: &OwnedFd) -> Result<String, Errno> {
        let path = rustix::fs::getpath(file)?;
        path.into_string().map_err(|_| Errno::ILSEQ)
    }

    pub(super) const POPULATE: Advice = Advice::WillNeed;
    pub(super) const DROP: Advice = Advice::DontNeed;

    pub(super) fn forget(_file: &OwnedFd) -> Result<(), Errno> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{noise, read};
    use super::*;
    use std::fs::File;
    use std::io::Write;

    /// Not in the directory for temporary files: that may be in memory, without pages to drop.
    fn mapped(bytes: &[u8]) -> (File, Mapping) {
        let mut file = tempfile::tempfile_in(".").unwrap();
        file.write_all(bytes).unwrap();
        let mapping =
            Mapping::of(file.try_clone().unwrap().into(), bytes.len() as u64, None, "test").unwrap();
        (file, mapping)
    }

    #[test]
    fn shows_the_file_s_bytes() {
        let bytes = noise(1, 3 * 4096 + 17);
        let (_file, mapping) = mapped(&bytes);
        mapping.populate("test").unwrap();
        assert_eq!(mapping.address() % 4096, 0);
        assert_eq!(mapping.len(), bytes.len() as u64);
        assert_eq!(read(&mapping), bytes);
        assert_eq!(mapping.resident_bytes(), bytes.len() as u64);
    }

    #[test]
    fn an_empty_file_has_no_address() {
        let (_file, mapping) = mapped(&[]);
        mapping.populate("test").unwrap();
        mapping.drop_pages();
        assert_eq!((mapping.address(), mapping.len(), mapping.resident_bytes()), (0, 0, 0));
        assert!(mapping.is_empty());
    }

    #[test]
    fn dropped_pages_leave_memory_and_come_back() {
        let bytes = noise(2, 8 << 20);
        let (file, mapping) = mapped(&bytes);
        mapping.populate("test").unwrap();
        file.sync_all().unwrap();
        mapping.drop_pages();
        assert_eq!(mapping.resident_bytes(), 0);
        assert_eq!(read(&mapping), bytes);
        mapping.populate("test").unwrap();
        assert_eq!(mapping.resident_bytes(), bytes.len() as u64);
    }

    #[test]
    fn a_page_that_the_file_lost_is_an_error() {
        let (file, mapping) = mapped(&noise(3, 1 << 20));
        file.set_len(4096).unwrap();
        let error = mapping.populate("videos/v1").unwrap_err();
        assert_eq!(error.code(), Code::Io);
        assert!(error.message().contains("videos/v1"), "{error}");
        assert!(error.message().contains("truncated"), "{error}");
    }

    #[test]
    fn another_process_finds_the_file_though_its_name_has_gone() {
        let bytes = noise(5, 3 * 4096 + 5);
        let (_file, mapping) = mapped(&bytes);
        let told = mapping.open_file().unwrap();
        let cat = std::process::Command::new("cat").arg(&told.path).output().unwrap();
        assert!(cat.status.success(), "{}", String::from_utf8_lossy(&cat.stderr));
        assert!(cat.stdout == bytes && told.length == bytes.len() as u64);
        let found = rustix::fs::stat(told.path.as_str()).unwrap();
        assert_eq!((told.device, told.inode), identity(&found));
    }

    #[test]
    fn dropping_unmaps() {
        let (_file, mapping) = mapped(&noise(4, 1 << 20));
        let (address, length) = (mapping.address(), mapping.len());
        drop(mapping);
        assert!(residency::resident_bytes(address, length).is_err());
    }
}
