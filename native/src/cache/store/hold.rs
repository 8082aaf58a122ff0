//! A digest's temporary file while it is written, and its withdrawal from the writer.
//!
//! A load that is no longer wanted may hang in its source or in the middle of a write for any time, and its
//! digest must not wait for it. The lock and the name of the temporary file therefore do not depend on the
//! writer's thread. Giving a hold up removes the name, frees the lock and makes the writer's next call fail;
//! the bytes are freed when the writer is dropped.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::fs::{AtFlags, FlockOperation, Mode};
use rustix::io::Errno;

use super::names;
use super::shared::StoreShared;
use crate::error::{Code, Error, Result};
use crate::private_dir::is_same;
use crate::sync::held;

/// The claim of one writer on its digest, shared by the writer and the code that may give it up.
pub struct Hold {
    shared: Arc<StoreShared>,
    digest: String,
    label: String,
    /// A second descriptor of the writer's open file: a lock belongs to the open file, not to a descriptor.
    file: OwnedFd,
    stage: Mutex<HoldStage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HoldStage {
    Writing,
    Published,
    GivenUp,
}

impl Hold {
    /// The hold of a temporary file that the caller has locked.
    pub(super) fn new(
        shared: Arc<StoreShared>,
        digest: &str,
        label: &str,
        file: &File,
    ) -> std::io::Result<Arc<Hold>> {
        let file = OwnedFd::from(file.try_clone()?);
        let (digest, label) = (digest.to_string(), label.to_string());
        Ok(Arc::new(Hold { shared, digest, label, file, stage: Mutex::new(HoldStage::Writing) }))
    }

    /// Takes the file away from its writer, unless it is published: the digest can be begun again at once.
    /// Idempotent.
    pub fn give_up(&self) {
        let change = self.shared.tally.change();
        if *self.stage() != HoldStage::Writing {
            return;
        }
        *self.stage() = HoldStage::GivenUp;
        let (dir, name) = (self.shared.directory.fd(), names::temporary(&self.digest));
        if is_same(dir, name.as_str(), self.file.as_fd()) {
            match rustix::fs::unlinkat(dir, name.as_str(), AtFlags::empty()) {
                Ok(()) => change.less(rustix::fs::fstat(&self.file).map_or(0, |stat| stat.st_size as u64)),
                Err(errno) => log::warn!("{}: cannot remove {}: {errno}", self.label, self.path().display()),
            }
        }
        if let Err(errno) = rustix::fs::flock(&self.file, FlockOperation::Unlock) {
            log::warn!("{}: cannot unlock {}: {errno}", self.label, self.path().display());
        }
    }

    /// [`Code::CatalogClosed`] once the hold was given up.
    pub(super) fn require(&self) -> Result<()> {
        if *self.stage() != HoldStage::GivenUp {
            return Ok(());
        }
        let why = "this load was given up, because it took too long or its catalog was closed";
        Err(Error::new(Code::CatalogClosed, format!("{}: {why}; its further bytes are dropped", self.label)))
    }

    /// Gives the finished file its name, then removes write permission from its mode. The mode stays
    /// unchanged until then: a process that dies in between must leave a file that the next writer can open.
    pub(super) fn publish(&self) -> std::result::Result<(), Errno> {
        self.publish_after(|| Ok(()))
    }

    /// Publishes after `before`, which runs unless the hold was given up.
    pub(super) fn publish_after(
        &self,
        before: impl FnOnce() -> std::result::Result<(), Errno>,
    ) -> std::result::Result<(), Errno> {
        let _change = self.shared.tally.change();
        if *self.stage() != HoldStage::Writing {
            return Err(Errno::CANCELED);
        }
        before()?;
        let (from, to) = (names::temporary(&self.digest), names::published(&self.digest));
        let dir = self.shared.directory.fd();
        rustix::fs::renameat(dir, from.as_str(), dir, to.as_str())?;
        *self.stage() = HoldStage::Published;
        if let Err(errno) = rustix::fs::fchmod(&self.file, Mode::RUSR) {
            log::warn!("{}: {to} stays writable for this user: {errno}", self.label);
        }
        Ok(())
    }

    fn stage(&self) -> MutexGuard<'_, HoldStage> {
        held(self.stage.lock())
    }

    fn path(&self) -> std::path::PathBuf {
        self.shared.directory.path().join(names::temporary(&self.digest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{begin, files, noise, read, store};
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_given_up_can_be_begun_at_once_and_publishes_nothing() {
        let (dir, store) = store(u64::MAX);
        let mut hung = begin(&store, "a", Some(5_000));
        hung.write(&[1; 4_000]).unwrap();
        let hold = hung.hold();
        hold.give_up();
        hold.give_up();
        assert_eq!((files(&store), store.disk_used()), (vec![], 0));
        let mut next = store.begin("a", "again", Some(3), None, Duration::ZERO).unwrap().unwrap();
        next.write(b"new").unwrap();
        let source = dir.path().join("source");
        std::fs::write(&source, noise(1, 1_000)).unwrap();
        for error in [hung.write(&[2; 1_000]), hung.copy_local(&source)] {
            let error = error.unwrap_err();
            assert_eq!(error.code(), Code::CatalogClosed, "{error}");
            assert!(error.message().contains("videos/v1"), "{error}");
        }
        assert_eq!(hung.publish().unwrap_err().code(), Code::CatalogClosed);
        assert_eq!((files(&store), store.disk_used()), (vec!["a.tmp".to_string()], 3));
        assert_eq!(read(&next.publish().unwrap()), b"new");
        hold.give_up();
        assert_eq!(files(&store), ["a.bytes"]);
    }

    #[test]
    fn a_writer_that_is_given_up_at_its_end_publishes_nothing() {
        let (_dir, store) = store(u64::MAX);
        let mut writer = begin(&store, "a", Some(3));
        writer.write(b"abc").unwrap();
        let hold = writer.hold();
        hold.give_up();
        assert_eq!(hold.publish(), Err(Errno::CANCELED));
        assert_eq!(writer.publish().unwrap_err().code(), Code::CatalogClosed);
        assert_eq!(files(&store), [""; 0]);
    }

    #[test]
    fn what_is_published_is_not_given_up() {
        let (_dir, store) = store(u64::MAX);
        let mut writer = begin(&store, "a", None);
        let hold = writer.hold();
        writer.write(b"abc").unwrap();
        let mapping = writer.publish().unwrap();
        hold.give_up();
        assert_eq!((files(&store), read(&mapping)), (vec!["a.bytes".to_string()], b"abc".to_vec()));
    }
}
