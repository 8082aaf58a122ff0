//! Arbitrary ship logs: cut, flipped, spliced, forged, of other releases. No log may cause a panic or be read
//! as events that were not written, and a log that can be opened is continued.

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use andiron::error::Code;
use andiron::shiplog::{applications, position, read, Claim, Event, Kind, Options, Sequence, ShipLog, Tail};
use andiron_model::config;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);
const MARKER: [u8; 4] = [0xfe, 0xc1, 0xff, 0xc0];

/// A directory in memory, where a sync is free, if available.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn event(number: u64) -> Event {
    let kind = Kind::ALL[number as usize % Kind::ALL.len()];
    let body = format!(r#"{{"v":1,"text":"{}"}}"#, "ä".repeat(number as usize * 7 % 60));
    Event { kind, id: format!("app||{number}"), revision: number, body }
}

/// The segments of a log of 30 events.
fn written() -> Vec<Vec<u8>> {
    let dir = scratch();
    let options = Options { segment_bytes: 600, run_id: "run".into(), ..Options::for_tests() };
    let log = ShipLog::open(&dir.path().join("log"), "app-1", options).unwrap();
    (0..30).for_each(|number| assert!(log.append_durable(event(number), PATIENCE).is_ok()));
    let mut names: Vec<PathBuf> =
        fs::read_dir(log.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
        .into_iter()
        .filter(|path| path.extension() == Some("log".as_ref()))
        .map(|path| fs::read(path).unwrap())
        .collect()
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let bit = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    let byte = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), bit);
    (!bytes.iter().fold(u32::MAX, byte)).to_le_bytes()
}

/// A record with correct checksums and any content.
fn forged(kind: u8, lengths: (u16, u32), sequence: u64, content: &[u8]) -> Vec<u8> {
    let mut record = MARKER.to_vec();
    record.extend([kind, 0]);
    record.extend(lengths.0.to_le_bytes());
    record.extend(lengths.1.to_le_bytes());
    record.extend(sequence.to_le_bytes());
    record.extend(7u64.to_le_bytes());
    let sum = crc32(&record);
    record.extend(sum);
    record.extend(content);
    let sum = crc32(&record);
    record.extend(sum);
    record
}

#[derive(Debug, Clone)]
enum Damage {
    Cut(Index),
    Flip(Index, u8),
    Zero(Index, Index),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Copy(Index, Index),
    Swap(Index, Index),
    Forge(Index, u8, Option<(u16, u32)>, u64, Vec<u8>),
    Version(u16),
}

fn damage() -> impl Strategy<Value = (Index, Damage)> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..80);
    let sequence = prop_oneof![0..40u64, any::<u64>(), Just(u64::MAX), Just(1 << 62)];
    let lengths = prop::option::of((any::<u16>(), prop_oneof![any::<u32>(), 0..100u32]));
    let one = prop_oneof![
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Zero(from, to)),
        (any::<Index>(), bytes()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Remove(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Copy(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Damage::Swap(one, other)),
        (any::<Index>(), 0..12u8, lengths, sequence, bytes()).prop_map(
            |(at, kind, lengths, sequence, bytes)| Damage::Forge(at, kind, lengths, sequence, bytes)
        ),
        any::<u16>().prop_map(Damage::Version),
    ];
    (any::<Index>(), one)
}

