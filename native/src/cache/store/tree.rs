//! A version whose files keep their names, in a directory of its own, for libraries that open files by name.
//!
//! Its `<digest>.bytes` has no content: it marks the version as published, and its length is the files' size
//! on disk. Users of the files share the lock on their directory, so that no process of the host evicts them.
//! A directory appears before its `.bytes` and is removed after it; a directory without one is a remnant, and
//! is removed by the next publishing of its digest.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::names::{self, Form};
use super::pins::Pin;
use crate::error::{Code, Error, Result};
use crate::file_lock::{self, HeldLock};
use crate::private_dir::{is_same, nonce, raw_names, refused};

/// The deepest allowed nesting of a source's directories.
pub(super) const DEEPEST: usize = 64;
const ENTER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Published files that stay in place as long as this value lives.
pub struct Tree {
    path: PathBuf,
    bytes: u64,
    directory: HeldLock,
    _pin: Pin,
}

impl Tree {
    /// The published files of a digest whose directory the caller has locked in shared mode.
    pub(super) fn of(
        store: &Path,
        digest: &str,
        directory: HeldLock,
        bytes: u64,
        pin: Pin,
        label: &str,
    ) -> Result<Tree> {
        let mut path = store.join(names::tree(digest));
        let named = rustix::fs::stat(&path).map_err(|errno| refused("stat", &path, errno))?;
        let open = rustix::fs::fstat(&directory).map_err(|errno| refused("stat", &path, errno))?;
        if (named.st_dev, named.st_ino) != (open.st_dev, open.st_ino) {
            let message = format!("{label}: {} is not the directory that was published", path.display());
            return Err(Error::new(
                Code::Io,
                format!("{message}; no other program may write to the cache directory"),
            ));
        }
        if names::form(digest) == Form::File {
            let listed = raw_names(directory.as_fd()).map_err(|errno| refused("list", &path, errno))?;
            let only = match &listed[..] {
                [only] => only.to_str().ok(),
                _ => None,
            };
            let only = only.ok_or_else(|| {
                Error::new(Code::Io, format!("{label}: {} is no longer a single file", path.display()))
            })?;
            path.push(only);
        }
        Ok(Tree { path, bytes, directory, _pin: pin })
    }

    /// The directory, or the single file of a version in file form.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lets the page cache release pages that no process maps.
    pub fn drop_pages(&self) {
        if let Err(errno) = each(self.directory.as_fd(), DEEPEST, &mut |file| forget(&file)) {
            log::warn!("the pages of {} cannot be dropped: {errno}", self.path.display());
        }
    }

    /// Starts reading the files into memory in the background.
    pub(super) fn read_ahead(&self) {
        if let Err(errno) = each(self.directory.as_fd(), DEEPEST, &mut |file| ahead(&file)) {
            log::debug!("the files of {} cannot be read ahead: {errno}", self.path.display());
        }
    }
}

#[cfg(target_os = "linux")]
fn forget(file: &OwnedFd) -> std::result::Result<(), Errno> {
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)
}

#[cfg(target_os = "linux")]
fn ahead(file: &OwnedFd) -> std::result::Result<(), Errno> {
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::WillNeed)
}

#[cfg(not(target_os = "linux"))]
fn forget(_file: &OwnedFd) -> std::result::Result<(), Errno> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn ahead(_file: &OwnedFd) -> std::result::Result<(), Errno> {
    Ok(())
}

