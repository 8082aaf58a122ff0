//! A line in memory: its files under one region of addresses, and its index.

use std::fs::File;
use std::sync::Arc;

use super::description::Description;
use super::index::{IndexLease, TableIndex};
use super::manifest::{Manifest, ManifestFile};
use super::place::Place;
use super::records::FileRecords;
use super::segment::read_directory;
use super::stream::PlacedSection;
use crate::cache::Payload;
use crate::error::{Code, Error, Result};
use crate::sync::{lock, Mutex};

#[cfg(all(target_os = "linux", not(miri)))]
use super::memory::AddressSpace;
#[cfg(not(all(target_os = "linux", not(miri))))]
use elsewhere::NoAddresses as AddressSpace;

/// Segments begin at multiples of this.
const PAGE: u64 = 4096;

/// A segment in a file, and the payload of the cache that keeps the file.
pub struct LineFile {
    /// The file, open for reading.
    pub file: File,
    /// Kept as long as the line.
    pub keeper: Arc<dyn Payload>,
}

/// The versions of a line that are in memory, from its base on.
///
/// The newest manifest names all files of the line, so addresses are reserved once, for all of them. Any thread may
/// call anything; `grow` reads files and takes turns with itself.
pub struct MappedLine {
    place: Place,
    description: Description,
    newest: Manifest,
    /// The address of each file of the manifest.
    starts: Vec<u64>,
    space: AddressSpace,
    records: Arc<FileRecords>,
    offered: Mutex<Vec<Arc<LineFile>>>,
    /// How many files are mapped, and the index once the base is.
    grown: Mutex<Grown>,
    index: Mutex<Option<Arc<TableIndex>>>,
}

#[derive(Default)]
struct Grown {
    mapped: usize,
}

impl MappedLine {
    /// A line without files; `newest` is the manifest of a version of it.
    pub fn open(description: Description, newest: Manifest, place: Place) -> Result<MappedLine> {
        let mut end = 0_u64;
        let starts = newest.files.iter().map(|file| {
            let start = end;
            end += file.bytes.next_multiple_of(PAGE);
            start
        });
        let starts = starts.collect();
        let bytes = end.max(PAGE);
        let space = AddressSpace::reserve(bytes, bytes, &place)?;
        Ok(MappedLine {
            place,
            description,
            newest,
            starts,
            space,
            records: Arc::default(),
            offered: Mutex::new(Vec::new()),
            grown: Mutex::new(Grown::default()),
            index: Mutex::new(None),
        })
    }

    /// The number of files that the line has received.
    pub fn offered(&self) -> usize {
        lock(&self.offered).len()
    }

    /// Receives file `number` of the manifest. Files come in the manifest's order; one that the line has is ignored.
    pub fn offer(&self, number: usize, file: LineFile) -> Result<()> {
        let mut offered = lock(&self.offered);
        if number > offered.len() || number >= self.newest.files.len() {
            let message = format!("{}: file {number} is offered before those before it", self.place);
            return Err(Error::new(Code::BadArgument, message));
        }
        if number == offered.len() {
            offered.push(Arc::new(file));
        }
        Ok(())
    }

    /// Brings the versions up to `version`, counted from the base, into the index, with this number of threads. Their
    /// files must have been offered. On an error the versions before stay as they are.
    pub fn grow(&self, version: u16, threads: usize) -> Result<()> {
        let mut grown = lock(&self.grown);
        loop {
            let index = lock(&self.index).clone();
            let next = index.as_ref().map_or(0, |index| index.versions());
            if next > version {
                return Ok(());
            }
            let ordinal = self.newest.base + u64::from(next);
            self.map(ordinal, &mut grown)?;
            let sections = self.sections(ordinal)?;
            let codec = self.newest.codec(&self.description)?;
            match index {
                Some(index) => index.append(codec, sections).map(drop)?,
                None => {
                    let bits = self.description.bits();
                    let (records, place) = (Arc::clone(&self.records), self.place.clone());
                    let built = TableIndex::build(codec, bits, records, sections, threads, place)?;
                    *lock(&self.index) = Some(Arc::new(built));
                }
            }
        }
    }

    /// The number of versions in the index.
    pub fn versions(&self) -> u16 {
        lock(&self.index).as_ref().map_or(0, |index| index.versions())
    }

    /// Bytes of the index.
    pub fn bytes(&self) -> u64 {
        lock(&self.index).as_ref().map_or(0, |index| index.bytes())
    }

    /// Addresses of a version for readers outside Rust.
    pub fn view(self: &Arc<Self>, version: u16) -> Result<LineView> {
        let index = lock(&self.index).clone();
        let index = index.ok_or_else(|| {
            Error::new(Code::UnknownVersion, format!("{}: the line has no version in memory", self.place))
        })?;
        Ok(LineView { lease: index.lease(version)?, line: Arc::clone(self) })
    }

