//! A user's local file as a source, verified not to change from the first byte to the last.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;

use rustix::fs::{FileType, Mode, OFlags};

use super::checksum::{self, Checksum, Hasher};
use super::mapping::Mapping;
use crate::error::{Code, Error, Result};

/// Bytes per read: large enough to make the cost of a call negligible, small enough for the second-level
/// cache.
const READ: usize = 1 << 20;

/// An open source with its state at the time of opening.
pub(super) struct SourceFile<'a> {
    file: File,
    path: &'a Path,
    label: &'a str,
    state: SourceState,
}

/// Attributes that differ after a write, truncation or removal of the file.
#[derive(PartialEq, Eq)]
struct SourceState {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl<'a> SourceFile<'a> {
    /// Opens a regular file that has the declared length, if one is declared.
    pub(super) fn open(path: &'a Path, label: &'a str, declared: Option<u64>) -> Result<SourceFile<'a>> {
        let missing = |why: &dyn std::fmt::Display| {
            let help = "check that the path exists on every executor and that this user may read it";
            let message = format!("{label}: the source {} cannot be opened: {why}; {help}", path.display());
            Error::new(Code::SourceMissing, message)
        };
        // Without NONBLOCK, opening a pipe would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| missing(&errno))?;
        let stat = rustix::fs::fstat(&file).map_err(|errno| missing(&errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(missing(&"it is a directory")),
            _ => return Err(missing(&"it is not a regular file")),
        }
        let source = SourceFile { file: File::from(file), path, label, state: SourceState::of(&stat) };
        match declared {
            Some(declared) if declared != source.len() => Err(Error::new(
                Code::SourceSizeMismatch,
                format!(
                    "{label}: the source {} has {} bytes, the catalog declares {declared}; it is truncated or \
                     another version: restore it, or correct the catalog",
                    path.display(),
                    source.len()
                ),
            )),
            _ => Ok(source),
        }
    }

    /// The length at the time of opening.
    pub(super) fn len(&self) -> u64 {
        self.state.bytes
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Fills `buffer` from `offset`; fewer bytes only at the end of the file.
    pub(super) fn fill(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        fill(&self.file, offset, buffer).map_err(|error| self.unreadable(offset, &error))
    }

    /// [`Code::SourceChanged`] unless the file is unchanged since it was opened and `read` is its whole
    /// length.
    pub(super) fn require_unchanged(&self, read: u64) -> Result<()> {
        let stat = rustix::fs::fstat(&self.file).map_err(|errno| self.unreadable(0, &errno.into()))?;
        if read == self.len() && SourceState::of(&stat) == self.state {
            return Ok(());
        }
        Err(Error::new(
            Code::SourceChanged,
            format!(
                "{}: the source {} was written to, replaced or removed while it was being loaded ({} bytes at \
                 first, {read} read, {} now); publish versions under new names and never rewrite one",
                self.label,
                self.path.display(),
                self.len(),
                stat.st_size
            ),
        ))
    }

    fn unreadable(&self, offset: u64, error: &io::Error) -> Error {
        Error::io(&format!("{}: read the source {} at {offset}", self.label, self.path.display()), error)
    }
}

impl SourceState {
    fn of(stat: &rustix::fs::Stat) -> SourceState {
        // Their types differ between systems.
        #[allow(clippy::unnecessary_cast)]
        SourceState {
            device: stat.st_dev as u64,
            inode: stat.st_ino,
            bytes: stat.st_size as u64,
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }
}

/// Fills `buffer` from `offset`; fewer bytes only at the end of the file.
fn fill(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Feeds every byte of a file to `hasher`; returns their number.
pub(super) fn hash(file: &File, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; READ];
    let mut offset = 0;
    loop {
        let read = fill(file, offset, &mut buffer)?;
        hasher.update(&buffer[..read]);
        offset += read as u64;
        if read < buffer.len() {
            return Ok(offset);
        }
    }
}

/// Maps a user's file. Its bytes are checksummed through read calls while a second thread populates the
/// mapping, so that neither waits for the other. The user guarantees that the file is not written later.
pub(super) fn map_in_place(
    path: &Path,
    label: &str,
    bytes: Option<u64>,
    declared: Option<Checksum>,
) -> Result<Mapping> {
    let source = SourceFile::open(path, label, bytes)?;
    let file = source.file.try_clone().map_err(|error| source.unreadable(0, &error))?;
    let mapping = Mapping::of(file.into(), source.len(), None, label)?;
    let mut hasher = Hasher::like(declared.as_ref());
    let (read, populated) = thread::scope(|scope| {
        let populate = || mapping.populate(label);
        let populating = thread::Builder::new().name("andiron-populate".into()).spawn_scoped(scope, populate);
        let read = hash(&source.file, &mut hasher);
        let populated = match populating {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // No thread could be started: the pages are read by now, so little is lost.
            Err(_) => populate(),
        };
        (read, populated)
    });
    let read = read.map_err(|error| source.unreadable(0, &error))?;
    source.require_unchanged(read)?;
    populated?;
    let found = hasher.finish();
    checksum::verify(declared.as_ref(), &found, label)?;
    Ok(mapping.with_checksum(found))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{noise, read, store};
    use super::*;
    use std::fs;

    const LABEL: &str = "videos/v1";

    fn error_of(path: &Path, bytes: Option<u64>, checksum: Option<Checksum>) -> Error {
        let error = map_in_place(path, LABEL, bytes, checksum).unwrap_err();
        assert!(error.message().contains(LABEL), "{error}");
        error
    }

    #[test]
    fn a_file_is_mapped_where_it_is() {
        let (dir, store) = store(0);
        let path = dir.path().join("source");
        for length in [0, 1, 4096, READ - 1, READ, 3 * READ + 5] {
            let bytes = noise(1, length);
            fs::write(&path, &bytes).unwrap();
            let expected = Checksum::Xxh3(xxhash_rust::xxh3::xxh3_64(&bytes));
            for declared in [None, Some(expected), Some(Checksum::Crc32(crc32fast::hash(&bytes)))] {
                let mapping = store.map_in_place(&path, LABEL, Some(length as u64), declared).unwrap();
                assert_eq!(read(&mapping), bytes);
                assert_eq!(mapping.checksum(), Some(&declared.unwrap_or(expected)));
                assert_eq!(mapping.resident_bytes(), length as u64);
            }
        }
        assert_eq!(store.disk_used(), 0);
    }

    /// The checksum of zeros by doubling, without reading any.
    fn crc_of_zeros(length: u64) -> crc32fast::Hasher {
        let mut half = if length < 2 { crc32fast::Hasher::new() } else { crc_of_zeros(length / 2) };
        half.combine(&half.clone());
        if length % 2 == 1 {
            half.update(&[0]);
        }
        half
    }

    #[test]
    fn a_sparse_file_of_more_than_two_gigabytes_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source");
        let length = (2 << 30) + 4097;
        let file = File::create(&path).unwrap();
        file.set_len(length).unwrap();
        file.write_all_at(b"end", length - 3).unwrap();
        let mut expected = crc_of_zeros(length - 3);
        expected.update(b"end");
        let checksum = Checksum::Crc32(expected.finalize());
        let mapping = map_in_place(&path, LABEL, Some(length), Some(checksum)).unwrap();
        assert_eq!(mapping.len(), length);
        let mut tail = [0; 4];
        let memory = File::open("/proc/self/mem").unwrap();
        memory.read_exact_at(&mut tail, mapping.address() + length - 4).unwrap();
        assert_eq!(&tail, b"\0end");
    }