/// A shared lock on a published tree whose `.bytes` is open as `published`; `None` while it is evicted, or if
/// it is gone.
pub(super) fn share(
    store: BorrowedFd<'_>,
    digest: &str,
    published: BorrowedFd<'_>,
) -> std::result::Result<Option<HeldLock>, Errno> {
    let (name, token) = (names::tree(digest), names::published(digest));
    let tree = match rustix::fs::openat(store, name.as_str(), ENTER, Mode::empty()) {
        Ok(tree) => tree,
        Err(Errno::NOENT) => {
            // Another program has removed it: without its files it is not published.
            if is_same(store, token.as_str(), published) {
                let _gone_already = rustix::fs::unlinkat(store, token.as_str(), AtFlags::empty());
            }
            return Ok(None);
        }
        Err(errno) => return Err(errno),
    };
    if !file_lock::try_shared(&tree)? {
        return Ok(None);
    }
    let held = HeldLock::new(tree);
    let there = is_same(store, name.as_str(), held.as_fd()) && is_same(store, token.as_str(), published);
    Ok(there.then_some(held))
}

/// A shared lock on a directory that this process has just created; `None` if another process has removed it.
pub(super) fn mine(store: BorrowedFd<'_>, name: &str) -> std::result::Result<Option<HeldLock>, Errno> {
    let tree = match rustix::fs::openat(store, name, ENTER, Mode::empty()) {
        Ok(tree) => tree,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let held = file_lock::try_shared(&tree)?.then(|| HeldLock::new(tree));
    Ok(held.filter(|held| is_same(store, name, held.as_fd())))
}

/// The exclusive lock on a directory of the store; `None` if it is in use or gone.
pub(super) fn alone(store: BorrowedFd<'_>, name: &str) -> std::result::Result<Option<HeldLock>, Errno> {
    let tree = match rustix::fs::openat(store, name, ENTER, Mode::empty()) {
        Ok(tree) => tree,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let held = file_lock::try_exclusive(&tree)?.then(|| HeldLock::new(tree));
    Ok(held.filter(|held| is_same(store, name, held.as_fd())))
}

/// Takes the published name from a tree and deletes it. Has no effect on a digest of another form.
pub(super) fn remove_published(store: BorrowedFd<'_>, digest: &str) {
    if names::form(digest) == Form::Bytes {
        return;
    }
    let aside = names::parts(digest, nonce());
    match rustix::fs::renameat(store, names::tree(digest).as_str(), store, aside.as_str()) {
        Ok(()) => remove(store, &aside),
        Err(Errno::NOENT) => {}
        Err(errno) => log::warn!("cannot move {} aside: {errno}", names::tree(digest)),
    }
}

/// Deletes a directory with its content, following no link. Failures are logged: remnants are swept later.
pub(super) fn remove(store: BorrowedFd<'_>, name: &str) {
    let text = CString::new(name).map_err(|_| Errno::INVAL);
    match text.and_then(|text| remove_below(store, &text, DEEPEST + 1)) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => log::warn!("cannot remove {name} from the cache directory: {errno}"),
    }
}

fn remove_below(parent: BorrowedFd<'_>, name: &CString, depth: usize) -> std::result::Result<(), Errno> {
    if depth == 0 {
        return Err(Errno::NAMETOOLONG);
    }
    let directory = rustix::fs::openat(parent, name, ENTER, Mode::empty())?;
    rustix::fs::fchmod(&directory, Mode::RWXU)?;
    for entry in raw_names(directory.as_fd())? {
        match rustix::fs::unlinkat(&directory, &entry, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR | Errno::PERM) => remove_below(directory.as_fd(), &entry, depth - 1)?,
            Err(errno) => return Err(errno),
        }
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// Calls `use_file` with every regular file below a directory.
fn each(
    directory: BorrowedFd<'_>,
    depth: usize,
    use_file: &mut dyn FnMut(OwnedFd) -> std::result::Result<(), Errno>,
) -> std::result::Result<(), Errno> {
    for entry in raw_names(directory)? {
        let stat = rustix::fs::statat(directory, &entry, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if depth > 0 => {
                let below = rustix::fs::openat(directory, &entry, ENTER, Mode::empty())?;
                each(below.as_fd(), depth - 1, use_file)?;
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                use_file(rustix::fs::openat(directory, &entry, flags, Mode::empty())?)?;
            }
            _ => {}
        }
    }
    Ok(())
}
