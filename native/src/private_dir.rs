//! Directories that belong to this user alone.
//!
//! A directory is opened once and its ownership and mode are checked on the descriptor. Callers then work through that
//! descriptor, so a directory that is exchanged afterwards is not followed.

use std::ffi::CString;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Code, Error, Result};

/// The mode of a private file: 0600.
pub(crate) const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
const PRIVATE_DIRECTORY: Mode = Mode::RWXU;

/// The purpose of a private directory, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    /// Names the directory: `cache directory`.
    pub(crate) name: &'static str,
    /// The setting that chooses another one.
    pub(crate) setting: &'static str,
}

impl Purpose {
    /// Creates a directory of mode 0700 unless it exists, with its missing parents, and opens it.
    pub(crate) fn open_root(self, path: &Path) -> Result<OwnedFd> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|error| Error::io(&format!("create the directory {}", parent.display()), &error))?;
        }
        make(rustix::fs::CWD, path, path)?;
        self.open(rustix::fs::CWD, path, path)
    }

    /// Opens a directory that belongs to this user and that no other user can enter. The last component of `name` is
    /// not followed if it is a symbolic link.
    pub(crate) fn open(self, parent: BorrowedFd<'_>, name: &Path, shown: &Path) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return Err(self.refuse(shown, "it is a symbolic link or not a directory"));
            }
            Err(Errno::ACCESS) => return Err(self.refuse(shown, "this user cannot read it")),
            Err(errno) => return Err(refused("open", shown, errno)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|errno| refused("stat", shown, errno))?;
        let us = rustix::process::geteuid().as_raw();
        if stat.st_uid != us {
            return Err(self.refuse(
                shown,
                &format!("it belongs to user {}, but this process runs as user {us}", stat.st_uid),
            ));
        }
        if stat.st_mode & 0o077 != 0 {
            let mode = stat.st_mode & 0o7777;
            let why = format!("its mode {mode:04o} lets other users enter it; run chmod 0700 on it");
            return Err(self.refuse(shown, &why));
        }
        Ok(fd)
    }

    fn refuse(self, shown: &Path, why: &str) -> Error {
        let Purpose { name, setting } = self;
        let message = format!(
            "the {name} {} is not safe to use: {why}; remove it, or set {setting} to a directory that only this user \
             can enter (mode 0700)",
            shown.display()
        );
        Error::new(Code::DirectoryUnsafe, message)
    }
}

/// Creates a directory of mode 0700 unless it exists.
pub(crate) fn make(parent: BorrowedFd<'_>, name: &Path, shown: &Path) -> Result<()> {
    match rustix::fs::mkdirat(parent, name, PRIVATE_DIRECTORY) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(refused("create the directory", shown, errno)),
    }
}

/// Whether `name` still leads to the open file or directory.
pub(crate) fn is_same(parent: BorrowedFd<'_>, name: impl rustix::path::Arg, open: impl AsFd) -> bool {
    let named = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
    match (named, rustix::fs::fstat(open)) {
        (Ok(named), Ok(open)) => (named.st_dev, named.st_ino) == (open.st_dev, open.st_ino),
        _ => false,
    }
}

/// The names in a directory that are UTF-8.
pub(crate) fn names(directory: BorrowedFd<'_>) -> std::result::Result<Vec<String>, Errno> {
    let names = raw_names(directory)?.into_iter();
    Ok(names.filter_map(|name| name.into_string().ok()).collect())
}

/// The names in a directory.
pub(crate) fn raw_names(directory: BorrowedFd<'_>) -> std::result::Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = CString::from(entry?.file_name());
        if !matches!(name.as_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

/// A number for file names that no other process or call uses. The keys of std's hasher come from the operating system;
/// fastrand's seed is the time and the thread, which processes in two containers may share.
pub(crate) fn nonce() -> u64 {
    RandomState::new().hash_one(std::time::SystemTime::now())
}

/// The error of an operation that the operating system refused.
pub(crate) fn refused(action: &str, path: &Path, errno: Errno) -> Error {
    Error::io(&format!("{action} {}", path.display()), &errno.into())
}
