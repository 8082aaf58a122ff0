//! Removes the remains of dead processes.
//!
//! A directory below the root is an application directory if it is private to this user and contains a
//! process lock file. It is dead if none of its process locks is held. A dead one is renamed under the root's
//! lock, which is fast, and deleted afterwards; an interrupted deletion continues at the next sweep. Only
//! files with names of the store's forms are removed, process locks last, so that a directory of the user's
//! keeps its content. Failures are logged: a sweep never prevents a process from starting.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::names::{self, FileKind};
use super::tree;
use crate::file_lock::{self, HeldLock};
use crate::private_dir::{self, is_same, nonce};
use crate::words::some;

/// Moves dead application directories aside and cleans live ones. The caller holds the root's lock, and
/// passes the result to [`delete`] after releasing it.
pub(super) fn sweep(root: BorrowedFd<'_>, path: &Path) -> Vec<String> {
    let mut removed = Vec::new();
    for name in entries(root, path) {
        if name.starts_with(names::REMOVED) {
            removed.push(name);
        } else if !name.starts_with('.') {
            // Files and directories of others are ignored, without a log message.
            if let Ok(dir) = names::CACHE_DIRECTORY.open(root, Path::new(&name), &path.join(&name)) {
                removed.extend(retire_if_unused(root, &name, dir.as_fd()));
            }
        }
    }
    removed
}

/// Moves one application directory aside if no process uses it, else removes the files of its dead processes.
/// `dir` is `name` opened; if `name` leads to another directory by now, nothing happens. The caller holds the
/// root's lock.
pub(super) fn retire_if_unused(root: BorrowedFd<'_>, name: &str, dir: BorrowedFd<'_>) -> Option<String> {
    if !is_same(root, name, dir) {
        return None;
    }
    let shown = Path::new(name);
    let files = entries(dir, shown);
    let (mut live, mut ours) = (false, false);
    let mut left = Vec::new();
    for file in &files {
        let kind = names::kind(file);
        ours |= kind == FileKind::Process;
        if matches!(kind, FileKind::Process | FileKind::Temporary) {
            match abandoned(dir, file) {
                Ok(Some(lock)) => left.push((file, lock)),
                Ok(None) => live |= kind == FileKind::Process,
                Err(errno) => {
                    log::warn!("sweeping {name}: cannot tell whether {file} is in use: {errno}");
                    live = true;
                }
            }
        }
    }
    if live {
        for (file, _lock) in &left {
            remove(dir, shown, file);
        }
        for parts in files.iter().filter(|file| names::kind(file) == FileKind::Parts) {
            if let Ok(Some(_lock)) = tree::alone(dir, parts) {
                tree::remove(dir, parts);
            }
        }
        return None;
    }
    if !ours {
        return None;
    }
    let aside = format!("{}{:016x}", names::REMOVED, nonce());
    match rustix::fs::renameat(root, name, root, aside.as_str()) {
        Ok(()) => Some(aside),
        Err(errno) => {
            log::warn!("sweeping {name}: cannot move it aside: {errno}");
            None
        }
    }
}

/// Deletes directories that were moved aside. Needs no lock: a second process finds nothing.
pub(super) fn delete(root: BorrowedFd<'_>, removed: &[String]) {
    for name in removed {
        let shown = Path::new(name);
        let Ok(dir) = names::CACHE_DIRECTORY.open(root, shown, shown) else {
            continue;
        };
        let mut files = entries(dir.as_fd(), shown);
        files.retain(|file| names::kind(file) != FileKind::Foreign);
        files.sort_by_key(|file| names::kind(file) == FileKind::Process);
        for file in &files {
            match names::kind(file) {
                FileKind::Tree | FileKind::Parts => tree::remove(dir.as_fd(), file),
                _ => remove(dir.as_fd(), shown, file),
            }
        }
        match rustix::fs::unlinkat(root, name.as_str(), AtFlags::REMOVEDIR) {
            Ok(()) => {
                log::info!(
                    "removed the cache of an application that has ended ({})",
                    some(files.len(), "file", "files")
                )
            }
            Err(Errno::NOENT) => {}
            Err(errno) => log::warn!("sweeping {name}: cannot remove it: {errno}"),
        }
    }
}

/// Takes the lock of a file whose process is dead; `None` if it is held, or the file no longer exists. Needs
/// no write permission.
pub(super) fn abandoned(dir: BorrowedFd<'_>, name: &str) -> Result<Option<HeldLock>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(dir, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let held = file_lock::try_exclusive(&file)?.then(|| HeldLock::new(file));
    Ok(held.filter(|held| is_same(dir, name, held.as_fd())))
}

