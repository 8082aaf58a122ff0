//! Lines on real files.

use super::super::segment::{SectionBytes, SectionKind, SegmentWriter};
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
        let new = NewVersion { version: name.to_string(), valid_from: None, columns: columns(), base: false };
        let manifest = draft(&self.description, self.newest.as_ref(), &new, &place).unwrap();
        let codec = manifest.codec(&self.description).unwrap();
        let mut parts = Vec::new();
        for task in [0, 2] {
            let of = self.description.clone();
            let parent = self.newest.clone().filter(|_| manifest.base != manifest.ordinal);
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
                        part.rows(record);
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
        let done = complete(&self.description, manifest, parts, &place).unwrap();
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

/// A keeper that says whether its pages are there, as a payload of the cache does.
#[derive(Default)]
struct Evictable(std::sync::Mutex<Vec<std::sync::Weak<dyn Pages>>>);

impl Payload for Evictable {
    fn evict(&self) {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter_map(std::sync::Weak::upgrade)
            .for_each(|pages| pages.drop_pages());
    }

    fn kept_by_attempts(&self) -> bool {
        false
    }

    fn mapped_again(&self, elsewhere: std::sync::Weak<dyn Pages>) {
        self.0.lock().unwrap().push(elsewhere);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Bytes that this process has in memory of the mapping at `address`.
fn in_memory(address: u64) -> usize {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let start = format!("{address:x}-");
    let mut of_it = smaps.lines().skip_while(|line| !line.starts_with(&start));
    let line = of_it.find_map(|line| line.strip_prefix("Rss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn offer_all(line: &MappedLine, table: &Table, newest: &Manifest) {
    for (number, file) in newest.files.iter().enumerate().skip(line.offered()) {
        line.offer(number, LineFile { file: table.open(&file.name), keeper: Arc::new(Kept) }).unwrap();
    }
}

fn value(view: &LineView, version: u16, key: i64) -> Option<Vec<u8>> {
    view.lease.row(version, &key.to_le_bytes()).unwrap()
}

#[test]
fn an_evicted_file_gives_its_pages_back_and_its_rows_stay_readable() {
    let mut table = Table::new();
    let newest = table.publish("a", &(0..5000).map(|key| (key, key)).collect());
    let line =
        Arc::new(MappedLine::open(table.description.clone(), newest.clone(), Place::default()).unwrap());
    let keepers: Vec<Arc<Evictable>> = newest.files.iter().map(|_| Arc::default()).collect();
    for (number, file) in newest.files.iter().enumerate() {
        let keeper = Arc::clone(&keepers[number]) as Arc<dyn Payload>;
        line.offer(number, LineFile { file: table.open(&file.name), keeper }).unwrap();
    }
    line.grow(0, 1).unwrap();
    let view = line.view(0).unwrap();
    assert!(in_memory(view.region()) >= newest.files[0].bytes as usize);
    keepers.iter().for_each(|keeper| keeper.evict());
    assert_eq!(in_memory(view.region()), 0);
    assert!(value(&view, 0, 4999).is_some());
    drop((line, view));
    assert!(keepers[0].0.lock().unwrap()[0].upgrade().is_none());
    keepers[0].evict();
}

#[test]
fn a_later_manifest_continues_the_line_and_another_table_has_its_own() {
    let mut table = Table::new();
    let mut rows: BTreeMap<i64, i64> = (0..200).map(|key| (key, key)).collect();
    let first = table.publish("a", &rows);
    rows.insert(7, 70);
    let second = table.publish("b", &rows);
    rows.insert(8, 80);
    let third = table.publish("c", &rows);
    let open = |manifest: &Manifest| {
        MappedLine::shared(table.description.clone(), manifest.clone(), Place::default()).unwrap()
    };
    let line = open(&second);
    offer_all(&line, &table, &second);
    line.grow(1, 1).unwrap();
    let view = line.view(1).unwrap();
    assert!(Arc::ptr_eq(&line, &open(&first)) && Arc::ptr_eq(&line, &open(&third)));
    assert_eq!(line.grow(3, 1).unwrap_err().code(), Code::BadArgument, "the files of c are not offered");
    offer_all(&line, &table, &third);
    assert_eq!(line.grow(3, 1).unwrap_err().code(), Code::UnknownVersion);
    assert_eq!(line.versions(), 3);
    assert_ne!(value(&view, 1, 7), value(&view, 0, 7));
    assert_eq!(value(&view, 1, 8), value(&view, 0, 8));
    let newest = line.view(2).unwrap();
    assert_ne!(value(&newest, 2, 8), value(&newest, 1, 8));
    // The same numbers with other files are another line, as after a copy that went its own way.
    let mut other = second.clone();
    other.files.last_mut().unwrap().xxh3 ^= 1;
    assert!(!Arc::ptr_eq(&line, &open(&other)));
    let mut far = third.clone();
    far.ordinal += 1;
    far.files.push(ManifestFile { bytes: 1 << 40, ordinal: 3, ..third.files.last().unwrap().clone() });
    assert!(!Arc::ptr_eq(&line, &open(&far)), "its files do not fit the addresses");
    drop((line, view, newest));
    assert_eq!(open(&third).versions(), 0, "nothing of a line is left after its last user");
}

impl Table {
    /// The record of a row.
    fn record(&self, manifest: &Manifest, key: i64, value: i64) -> Vec<u8> {
        let codec = manifest.codec(&self.description).unwrap();
        let mut record = Vec::new();
        codec.row(&[Value::Int(key)], &[Value::Int(value)], &mut record, &Place::default()).unwrap();
        record
    }

    /// A version that writes one row, without a comparison with all versions before it.
    fn write_one(&mut self, name: &str, key: i64, value: i64) {
        let place = Place::default();
        let new = NewVersion { version: name.to_string(), valid_from: None, columns: columns(), base: false };
        let mut manifest = draft(&self.description, self.newest.as_ref(), &new, &place).unwrap();
        let bytes = self.record(&manifest, key, value);
        let hash = manifest.codec(&self.description).unwrap().hash().of(&key.to_le_bytes());
        let shard = super::super::shard(hash, 2) as u16;
        let mut out = Vec::new();
        let mut segment = SegmentWriter::new(self.description.table, 4, &mut out);
        let content = SectionBytes { bytes, records: 1, deletions: 0 };
        segment.section((0, shard, SectionKind::Delta), &content, &mut out, &place).unwrap();
        let written = segment.finish(&mut out);
        let file = format!("{}-one.seg", manifest.ordinal);
        std::fs::write(self.folder.path().join(&file), out).unwrap();
        manifest.files.extend(ManifestFile::of(&file, manifest.ordinal, &written));
        self.newest = Some(manifest);
    }
}

#[test]
fn a_line_takes_2047_versions_and_shows_each_and_then_ends() {
    let mut table = Table::new();
    let rows: BTreeMap<i64, i64> = (0..100).map(|key| (key, 0)).collect();
    table.publish("v0", &rows);
    (1..2047).for_each(|version| table.write_one(&format!("v{version}"), version % 150, version));
    let newest = table.newest.clone().unwrap();
    assert_eq!(newest.relative(), 2046);
    let schema = newest.schemas[0].clone();
    let error = newest.next("v2047", &schema, &table.description.key, &Place::default()).unwrap_err();
    assert_eq!(error.code(), Code::TableLimit);
    assert!(error.message().contains("2047") && error.message().contains("base"), "{error}");
    let line =
        Arc::new(MappedLine::open(table.description.clone(), newest.clone(), Place::default()).unwrap());
    offer_all(&line, &table, &newest);
    line.grow(2046, 2).unwrap();
    assert!(line.bytes() <= index_estimate(&table.description, &newest), "{} bytes", line.bytes());
    let view = line.view(2046).unwrap();
    for version in [0, 1, 149, 150, 151, 1023, 1024, 2045, 2046_i64] {
        for key in 0..150 {
            // The last version up to this one that wrote the key.
            let wrote = version - (version - key).rem_euclid(150);
            let expected = if wrote >= 1 { Some(wrote) } else { (key < 100).then_some(0) };
            let expected = expected.map(|value| table.record(&newest, key, value));
            assert_eq!(value(&view, version as u16, key), expected, "key {key} in version {version}");
        }
    }
    // The next publish begins a line of its own.
    let after = table.publish("v2047", &rows);
    assert_eq!((after.ordinal, after.base, after.added), (2047, 2047, 100));
}

#[test]
fn the_estimate_of_an_index_is_an_upper_bound_under_growth_and_churn() {
    let mut random = 7_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) % below
    };
    for (first, churn) in [(0, 500), (10, 300), (20_000, 2000), (3000, 3000)] {
        let mut table = Table::new();
        let mut rows: BTreeMap<i64, i64> = (0..first).map(|key| (key, key)).collect();
        for version in 0..12_i64 {
            let newest = table.publish(&format!("v{version}"), &rows);
            let line = Arc::new(
                MappedLine::open(table.description.clone(), newest.clone(), Place::default()).unwrap(),
            );
            offer_all(&line, &table, &newest);
            line.grow(version as u16, 2).unwrap();
            let (bytes, most) = (line.bytes(), index_estimate(&table.description, &newest));
            assert!(
                bytes <= most,
                "{first} keys, {churn} changes, version {version}: {bytes} of {most} bytes"
            );
            for _ in 0..churn {
                let key = next(30_000) as i64;
                if next(4) == 0 {
                    rows.remove(&key);
                } else {
                    rows.insert(key, next(1 << 40) as i64);
                }
            }
        }
    }
}
