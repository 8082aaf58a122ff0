//! The bytes of versions, off the heap: files that are written once, checksummed in passing, and mapped.
//!
//! The identity of a version's file is its digest. The file is absent, then being written by one process of
//! the host, then published; a published file never changes and may be evicted without an effect on its
//! mappings.
//!
//! | module | content |
//! |---|---|
//! | `directory`, `sweep`, `names`, `lock` | the cache directory: ownership, live processes, remains of dead ones |
//! | `disk` | the disk limit, and eviction from disk |
//! | `writer`, `hold`, `source` | from a stream or a local file to a published file; its withdrawal from the writer |
//! | `checksum` | verification in passing |
//! | `mapping`, `residency` | from a file to an address; all `unsafe` code of the store |
//! | `tree`, `tree_writer` | versions whose files keep their names, for libraries that open files by name |
//!
//! All operations block on files and belong on loader threads. They may be called from any thread.

mod checksum;
#[cfg(test)]
mod deaths;
mod directory;
mod disk;
mod hold;
mod mapping;
mod names;
mod pins;
mod residency;
mod shared;
mod source;
mod sweep;
mod tally;
#[cfg(test)]
mod testing;
mod tree;
#[cfg(test)]
mod tree_tests;
mod tree_writer;
mod unfinished_tree;
mod writer;

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::AtFlags;
use rustix::io::Errno;

pub use checksum::Checksum;
pub use hold::Hold;
pub use mapping::{Mapping, OpenFile};
pub use tree::Tree;
pub use writer::Writer;

use crate::error::{Code, Error, Result};
use crate::file_lock;
use crate::private_dir::{is_same, refused};
use crate::sync::held;
use directory::{write_failed, Directory};
use shared::{Offer, StoreShared};
use tally::DiskTally;

/// The interval at which a wait for another process checks its condition.
const SLICE: Duration = Duration::from_millis(50);
/// The longest time that an offer waits for its `adopt`; an abandoned load must not pin its file for ever.
const OFFER_LIFE: Duration = Duration::from_secs(60);

/// The files of one application in one cache directory, as used by this process. Dropping it closes it.
pub struct Store {
    shared: Arc<StoreShared>,
}

/// Whether the files of a version with this digest keep their names: it is loaded by [`Writer::entry`] and is
/// a [`Tree`].
pub fn is_tree(digest: &str) -> bool {
    names::form(digest) != names::Form::Bytes
}

impl Store {
    /// Opens `<root>/<application>/`, claims it for this process and sweeps the remains of dead processes in
    /// `root`.
    ///
    /// Both directories are created (mode 0700) or must be private to this user, else
    /// [`Code::DirectoryUnsafe`]. `disk_bytes` limits the published and unfinished files of all processes of
    /// the application. A process may have several stores open, also of one application.
    pub fn open(root: &Path, application: &str, disk_bytes: u64) -> Result<Store> {
        let directory = Directory::open(root, application)?;
        let (pins, tally, offers) = (Arc::default(), DiskTally::default(), Mutex::default());
        tally.change().set(disk::used(&directory));
        let shared = StoreShared { directory, disk_bytes, pins, tally, offers };
        Ok(Store { shared: Arc::new(shared) })
    }

    /// Begins to load a digest. `None`: it is published, by any process of the host: [`adopt`](Store::adopt)
    /// it.
    ///
    /// While another thread or process writes it, waits in slices of 50 ms, at most `timeout`, then fails
    /// with [`Code::LoadTimedOut`]; if that writer fails or dies, this caller takes over. `label` names
    /// dataset, version and source in messages. `bytes` is the declared length; it is reserved on disk, with
    /// evictions of unused files, else [`Code::DiskLimit`]. Without a `checksum` to verify, an XXH3 is
    /// computed.
    pub fn begin(
        &self,
        digest: &str,
        label: &str,
        bytes: Option<u64>,
        checksum: Option<Checksum>,
        timeout: Duration,
    ) -> Result<Option<Writer>> {
        self.begin_while(digest, label, bytes, checksum, timeout, &|| Ok(()))
    }