/// The names in a directory, without those that are not UTF-8, which are never the store's.
pub(super) fn entries(dir: BorrowedFd<'_>, shown: &Path) -> Vec<String> {
    match private_dir::names(dir) {
        Ok(names) => names,
        Err(errno) => {
            log::warn!("cannot list {}: {errno}", shown.display());
            Vec::new()
        }
    }
}

fn remove(dir: BorrowedFd<'_>, shown: &Path, file: &str) {
    match rustix::fs::unlinkat(dir, file, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => log::warn!("sweeping {}: cannot remove {file}: {errno}", shown.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{begin, files, publish, root};
    use super::super::Store;
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{symlink, PermissionsExt};
    use std::path::{Path, PathBuf};

    fn private(path: PathBuf) -> PathBuf {
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        path
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn dead_applications_go_and_live_ones_stay() {
        let root = root();
        let live = Store::open(root.path(), "live", u64::MAX).unwrap();
        let _mapping = publish(&live, "d1", b"abc");
        let dead = private(root.path().join("dead"));
        for name in ["process-1-00.lock", "disk.lock", "d1.bytes", "d2.tmp"] {
            fs::write(dead.join(name), "x").unwrap();
        }
        let interrupted = private(root.path().join(".andiron-removed-0"));
        fs::write(interrupted.join("d1.bytes"), "x").unwrap();
        let _mine = Store::open(root.path(), "mine", u64::MAX).unwrap();
        assert_eq!(names(root.path()), [".andiron.lock", "live", "mine"]);
        assert_eq!(files(&live), ["d1.bytes"]);
    }

    #[test]
    fn a_dead_process_s_files_in_a_live_application_go() {
        let root = root();
        let live = Store::open(root.path(), "live", u64::MAX).unwrap();
        let _writing = begin(&live, "writing", None);
        let _mapping = publish(&live, "d1", b"abc");
        let app = root.path().join("live");
        for name in ["process-1-00.lock", "left.tmp"] {
            File::create(app.join(name)).unwrap();
        }
        let _mine = Store::open(root.path(), "mine", u64::MAX).unwrap();
        assert_eq!(files(&live), ["d1.bytes", "writing.tmp"]);
        assert!(!app.join("process-1-00.lock").exists());
    }

    #[test]
    fn an_application_that_is_dead_begins_afresh() {
        let root = root();
        let app = private(root.path().join("app-1"));
        for name in ["process-1-00.lock", "d1.bytes"] {
            fs::write(app.join(name), "x").unwrap();
        }
        let store = Store::open(root.path(), "app-1", u64::MAX).unwrap();
        assert_eq!(files(&store), [""; 0]);
    }

    #[test]
    fn links_in_the_root_lead_nowhere() {
        let (root, elsewhere) = (root(), root());
        let dead = private(elsewhere.path().join("dead"));
        for name in ["process-1-00.lock", "d1.bytes", "d2.tmp"] {
            fs::write(dead.join(name), "x").unwrap();
        }
        for name in ["app-0", ".andiron-removed-1"] {
            symlink(&dead, root.path().join(name)).unwrap();
        }
        let live = Store::open(root.path(), "live", u64::MAX).unwrap();
        let _mapping = publish(&live, "d1", b"abc");
        for name in ["process-1-00.lock", "left.tmp"] {
            symlink(dead.join("d1.bytes"), root.path().join("live").join(name)).unwrap();
        }
        let _mine = Store::open(root.path(), "mine", u64::MAX).unwrap();
        assert_eq!(names(&dead), ["d1.bytes", "d2.tmp", "process-1-00.lock"]);
        assert!(root.path().join("live/d1.bytes").exists());
    }

    #[test]
    fn what_is_not_ours_stays() {
        let root = root();
        let photos = private(root.path().join("photos"));
        for name in ["a.bytes", "b.tmp", "Cargo.lock", "disk.lock"] {
            fs::write(photos.join(name), "x").unwrap();
        }
        private(root.path().join("empty"));
        fs::write(root.path().join("notes.txt"), "x").unwrap();
        let mixed = private(root.path().join("mixed"));
        for name in ["process-1-00.lock", "d1.bytes", "letter.txt"] {
            fs::write(mixed.join(name), "x").unwrap();
        }
        let _store = Store::open(root.path(), "app-1", u64::MAX).unwrap();
        assert_eq!(names(&photos), ["Cargo.lock", "a.bytes", "b.tmp", "disk.lock"]);
        let left = names(root.path());
        let aside = left.iter().find(|name| name.starts_with(".andiron-removed-")).unwrap();
        assert_eq!(names(&root.path().join(aside)), ["letter.txt"]);
        for name in ["empty", "notes.txt"] {
            assert!(left.iter().any(|left| left == name), "{left:?}");
        }
    }
}
