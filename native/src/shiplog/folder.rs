//! The folders of logs: locks, ownership, and file names.
//!
//! ```text
//! <root>/                            0700, owned by this user
//!   hash.secret                      0600, the key of hashes
//!   <application>[.<attempt>]/       0700, owned by this user
//!     writer.lock                    held exclusively by the writer, shared by processes that replay the log
//!     segment-<ten digits>.log       0600, appended to by one writer, then immutable
//!     position-<sink>                the last sequence that a sink has shipped
//! ```
//!
//! Files are created and removed through the folder's descriptor, whose ownership is checked once, so a
//! folder that is exchanged afterwards is not followed. Only the holder of a folder's lock removes it, and
//! the lock file goes last. A reader may read logs of other users: it follows no link to a file, and does not
//! block on pipes or devices.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use sha2::Digest as _;

use crate::error::{Code, Error, Result};
use crate::file_lock::HeldLock;
use crate::private_dir::{self, is_same, make, refused, Purpose, PRIVATE_FILE};
use crate::sync::held;

const LOCK: &str = "writer.lock";
const LOG_DIRECTORY: Purpose = Purpose { name: "log directory", setting: "spark.andiron.log.dir" };
/// The longest application id that is used as a folder name unchanged.
const LONGEST: usize = 128;
/// A liveness check or a sweep holds the lock for a moment only; on a loaded machine a moment may be long.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A folder that this process has locked: exclusively to write or remove it, shared to replay it.
pub struct Folder {
    path: PathBuf,
    /// The directory that contains the folder.
    parent: OwnedFd,
    fd: OwnedFd,
    lock: Mutex<Option<HeldLock>>,
}

impl Folder {
    /// Opens `<root>/<name>`, creates it if it is missing, and takes its lock: [`Code::LogInUse`] if another
    /// process holds it.
    pub(super) fn open(root: &Path, name: &str) -> Result<Folder> {
        let (root_path, root) = self::root(root)?;
        let path = root_path.join(name);
        make(root.as_fd(), Path::new(name), &path)?;
        rustix::fs::fsync(&root).map_err(|errno| refused("sync", &root_path, errno))?;
        match Folder::within(root, name, path, FlockOperation::NonBlockingLockExclusive)? {
            Some(folder) => Ok(folder),
            None => Err(Error::new(
                Code::LogInUse,
                format!(
                    "the log {} is being written by another process: one driver writes the log of an application; \
                     end that process, or set spark.andiron.log.dir to another directory",
                    root_path.join(name).display()
                ),
            )),
        }
    }

    /// Opens an existing folder to remove it; `None` while a process writes or replays it.
    pub(super) fn alone(path: &Path) -> Result<Option<Folder>> {
        Folder::existing(path, FlockOperation::NonBlockingLockExclusive)
    }

    /// Opens an existing folder to replay it; `None` while a process writes it.
    pub(super) fn shared(path: &Path) -> Result<Option<Folder>> {
        Folder::existing(path, FlockOperation::NonBlockingLockShared)
    }

    fn existing(path: &Path, lock_it: FlockOperation) -> Result<Option<Folder>> {
        let (parent, name) = split(path);
        let parent = directory(parent, OFlags::empty()).map_err(|errno| refused("open", parent, errno))?;
        Folder::within(parent, name, path.to_path_buf(), lock_it)
    }

    fn within(
        parent: OwnedFd,
        name: impl AsRef<Path>,
        path: PathBuf,
        lock_it: FlockOperation,
    ) -> Result<Option<Folder>> {
        let fd = LOG_DIRECTORY.open(parent.as_fd(), name.as_ref(), &path)?;
        for _ in 0..LOCK_TRIES {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let lock = rustix::fs::openat(&fd, LOCK, flags, PRIVATE_FILE)
                .map_err(|errno| refused("open the lock in", &path, errno))?;
            match rustix::fs::flock(&lock, lock_it) {
                // The locked file may have been removed in the meantime.
                Ok(()) if is_same(fd.as_fd(), LOCK, &lock) => {
                    return Ok(Some(Folder {
                        path,
                        parent,
                        fd,
                        lock: Mutex::new(Some(HeldLock::new(lock))),
                    }));
                }
                Ok(()) | Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
                Err(errno) => return Err(refused("lock (a local file system is needed)", &path, errno)),
            }
        }
        Ok(None)
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor through which files are created.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether the folder was removed, or its name leads nowhere. A folder that was renamed, and whose name
    /// another folder has taken, still belongs to this log.
    pub(super) fn is_removed(&self) -> bool {
        let named = rustix::fs::statat(rustix::fs::CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW);
        let held = rustix::fs::fstat(&self.fd);
        matches!(named, Err(Errno::NOENT | Errno::NOTDIR)) || held.is_ok_and(|stat| stat.st_nlink == 0)
    }

    /// Creates and locks the folder again after it was removed.
    pub(super) fn anew(&self) -> Result<Folder> {
        let (root, name) = split(&self.path);
        match name.to_str() {
            Some(name) => Folder::open(root, name),
            None => Err(Error::new(Code::BadSetting, format!("{} is not UTF-8", self.path.display()))),
        }
    }

    /// Releases the lock.
    pub(super) fn unlock(&self) {
        held(self.lock.lock()).take();
    }

    /// Removes one file of the folder.
    pub(super) fn remove_file(&self, name: &str) -> std::result::Result<(), Errno> {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())
    }