    /// Like [`begin`](Store::begin), while the load is `wanted`, which is checked in every slice of the wait.
    pub fn begin_while(
        &self,
        digest: &str,
        label: &str,
        bytes: Option<u64>,
        checksum: Option<Checksum>,
        timeout: Duration,
        wanted: &dyn Fn() -> Result<()>,
    ) -> Result<Option<Writer>> {
        names::digest(digest)?;
        let start = Instant::now();
        loop {
            wanted()?;
            self.shared.directory.require_open()?;
            if self.offer(digest, label)? {
                return Ok(None);
            }
            if let Some(file) = self.claim(digest, label)? {
                let writer = Writer::new(self.shared.clone(), digest, label, file, bytes, checksum)?;
                return Ok(Some(writer));
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(Error::new(
                    Code::LoadTimedOut,
                    format!(
                        "{label}: another loader on this host has been writing {} for {} ms and has not \
                         finished; check its progress, or raise spark.andiron.cache.loadTimeout",
                        self.path(&names::temporary(digest)).display(),
                        start.elapsed().as_millis()
                    ),
                ));
            }
            thread::sleep(SLICE.min(left));
        }
    }

    /// Maps and populates a published digest, whose length must be `bytes` if that is declared.
    pub fn adopt(&self, digest: &str, label: &str, bytes: Option<u64>) -> Result<Mapping> {
        let (Offer { file, pin, .. }, length) = self.take_offer(digest, label, bytes)?;
        let mapping = Mapping::of(file, length, Some(pin), label)?;
        mapping.populate(label)?;
        Ok(mapping)
    }

    /// The files of a published digest that is a tree, whose total length must be `bytes` if that is
    /// declared.
    pub fn adopt_tree(&self, digest: &str, label: &str, bytes: Option<u64>) -> Result<Tree> {
        let (Offer { pin, tree, .. }, length) = self.take_offer(digest, label, bytes)?;
        let tree = tree.ok_or_else(|| self.not_there(digest, label))?;
        let tree = Tree::of(self.shared.directory.path(), digest, tree, length, pin, label)?;
        tree.read_ahead();
        Ok(tree)
    }

    /// The offer that `begin` has made, or else the published file, with its length.
    fn take_offer(&self, digest: &str, label: &str, bytes: Option<u64>) -> Result<(Offer, u64)> {
        names::digest(digest)?;
        self.shared.directory.require_open()?;
        let offered = self.offers().remove(digest);
        let offer = match offered {
            Some(offer) => offer,
            None => self.find(digest, label)?.ok_or_else(|| self.not_there(digest, label))?,
        };
        let path = self.path(&names::published(digest));
        let stat = rustix::fs::fstat(&offer.file).map_err(|errno| refused("stat", &path, errno))?;
        let length = stat.st_size as u64;
        if let Some(bytes) = bytes.filter(|bytes| *bytes != length) {
            let message =
                format!("{label}: {} has {length} bytes, the catalog declares {bytes}", path.display());
            let help = "two catalogs disagree about this version: correct the one that is wrong";
            return Err(Error::new(Code::SourceSizeMismatch, format!("{message}; {help}")));
        }
        disk::touch(&offer.file).map_err(|errno| refused("set the times of", &path, errno))?;
        Ok((offer, length))
    }

    fn not_there(&self, digest: &str, label: &str) -> Error {
        let path = self.path(&names::published(digest));
        let why = "does not exist: it was evicted, or another program cleans the cache directory";
        Error::new(Code::Io, format!("{label}: {} {why}; load it again", path.display()))
    }

    /// Maps a user's file in place, checksummed and populated. Nothing is copied, and the file does not count
    /// towards the disk limit. The user guarantees that it is never written to again.
    pub fn map_in_place(
        &self,
        path: &Path,
        label: &str,
        bytes: Option<u64>,
        checksum: Option<Checksum>,
    ) -> Result<Mapping> {
        self.shared.directory.require_open()?;
        source::map_in_place(path, label, bytes, checksum)
    }

    /// Published and reserved bytes of the application, as known to this process: changes by other processes
    /// since its last reservation are not included. 0 once it is closed. Never waits.
    pub fn disk_used(&self) -> u64 {
        self.shared.directory.require_open().map_or(0, |()| self.shared.tally.bytes())
    }

