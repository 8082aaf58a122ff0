//! The cache directory: its ownership, and the processes that use it.
//!
//! ```text
//! <root>/                            0700, owned by this user
//!   .andiron.lock                    held while an application directory appears, is swept or disappears
//!   .andiron-removed-<nonce>/        an application directory that is being deleted
//!   <application>/                   0700, owned by this user
//!     process-<pid>-<nonce>.lock     held as long as a process uses the application
//!     disk.lock                      held while room is made and reserved
//!     <digest>.tmp                   held by the process that writes it; its length is its reservation
//!     <digest>.bytes                 complete, never written again; 0400, except right after it got its name
//!     file(s)-<digest>.files/        files that keep their names, complete; 0500, its files 0400. Its users share
//!                                    its lock. An empty .bytes beside it has the length of all of them
//!     file(s)-<digest>-<nonce>.parts/  such a directory while it is written, under a shared lock, or removed
//! ```
//!
//! Invariants. An application directory with a held process lock is never removed. Under the root's lock
//! every application directory of a live process has a held process lock, so that a sweep may rely on the
//! locks alone. All operations go through descriptors of the two directories, whose ownership is checked
//! once, so that a directory that is exchanged afterwards is not followed. Nothing is synced to disk: files
//! do not outlive their processes, and thus need not survive a crash of the machine.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{names, sweep};
use crate::error::{Code, Error, Result};
use crate::file_lock::{self, HeldLock};
use crate::private_dir::{make, nonce, refused, PRIVATE_FILE};
use crate::sync::held;

/// The longest time that opening waits for another process that opens or sweeps the same root.
const ROOT_LOCK_TIMEOUT: Duration = Duration::from_secs(60);
const ROOT_LOCK_SLICE: Duration = Duration::from_millis(5);

/// The directory of one application, and this process's claim on it.
pub(super) struct Directory {
    path: PathBuf,
    name: String,
    root: OwnedFd,
    fd: OwnedFd,
    /// The mark that this process uses the application. The sweep removes the file once the lock is free.
    process: Mutex<Option<HeldLock>>,
}

impl Directory {
    /// Creates missing directories, checks that both are private to this user, claims the application for
    /// this process and sweeps the remains of dead processes in the root.
    pub(super) fn open(root: &Path, application: &str) -> Result<Directory> {
        let name = names::application(application)?;
        let root_path: PathBuf = std::path::absolute(root)
            .map_err(|error| Error::io(&format!("the cache directory {}", root.display()), &error))?
            .components()
            .collect();
        let root = names::CACHE_DIRECTORY.open_root(&root_path)?;
        let held = lock_root(root.as_fd(), &root_path)?;
        let removed = sweep::sweep(root.as_fd(), &root_path);
        let path = root_path.join(&name);
        let opened = open_application(root.as_fd(), &name, &path);
        drop(held);
        sweep::delete(root.as_fd(), &removed);
        let (fd, process) = opened?;
        Ok(Directory { path, name, root, fd, process: Mutex::new(Some(process)) })
    }

    /// For messages only.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor for all file operations.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// [`Code::CatalogClosed`] once this process has released its claim.
    pub(super) fn require_open(&self) -> Result<()> {
        if self.claim().is_some() {
            return Ok(());
        }
        let message = format!("the cache of application {} is closed: the application has ended", self.name);
        Err(Error::new(Code::CatalogClosed, message))
    }

    /// Opens or creates a file for writing, private to this user.
    pub(super) fn create(&self, name: &str) -> std::result::Result<OwnedFd, Errno> {
        create(self.fd(), name, OFlags::empty())
    }

    /// Opens an existing file for reading.
    pub(super) fn open_existing(&self, name: &str) -> std::result::Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(self.fd(), name, flags, Mode::empty())
    }

    /// Releases this process's claim and removes the directory if no other process has one. A second call has
    /// no effect.
    pub(super) fn close(&self) {
        let Some(process) = self.claim().take() else {
            return;
        };
        let root_path = self.path.parent().unwrap_or(&self.path);
        let held = match lock_root(self.root.as_fd(), root_path) {
            Ok(held) => held,
            Err(error) => {
                log::warn!("{}: left for the next start to sweep: {error}", self.path.display());
                return;
            }
        };
        drop(process);
        let removed = sweep::retire_if_unused(self.root.as_fd(), &self.name, self.fd());
        drop(held);
        sweep::delete(self.root.as_fd(), removed.as_slice());
    }

    fn claim(&self) -> std::sync::MutexGuard<'_, Option<HeldLock>> {
        held(self.process.lock())
    }
}