fn apply(segments: &mut [Vec<u8>], which: Index, damage: &Damage) {
    let other = |index: &Index| index.index(segments.len());
    if let Damage::Swap(one, two) = damage {
        let (one, two) = (other(one), other(two));
        return segments.swap(one, two);
    }
    let which = which.index(segments.len());
    let bytes = &mut segments[which];
    let at = |index: &Index| index.index(bytes.len() + 1);
    let range = |from: &Index, to: &Index| at(from).min(at(to))..at(from).max(at(to));
    match damage {
        Damage::Cut(end) => bytes.truncate(at(end)),
        Damage::Flip(place, bit) if !bytes.is_empty() => {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        Damage::Flip(..) | Damage::Swap(..) => {}
        Damage::Zero(from, to) => {
            let range = range(from, to);
            bytes[range].fill(0);
        }
        Damage::Insert(place, new) => {
            let place = at(place);
            drop(bytes.splice(place..place, new.iter().copied()));
        }
        Damage::Remove(from, to) => drop(bytes.drain(range(from, to))),
        Damage::Copy(from, to) => {
            let copy = bytes[range(from, to)].to_vec();
            bytes.extend(copy);
        }
        Damage::Forge(place, kind, lengths, sequence, content) => {
            let lengths =
                lengths.unwrap_or((content.len() as u16 / 2, (content.len() - content.len() / 2) as u32));
            let (place, record) = (at(place), forged(*kind, lengths, *sequence, content));
            drop(bytes.splice(place..place, record));
        }
        Damage::Version(version) if bytes.len() > 12 => {
            bytes[8..10].copy_from_slice(&version.to_le_bytes());
            let length = usize::from(bytes[10]) + 256 * usize::from(bytes[11]);
            if (16..=bytes.len()).contains(&length) {
                let sum = crc32(&bytes[..length - 4]);
                bytes[length - 4..length].copy_from_slice(&sum);
            }
        }
        Damage::Version(_) => {}
    }
}

fn store(root: &Path, segments: &[Vec<u8>]) -> PathBuf {
    let folder = root.join("app-1");
    let _ = fs::remove_dir_all(root);
    fs::create_dir_all(&folder).unwrap();
    for directory in [root, &folder] {
        fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    }
    for (at, bytes) in segments.iter().enumerate() {
        fs::write(folder.join(format!("segment-{:010}.log", at + 1)), bytes).unwrap();
    }
    folder
}

/// Reads the log in every way. Returns the events, and whether all segments were readable.
fn read_all(folder: &Path, swapped: bool) -> (Vec<Event>, bool) {
    let (mut events, mut whole) = (Vec::new(), true);
    let mut last = Sequence::NONE;
    let mut reading = read(folder).unwrap();
    while let Some(found) = reading.next_placed() {
        match found {
            Ok((sequence, event)) => {
                assert!(sequence > last, "{sequence} after {last}");
                last = sequence;
                events.push(event);
            }
            Err(error) => {
                assert_eq!(error.code(), Code::LogVersion, "{error}");
                whole = false;
            }
        }
    }
    if whole {
        match Claim::of(folder) {
            Ok(claim) => {
                let (mut tail, mut same) = (Tail::of(&claim.unwrap(), Sequence::NONE), Vec::new());
                tail.read(Sequence(u64::MAX), usize::MAX, usize::MAX, &mut same).unwrap();
                // A tail begins at the place that the headers give; with exchanged segments that may be
                // another one.
                assert!(swapped || same == events);
            }
            Err(error) => assert_eq!(error.code(), Code::LogDamaged, "{error}"),
        }
    }
    applications(folder.parent().unwrap()).unwrap();
    (events, whole)
}

fn swapped(damages: &[(Index, Damage)]) -> bool {
    damages.iter().any(|(_, damage)| matches!(damage, Damage::Swap(..)))
}

#[test]
fn a_damaged_log_gives_what_was_written_and_nothing_else() {
    let (dir, segments) = (scratch(), written());
    let original: HashSet<u64> = (0..30).collect();
    proptest!(config(1500), |(damages in prop::collection::vec(damage(), 1..5))| {
        let mut segments = segments.clone();
        damages.iter().for_each(|(which, damage)| apply(&mut segments, *which, damage));
        let folder = store(dir.path(), &segments);
        let forged = damages.iter().any(|(_, damage)| matches!(damage, Damage::Forge(..)));
        for found in read_all(&folder, swapped(&damages)).0 {
            prop_assert!(forged || original.contains(&found.revision) && found == event(found.revision), "{found:?}");
        }
    });
}

#[test]
fn a_damaged_log_goes_on_or_says_why_not() {
    let (dir, segments) = (scratch(), written());
    proptest!(config(250), |(damages in prop::collection::vec(damage(), 1..5))| {
        let mut segments = segments.clone();
        damages.iter().for_each(|(which, damage)| apply(&mut segments, *which, damage));
        let folder = store(dir.path(), &segments);
        let (before, whole) = read_all(&folder, swapped(&damages));
        match ShipLog::open(dir.path(), "app-1", Options::for_tests()) {
            Ok(log) => {
                log.append_durable(event(99), PATIENCE).unwrap();
                log.close(PATIENCE).unwrap();
                drop(log);
                let (after, _) = read_all(&folder, swapped(&damages));
                let kept = before.len().min(after.len());
                prop_assert_eq!(&after[..kept], &before[..kept]);
                if whole {
                    prop_assert_eq!(after.last(), Some(&event(99)));
                }
            }
            Err(error) => prop_assert!(!whole && error.code() == Code::LogVersion || error.code() == Code::LogDamaged, "{error}"),
        }
    });
}

#[test]
fn any_bytes_are_a_log_or_not() {
    let dir = scratch();
    let chunk = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        Just(MARKER.to_vec()),
        Just(b"\x89ANDLOG\n\x01\x00\x2a\x00".to_vec()),
        (0..12u8, any::<(u16, u32)>(), any::<u64>())
            .prop_map(|(kind, lengths, sequence)| forged(kind, lengths, sequence, b"{}")),
    ];
    let file = prop::collection::vec(chunk, 0..12).prop_map(|chunks| chunks.concat());
    let header = written()[0][..60].to_vec();
    proptest!(config(1500), |(files in prop::collection::vec(file, 1..4), real in any::<bool>())| {
        let mut files = files;
        if real {
            files[0].splice(0..0, header.iter().copied());
        }
        read_all(&store(dir.path(), &files), false);
    });
}

#[test]
fn any_position_is_one_or_the_start() {
    let dir = scratch();
    proptest!(config(1000), |(bytes in prop_oneof!["[0-9]{0,22} [0-9a-f]{0,9}\n?".prop_map(String::into_bytes).boxed(), prop::collection::vec(any::<u8>(), 0..40).boxed()])| {
        fs::write(dir.path().join("position-kafka"), &bytes).unwrap();
        prop_assert!(position(dir.path(), "kafka").is_some());
    });
}