    /// Ends this process's use: later calls fail with [`Code::CatalogClosed`], mappings stay valid, and the
    /// directory is removed with the last process that uses it. A second call has no effect.
    pub fn close(&self) {
        self.shared.directory.close();
        self.offers().clear();
    }

    /// Keeps a published file for `adopt`; false if there is none.
    fn offer(&self, digest: &str, label: &str) -> Result<bool> {
        let found = self.find(digest, label)?;
        let mut offers = self.offers();
        offers.retain(|_, offer| offer.made.elapsed() < OFFER_LIFE);
        Ok(found.map(|offer| offers.insert(digest.to_string(), offer)).is_some())
    }

    /// A published file, pinned before it is opened.
    fn find(&self, digest: &str, label: &str) -> Result<Option<Offer>> {
        let pin = self.shared.pins.pin(digest);
        let name = names::published(digest);
        let file = match self.shared.directory.open_existing(&name) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(write_failed(label, "open", &self.path(&name), &errno.into())),
        };
        if !is_tree(digest) {
            return Ok(Some(Offer { file, pin, tree: None, made: Instant::now() }));
        }
        let tree = tree::share(self.shared.directory.fd(), digest, file.as_fd())
            .map_err(|errno| write_failed(label, "open", &self.path(&names::tree(digest)), &errno.into()))?;
        Ok(tree.map(|tree| Offer { file, pin, tree: Some(tree), made: Instant::now() }))
    }

    /// The locked temporary file of an unpublished digest; `None` if another writer has the lock, or had it
    /// until now.
    fn claim(&self, digest: &str, label: &str) -> Result<Option<OwnedFd>> {
        let (directory, name) = (&self.shared.directory, names::temporary(digest));
        let failed = |action: &str, errno: Errno| {
            directory.require_open().err().unwrap_or_else(|| match errno {
                Errno::NOENT => vanished(label, directory.path()),
                errno => write_failed(label, action, &self.path(&name), &errno.into()),
            })
        };
        let file = directory.create(&name).map_err(|errno| failed("create", errno))?;
        if !file_lock::try_exclusive(&file).map_err(|errno| failed("lock", errno))?
            || !is_same(directory.fd(), name.as_str(), file.as_fd())
        {
            return Ok(None);
        }
        let published = names::published(digest);
        match rustix::fs::statat(directory.fd(), published.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(Some(file)),
            _ => {
                let removed = rustix::fs::unlinkat(directory.fd(), name.as_str(), AtFlags::empty());
                removed.map_err(|errno| failed("remove", errno))?;
                Ok(None)
            }
        }
    }

    fn offers(&self) -> MutexGuard<'_, HashMap<String, Offer>> {
        held(self.shared.offers.lock())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.shared.directory.path().join(name)
    }
}