    /// Maps the files up to those of `ordinal`.
    fn map(&self, ordinal: u64, grown: &mut Grown) -> Result<()> {
        while let Some(file) = self.newest.files.get(grown.mapped).filter(|file| file.ordinal <= ordinal) {
            let (number, place) = (grown.mapped, self.place_of(file));
            let Some(held) = lock(&self.offered).get(number).cloned() else {
                let message = format!("{place}: the file has not been offered");
                return Err(Error::new(Code::BadArgument, message));
            };
            let found = held.file.metadata().map_err(|error| place.damaged(error))?.len();
            if found != file.bytes {
                return Err(place.damaged(format!("the file has {found} bytes instead of {}", file.bytes)));
            }
            let open = held.file.try_clone().map_err(|error| place.damaged(error))?;
            self.space.map(self.starts[number], std::os::fd::AsFd::as_fd(&open), file.bytes, &place)?;
            self.records.add(self.starts[number], file.bytes, Arc::new(open), place);
            grown.mapped += 1;
        }
        Ok(())
    }

    fn sections(&self, ordinal: u64) -> Result<Vec<PlacedSection>> {
        let of_table = (self.description.table, self.description.shards);
        let mut all = Vec::new();
        for (file, start) in
            self.newest.files.iter().zip(&self.starts).filter(|(file, _)| file.ordinal == ordinal)
        {
            let place = self.place_of(file);
            let sections = read_directory(&*self.records, *start, file.bytes, of_table, &place)?;
            all.extend(PlacedSection::all(sections, *start, &place));
        }
        Ok(all)
    }

    fn place_of(&self, file: &ManifestFile) -> Place {
        Place { file: format!("data/{}", file.name), ..self.place.clone() }
    }
}

/// A version of a line, whose addresses are valid as long as this value.
pub struct LineView {
    // Before the line, whose region it refers to.
    lease: IndexLease,
    line: Arc<MappedLine>,
}

impl LineView {
    /// The address that the addresses of records count from.
    pub fn region(&self) -> u64 {
        self.line.space.address()
    }

    /// The address of a list with the address of each shard's header, 8 bytes each.
    pub fn directory(&self) -> u64 {
        self.lease.directory().as_ptr().expose_provenance() as u64
    }
}

/// An estimate of the bytes that the index of all versions up to `manifest` takes, before any is loaded.
pub fn index_estimate(description: &Description, manifest: &Manifest) -> u64 {
    let shards = u64::from(description.shards);
    let of_file = |file: &ManifestFile| {
        if file.ordinal == manifest.base {
            12 * file.records
        } else {
            72 * file.records + 3 * PAGE * file.records.min(shards)
        }
    };
    3 * PAGE * shards + manifest.files.iter().map(of_file).sum::<u64>()
}

/// Tables are read on Linux only.
#[cfg(not(all(target_os = "linux", not(miri))))]
mod elsewhere {
    use super::{Place, Result};
    use std::os::fd::BorrowedFd;

    pub(super) struct NoAddresses;

    impl NoAddresses {
        pub(super) fn reserve(_most: u64, _least: u64, place: &Place) -> Result<NoAddresses> {
            Err(place.beyond("tables are read on Linux only"))
        }

        pub(super) fn address(&self) -> u64 {
            0
        }

        pub(super) fn map(&self, _at: u64, _file: BorrowedFd<'_>, _bytes: u64, place: &Place) -> Result<()> {
            Err(place.beyond("tables are read on Linux only"))
        }
    }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", not(miri), not(feature = "shuttle")))]
mod tests {
    use super::super::{complete, draft, new_table, NewColumn, NewVersion, PartWriter, Type, Value};
    use super::*;
    use std::any::Any;
    use std::collections::BTreeMap;

    struct Kept;

    impl Payload for Kept {
        fn evict(&self) {}

        fn kept_by_attempts(&self) -> bool {
            false
        }

        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    struct Table {
        folder: tempfile::TempDir,
        description: Description,
        newest: Option<Manifest>,
    }

    impl Table {
        fn new() -> Table {
            let description = new_table(9, &columns(), &["k".to_string()], 4, 5).unwrap();
            Table { folder: tempfile::tempdir().unwrap(), description, newest: None }
        }

        fn open(&self, name: &str) -> File {
            File::open(self.folder.path().join(name)).unwrap()
        }

