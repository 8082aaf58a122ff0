//! A secret for each run of an application, stable across restarts on the same machine.
//!
//! `<root>/hash.secret` (0600, 32 random bytes) is created once and never changes. A run's secret is a hash
//! of the file's bytes and the run's name; neither the file nor another run's secret can be derived from it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::folder;
use crate::error::{Code, Error, Result};

const NAME: &str = "hash.secret";
const LENGTH: usize = 32;

/// The secret of `run` below the log directory `root`. Fails if the file cannot be kept private to this user.
pub fn secret(root: &Path, run: &str) -> Result<[u8; LENGTH]> {
    let (path, directory) = folder::root(root)?;
    let shown = path.join(NAME);
    let failed = |error: io::Error| Error::io(&format!("keep a secret in {}", shown.display()), &error);
    let known = match read(directory.as_fd(), &shown)? {
        Some(known) => known,
        None => {
            make(directory.as_fd()).map_err(failed)?;
            read(directory.as_fd(), &shown)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?
        }
    };
    Ok(Sha256::new().chain_update(known).chain_update(run.as_bytes()).finalize().into())
}

fn read(directory: BorrowedFd<'_>, shown: &Path) -> Result<Option<[u8; LENGTH]>> {
    let unsafe_because = |why: &str| {
        let message = format!("the secret in {} is not safe to use: {why}; remove the file", shown.display());
        Error::new(Code::DirectoryUnsafe, message)
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(directory, NAME, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(unsafe_because("it is a symbolic link")),
        Err(errno) => return Err(Error::io(&format!("open {}", shown.display()), &errno.into())),
    };
    let stat = rustix::fs::fstat(&file)
        .map_err(|errno| Error::io(&format!("stat {}", shown.display()), &errno.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(unsafe_because("it is not a regular file"));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
        return Err(unsafe_because("others may have read it (mode 0600 and this user are needed)"));
    }
    let mut content = Vec::new();
    File::from(file)
        .take(LENGTH as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|error| Error::io(&format!("read {}", shown.display()), &error))?;
    content.try_into().map(Some).map_err(|_| unsafe_because("it does not have 32 bytes"))
}

/// Writes a new secret under a temporary name, then links it to its name, unless another process was faster.
fn make(directory: BorrowedFd<'_>) -> io::Result<()> {
    let mut random = [0; LENGTH + 8];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let (content, salt) = random.split_at(LENGTH);
    let salt: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
    let fresh = format!("{NAME}.{salt}");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(directory, &fresh, flags, Mode::RUSR | Mode::WUSR)?);
    let written = file.write_all(content).and_then(|()| file.sync_all());
    let named = written.and_then(|()| {
        match rustix::fs::linkat(directory, &fresh, directory, NAME, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    });
    let removed = rustix::fs::unlinkat(directory, &fresh, AtFlags::empty());
    named.and(removed.map_err(io::Error::from)).and_then(|()| Ok(rustix::fs::fsync(directory)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_run_finds_its_secret_again_and_no_other_has_it() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path().join("log");
        let first = secret(&root, "nightly").unwrap();
        assert_eq!(secret(&root, "nightly").unwrap(), first);
        assert_ne!(secret(&root, "weekly").unwrap(), first);
        assert_ne!(secret(&at.path().join("other"), "nightly").unwrap(), first);
        let names = folder::names(&root).unwrap();
        assert_eq!(names, [NAME]);
        assert_eq!(root.join(NAME).metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        assert!(super::super::applications(&root).unwrap().is_empty());
    }

    #[test]
    fn threads_that_begin_together_agree() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path().join("log");
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| secret(&root, "r").unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|one| *one == all[0]));
    }

    #[test]
    fn a_file_that_others_may_have_read_or_made_is_refused() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path().join("log");
        secret(&root, "r").unwrap();
        let file = root.join(NAME);
        let refused = |why: &str| {
            let error = secret(&root, "r").unwrap_err();
            assert!(error.code() == Code::DirectoryUnsafe && error.message().contains(why), "{error}");
        };
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        refused("others may have read it");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&file, "short").unwrap();
        refused("32 bytes");
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(at.path().join("elsewhere"), &file).unwrap();
        refused("symbolic link");
    }
}