fn vanished(label: &str, directory: &Path) -> Error {
    let message = format!(
        "{label}: the cache directory {} was removed while the application runs",
        directory.display()
    );
    Error::new(
        Code::Io,
        format!("{message}; exclude it from any other clean-up, or set spark.andiron.cache.dir elsewhere"),
    )
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{begin, files, noise, publish, read, store, PATIENCE};
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LABEL: &str = "videos/v1 from file:/v1";

    #[test]
    fn one_thread_loads_and_the_others_adopt() {
        let (_dir, store) = store(u64::MAX);
        let bytes = noise(1, 300_000);
        let loads = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let writer = store.begin("a", LABEL, Some(300_000), None, PATIENCE).unwrap();
                    let mapping = match writer {
                        Some(mut writer) => {
                            loads.fetch_add(1, Ordering::Relaxed);
                            thread::sleep(Duration::from_millis(30));
                            writer.write(&bytes).unwrap();
                            writer.publish().unwrap()
                        }
                        None => store.adopt("a", LABEL, Some(300_000)).unwrap(),
                    };
                    assert!(read(&mapping) == bytes);
                });
            }
        });
        assert_eq!(loads.into_inner(), 1);
        assert_eq!(files(&store), ["a.bytes"]);
    }

    #[test]
    fn a_waiter_takes_over_from_a_writer_that_failed() {
        let (_dir, store) = store(u64::MAX);
        let mut failing = begin(&store, "a", Some(5_000));
        failing.write(&[1; 4_000]).unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| begin(&store, "a", None));
            thread::sleep(Duration::from_millis(60));
            drop(failing);
            let mut writer = waiter.join().unwrap();
            writer.write(b"new").unwrap();
            assert_eq!(read(&writer.publish().unwrap()), b"new");
        });
    }

    #[test]
    fn a_wait_ends_with_its_timeout() {
        let (_dir, store) = store(u64::MAX);
        let _writer = begin(&store, "a", None);
        for millis in [0, 120] {
            let start = Instant::now();
            let timeout = Duration::from_millis(millis);
            let error = store.begin("a", LABEL, None, None, timeout).err().unwrap();
            assert_eq!(error.code(), Code::LoadTimedOut);
            assert!(start.elapsed() >= timeout);
            for part in [LABEL, "a.tmp", "spark.andiron.cache.loadTimeout"] {
                assert!(error.message().contains(part), "{error}");
            }
        }
        assert!(store.begin("b", LABEL, None, None, Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn a_mapping_outlives_file_store_and_directory() {
        let (dir, store) = store(u64::MAX);
        let bytes = noise(1, 100_000);
        let first = publish(&store, "a", &bytes);
        let second = store.adopt("a", LABEL, None).unwrap();
        assert!(first.checksum().is_some() && second.checksum().is_none());
        store.close();
        drop((store, dir));
        first.drop_pages();
        assert!(read(&first) == bytes && read(&second) == bytes);
    }

    #[test]
    fn what_is_published_is_begun_no_more() {
        let (_dir, store) = store(u64::MAX);
        drop(publish(&store, "a", b"abc"));
        for _ in 0..3 {
            assert!(store.begin("a", LABEL, Some(3), None, Duration::ZERO).unwrap().is_none());
        }
        assert_eq!(store.adopt("a", LABEL, Some(4)).unwrap_err().code(), Code::SourceSizeMismatch);
        assert_eq!(read(&store.adopt("a", LABEL, Some(3)).unwrap()), b"abc");
    }

    #[test]
    fn what_began_as_published_is_adopted_even_if_its_file_goes() {
        let (_dir, store) = store(u64::MAX);
        drop(publish(&store, "a", b"abc"));
        assert!(store.begin("a", LABEL, None, None, Duration::ZERO).unwrap().is_none());
        std::fs::remove_file(store.path("a.bytes")).unwrap();
        assert_eq!(read(&store.adopt("a", LABEL, None).unwrap()), b"abc");
        let error = store.adopt("a", LABEL, None).unwrap_err();
        assert_eq!(error.code(), Code::Io);
        assert!(error.message().contains(LABEL) && error.message().contains("a.bytes"), "{error}");
    }

    #[test]
    fn after_close_everything_says_so() {
        let (_dir, store) = store(u64::MAX);
        let mut writer = begin(&store, "a", None);
        writer.write(b"abc").unwrap();
        store.close();
        let errors = [
            writer.publish().err(),
            store.begin("a", LABEL, None, None, PATIENCE).err(),
            store.adopt("a", LABEL, None).err(),
            store.map_in_place(Path::new("/dev/null"), LABEL, None, None).err(),
        ];
        for error in errors {
            assert_eq!(error.unwrap().code(), Code::CatalogClosed);
        }
        assert_eq!(store.disk_used(), 0);
    }

    #[test]
    fn a_bad_digest_is_refused() {
        let (_dir, store) = store(u64::MAX);
        for digest in ["", "../a", "a/b", "a\0"] {
            let begun = store.begin(digest, LABEL, None, None, PATIENCE).err().unwrap();
            let adopted = store.adopt(digest, LABEL, None).unwrap_err();
            assert_eq!((begun.code(), adopted.code()), (Code::BadArgument, Code::BadArgument));
        }
    }

    #[test]
    fn what_is_handed_around_may_cross_threads() {
        fn crosses<T: Send + Sync>() {}
        crosses::<Store>();
        crosses::<Mapping>();
        fn moves<T: Send>() {}
        moves::<Writer>();
    }
}
