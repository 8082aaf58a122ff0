//! The documents of a new version, and the segments that its tasks write.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codec::Codec;
use super::column::Column;
use super::delta::ShardRows;
use super::description::Description;
use super::manifest::{Manifest, ManifestFile};
use super::place::Place;
use super::records::FileRecords;
use super::scan::Scan;
use super::schema::Schema;
use super::segment::{read_directory, SectionKind, SegmentWriter};
use super::slot::MOST_VERSIONS;
use super::stream::PlacedSection;
use super::types::Type;
use super::why::refused;
use crate::cache::Payload;
use crate::error::{Code, Error, Result};

/// A column of the rows to publish. Its name says which column of the table it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewColumn {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub of: Type,
    /// Whether a row may have no value in it.
    pub nullable: bool,
}

/// The schema of new rows. Columns have the ids of the newest schema's columns with their names, others an id from
/// `next_column` on, which no column has had.
///
/// The id of the schema is the newest one's, unless a column differs; a column that was nullable stays so,
/// and one that the newest schema lacks becomes so, since older rows have no value for it.
pub fn schema_of(columns: &[NewColumn], known: &[Schema], next_column: u32) -> Result<Schema> {
    let newest = known.last();
    let mut fresh = next_column..;
    let columns = columns.iter().map(|column| {
        let before =
            newest.and_then(|schema| schema.columns.iter().find(|before| before.name == column.name));
        let id = match before {
            Some(before) => Some(before.id),
            None => fresh.next().and_then(|id| u16::try_from(id).ok()),
        };
        let id = id.ok_or_else(|| {
            refused("a table has at most 65,536 columns in its life; copy it to a new table")
        })?;
        let nullable = column.nullable || before.map_or(newest.is_some(), |before| before.nullable);
        Ok(Column { id, name: column.name.clone(), of: column.of.clone(), nullable })
    });
    let columns = columns.collect::<Result<Vec<Column>>>()?;
    let id = match newest {
        Some(newest) if newest.columns == columns => newest.id,
        _ => known.iter().map(|schema| schema.id).max().map_or(0, |id| id.saturating_add(1)),
    };
    Ok(Schema { id, columns })
}

/// The description of a new table whose rows have these columns, and whose key the named ones.
pub fn new_table(
    table: u64,
    columns: &[NewColumn],
    key: &[String],
    shards: u32,
    seed: u64,
) -> Result<Description> {
    let schema = schema_of(columns, &[], 0)?;
    let ids = key.iter().map(|name| {
        let found = schema.columns.iter().find(|column| column.name == *name);
        found.map(|column| column.id).ok_or_else(|| {
            let all: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
            refused(format!("the key column {name:?} is not among the columns: {}", all.join(", ")))
        })
    });
    let ids = ids.collect::<Result<Vec<u16>>>()?;
    schema.check(&ids)?;
    Ok(Description::new(table, ids, shards, seed))
}

/// A version to publish.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewVersion {
    /// The name.
    pub version: String,
    /// Microseconds since 1970-01-01T00:00Z from which on it is valid.
    pub valid_from: Option<i64>,
    /// The columns of its rows.
    pub columns: Vec<NewColumn>,
    /// Whether all rows are written, from which a new line begins.
    pub base: bool,
}

/// The manifest of a version whose rows are not yet written, after `parent`.
///
/// It begins a line if there is no parent, if that is requested, or if the parent's line is full.
pub fn draft(
    description: &Description,
    parent: Option<&Manifest>,
    new: &NewVersion,
    place: &Place,
) -> Result<Manifest> {
    let key = &description.key;
    let next_column = parent.map_or(0, |parent| parent.next_column);
    let schema = schema_of(&new.columns, parent.map_or(&[], |parent| &parent.schemas), next_column)?;
    let mut manifest = match parent {
        Some(parent) if !new.base && parent.relative() + 1 < MOST_VERSIONS => {
            parent.next(&new.version, &schema, key, place)?
        }
        _ => {
            schema.check(key)?;
            let ordinal = parent.map_or(0, |parent| parent.ordinal + 1);
            let mut base = Manifest::base(description.table, &new.version, ordinal, schema);
            base.next_column = base.next_column.max(next_column);
            base
        }
    };
    manifest.valid_from = new.valid_from;
    Ok(manifest)
}