    /// Removes the folder and all files that a log creates; it stays if it has other files.
    pub(super) fn remove(self) -> Result<()> {
        let names =
            private_dir::names(self.fd.as_fd()).map_err(|errno| refused("list", &self.path, errno))?;
        for name in names.iter().filter(|name| is_ours(name)) {
            self.remove_file(name).map_err(|errno| refused("remove a file of", &self.path, errno))?;
        }
        let name = split(&self.path).1;
        let removed =
            self.remove_file(LOCK).and_then(|()| match is_same(self.parent.as_fd(), name, &self.fd) {
                true => rustix::fs::unlinkat(&self.parent, name, AtFlags::REMOVEDIR),
                // Another folder has taken the name, and does not belong to this log.
                false => Ok(()),
            });
        match removed {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(errno) => Err(refused("remove", &self.path, errno)),
        }
    }
}

/// Whether a process writes the log of this folder now.
pub(super) fn is_live(folder: &Path) -> bool {
    let Ok(lock) = open_file(&folder.join(LOCK)) else {
        return false;
    };
    let lock = OwnedFd::from(lock);
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            drop(HeldLock::new(lock));
            false
        }
        Err(errno) => errno == Errno::WOULDBLOCK,
    }
}

/// The name of an application's folder: its id, or a hash of a long id, and its attempt if it has one.
///
/// Ids that are empty, contain `/` or NUL, or begin with a dot are [`Code::BadSetting`].
pub(super) fn name(application: &str, attempt: &str) -> Result<String> {
    let whole = if attempt.is_empty() { application.to_string() } else { format!("{application}.{attempt}") };
    if application.is_empty() || whole.starts_with('.') || whole.contains(['/', '\0']) {
        let shown: String = whole.chars().take(80).collect();
        let why = "it is empty, begins with a dot or contains a slash or a NUL";
        return Err(Error::new(
            Code::BadSetting,
            format!("the application id {shown:?} cannot name a log: {why}"),
        ));
    }
    if whole.len() > LONGEST {
        let hash = sha2::Sha256::digest(whole.as_bytes());
        return Ok(hash.iter().fold(String::from("application-"), |name, byte| format!("{name}{byte:02x}")));
    }
    Ok(whole)
}

/// The name of a segment.
pub(super) fn segment(number: u64) -> String {
    format!("segment-{number:010}.log")
}

/// The number of the segment that has this name.
pub(super) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    ((10..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// The name of a sink's position.
pub(super) fn position(sink: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("position-{}", sink.chars().take(64).map(safe).collect::<String>())
}

fn is_ours(name: &str) -> bool {
    segment_number(name).is_some() || name.starts_with("position-")
}

/// The segments of a folder, in order.
pub(super) fn segments(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found: Vec<(u64, PathBuf)> =
        names(folder)?.iter().filter_map(|name| Some((segment_number(name)?, folder.join(name)))).collect();
    found.sort();
    Ok(found)
}

/// The names in a directory that are UTF-8, as all names of a log are.
pub(super) fn names(directory: &Path) -> Result<Vec<String>> {
    let failed = |error| Error::io(&format!("read the directory {}", directory.display()), &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}

/// Opens a regular file of a log for reading. Links are not followed; a pipe or a device is an error, without
/// blocking.
pub(super) fn open_file(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(File::from(file))
}

/// Removes a file of a log, in the directory that its path leads to now.
pub(super) fn remove_file(path: &Path) -> std::io::Result<()> {
    let (directory, name) = split(path);
    Ok(rustix::fs::unlinkat(open_directory(directory)?, name, AtFlags::empty())?)
}

/// Opens the directory of a log without following a link.
pub(super) fn open_directory(path: &Path) -> std::io::Result<OwnedFd> {
    Ok(directory(path, OFlags::NOFOLLOW)?)
}

fn directory(path: &Path, more: OFlags) -> std::result::Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more, Mode::empty())
}

/// The parent directory of a folder, and the folder's name in it.
fn split(path: &Path) -> (&Path, &Path) {
    let name = path.file_name().map_or(path, Path::new);
    (path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")), name)
}

/// The log directory, created if it is missing and checked to be private to this user; its absolute path.
pub(super) fn root(root: &Path) -> Result<(PathBuf, OwnedFd)> {
    let path = std::path::absolute(root)
        .map_err(|error| Error::io(&format!("the log directory {}", root.display()), &error))?;
    let fd = LOG_DIRECTORY.open_root(&path)?;
    Ok((path, fd))
}
