//! The cost of reading a log of false records: each is a valid header that claims half the log as its body.
//!
//! | column | content between two headers |
//! |---|---|
//! | `heads` | nothing |
//! | `text` | 1,000 bytes of text |
//!
//! `cargo bench -p andiron --bench damaged` prints milliseconds, the least of 15, for logs of 1, 2, 4 and 8
//! MB. Twice the bytes take twice the time.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

use std::path::Path;
use std::time::Instant;

use andiron::shiplog::{read, Event, Kind, Options, ShipLog};

const GAPS: [(&str, usize); 2] = [("heads", 0), ("text", 1_000)];

/// A record header without its record.
fn head(number: u64, claimed: u32) -> Vec<u8> {
    let mut head = vec![0xfe, 0xc1, 0xff, 0xc0, 2, 0, 0, 0];
    head.extend_from_slice(&claimed.to_le_bytes());
    head.extend_from_slice(&number.to_le_bytes());
    head.extend_from_slice(&1_u64.to_le_bytes());
    let sum = crc32fast::hash(&head);
    head.extend_from_slice(&sum.to_le_bytes());
    head
}

/// A log of one event and `bytes` of false records.
fn log(root: &Path, name: &str, bytes: usize, gap: usize) -> std::path::PathBuf {
    let log = ShipLog::open(root, name, Options::for_tests()).unwrap();
    log.append(Event { kind: Kind::Metric, id: "app".into(), revision: 1, body: "{}".into() });
    log.close(std::time::Duration::from_secs(60)).unwrap();
    let segment = log.folder().join("segment-0000000001.log");
    let mut content = std::fs::read(&segment).unwrap();
    let end = content.len() + bytes;
    for number in 2.. {
        if content.len() >= end {
            break;
        }
        content.extend_from_slice(&head(number, bytes as u32 / 2));
        content.resize(content.len() + gap, b' ');
    }
    std::fs::write(&segment, content).unwrap();
    log.folder().to_path_buf()
}

fn main() {
    // `cargo test` runs benches too, with other arguments: then once, and small.
    let whole = std::env::args().any(|argument| argument == "--bench");
    let (sizes, turns) = if whole { (vec![1, 2, 4, 8], 15) } else { (vec![1], 1) };
    let scratch = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempdir()
        .unwrap();
    println!("{:>4} {:>12} {:>12}", "MB", GAPS[0].0, GAPS[1].0);
    for size in sizes {
        let times = GAPS.map(|(name, gap)| {
            let folder = log(scratch.path(), &format!("{name}-{size}"), size * 1_000_000, gap);
            (0..turns)
                .map(|_| {
                    let start = Instant::now();
                    let mut reading = read(&folder).unwrap();
                    assert_eq!(reading.by_ref().filter_map(Result::ok).count(), 1);
                    assert!(
                        reading.notes().corrupt_bytes + reading.notes().torn_bytes >= size as u64 * 1_000_000
                    );
                    start.elapsed().as_secs_f64() * 1_000.0
                })
                .fold(f64::INFINITY, f64::min)
        });
        println!("{size:>4} {:>12.1} {:>12.1}", times[0], times[1]);
    }
}
