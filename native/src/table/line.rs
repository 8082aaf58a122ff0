//! A line in memory: its files under one region of addresses, and its index.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Weak};

use once_cell::sync::Lazy;

use super::description::Description;
use super::index::{IndexLease, TableIndex};
use super::manifest::{Manifest, ManifestFile};
use super::place::Place;
use super::records::FileRecords;
use super::segment::read_directory;
use super::stream::PlacedSection;
use crate::cache::{Pages, Payload};
use crate::error::{Code, Error, Result};
use crate::sync::{lock, Mutex};

#[cfg(all(target_os = "linux", not(miri)))]
use super::memory::AddressSpace;
#[cfg(not(all(target_os = "linux", not(miri))))]
use elsewhere::NoAddresses as AddressSpace;

/// Segments begin at multiples of this.
const PAGE: u64 = 4096;

/// Addresses that a line reserves for later versions, at least.
const LEAST_SPARE: u64 = 64 << 20;

/// Lines by table and base.
type OpenLines = BTreeMap<(u64, u64), Vec<Weak<MappedLine>>>;

/// The lines of this process that are in use.
static OPEN: Lazy<Mutex<OpenLines>> = Lazy::new(Mutex::default);

/// A segment in a file, and the payload of the cache that keeps the file.
pub struct LineFile {
    /// The file, open for reading.
    pub file: File,
    /// Kept as long as the line.
    pub keeper: Arc<dyn Payload>,
}

/// The versions of a line that are in memory, from its base on.
///
/// A later manifest of the line adds files behind those that are there, as long as there are addresses. Any thread may
/// call anything; `grow` reads files and takes turns with itself.
pub struct MappedLine {
    place: Place,
    description: Description,
    plan: Mutex<Arc<Plan>>,
    space: Arc<AddressSpace>,
    records: Arc<FileRecords>,
    offered: Mutex<Vec<Arc<LineFile>>>,
    /// How many files are mapped, and the index once the base is.
    grown: Mutex<Grown>,
    index: Mutex<Option<Arc<TableIndex>>>,
}

/// The newest manifest that the line knows, and the address of each of its files.
struct Plan {
    newest: Manifest,
    starts: Vec<u64>,
}

impl Plan {
    fn of(newest: Manifest) -> Plan {
        let mut end = 0_u64;
        let starts = newest.files.iter().map(|file| {
            let start = end;
            end += file.bytes.next_multiple_of(PAGE);
            start
        });
        Plan { starts: starts.collect(), newest }
    }

    /// Bytes of addresses.
    fn bytes(&self) -> u64 {
        let last = self.starts.last().zip(self.newest.files.last());
        last.map_or(0, |(start, file)| start + file.bytes.next_multiple_of(PAGE))
    }

    /// Whether `other` is the manifest of an earlier version of the same line, or of the same one.
    fn includes(&self, other: &Manifest) -> bool {
        let earlier = self.newest.files.partition_point(|file| file.ordinal <= other.ordinal);
        self.newest.table == other.table
            && self.newest.base == other.base
            && self.newest.ordinal >= other.ordinal
            && self.newest.files[..earlier] == other.files
    }
}

#[derive(Default)]
struct Grown {
    mapped: usize,
    pages: Vec<Arc<MappedPages>>,
}

/// The pages of one file in a line's addresses.
struct MappedPages {
    space: Arc<AddressSpace>,
    start: u64,
    bytes: u64,
    place: Place,
}

impl Pages for MappedPages {
    fn drop_pages(&self) {
        if let Err(error) = self.space.drop_pages(self.start, self.bytes, &self.place) {
            log::warn!("{error}");
        }
    }
}

impl MappedLine {
    /// The line of this process that has the versions of `newest` and has addresses for the rest, or a new one without
    /// files.
    pub fn shared(description: Description, newest: Manifest, place: Place) -> Result<Arc<MappedLine>> {
        let key = (description.table, newest.base);
        let mut open = lock(&OPEN);
        open.retain(|_, lines| {
            lines.retain(|line| line.strong_count() > 0);
            !lines.is_empty()
        });
        let lines = open.entry(key).or_default();
        let same = |line: &Arc<MappedLine>| line.description == description && line.extend(&newest);
        if let Some(found) = lines.iter().filter_map(Weak::upgrade).find(same) {
            return Ok(found);
        }
        let made = Arc::new(MappedLine::open(description, newest, place)?);
        lines.push(Arc::downgrade(&made));
        Ok(made)
    }