        /// Publishes a version with two tasks of two shards each.
        fn publish(&mut self, name: &str, rows: &BTreeMap<i64, i64>) -> Manifest {
            let place = Place { table: "t".to_string(), ..Place::default() };
            let new =
                NewVersion { version: name.to_string(), valid_from: None, columns: columns(), base: false };
            let manifest = draft(&self.description, self.newest.as_ref(), &new, &place).unwrap();
            let codec = manifest.codec(&self.description).unwrap();
            let mut parts = Vec::new();
            for task in [0, 2] {
                let (of, parent) = (self.description.clone(), self.newest.clone());
                let files = parent.as_ref().map_or(Vec::new(), |parent| parent.files.clone());
                let mut part = PartWriter::new(of, manifest.clone(), parent, place.clone()).unwrap();
                for (number, file) in files.iter().enumerate() {
                    part.parent_file(number, self.open(&file.name), Arc::new(Kept)).unwrap();
                }
                let file = format!("{}-{task}.seg", manifest.ordinal);
                let (mut bytes, mut buffer) = (Vec::new(), [0; 100]);
                for shard in [task, task + 1] {
                    for (key, value) in rows {
                        let mut record = Vec::new();
                        codec.row(&[Value::Int(*key)], &[Value::Int(*value)], &mut record, &place).unwrap();
                        let hash = codec.hash().of(&key.to_le_bytes());
                        if super::super::shard(hash, 2) == usize::from(shard) {
                            part.rows(&record);
                        }
                    }
                    part.shard(shard).unwrap();
                    let taken = part.take(&mut buffer);
                    bytes.extend_from_slice(&buffer[..taken]);
                }
                parts.push(part.finish(&file));
                loop {
                    match part.take(&mut buffer) {
                        0 => break,
                        taken => bytes.extend_from_slice(&buffer[..taken]),
                    }
                }
                std::fs::write(self.folder.path().join(&file), bytes).unwrap();
            }
            let done = complete(manifest, parts);
            self.newest = Some(done.clone());
            done
        }
    }

    fn columns() -> Vec<NewColumn> {
        [("k", false), ("v", true)]
            .map(|(name, nullable)| NewColumn { name: name.to_string(), of: Type::Long, nullable })
            .to_vec()
    }

    #[test]
    fn published_versions_grow_in_a_line_and_show_their_rows() {
        let mut table = Table::new();
        let mut rows: BTreeMap<i64, i64> = (0..500).map(|key| (key, key)).collect();
        let mut all = vec![rows.clone()];
        table.publish("a", &rows);
        rows.insert(7, 70);
        rows.remove(&8);
        rows.insert(1000, 1);
        all.push(rows.clone());
        let second = table.publish("b", &rows);
        assert_eq!((second.rows, second.added, second.changed, second.deleted), (500, 1, 1, 1));
        all.push(rows.clone());
        let third = table.publish("c", &rows);
        assert_eq!(third.files, second.files, "a version without a change has no file");
        let line =
            Arc::new(MappedLine::open(table.description.clone(), third.clone(), Place::default()).unwrap());
        assert_eq!(line.grow(0, 1).unwrap_err().code(), Code::BadArgument, "no file was offered");
        for (number, file) in third.files.iter().enumerate() {
            line.offer(number, LineFile { file: table.open(&file.name), keeper: Arc::new(Kept) }).unwrap();
        }
        line.grow(1, 2).unwrap();
        assert_eq!((line.versions(), line.view(2).err().map(|e| e.code())), (2, Some(Code::UnknownVersion)));
        line.grow(2, 2).unwrap();
        assert!(line.bytes() > 0 && line.bytes() <= index_estimate(&table.description, &third));
        let view = line.view(2).unwrap();
        for (version, rows) in (0..).zip(&all) {
            for key in 0..1001_i64 {
                let found = view.lease.row(version, &key.to_le_bytes()).unwrap();
                assert_eq!(found.is_some(), rows.contains_key(&key), "{key} in {version}");
            }
        }
        assert!(view.region().is_multiple_of(PAGE) && view.directory() != 0);
    }

    #[test]
    fn a_file_of_another_length_is_damage_and_the_line_goes_on() {
        let mut table = Table::new();
        table.publish("a", &(0..100).map(|key| (key, key)).collect());
        let newest = table.publish("b", &(0..100).map(|key| (key, key + 1)).collect());
        let line =
            Arc::new(MappedLine::open(table.description.clone(), newest.clone(), Place::default()).unwrap());
        let of_base = newest.files.iter().filter(|file| file.ordinal == 0).count();
        std::fs::write(table.folder.path().join(&newest.files[of_base].name), b"cut").unwrap();
        for (number, file) in newest.files.iter().enumerate() {
            line.offer(number, LineFile { file: table.open(&file.name), keeper: Arc::new(Kept) }).unwrap();
        }
        let error = line.grow(1, 1).unwrap_err();
        assert_eq!(error.code(), Code::TableDamaged);
        assert!(error.message().contains(&newest.files[of_base].name), "{error}");
        assert_eq!(line.versions(), 1);
        assert!(line.view(0).unwrap().lease.row(0, &5_i64.to_le_bytes()).unwrap().is_some());
    }
}