/// Opens or creates a regular file for writing, mode 0600.
fn create(dir: BorrowedFd<'_>, name: &str, more: OFlags) -> std::result::Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
    rustix::fs::openat(dir, name, flags, PRIVATE_FILE)
}

/// Locks the root against other processes that open, sweep or close. The lock is released on drop.
fn lock_root(root: BorrowedFd<'_>, path: &Path) -> Result<HeldLock> {
    let shown = path.join(names::ROOT_LOCK);
    let file =
        create(root, names::ROOT_LOCK, OFlags::empty()).map_err(|errno| refused("open", &shown, errno))?;
    match file_lock::exclusive_within(&file, ROOT_LOCK_TIMEOUT, ROOT_LOCK_SLICE) {
        Ok(true) => Ok(HeldLock::new(file)),
        Ok(false) => {
            let seconds = ROOT_LOCK_TIMEOUT.as_secs();
            let why = "another process has held its lock for";
            let message = format!("the cache directory {}: {why} {seconds} s", path.display());
            Err(Error::new(Code::Io, format!("{message}; end that process or choose another directory")))
        }
        Err(errno) => Err(refused("lock (a local file system is needed)", &shown, errno)),
    }
}

/// Creates and claims the application's directory. The caller holds the root's lock.
fn open_application(root: BorrowedFd<'_>, name: &str, shown: &Path) -> Result<(OwnedFd, HeldLock)> {
    make(root, Path::new(name), shown)?;
    let fd = names::CACHE_DIRECTORY.open(root, Path::new(name), shown)?;
    let name = format!("process-{}-{:016x}.lock", std::process::id(), nonce());
    let file =
        create(fd.as_fd(), &name, OFlags::EXCL).map_err(|errno| refused("create a file in", shown, errno))?;
    match file_lock::try_exclusive(&file) {
        Ok(true) => Ok((fd, HeldLock::new(file))),
        Ok(false) => Err(refused("lock the own process file in", shown, Errno::WOULDBLOCK)),
        Err(errno) => Err(refused("lock a file (a local file system is needed) in", shown, errno)),
    }
}