    /// A line without files; `newest` is the manifest of a version of it.
    pub fn open(description: Description, newest: Manifest, place: Place) -> Result<MappedLine> {
        let plan = Plan::of(newest);
        let bytes = plan.bytes().max(PAGE);
        // Processes may be limited in their addresses, so the spare ones are few.
        let space = AddressSpace::reserve(bytes + (bytes / 2).max(LEAST_SPARE), bytes, &place)?;
        Ok(MappedLine {
            place,
            description,
            plan: Mutex::new(Arc::new(plan)),
            space: Arc::new(space),
            records: Arc::default(),
            offered: Mutex::new(Vec::new()),
            grown: Mutex::new(Grown::default()),
            index: Mutex::new(None),
        })
    }

    /// Adds the files of a later version; false if the line is another one, or has no addresses for them.
    fn extend(&self, newest: &Manifest) -> bool {
        let mut plan = lock(&self.plan);
        if plan.includes(newest) {
            return true;
        }
        let next = Plan::of(newest.clone());
        let fits = next.bytes() <= self.space.len() && next.includes(&plan.newest);
        if fits {
            *plan = Arc::new(next);
        }
        fits
    }

    fn plan(&self) -> Arc<Plan> {
        Arc::clone(&lock(&self.plan))
    }

    /// The number of files that the line has received.
    pub fn offered(&self) -> usize {
        lock(&self.offered).len()
    }

    /// Receives file `number` of the manifest. Files come in the manifest's order; one that the line has is ignored.
    pub fn offer(&self, number: usize, file: LineFile) -> Result<()> {
        let mut offered = lock(&self.offered);
        if number > offered.len() || number >= self.plan().newest.files.len() {
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
            let plan = self.plan();
            let ordinal = plan.newest.base + u64::from(next);
            if ordinal > plan.newest.ordinal {
                let message = format!("{}: the line has no version {version}", self.place);
                return Err(Error::new(Code::UnknownVersion, message));
            }
            self.map(&plan, ordinal, &mut grown)?;
            let sections = self.sections(&plan, ordinal)?;
            let codec = plan.newest.codec(&self.description)?;
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
    fn map(&self, plan: &Plan, ordinal: u64, grown: &mut Grown) -> Result<()> {
        while let Some(file) = plan.newest.files.get(grown.mapped).filter(|file| file.ordinal <= ordinal) {
            let (number, place) = (grown.mapped, self.place_of(file));
            let start = plan.starts[number];
            let Some(held) = lock(&self.offered).get(number).cloned() else {
                let message = format!("{place}: the file has not been offered");
                return Err(Error::new(Code::BadArgument, message));
            };
            let found = held.file.metadata().map_err(|error| place.damaged(error))?.len();
            if found != file.bytes {
                return Err(place.damaged(format!("the file has {found} bytes instead of {}", file.bytes)));
            }
            let open = held.file.try_clone().map_err(|error| place.damaged(error))?;
            self.space.map(start, std::os::fd::AsFd::as_fd(&open), file.bytes, &place)?;
            let space = Arc::clone(&self.space);
            let pages = Arc::new(MappedPages { space, start, bytes: file.bytes, place: place.clone() });
            let weak = Arc::downgrade(&pages);
            held.keeper.mapped_again(weak);
            grown.pages.push(pages);
            self.records.add(start, file.bytes, Arc::new(open), place);
            grown.mapped += 1;
        }
        Ok(())
    }

    fn sections(&self, plan: &Plan, ordinal: u64) -> Result<Vec<PlacedSection>> {
        let of_table = (self.description.table, self.description.shards);
        let mut all = Vec::new();
        for (file, start) in
            plan.newest.files.iter().zip(&plan.starts).filter(|(file, _)| file.ordinal == ordinal)
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

    /// The address of a list with each shard's header's address and number of slots, 8 bytes each.
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
            22 * file.records + 2 * PAGE * file.records.min(shards)
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

        pub(super) fn len(&self) -> u64 {
            0
        }

        pub(super) fn drop_pages(&self, _at: u64, _bytes: u64, _place: &Place) -> Result<()> {
            Ok(())
        }

        pub(super) fn map(&self, _at: u64, _file: BorrowedFd<'_>, _bytes: u64, place: &Place) -> Result<()> {
            Err(place.beyond("tables are read on Linux only"))
        }
    }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", not(miri), not(feature = "shuttle")))]
mod tests;
