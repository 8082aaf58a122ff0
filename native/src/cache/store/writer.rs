//! The writing of one version: a temporary file that is either published or removed without a trace.
//!
//! States: writing, then published or removed. In the first state its [`Hold`] keeps the temporary file
//! locked, so no other process or thread writes the digest, and the file's length is the reservation on disk;
//! once the hold is given up every call fails. Bytes are written in blocks of 1 MiB on 1 MiB boundaries,
//! which the kernel keeps in large pages below the size of a huge one (docs/internals/decisions.md says why).
//! After the first error every call returns that error.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::checksum::{self, Checksum, Hasher};
use super::directory::write_failed;
use super::disk;
use super::hold::Hold;
use super::mapping::Mapping;
use super::names;
use super::pins::Pin;
use super::shared::StoreShared;
use super::source::{self, SourceFile};
use super::unfinished_tree::TreeWriter;
use crate::error::{Code, Error, Result};
use crate::private_dir::{is_same, refused};

const BLOCK: usize = 1 << 20;
/// Without a declared length the reservation doubles, up to this distance ahead of the bytes.
const MOST_AHEAD: u64 = 64 << 20;

/// Writes one version's file. Dropping it unpublished removes the file.
pub struct Writer {
    pub(super) shared: Arc<StoreShared>,
    pub(super) digest: String,
    pub(super) label: String,
    pub(super) hold: Arc<Hold>,
    /// The destination of bytes: the temporary file, or a file of the tree.
    pub(super) file: File,
    /// Set once the version is a tree of files that keep their names.
    pub(super) tree: Option<TreeWriter>,
    pub(super) pin: Option<Pin>,
    declared: Option<u64>,
    pub(super) checksum: Option<Checksum>,
    pub(super) hasher: Hasher,
    /// Accepted bytes, of which the last `buffer.len()` are not yet in the file.
    pub(super) taken: u64,
    buffer: Vec<u8>,
    reserved: u64,
    failed: Option<Error>,
}

impl Writer {
    /// Takes over a locked temporary file, discards the content that a dead writer left, and reserves the
    /// declared length.
    pub(super) fn new(
        shared: Arc<StoreShared>,
        digest: &str,
        label: &str,
        file: OwnedFd,
        declared: Option<u64>,
        checksum: Option<Checksum>,
    ) -> Result<Writer> {
        let file = File::from(file);
        let hold = Hold::new(shared.clone(), digest, label, &file)
            .map_err(|error| Error::io(&format!("{label}: keep the lock of {digest}"), &error))?;
        let mut writer = Writer {
            pin: Some(shared.pins.pin(digest)),
            shared,
            hold,
            digest: digest.to_string(),
            label: label.to_string(),
            file,
            tree: None,
            declared,
            hasher: Hasher::like(checksum.as_ref()),
            checksum,
            taken: 0,
            buffer: Vec::new(),
            reserved: 0,
            failed: None,
        };
        writer.empty()?;
        writer.reserve(declared.unwrap_or(0))?;
        Ok(writer)
    }

