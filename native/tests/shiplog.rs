//! The log of a killed process: acknowledged events are read back exactly once.
//!
//! A child is this test binary again, running only `child`. It appends events and prints the acknowledged
//! sequence; the parent kills it at a random moment, reads the log, then lets another child continue it. Half
//! of the children write through a file layer that keeps unsynced bytes in memory, so that they are lost with
//! the process, and now and then leaves some of their sectors in the file, like a disk at a power failure.
//!
//! `ANDIRON_KILLS` sets the number of kills for each layer (5); a campaign uses 50.

#![allow(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod again;
#[path = "../src/shiplog/lossy.rs"]
mod lossy;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andiron::shiplog;
use andiron::shiplog::{read, DiskFiles, Event, Kind, Medium, Notes, Options, ShipLog};
use lossy::Lossy;

const PATIENCE: Duration = Duration::from_secs(30);
const ROOT: &str = "ANDIRON_SHIPLOG_TEST_ROOT";
const LAYER: &str = "ANDIRON_SHIPLOG_TEST_LAYER";
const BEGIN: &str = "ANDIRON_SHIPLOG_TEST_BEGIN";
const SEED: &str = "ANDIRON_SHIPLOG_TEST_SEED";

/// A reproducible generator (xorshift64*).
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}

/// The `number`th event, with a content derived from its number.
fn event(number: u64) -> Event {
    let text = "äx".repeat((number % 97) as usize);
    let body = format!(r#"{{"v":1,"number":{number},"text":"{text}"}}"#);
    Event { kind: Kind::Metric, id: format!("app||{number}"), revision: number, body }
}

/// Appends for ever, and prints the acknowledged sequence.
#[test]
fn child() {
    let Ok(root) = std::env::var(ROOT) else { return };
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let medium: Arc<dyn Medium> = match std::env::var(LAYER).unwrap().as_str() {
        "lossy" => Arc::new(Lossy::new(number(SEED))),
        _ => Arc::new(DiskFiles),
    };
    let options = Options { segment_bytes: 100_000, medium, ..Options::for_tests() };
    let log = ShipLog::open(Path::new(&root), "app-1", options).unwrap();
    println!("@open");
    let mut noise = Noise(number(SEED) | 1);
    let mut said = log.acknowledged();
    let mut next = number(BEGIN);
    let begin = next;
    let first = said.0;
    loop {
        for _ in 0..noise.below(100) {
            assert!(!log.append(event(next)).is_none());
            next += 1;
        }
        match noise.below(4) {
            0 => {
                log.append_durable(event(next), PATIENCE).unwrap();
                next += 1;
            }
            1 => assert!(log.sync(PATIENCE).is_ok()),
            2 => std::thread::sleep(Duration::from_millis(noise.below(4))),
            _ => {}
        }
        let durable = log.acknowledged();
        if durable > said {
            said = durable;
            println!("@{}", begin + durable.0 - first);
            io::stdout().flush().unwrap();
        }
    }
}

/// Lets a child write from the `begin`th event for a while, and kills it. Returns the number of events that
/// it reported as durable.
fn write_and_die(root: &Path, layer: &str, begin: u64, noise: &mut Noise) -> u64 {
    let mut child = again::this_binary()
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(ROOT, root)
        .env(LAYER, layer)
        .env(BEGIN, begin.to_string())
        .env(SEED, noise.below(u64::MAX).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let life = Duration::from_micros(noise.below(150_000));
    let reader = std::thread::spawn(move || {
        let mut said = begin;
        let lines = output.lines().map(|line| line.unwrap());
        for line in lines.filter_map(|line| Some(line.split_once('@')?.1.to_string())) {
            // The last line may be cut.
            said = line.parse().unwrap_or(said).max(said);
        }
        said
    });
    let opened = Instant::now();
    let segments = || root.join("app-1").read_dir().map_or(0, |entries| entries.count());
    while segments() == 0 && opened.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(life);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// The numbers of the events in the log, after checking the content and the order of each.
fn numbers_of(folder: &Path) -> (Vec<u64>, Notes) {
    let mut reading = read(folder).unwrap();
    let mut numbers: Vec<u64> = Vec::new();
    for found in reading.by_ref() {
        let found = found.unwrap();
        assert_eq!(found, event(found.revision));
        assert!(numbers.last().is_none_or(|last| *last < found.revision), "{} comes twice", found.revision);
        numbers.push(found.revision);
    }
    (numbers, reading.notes().clone())
}

/// Kills writers of one log. Returns the total numbers of acknowledged events and of events read.
fn kill_again_and_again(layer: &str) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let root: PathBuf = dir.path().join("log");
    let kills = std::env::var("ANDIRON_KILLS").map_or(5, |kills| kills.parse::<u64>().unwrap());
    let seed = RandomState::new().hash_one(layer);
    let mut noise = Noise(seed | 1);
    let (mut next, mut gaps) = (0, 0);
    let mut acknowledged: Vec<u64> = Vec::new();
    let mut notes = Notes::default();
    for kill in 0..kills {
        let said = write_and_die(&root, layer, next, &mut noise);
        acknowledged.extend(next..said);
        let numbers;
        (numbers, notes) = numbers_of(&root.join("app-1"));
        let there: HashSet<u64> = numbers.iter().copied().collect();
        let lost: Vec<u64> = acknowledged.iter().copied().filter(|number| !there.contains(number)).collect();
        assert!(lost.is_empty(), "kill {kill}, seed {seed}: acknowledged and missing: {lost:?}");
        next = numbers.last().map_or(0, |last| last + 1);
        gaps = next - numbers.len() as u64;
        assert_eq!((notes.missing, notes.repeated), (gaps, 0), "kill {kill}, seed {seed}");
    }
    let (there, torn) = (next - gaps, notes.torn_bytes + notes.corrupt_bytes);
    println!("{layer}: {kills} kills, {} acknowledged, {there} read, {torn} bytes torn", acknowledged.len());
    assert!(layer == "lossy" || gaps == 0, "a kill leaves no gaps");
    (acknowledged.len() as u64, there)
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let (acknowledged, read) = kill_again_and_again("files");
    assert!(
        0 < acknowledged && acknowledged <= read,
        "{acknowledged} of {read}: no child was killed while it wrote"
    );
}

#[test]
fn what_was_acknowledged_survives_a_disk_that_forgets() {
    let (acknowledged, read) = kill_again_and_again("lossy");
    assert!(
        0 < acknowledged && acknowledged <= read,
        "{acknowledged} of {read}: no child was killed while it wrote"
    );
}