/// The part of a version that one task has written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenPart {
    /// The segment; none if no record differs from the parent's.
    pub file: Option<ManifestFile>,
    /// Shards that were compared.
    pub shards: u32,
    /// Rows of the version.
    pub rows: u64,
    /// Rows that the parent has not.
    pub added: u64,
    /// Rows whose values differ from the parent's.
    pub changed: u64,
    /// Rows of the parent that the version has not.
    pub deleted: u64,
}

/// The manifest with the parts that the tasks have written.
///
/// [`Code::TableDamaged`] unless the parts have all shards, and the parent's rows with their changes are the new rows.
pub fn complete(
    description: &Description,
    draft: Manifest,
    parts: Vec<WrittenPart>,
    place: &Place,
) -> Result<Manifest> {
    let before = draft.rows;
    let mut manifest = draft;
    let sum = |of: &dyn Fn(&WrittenPart) -> u64| parts.iter().map(of).sum();
    manifest.rows = sum(&|part| part.rows);
    manifest.added = sum(&|part| part.added);
    manifest.changed = sum(&|part| part.changed);
    manifest.deleted = sum(&|part| part.deleted);
    let compared = sum(&|part| u64::from(part.shards));
    let expected = (before + manifest.added).checked_sub(manifest.deleted);
    if compared != u64::from(description.shards) || expected != Some(manifest.rows) {
        let Manifest { rows, added, deleted, .. } = manifest;
        let why = format!(
            "the tasks wrote {compared} of {} shards, and {rows} rows where the parent has {before}, {added} were \
             added and {deleted} deleted",
            description.shards
        );
        return Err(Error::new(Code::TableDamaged, format!("{place}: {why}; publish the version again")));
    }
    let mut files: Vec<ManifestFile> = parts.into_iter().filter_map(|part| part.file).collect();
    files.sort_by(|a, b| (a.shards, &a.name).cmp(&(b.shards, &b.name)));
    manifest.files.extend(files);
    Ok(manifest)
}

/// Writes the segment of one task: shards in ascending order, each compared with the parent's.
///
/// The records of one shard are in memory at a time, and the bytes that were not taken yet.
pub struct PartWriter {
    description: Description,
    draft: Manifest,
    codec: Arc<Codec>,
    place: Place,
    parent: Option<ParentFiles>,
    chunks: Vec<Vec<u8>>,
    segment: Option<SegmentWriter>,
    out: Vec<u8>,
    taken: usize,
    next_shard: u32,
    part: WrittenPart,
}

struct ParentFiles {
    manifest: Manifest,
    records: Arc<FileRecords>,
    next: u64,
    /// The numbers of the files that were given.
    given: BTreeSet<usize>,
    keepers: Vec<Arc<dyn Payload>>,
    /// Sections by shard, the oldest first.
    sections: BTreeMap<u16, Vec<PlacedSection>>,
}

impl PartWriter {
    /// A writer before its first shard.
    pub fn new(
        description: Description,
        draft: Manifest,
        parent: Option<Manifest>,
        place: Place,
    ) -> Result<PartWriter> {
        let codec = Arc::new(draft.codec(&description)?);
        let is_base = draft.ordinal == draft.base;
        let parent = parent.filter(|_| !is_base).map(|manifest| ParentFiles {
            manifest,
            records: Arc::default(),
            next: 0,
            given: BTreeSet::new(),
            keepers: Vec::new(),
            sections: BTreeMap::new(),
        });
        let place = Place { version: draft.version.clone(), ..place };
        Ok(PartWriter {
            description,
            draft,
            codec,
            place,
            parent,
            chunks: Vec::new(),
            segment: None,
            out: Vec::new(),
            taken: 0,
            next_shard: 0,
            part: WrittenPart::default(),
        })
    }