/// An error of the operating system while bytes of `label` were written; a full disk or quota is
/// [`Code::DiskFull`].
pub(super) fn write_failed(label: &str, action: &str, path: &Path, error: &io::Error) -> Error {
    let what = format!("{label}: cannot {action} {}", path.display());
    if matches!(Errno::from_io_error(error), Some(Errno::NOSPC | Errno::DQUOT)) {
        let help =
            "free space on that disk, lower spark.andiron.cache.diskBytes so that old versions are evicted earlier, \
                    or set spark.andiron.cache.dir to a larger disk";
        return Error::new(Code::DiskFull, format!("{what}: {error}; {help}"));
    }
    Error::io(&what, error)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{begin, files, publish, root};
    use super::super::Store;
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn refusal(root: &Path, application: &str) -> Error {
        let error = Store::open(root, application, u64::MAX).err().unwrap();
        assert_eq!(error.code(), Code::DirectoryUnsafe, "{error}");
        assert!(error.message().contains("spark.andiron.cache.dir"), "{error}");
        error
    }

    #[test]
    fn everything_is_private_to_us() {
        let dir = root();
        let root = dir.path().join("a/b/cache");
        let store = Store::open(&root, "app-1", u64::MAX).unwrap();
        let writer = begin(&store, "d1", Some(3));
        let app = root.join("app-1");
        assert_eq!((mode(&root), mode(&app)), (0o700, 0o700));
        assert_eq!(mode(&app.join("d1.tmp")), 0o600);
        drop(writer);
        let _mapping = publish(&store, "d1", b"abc");
        assert_eq!(mode(&app.join("d1.bytes")), 0o400);
    }

    #[test]
    fn a_directory_that_others_can_enter_is_refused() {
        for bits in [0o750, 0o705, 0o701, 0o777] {
            let dir = root();
            fs::set_permissions(dir.path(), Permissions::from_mode(bits)).unwrap();
            assert!(refusal(dir.path(), "app-1").message().contains(&format!("{bits:04o}")));
        }
        let dir = root();
        fs::create_dir(dir.path().join("app-1")).unwrap();
        fs::set_permissions(dir.path().join("app-1"), Permissions::from_mode(0o755)).unwrap();
        assert!(refusal(dir.path(), "app-1").message().contains("app-1"));
    }

    #[test]
    fn links_and_files_are_refused() {
        let dir = root();
        let target = dir.path().join("target");
        fs::create_dir(&target).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o700)).unwrap();
        let link = dir.path().join("link");
        symlink(&target, &link).unwrap();
        refusal(&link, "app-1");
        refusal(&dir.path().join("link/"), "app-1");
        fs::create_dir(target.join("elsewhere")).unwrap();
        symlink("elsewhere", target.join("app-1")).unwrap();
        refusal(&target, "app-1");
        fs::write(dir.path().join("file"), "").unwrap();
        refusal(&dir.path().join("file"), "app-1");
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        let dir = root();
        let root = match std::os::unix::fs::chown(dir.path(), Some(54_321), None) {
            Ok(()) => dir.path(),
            Err(_) => Path::new("/usr"),
        };
        assert!(refusal(root, "app-1").message().contains("belongs to user"));
    }

    #[test]
    fn a_bad_application_id_touches_nothing() {
        let dir = root();
        let root = dir.path().join("cache");
        let error = Store::open(&root, "../escaped", u64::MAX).err().unwrap();
        assert_eq!(error.code(), Code::BadSetting);
        assert!(!root.exists());
    }

    #[test]
    fn the_last_store_of_an_application_removes_it() {
        let dir = root();
        let app = dir.path().join("app-1");
        let first = Store::open(dir.path(), "app-1", u64::MAX).unwrap();
        let second = Store::open(dir.path(), "app-1", u64::MAX).unwrap();
        let other = Store::open(dir.path(), "app-2", u64::MAX).unwrap();
        let _mapping = publish(&first, "d1", b"abc");
        first.close();
        first.close();
        assert_eq!(files(&second), ["d1.bytes"]);
        assert_eq!(
            first.begin("d1", "x", None, None, Duration::ZERO).err().unwrap().code(),
            Code::CatalogClosed
        );
        drop(second);
        assert!(!app.exists());
        assert_eq!(files(&other), [""; 0]);
        let again = Store::open(dir.path(), "app-1", u64::MAX).unwrap();
        assert_eq!(files(&again), [""; 0]);
    }

    #[test]
    fn a_child_that_is_being_started_keeps_no_directory() {
        let dir = root();
        let store = Store::open(dir.path(), "app-1", u64::MAX).unwrap();
        let of_the_child =
            store.shared.directory.claim().as_ref().unwrap().as_fd().try_clone_to_owned().unwrap();
        store.close();
        assert!(!dir.path().join("app-1").exists());
        drop(of_the_child);
    }

    #[test]
    fn a_directory_that_vanished_is_no_accident() {
        let dir = root();
        let root = dir.path().join("cache");
        let store = Store::open(&root, "app-1", u64::MAX).unwrap();
        let mut writer = begin(&store, "d1", Some(3));
        fs::remove_dir_all(&root).unwrap();
        writer.write(b"abc").unwrap();
        let error = writer.publish().unwrap_err();
        assert_eq!(error.code(), Code::Io);
        assert!(error.message().contains("removed while it was being written"), "{error}");
        assert_eq!(store.begin("d2", "x", None, None, Duration::ZERO).err().unwrap().code(), Code::Io);
        // Another process starts afresh: this store must not remove its directory.
        let other = Store::open(&root, "app-1", u64::MAX).unwrap();
        store.close();
        let _mapping = publish(&other, "d1", b"abc");
    }
}
