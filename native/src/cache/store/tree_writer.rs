//! The writing of a version whose files keep their names: one file after the other, into a directory of the
//! writer's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::checksum::{self, Hasher};
use super::names::{self, Form};
use super::tree::{self, Tree};
use super::unfinished_tree::TreeWriter;
use super::writer::Writer;
use crate::error::{Code, Error, Result};
use crate::private_dir::{nonce, refused};

const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

impl Writer {
    /// Completes the previous file and begins one of `bytes` bytes at a path with slashes, relative to the
    /// version's directory.
    pub fn entry(&mut self, path: &str, bytes: u64) -> Result<()> {
        self.attempt(|writer| writer.begin_entry(path, bytes))
    }

    /// Verifies lengths and checksum, and gives the files their final names.
    pub fn publish_tree(mut self) -> Result<Tree> {
        self.attempt(Writer::finish_tree)?;
        let Some(tree) = self.tree.as_ref() else { return Err(self.not_a_tree()) };
        let found = tree.checksum(names::form(&self.digest), self.checksum.as_ref());
        checksum::verify(self.checksum.as_ref(), &found, &self.label)?;
        let store = self.shared.directory.fd();
        let placed = self.hold.publish_after(|| {
            let read_only = Mode::RUSR | Mode::XUSR;
            for directory in tree.directories.iter().rev() {
                rustix::fs::chmodat(&tree.parts, directory.as_str(), read_only, AtFlags::empty())?;
            }
            rustix::fs::fchmod(&tree.parts, read_only)?;
            tree::remove_published(store, &self.digest);
            rustix::fs::renameat(store, tree.name.as_str(), store, names::tree(&self.digest).as_str())
        });
        placed.map_err(|errno| self.gone().unwrap_or_else(|| refused("publish", &self.path(), errno)))?;
        log::info!("{}: published {} bytes, {found}", self.label, self.taken);
        let (Some(tree), Some(pin)) = (self.tree.take(), self.pin.take()) else {
            return Err(self.not_a_tree());
        };
        Tree::of(self.shared.directory.path(), &self.digest, tree.parts, self.taken, pin, &self.label)
    }

    /// Deletes the files of an unpublished tree.
    pub(super) fn drop_tree(&mut self) {
        if let Some(tree) = self.tree.take() {
            tree::remove(self.shared.directory.fd(), &tree.name);
        }
    }

    fn begin_entry(&mut self, path: &str, bytes: u64) -> Result<()> {
        self.hold.require()?;
        if names::form(&self.digest) == Form::Bytes {
            return Err(self.not_a_tree());
        }
        self.end_entry()?;
        let directories = self.directories_of(path)?;
        let base = self.taken;
        let label = self.label.clone();
        if self.tree.is_none() {
            self.tree = Some(self.open_tree()?);
        }
        let shown = self.shared.directory.path().join(path);
        let Some(tree) = self.tree.as_mut() else { return Err(self.not_a_tree()) };
        for directory in directories {
            match rustix::fs::mkdirat(&tree.parts, directory.as_str(), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => tree.directories.insert(directory),
                Err(errno) => return Err(refused(&format!("{label}: create the directory"), &shown, errno)),
            };
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&tree.parts, path, flags, PRIVATE_FILE)
            .map_err(|errno| refused(&format!("{label}: create"), &shown, errno))?;
        tree.entry = path.to_string();
        tree.base = base;
        tree.end = base.saturating_add(bytes);
        self.file = File::from(file);
        Ok(())
    }

    /// The directory for the files, with a shared lock.
    fn open_tree(&self) -> Result<TreeWriter> {
        let temporary = self.file.try_clone().map_err(|error| self.unwritable(&error))?;
        let (store, name) = (self.shared.directory.fd(), names::parts(&self.digest, nonce()));
        let failed = |errno| refused("create", &self.shared.directory.path().join(&name), errno);
        let mut parts = None;
        // A process that starts at this moment may take an empty directory for abandoned.
        while parts.is_none() {
            match rustix::fs::mkdirat(store, name.as_str(), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => parts = tree::mine(store, &name).map_err(failed)?,
                Err(errno) => return Err(self.gone().unwrap_or_else(|| failed(errno))),
            }
        }
        let Some(parts) = parts else { return Err(failed(Errno::NOENT)) };
        Ok(TreeWriter {
            temporary,
            parts,
            name,
            entry: String::new(),
            base: 0,
            end: 0,
            directories: BTreeSet::new(),
            sums: BTreeMap::new(),
        })
    }

    /// Completes the file being written, if there is one.
    fn end_entry(&mut self) -> Result<()> {
        if self.tree.is_none() {
            return Ok(());
        }
        self.flush()?;
        let found = std::mem::replace(&mut self.hasher, Hasher::like(self.checksum.as_ref())).finish();
        let taken = self.taken;
        let Some(tree) = self.tree.as_mut() else { return Ok(()) };
        if taken != tree.end {
            let (found, declared) = (taken - tree.base, tree.end - tree.base);
            return Err(Error::new(
                Code::SourceSizeMismatch,
                format!(
                    "{}: its file {} gave {found} bytes, it was listed with {declared}; it was truncated or \
                     rewritten: publish versions under new names and never rewrite one",
                    self.label, tree.entry
                ),
            ));
        }
        tree.sums.insert(std::mem::take(&mut tree.entry), found);
        rustix::fs::fchmod(&self.file, Mode::RUSR).map_err(|errno| self.unwritable(&errno.into()))
    }

    fn finish_tree(&mut self) -> Result<()> {
        if self.tree.is_none() {
            self.tree = Some(self.open_tree()?);
        } else {
            self.end_entry()?;
        }
        let files = self.tree.as_ref().map_or(0, |tree| tree.sums.len());
        if names::form(&self.digest) == Form::File && files != 1 {
            return Err(self.not_a_tree());
        }
        self.finish()
    }

    /// The parent directories in a file's path, the outermost first.
    fn directories_of(&self, path: &str) -> Result<Vec<String>> {
        let bad = |why: &str| {
            let shown: String = path.chars().take(200).collect();
            let message = format!("{}: its file {shown:?} cannot keep its name: {why}", self.label);
            Error::new(Code::BadArgument, message)
        };
        let parts: Vec<&str> = path.split('/').collect();
        let plain = |part: &&str| {
            let mut components = Path::new(part).components();
            matches!((components.next(), components.next()), (Some(Component::Normal(_)), None))
        };
        if !parts.iter().all(plain) || path.contains('\0') {
            return Err(bad("it is not a path below a directory"));
        }
        if parts.len() > tree::DEEPEST {
            return Err(bad("it is nested too deeply"));
        }
        Ok((1..parts.len()).map(|length| parts[..length].join("/")).collect())
    }

    fn not_a_tree(&self) -> Error {
        let message =
            format!("{}: it was not begun as a version of files, or its file is missing", self.label);
        Error::new(Code::BadArgument, message)
    }
}
