//! The manifest of a version: complete in itself.

use serde::{Deserialize, Serialize};

use super::codec::Codec;
use super::description::Description;
use super::document::{self, FORMAT};
use super::place::Place;
use super::schema::Schema;
use super::segment::{SectionKind, WrittenSegment};
use super::slot::{ADDRESSES, MOST_VERSIONS};
use crate::error::Result;

/// A version: its place among the versions, its schemas, and every file that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    /// The table's number.
    #[serde(with = "document::hex")]
    pub table: u64,
    /// The version's name.
    pub version: String,
    /// The version's number.
    pub ordinal: u64,
    /// The number of the version from which its line begins.
    pub base: u64,
    /// Microseconds since 1970-01-01T00:00Z from which on the version is valid.
    pub valid_from: Option<i64>,
    /// The schemas of its records; the last one is that of its own rows.
    pub schemas: Vec<Schema>,
    /// The least id that no column of this or an earlier version has had.
    pub next_column: u32,
    /// Rows of the version.
    pub rows: u64,
    /// Rows that its parent has not.
    pub added: u64,
    /// Rows that differ from its parent's.
    pub changed: u64,
    /// Rows of its parent that it has not.
    pub deleted: u64,
    /// The files, from the base on, by ordinal.
    pub files: Vec<ManifestFile>,
}

/// A segment that a version needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestFile {
    /// The name below the table's data directory.
    pub name: String,
    /// The number of the version that wrote it.
    pub ordinal: u64,
    /// The kind of its sections.
    pub kind: SectionKind,
    /// Bytes of the file.
    pub bytes: u64,
    /// Records, deletions included.
    pub records: u64,
    /// Records that delete their key.
    pub deletions: u64,
    /// XXH3, 64 bits, of the file.
    #[serde(with = "document::hex")]
    pub xxh3: u64,
    /// The families that it has.
    pub families: Vec<u16>,
    /// First and last shard that it has.
    pub shards: (u16, u16),
}

impl ManifestFile {
    /// The entry of a written segment; none for a segment without sections.
    pub fn of(name: &str, ordinal: u64, written: &WrittenSegment) -> Option<ManifestFile> {
        let sections = &written.sections;
        let shards = || sections.iter().map(|section| section.shard);
        let mut families: Vec<u16> = sections.iter().map(|section| section.family).collect();
        families.dedup();
        Some(ManifestFile {
            name: name.to_string(),
            ordinal,
            kind: sections.first()?.kind,
            bytes: written.bytes,
            records: sections.iter().map(|section| section.records).sum(),
            deletions: sections.iter().map(|section| section.deletions).sum(),
            xxh3: written.xxh3,
            families,
            shards: (shards().min()?, shards().max()?),
        })
    }
}

impl Manifest {
    /// The manifest of a first version, or of one that begins a line, without rows and files.
    pub fn base(table: u64, version: &str, ordinal: u64, schema: Schema) -> Manifest {
        let next_column = schema.next_column();
        Manifest {
            format: FORMAT,
            table,
            version: version.to_string(),
            ordinal,
            base: ordinal,
            valid_from: None,
            schemas: vec![schema],
            next_column,
            rows: 0,
            added: 0,
            changed: 0,
            deleted: 0,
            files: Vec::new(),
        }
    }

    /// The manifest of the version after this one, with this one's files. A schema is added if `schema` has a new id.
    ///
    /// [`Code::TableLimit`](crate::error::Code::TableLimit) for the 2,048th version of a line, and
    /// [`Code::TableSchema`](crate::error::Code::TableSchema) for a schema that older records do not allow.
    pub fn next(&self, version: &str, schema: &Schema, key: &[u16], place: &Place) -> Result<Manifest> {
        let mut next = Manifest { version: version.to_string(), ordinal: self.ordinal + 1, ..self.clone() };
        (next.added, next.changed, next.deleted) = (0, 0, 0);
        if !next.is_within_line() {
            let why =
                format!("a line has at most {MOST_VERSIONS} versions; publish this one as a base of its own");
            return Err(place.beyond(why));
        }
        let same = self.schemas.iter().position(|known| known.id == schema.id);
        match same.map(|at| next.schemas.remove(at)) {
            Some(known) if known != *schema => {
                return Err(place.damaged(format!("two schemas have the id {}", schema.id)));
            }
            _ => {}
        }
        for known in &next.schemas {
            known.check_next(schema, key)?;
        }
        next.schemas.push(schema.clone());
        next.next_column = next.next_column.max(schema.next_column());
        Ok(next)
    }

    fn is_within_line(&self) -> bool {
        self.ordinal.checked_sub(self.base).is_some_and(|relative| relative < u64::from(MOST_VERSIONS))
    }

    /// The version's number within its line: 0 to 2,046.
    pub fn relative(&self) -> u16 {
        (self.ordinal - self.base) as u16
    }

    /// The codec of the version's records.
    pub fn codec(&self, description: &Description) -> Result<Codec> {
        Codec::new(&description.key, description.seed, &self.schemas)
    }

    /// The text of the file.
    pub fn text(&self, place: &Place) -> Result<String> {
        self.check(place)?;
        document::seal(self, place)
    }

    /// Reads the file of the version `ordinal` of a table.
    pub fn read(bytes: &[u8], description: &Description, ordinal: u64, place: &Place) -> Result<Manifest> {
        let manifest: Manifest = document::unseal(bytes, place)?;
        let place = &Place { version: manifest.version.clone(), ..place.clone() };
        manifest.check(place)?;
        if manifest.table != description.table || manifest.ordinal != ordinal {
            let (table, found) = (manifest.table, manifest.ordinal);
            return Err(place.damaged(format!("it is that of version {found} of the table {table:016x}")));
        }
        manifest.codec(description).map_err(|error| place.damaged(error))?;
        Ok(manifest)
    }

    fn check(&self, place: &Place) -> Result<()> {
        if self.format != FORMAT || self.schemas.is_empty() || self.version.is_empty() {
            return Err(place.damaged("it has another format, no schema or no name"));
        }
        if !self.is_within_line() {
            return Err(place.damaged(format!("version {} cannot begin from {}", self.ordinal, self.base)));
        }
        if self.schemas.iter().any(|schema| schema.next_column() > self.next_column) {
            return Err(place.damaged(format!("a column has an id from {} on", self.next_column)));
        }
        let mut bytes = 0_u64;
        let mut last = self.base;
        for file in &self.files {
            let is_base = file.ordinal == self.base;
            let kinds = match file.kind {
                SectionKind::Base => is_base,
                SectionKind::Delta => !is_base,
                SectionKind::Checkpoint => false,
            };
            let plain = |name: &str| {
                let name = name.strip_suffix(".seg").unwrap_or_default();
                !name.is_empty()
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            };
            if !kinds || file.ordinal < last || file.ordinal > self.ordinal || !plain(&file.name) {
                return Err(place.damaged(format!("the file {:?} cannot be one of this version", file.name)));
            }
            last = file.ordinal;
            // Each file begins on a page.
            bytes = bytes.saturating_add(file.bytes.checked_next_multiple_of(4096).unwrap_or(u64::MAX));
        }
        if bytes > ADDRESSES {
            return Err(place.beyond(format!("its files have {bytes} bytes, the limit is {ADDRESSES}")));
        }
        Ok(())
    }
}