    /// Writes the next bytes. More than the declared length is [`Code::SourceSizeMismatch`] at once.
    pub fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.attempt(|writer| writer.append(chunk))
    }

    /// Writes the whole of a local file, by reflink if the file system supports it, else by copying.
    ///
    /// A source that changes in the meantime is [`Code::SourceChanged`].
    pub fn copy_local(&mut self, path: &Path) -> Result<()> {
        self.attempt(|writer| writer.copy_from(path, reflink))
    }

    /// The means to take the file away from this writer, from any thread.
    pub fn hold(&self) -> Arc<Hold> {
        Arc::clone(&self.hold)
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.taken
    }

    /// Verifies length and checksum, maps and populates the file, and gives it its name.
    pub fn publish(mut self) -> Result<Mapping> {
        let mapping = self.before_its_name()?;
        self.hold
            .publish()
            .map_err(|errno| self.gone().unwrap_or_else(|| refused("publish", &self.path(), errno)))?;
        log::info!("{}: published {} bytes, {}", self.label, self.taken, self.hasher.finish());
        Ok(mapping)
    }

    /// All of publishing except for the name.
    pub(super) fn before_its_name(&mut self) -> Result<Mapping> {
        self.attempt(Writer::finish)?;
        let found = self.hasher.finish();
        checksum::verify(self.checksum.as_ref(), &found, &self.label)?;
        Ok(self.map()?.with_checksum(found))
    }

    /// Runs a step unless an earlier one has failed; then the result is that error.
    pub(super) fn attempt(&mut self, step: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let done = step(self);
        self.failed = done.as_ref().err().cloned();
        done
    }

    fn append(&mut self, chunk: &[u8]) -> Result<()> {
        self.make_room(chunk.len() as u64)?;
        self.hasher.update(chunk);
        let mut rest = chunk;
        while !rest.is_empty() {
            let whole = rest.len() - rest.len() % BLOCK;
            if self.buffer.is_empty() && whole > 0 {
                self.put(&rest[..whole], self.taken - self.base())?;
                self.taken += whole as u64;
                rest = &rest[whole..];
                continue;
            }
            self.buffer.reserve_exact(BLOCK - self.buffer.len());
            let (now, later) = rest.split_at(rest.len().min(BLOCK - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            self.taken += now.len() as u64;
            rest = later;
            if self.buffer.len() == BLOCK {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn copy_from(
        &mut self,
        path: &Path,
        clone: impl FnOnce(&File, &File) -> std::result::Result<(), Errno>,
    ) -> Result<()> {
        let label = self.label.clone();
        let declared = self.tree.as_ref().map_or(self.declared, |tree| Some(tree.end()));
        let expected = declared.map(|declared| declared.saturating_sub(self.taken));
        let source = SourceFile::open(path, &label, expected)?;
        self.make_room(source.len())?;
        let cloned = self.taken == self.base() && source.len() > 0 && self.try_clone(&source, clone)?;
        let read = if cloned { self.take_clone()? } else { self.take_copy(&source)? };
        source.require_unchanged(read)
    }

    /// Whether the file now has the source's length and shares its blocks. A file system without reflinks is
    /// not an error.
    fn try_clone(
        &mut self,
        source: &SourceFile<'_>,
        clone: impl FnOnce(&File, &File) -> std::result::Result<(), Errno>,
    ) -> Result<bool> {
        if self.tree.is_none() && self.reserved != source.len() {
            self.resize(source.len())?;
            self.reserved = source.len();
        }
        match clone(&self.file, source.file()) {
            Ok(()) => Ok(true),
            Err(errno @ (Errno::NOSPC | Errno::DQUOT)) => Err(self.unwritable(&errno.into())),
            Err(_) => Ok(false),
        }
    }

    /// Checksums the clone, which is independent of later changes to the source.
    fn take_clone(&mut self) -> Result<u64> {
        let read = source::hash(&self.file, &mut self.hasher)
            .map_err(|error| Error::io(&format!("{}: read {}", self.label, self.path().display()), &error))?;
        self.taken += read;
        Ok(read)
    }

    fn take_copy(&mut self, source: &SourceFile<'_>) -> Result<u64> {
        self.flush()?;
        let mut block = std::mem::take(&mut self.buffer);
        block.resize(BLOCK, 0);
        let mut read = 0;
        loop {
            let filled = source.fill(read, &mut block)?;
            self.make_room(filled as u64)?;
            self.hasher.update(&block[..filled]);
            self.put(&block[..filled], self.taken - self.base())?;
            self.taken += filled as u64;
            read += filled as u64;
            if filled < BLOCK {
                block.clear();
                self.buffer = block;
                return Ok(read);
            }
        }
    }

    /// Checks that `more` bytes are still wanted and within the declared length, and reserves them on disk.
    fn make_room(&mut self, more: u64) -> Result<()> {
        self.hold.require()?;
        let wanted = self.taken.saturating_add(more);
        if let Some(declared) = self.declared.filter(|declared| wanted > *declared) {
            return Err(self.wrong_length(&format!("at least {wanted}"), declared));
        }
        if wanted <= self.reserved {
            return Ok(());
        }
        match self.reserve(wanted.saturating_add(wanted.min(MOST_AHEAD))) {
            Err(error) if error.code() == Code::DiskLimit => self.reserve(wanted),
            done => done,
        }
    }

    fn reserve(&mut self, bytes: u64) -> Result<()> {
        disk::reserve(&self.shared, &self.hold, self.temporary().as_fd(), bytes, &self.label).map_err(
            |error| {
                let gone = (error.code() == Code::Io).then(|| self.gone()).flatten();
                gone.unwrap_or(error)
            },
        )?;
        self.reserved = bytes;
        Ok(())
    }

    /// The start of the file being written among all bytes.
    fn base(&self) -> u64 {
        self.tree.as_ref().map_or(0, TreeWriter::base)
    }

    /// The file whose lock marks the digest as being written, and whose length is the reservation on disk.
    fn temporary(&self) -> &File {
        self.tree.as_ref().map_or(&self.file, TreeWriter::temporary)
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.put(&self.buffer, self.taken - self.base() - self.buffer.len() as u64)?;
        self.buffer.clear();
        Ok(())
    }

    fn put(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(|error| self.unwritable(&error))
    }

    /// Discards the content that a dead writer left. A new file is not truncated: ext4 would flush it to disk
    /// on close.
    fn empty(&self) -> Result<()> {
        let left = self.file.metadata().map_err(|error| self.unwritable(&error))?.len();
        if left > 0 {
            self.resize(0)
        } else {
            Ok(())
        }
    }

    fn resize(&self, bytes: u64) -> Result<()> {
        let change = self.shared.tally.change();
        self.hold.require()?;
        let before = self.temporary().metadata().map_err(|error| self.unwritable(&error))?.len();
        self.temporary().set_len(bytes).map_err(|error| self.unwritable(&error))?;
        change.less(before);
        change.more(bytes);
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<()> {
        self.flush()?;
        match self.declared {
            Some(declared) if declared != self.taken => {
                Err(self.wrong_length(&format!("only {}", self.taken), declared))
            }
            _ if self.reserved != self.taken => self.resize(self.taken),
            _ => Ok(()),
        }
    }

    /// Maps the finished file through a read-only descriptor, and makes sure that it still has its name.
    fn map(&mut self) -> Result<Mapping> {
        let reader = self
            .shared
            .directory
            .open_existing(&names::temporary(&self.digest))
            .map_err(|errno| self.gone().unwrap_or_else(|| refused("open", &self.path(), errno)))?;
        disk::touch(&reader).map_err(|errno| refused("set the times of", &self.path(), errno))?;
        let mapping = Mapping::of(reader, self.taken, self.pin.take(), &self.label)?;
        mapping.populate(&self.label)?;
        Ok(mapping)
    }

    /// The error if the file lost its name: it was given up, or the directory was removed during the writing.
    pub(super) fn gone(&self) -> Option<Error> {
        let ours = self.hold.require().and_then(|()| self.shared.directory.require_open());
        if let Err(ended) = ours {
            return Some(ended);
        }
        let dir = self.shared.directory.fd();
        if is_same(dir, names::temporary(&self.digest), self.temporary().as_fd()) {
            return None;
        }
        let path = self.path();
        let message = format!("{}: {} was removed while it was being written", self.label, path.display());
        Some(Error::new(Code::Io, format!("{message}; exclude the cache directory from any other clean-up")))
    }

    pub(super) fn wrong_length(&self, found: &str, declared: u64) -> Error {
        let message =
            format!("{}: the source gave {found} bytes, the catalog declares {declared}", self.label);
        let help =
            "it is truncated, still being written or another version: restore it, or correct the catalog";
        Error::new(Code::SourceSizeMismatch, format!("{message}; {help}"))
    }

    pub(super) fn unwritable(&self, error: &std::io::Error) -> Error {
        write_failed(&self.label, "write", &self.path(), error)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.shared.directory.path().join(names::temporary(&self.digest))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.hold.give_up();
        self.drop_tree();
    }
}

#[cfg(target_os = "linux")]
fn reflink(to: &File, from: &File) -> std::result::Result<(), Errno> {
    rustix::fs::ioctl_ficlone(to, from)
}

#[cfg(not(target_os = "linux"))]
fn reflink(_to: &File, _from: &File) -> std::result::Result<(), Errno> {
    Err(Errno::NOTSUP)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{begin, files, noise, read, store, Noise, PATIENCE};
    use super::*;
    use std::fs;

    const NO_CLONE: fn(&File, &File) -> std::result::Result<(), Errno> = |_, _| Err(Errno::OPNOTSUPP);

    fn xxh3(bytes: &[u8]) -> Checksum {
        Checksum::Xxh3(xxhash_rust::xxh3::xxh3_64(bytes))
    }

    #[test]
    fn chunks_of_any_size_arrive_whole() {
        let (_dir, store) = store(u64::MAX);
        let mut random = Noise::new(5);
        for (round, most) in [1_000, BLOCK as u64, 3 * BLOCK as u64].into_iter().enumerate() {
            for declare in [false, true] {
                let bytes = noise(round as u64, random.below(5 * BLOCK as u64 / 2) as usize);
                let digest = format!("d{round}{declare}");
                let mut writer = begin(&store, &digest, declare.then_some(bytes.len() as u64));
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (head, tail) = rest.split_at((1 + random.below(most) as usize).min(rest.len()));
                    writer.write(head).unwrap();
                    rest = tail;
                }
                assert_eq!(writer.written(), bytes.len() as u64);
                let mapping = writer.publish().unwrap();
                assert_eq!(mapping.checksum(), Some(&xxh3(&bytes)));
                assert!(read(&mapping) == bytes, "{digest}");
            }
        }
    }

    #[test]
    fn nothing_at_all_is_a_version_too() {
        let (dir, store) = store(0);
        let mapping = begin(&store, "written", Some(0)).publish().unwrap();
        assert_eq!((mapping.len(), mapping.address()), (0, 0));
        fs::write(dir.path().join("empty"), "").unwrap();
        let mut writer = begin(&store, "copied", None);
        writer.copy_local(&dir.path().join("empty")).unwrap();
        assert_eq!(writer.publish().unwrap().checksum(), Some(&xxh3(b"")));
        assert_eq!(files(&store), ["copied.bytes", "written.bytes"]);
    }

    #[test]
    fn too_much_fails_at_once_and_too_little_at_the_end() {
        let (_dir, store) = store(u64::MAX);
        let mut writer = begin(&store, "a", Some(3));
        let error = writer.write(b"abcd").unwrap_err();
        assert_eq!(error.code(), Code::SourceSizeMismatch);
        assert!(error.message().contains("videos/v1") && error.message().contains("declares 3"), "{error}");
        assert_eq!(writer.write(b"a").unwrap_err().code(), Code::SourceSizeMismatch);
        assert_eq!(writer.publish().unwrap_err().code(), Code::SourceSizeMismatch);
        let mut writer = begin(&store, "a", Some(3));
        writer.write(b"ab").unwrap();
        assert!(writer.publish().unwrap_err().message().contains("only 2"));
        assert_eq!(files(&store), [""; 0]);
    }

    #[test]
    fn a_wrong_checksum_publishes_nothing() {
        let (_dir, store) = store(u64::MAX);
        let declared =
            Checksum::parse("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
                .unwrap();
        for (bytes, ok) in [(b"abd", false), (b"abc", true)] {
            let checksum = Some(declared);
            let mut writer = store.begin("a", "x", Some(3), checksum, PATIENCE).unwrap().unwrap();
            writer.write(bytes).unwrap();
            match writer.publish() {
                Ok(mapping) => assert!(ok && mapping.checksum() == checksum.as_ref()),
                Err(error) => assert!(!ok && error.code() == Code::ChecksumMismatch, "{error}"),
            }
        }
    }

    #[test]
    fn a_full_disk_is_told_and_leaves_nothing() {
        let (dir, store) = store(u64::MAX);
        let source = dir.path().join("source");
        fs::write(&source, noise(1, BLOCK)).unwrap();
        type Step = fn(&mut Writer, &Path) -> Result<()>;
        let steps: [(&str, Step); 4] = [
            ("in a write", |writer, _| writer.write(&noise(1, BLOCK))),
            ("in a copy", |writer, source| writer.copy_from(source, NO_CLONE)),
            ("in a clone", |writer, source| writer.copy_from(source, |_, _| Err(Errno::NOSPC))),
            ("at the end", |writer, _| writer.write(b"abc").and_then(|()| writer.attempt(Writer::flush))),
        ];
        for (when, step) in steps {
            let mut writer = begin(&store, "a", None);
            writer.reserve(BLOCK as u64).unwrap();
            // Every write to /dev/full fails like one to a full disk.
            let full = File::options().read(true).write(true).open("/dev/full").unwrap();
            let file = std::mem::replace(&mut writer.file, full);
            let error = step(&mut writer, &source).unwrap_err();
            assert_eq!(error.code(), Code::DiskFull, "{when}");
            for part in ["videos/v1", "a.tmp", "spark.andiron.cache.dir"] {
                assert!(error.message().contains(part), "{when}: {error}");
            }
            writer.file = file;
            drop(writer);
            assert_eq!(files(&store), [""; 0], "{when}");
        }
    }

    #[test]
    fn a_local_file_is_copied_or_cloned() {
        let (dir, store) = store(u64::MAX);
        let source = dir.path().join("source");
        for (round, length) in [1, BLOCK - 1, BLOCK, BLOCK + 11].into_iter().enumerate() {
            let bytes = noise(round as u64, length);
            fs::write(&source, &bytes).unwrap();
            let mut copied = begin(&store, &format!("copied{round}"), Some(length as u64));
            copied.copy_from(&source, NO_CLONE).unwrap();
            let mut cloned = begin(&store, &format!("cloned{round}"), None);
            // The effect of FICLONE, for file systems that cannot share blocks.
            let clone = |mut to: &File, mut from: &File| {
                std::io::copy(&mut from, &mut to).map(|_| ()).map_err(|_| Errno::IO)
            };
            cloned.copy_from(&source, clone).unwrap();
            let mut local = begin(&store, &format!("local{round}"), None);
            local.copy_local(&source).unwrap();
            for writer in [copied, cloned, local] {
                let mapping = writer.publish().unwrap();
                assert_eq!(mapping.checksum(), Some(&xxh3(&bytes)));
                assert!(read(&mapping) == bytes);
            }
        }
    }

    #[test]
    fn a_file_stays_writable_until_it_has_its_name() {
        use std::os::unix::fs::MetadataExt;
        let (dir, store) = store(u64::MAX);
        let mode =
            |name: &str| fs::metadata(dir.path().join("cache/app-1").join(name)).unwrap().mode() & 0o777;
        let mut writer = begin(&store, "a", None);
        writer.write(b"abc").unwrap();
        let mapping = writer.before_its_name().unwrap();
        assert_eq!((read(&mapping), mode("a.tmp")), (b"abc".to_vec(), 0o600));
        writer.hold.publish().unwrap();
        assert_eq!(mode("a.bytes"), 0o400);
    }

    #[test]
    fn a_copy_may_follow_what_was_written() {
        let (dir, store) = store(u64::MAX);
        let source = dir.path().join("source");
        fs::write(&source, b"def").unwrap();
        let mut writer = begin(&store, "a", Some(9));
        writer.write(b"abc").unwrap();
        assert_eq!(writer.copy_local(&source).unwrap_err().code(), Code::SourceSizeMismatch);
        let mut writer = begin(&store, "b", None);
        writer.write(b"abc").unwrap();
        writer.copy_local(&source).unwrap();
        writer.write(b"ghi").unwrap();
        assert_eq!(read(&writer.publish().unwrap()), b"abcdefghi");
    }

    #[test]
    fn a_source_rewritten_during_the_copy_is_told() {
        let (dir, store) = store(u64::MAX);
        let source = dir.path().join("source");
        fs::write(&source, noise(1, 100)).unwrap();
        let mut writer = begin(&store, "a", Some(100));
        let rewrite = |_: &File, _: &File| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            fs::write(&source, noise(2, 100)).unwrap();
            Err(Errno::OPNOTSUPP)
        };
        let error = writer.copy_from(&source, rewrite).unwrap_err();
        assert_eq!(error.code(), Code::SourceChanged);
        assert!(error.message().contains("videos/v1") && error.message().contains("source"), "{error}");
    }
}
