//! Tables in memory for properties: rows, published versions, and the files that they give.

use andiron::error::Result;
use andiron::table::{
    read_directory, Codec, Column, Description, Manifest, ManifestFile, MemoryRecords, Place, PlacedSection,
    Scan, Schema, SectionKind, SegmentWriter, ShardRows, TableIndex, Type, Value, WrittenSegment,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A segment and its entries in the manifest and the directory.
pub struct Segment {
    pub bytes: Vec<u8>,
    pub written: WrittenSegment,
}

/// The rows of a version: a value by the number of a key.
pub type RowsByKey = BTreeMap<u32, i64>;

/// A table of which each version is one segment.
pub struct TableWorld {
    pub description: Description,
    pub schema: Schema,
    pub codec: Codec,
    pub records: Arc<MemoryRecords>,
    pub index: Option<Arc<TableIndex>>,
    /// For each version: its rows, its address, and its sections.
    pub versions: Vec<(RowsByKey, u64, Vec<PlacedSection>)>,
    next_address: u64,
    texts: bool,
}

impl TableWorld {
    /// A table of 2^`bits` shards, with a long or with a pair of string and int as key.
    pub fn new(bits: u32, texts: bool) -> TableWorld {
        let column = |id, of, nullable| Column { id, name: format!("c{id}"), of, nullable };
        let key = match texts {
            true => vec![column(1, Type::String, false), column(2, Type::Int, false)],
            false => vec![column(1, Type::Long, false)],
        };
        let ids: Vec<u16> = key.iter().map(|column| column.id).collect();
        let values = [column(3, Type::Long, false), column(4, Type::String, true)];
        let schema = Schema { id: 0, columns: key.into_iter().chain(values).collect() };
        let description = Description::new(0xfeed, ids, 1 << bits, 0);
        let codec = Codec::new(&description.key, description.seed, std::slice::from_ref(&schema)).unwrap();
        TableWorld {
            description,
            schema,
            codec,
            records: Arc::default(),
            index: None,
            versions: Vec::new(),
            next_address: 4096,
            texts,
        }
    }

    pub fn place(&self) -> Place {
        Place { table: "t".into(), version: self.versions.len().to_string(), ..Place::default() }
    }

    /// The values of a key. Longs are chosen so that shards, tags and places of many keys are the same.
    pub fn key_values(&self, number: u32) -> Vec<Value> {
        if self.texts {
            return vec![Value::text(&"k".repeat(number as usize % 40)), Value::Int(number.into())];
        }
        let number = u64::from(number);
        let hash = number << 62 | number << 44 | (number % 3) << 40 | (number % 7) << 29;
        vec![Value::Int(unfmix64(hash) as i64)]
    }

    pub fn key(&self, number: u32) -> Vec<u8> {
        self.codec.key(&self.key_values(number), &self.place()).unwrap()
    }

    pub fn record(&self, number: u32, value: i64) -> Vec<u8> {
        let text = if value % 3 == 0 { Value::Null } else { Value::text(&"v".repeat(value as usize % 50)) };
        let mut into = Vec::new();
        let values = [Value::Int(value), text];
        self.codec.row(&self.key_values(number), &values, &mut into, &self.place()).unwrap();
        into
    }

    /// The segment of a version after the newest one, compared with it; `order` shuffles the rows.
    pub fn segment(&self, rows: &RowsByKey, order: u64) -> Segment {
        self.segment_of(rows, order, !self.versions.is_empty())
    }

    /// The same with a comparison or without one.
    pub fn segment_of(&self, rows: &RowsByKey, order: u64, compared: bool) -> Segment {
        let bits = self.description.bits();
        let mut shards: Vec<Vec<Vec<u8>>> = vec![Vec::new(); 1 << bits];
        for (number, value) in rows {
            let hash = self.codec.hash().of(&self.key(*number));
            shards[andiron::table::shard(hash, bits)].push(self.record(*number, *value));
        }
        let mut bytes = Vec::new();
        let mut writer = SegmentWriter::new(self.description.table, self.description.shards, &mut bytes);
        let kind = if self.versions.is_empty() { SectionKind::Base } else { SectionKind::Delta };
        for (shard, mut records) in (0..).zip(shards) {
            let turn = order as usize % records.len().max(1);
            records.rotate_left(turn);
            let mut incoming = ShardRows::new(&self.codec, bits, shard, self.place());
            records.iter().for_each(|record| incoming.add(record).unwrap());
            let parent = compared.then(|| self.scan(self.versions.len() - 1, shard).unwrap());
            let delta = incoming.compare(parent).unwrap();
            if delta.content.records > 0 {
                writer.section((0, shard, kind), &delta.content, &mut bytes, &self.place()).unwrap();
            }
        }
        let written = writer.finish(&mut bytes);
        Segment { bytes, written }
    }

    /// Makes a segment a version, in memory and in the index.
    pub fn publish(&mut self, rows: RowsByKey, segment: &Segment) -> Result<()> {
        let (table, shards) = (self.description.table, self.description.shards);
        let at = self.next_address;
        self.next_address += (segment.bytes.len() as u64).next_multiple_of(4096);
        self.records.add(at, segment.bytes.clone());
        let bytes = segment.bytes.len() as u64;
        let directory = read_directory(&*self.records, at, bytes, (table, shards), &self.place())?;
        let sections = PlacedSection::all(directory, at, &self.place());
        match &self.index {
            None => {
                let (codec, bits) = (self.codec.clone(), self.description.bits());
                let records = Arc::clone(&self.records);
                let built = TableIndex::build(codec, bits, records, sections.clone(), 2, self.place())?;
                self.index = Some(Arc::new(built));
            }
            Some(index) => {
                let version = index.append(self.codec.clone(), sections.clone())?;
                assert_eq!(usize::from(version), self.versions.len());
            }
        }
        self.versions.push((rows, at, sections));
        Ok(())
    }

    /// A scan that needs no index.
    pub fn scan(&self, version: usize, shard: u16) -> Result<Scan> {
        let of_version = self.versions[..=version].iter().rev();
        let sections = of_version.flat_map(|(_, _, sections)| sections);
        let sections = sections.filter(|section| section.section.shard == shard).cloned().collect();
        let (records, codec) = (Arc::clone(&self.records), Arc::new(self.codec.clone()));
        Scan::new(records, codec, self.description.bits(), sections)
    }

    /// The records of a version, from a scan of all shards.
    pub fn scanned(&self, version: usize) -> Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        for shard in 0..self.description.shards as u16 {
            let mut scan = self.scan(version, shard)?;
            while scan.next_row()? {
                all.push(scan.row()?.unwrap().bytes().to_vec());
            }
        }
        all.sort();
        Ok(all)
    }

    pub fn expected(&self, version: usize) -> Vec<Vec<u8>> {
        let rows = self.versions[version].0.iter();
        let mut all: Vec<Vec<u8>> = rows.map(|(number, value)| self.record(*number, *value)).collect();
        all.sort();
        all
    }

    /// The manifest of the newest version.
    pub fn manifest(&self, segments: &[&Segment]) -> Manifest {
        let mut manifest = Manifest::base(self.description.table, "v0", 0, self.schema.clone());
        for (ordinal, segment) in (0..).zip(segments) {
            if ordinal > 0 {
                let name = format!("v{ordinal}");
                manifest = manifest.next(&name, &self.schema, &self.description.key, &self.place()).unwrap();
            }
            manifest.files.extend(ManifestFile::of(&format!("{ordinal}-0.seg"), ordinal, &segment.written));
        }
        manifest
    }
}

/// The reverse of MurmurHash3's finaliser.
fn unfmix64(hash: u64) -> u64 {
    let word = (hash ^ hash >> 33).wrapping_mul(0x9cb4_b2f8_1293_37db);
    let word = (word ^ word >> 33).wrapping_mul(0x4f74_430c_22a5_4005);
    word ^ word >> 33
}