    #[test]
    fn what_cannot_be_opened_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let cycle = dir.path().join("cycle");
        std::os::unix::fs::symlink("cycle", &cycle).unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        for path in [dir.path().join("none"), dir.path().into(), pipe, cycle, file.join("below")] {
            let error = error_of(&path, None, None);
            assert_eq!(error.code(), Code::SourceMissing, "{error}");
            assert!(error.message().contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_wrong_length_or_checksum_is_told_with_both_values() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source");
        fs::write(&path, "abc").unwrap();
        for declared in [0, 2, 4] {
            let error = error_of(&path, Some(declared), None);
            assert_eq!(error.code(), Code::SourceSizeMismatch);
            assert!(error.message().contains("3 bytes") && error.message().contains(&declared.to_string()));
        }
        assert_eq!(error_of(&path, Some(3), Some(Checksum::Crc32(1))).code(), Code::ChecksumMismatch);
    }

    #[test]
    fn every_kind_of_change_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source");
        let write = |bytes: &str| fs::write(&path, bytes).unwrap();
        let changes: [(&str, &dyn Fn()); 4] = [
            ("rewritten", &|| write("abd")),
            ("grown", &|| write("abcd")),
            ("truncated", &|| write("")),
            ("removed", &|| fs::remove_file(&path).unwrap()),
        ];
        for (change, make) in changes {
            write("abc");
            let source = SourceFile::open(&path, LABEL, None).unwrap();
            source.require_unchanged(3).unwrap();
            // The clock of file times is coarse.
            std::thread::sleep(std::time::Duration::from_millis(20));
            make();
            let error = source.require_unchanged(3).unwrap_err();
            assert_eq!(error.code(), Code::SourceChanged, "{change}");
            assert!(error.message().contains(LABEL), "{error}");
        }
    }

    #[test]
    fn a_short_read_is_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source");
        fs::write(&path, "abc").unwrap();
        let source = SourceFile::open(&path, LABEL, None).unwrap();
        assert_eq!(source.require_unchanged(2).unwrap_err().code(), Code::SourceChanged);
    }
}