    /// Receives file `number` of the parent's manifest. Files come in the manifest's order; those without a shard of
    /// this task may be left out.
    pub fn parent_file(&mut self, number: usize, file: File, keeper: Arc<dyn Payload>) -> Result<()> {
        let missing =
            || Error::new(Code::BadArgument, format!("{}: the parent has no file {number}", self.place));
        let parent = self.parent.as_mut().ok_or_else(missing)?;
        let entry = parent.manifest.files.get(number).ok_or_else(missing)?;
        let place = Place {
            version: parent.manifest.version.clone(),
            file: format!("data/{}", entry.name),
            ..self.place.clone()
        };
        if !parent.given.insert(number) {
            return Err(Error::new(Code::BadArgument, format!("{place}: the file is given twice")));
        }
        let start = parent.next;
        parent.next += entry.bytes.next_multiple_of(8);
        parent.records.add(start, entry.bytes, Arc::new(file), place.clone());
        let of_table = (self.description.table, self.description.shards);
        let sections = read_directory(&*parent.records, start, entry.bytes, of_table, &place)?;
        for section in PlacedSection::all(sections, start, &place) {
            parent.sections.entry(section.section.shard).or_default().push(section);
        }
        parent.keepers.push(keeper);
        Ok(())
    }

    /// Takes records of the next shard, back to back, in any order.
    pub fn rows(&mut self, records: Vec<u8>) {
        self.chunks.push(records);
    }

    /// Ends a shard: what differs from the parent becomes a section.
    ///
    /// [`Code::BadArgument`] if a file of the parent that may have this shard was not given.
    pub fn shard(&mut self, shard: u16) -> Result<()> {
        self.check_shard(shard)?;
        let bits = self.description.bits();
        let codec = Arc::clone(&self.codec);
        let mut rows = ShardRows::new(&codec, bits, shard, self.place.clone());
        for chunk in std::mem::take(&mut self.chunks) {
            rows.add(&chunk)?;
        }
        let scan = self.parent.as_ref().map(|parent| {
            let newest_first = parent.sections.get(&shard).into_iter().flatten().rev().cloned();
            Scan::new(Arc::clone(&parent.records) as _, Arc::clone(&codec), bits, newest_first.collect())
        });
        let delta = rows.compare(scan.transpose()?)?;
        self.part.shards += 1;
        self.part.rows += delta.rows;
        self.part.added += delta.added;
        self.part.changed += delta.changed;
        self.part.deleted += delta.deleted;
        if delta.content.records == 0 {
            return Ok(());
        }
        let kind = if self.draft.ordinal == self.draft.base { SectionKind::Base } else { SectionKind::Delta };
        let (table, shards) = (self.description.table, self.description.shards);
        let out = &mut self.out;
        let segment = self.segment.get_or_insert_with(|| SegmentWriter::new(table, shards, out));
        segment.section((0, shard, kind), &delta.content, &mut self.out, &self.place)
    }

    fn check_shard(&mut self, shard: u16) -> Result<()> {
        let wrong = |what: String| Err(Error::new(Code::BadArgument, format!("{}: {what}", self.place)));
        let number = u32::from(shard);
        if number < self.next_shard || number >= self.description.shards {
            return wrong(format!("shard {shard} is written out of its order"));
        }
        if let Some(parent) = &self.parent {
            let has = |file: &ManifestFile| (file.shards.0..=file.shards.1).contains(&shard);
            let absent =
                (0..).zip(&parent.manifest.files).find(|(n, file)| has(file) && !parent.given.contains(n));
            if let Some((_, file)) = absent {
                return wrong(format!(
                    "shard {shard} is compared without the file {} of the parent",
                    file.name
                ));
            }
        }
        self.next_shard = number + 1;
        Ok(())
    }

    /// Moves bytes of the segment into `buffer` and returns their number: 0 if there are none yet.
    pub fn take(&mut self, buffer: &mut [u8]) -> usize {
        let left = &self.out[self.taken..];
        let length = left.len().min(buffer.len());
        buffer[..length].copy_from_slice(&left[..length]);
        self.taken += length;
        if self.taken == self.out.len() {
            self.out.clear();
            self.taken = 0;
        }
        length
    }

    /// Ends the segment, which has this name; its last bytes are then to be taken.
    pub fn finish(&mut self, name: &str) -> WrittenPart {
        let mut part = std::mem::take(&mut self.part);
        let written = self.segment.take().map(|segment| segment.finish(&mut self.out));
        part.file = written.and_then(|written| ManifestFile::of(name, self.draft.ordinal, &written));
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(all: &[(&str, Type, bool)]) -> Vec<NewColumn> {
        let column = |(name, of, nullable): &(&str, Type, bool)| NewColumn {
            name: name.to_string(),
            of: of.clone(),
            nullable: *nullable,
        };
        all.iter().map(column).collect()
    }

    fn version(name: &str, columns: Vec<NewColumn>, base: bool) -> NewVersion {
        NewVersion { version: name.to_string(), valid_from: Some(7), columns, base }
    }

    #[test]
    fn columns_keep_their_ids_and_schemas_theirs() {
        let schema_of = |new: &[(&str, Type, bool)], known: &[Schema], next| {
            schema_of(&columns(new), known, next).unwrap()
        };
        let first = schema_of(&[("k", Type::Long, false), ("v", Type::Int, true)], &[], 0);
        let ids = |schema: &Schema| schema.columns.iter().map(|column| column.id).collect::<Vec<u16>>();
        assert_eq!((first.id, ids(&first)), (0, vec![0, 1]));
        // A column without nulls in one version stays nullable.
        let same =
            schema_of(&[("k", Type::Long, false), ("v", Type::Int, false)], std::slice::from_ref(&first), 2);
        assert_eq!(same, first);
        let second = schema_of(
            &[("w", Type::String, false), ("k", Type::Long, false)],
            std::slice::from_ref(&first),
            2,
        );
        assert_eq!((second.id, ids(&second)), (1, vec![2, 0]));
        assert!(second.columns[0].nullable, "older rows have no value for a new column");
        let third = schema_of(&[("k", Type::Long, false), ("v", Type::Int, true)], &[first, second], 3);
        assert_eq!((third.id, ids(&third)), (2, vec![0, 3]), "an id belongs to one column for ever");
    }

    #[test]
    fn a_base_that_drops_a_column_does_not_free_its_id() {
        let place = Place::default();
        let (k, v) = (("k", Type::Long, false), ("v", Type::Int, true));
        let with = |name| [k.clone(), (name, Type::Int, true)];
        let table = new_table(1, &columns(&with("v")), &["k".to_string()], 4, 2).unwrap();
        let draft = |parent: Option<&Manifest>, of: &[(&str, Type, bool)], base| {
            draft(&table, parent, &version("a", columns(of), base), &place)
        };
        let first = draft(None, &with("v"), false).unwrap();
        let dropped = draft(Some(&first), std::slice::from_ref(&k), true).unwrap();
        let text = dropped.text(&place).unwrap();
        assert_eq!((text.contains("\"nextColumn\":2"), dropped.schemas.len()), (true, 1));
        let read = Manifest::read(text.as_bytes(), &table, 1, &place).unwrap();
        let added = draft(Some(&read), &with("w"), false).unwrap();
        assert_eq!(added.schemas[1].columns[1].id, 2, "the id of the dropped column came back");
        let again = draft(Some(&added), &[k.clone(), v, ("w", Type::Int, true)], true).unwrap();
        assert_eq!((again.schemas[0].columns[1].id, again.next_column), (3, 4));
        // A document that lost the count is damaged, and a table without ids left refuses a column.
        let mut less = again.clone();
        less.next_column = 3;
        assert_eq!(less.text(&place).unwrap_err().code(), Code::TableDamaged);
        let mut full = again;
        full.next_column = 65_536;
        let error = draft(Some(&full), &with("x"), true).unwrap_err();
        assert_eq!(error.code(), Code::TableSchema);
        assert!(error.message().contains("65,536"), "{error}");
    }

    #[test]
    fn parts_that_leave_out_a_shard_or_a_file_are_refused() {
        let place = Place::default();
        let of = columns(&[("k", Type::Long, false)]);
        let table = new_table(1, &of, &["k".to_string()], 4, 2).unwrap();
        let base = draft(&table, None, &version("a", of.clone(), false), &place).unwrap();
        let part = |shards, rows, added, deleted| WrittenPart {
            shards,
            rows,
            added,
            deleted,
            ..WrittenPart::default()
        };
        complete(&table, base.clone(), vec![part(2, 5, 5, 0), part(2, 1, 1, 0)], &place).unwrap();
        let wrong =
            [vec![part(2, 5, 5, 0)], vec![part(4, 5, 4, 0)], vec![part(4, 0, 0, 1)], vec![part(5, 1, 1, 0)]];
        for parts in wrong {
            let error = complete(&table, base.clone(), parts, &place).unwrap_err();
            assert_eq!(error.code(), Code::TableDamaged, "{error}");
        }
        let mut parent = base;
        parent.files.push(ManifestFile {
            name: "0-0-a.seg".to_string(),
            ordinal: 0,
            kind: SectionKind::Base,
            bytes: 8,
            records: 1,
            deletions: 0,
            xxh3: 0,
            families: vec![0],
            shards: (1, 2),
        });
        let next = draft(&table, Some(&parent), &version("b", of, false), &place).unwrap();
        let mut writer = PartWriter::new(table, next, Some(parent), place).unwrap();
        writer.shard(0).unwrap();
        let error = writer.shard(1).unwrap_err();
        assert_eq!(error.code(), Code::BadArgument);
        assert!(error.message().contains("0-0-a.seg"), "{error}");
        assert_eq!(writer.shard(0).unwrap_err().code(), Code::BadArgument);
        writer.shard(3).unwrap();
    }

    #[test]
    fn a_version_follows_its_parent_or_begins_a_line() {
        let place = Place::default();
        let of = columns(&[("k", Type::Long, false), ("v", Type::Int, true)]);
        let table = new_table(1, &of, &["k".to_string()], 4, 2).unwrap();
        let first = draft(&table, None, &version("a", of.clone(), false), &place).unwrap();
        assert_eq!((first.ordinal, first.base, first.valid_from), (0, 0, Some(7)));
        let next = draft(&table, Some(&first), &version("b", of.clone(), false), &place).unwrap();
        assert_eq!((next.ordinal, next.base), (1, 0));
        let base = draft(&table, Some(&next), &version("c", of.clone(), true), &place).unwrap();
        assert_eq!((base.ordinal, base.base), (2, 2));
        let mut full = next;
        full.ordinal = u64::from(MOST_VERSIONS) - 1;
        let after = draft(&table, Some(&full), &version("d", of.clone(), false), &place).unwrap();
        assert_eq!((after.ordinal, after.base), (2047, 2047), "a full line is followed by a base");
        let text = columns(&[("k", Type::Long, false), ("v", Type::String, true)]);
        assert_eq!(
            draft(&table, Some(&first), &version("e", text, false), &place).unwrap_err().code(),
            Code::TableSchema
        );
        let error = new_table(1, &of, &["none".to_string()], 4, 2).unwrap_err();
        assert!(error.message().contains("k, v"), "{error}");
    }
}
