//! The cost of the ship log against a bare loop that writes the same bytes, in turns within one run.
//!
//! | figure | timed operation, per record |
//! |---|---|
//! | `log` | `ShipLog::append` of prepared events, until the last is acknowledged |
//! | `bare` | one `write` for each record of the same bytes, `fdatasync` after every 64 |
//! | `bare_grouped` | one `write` for 64 records, `fdatasync` after each |
//! | `append` | the calls of `append` alone, as a thread of the application sees them |
//! | `durable` | `append_durable` of one event after the other, each with its own sync |
//! | `bare_each` | a `write` and an `fdatasync` for each record |
//!
//! `cargo bench -p andiron --bench shiplog` prints medians and ratios of rates and writes every turn to
//! `build/bench-shiplog.json`. `BENCH_SHIPLOG_RECORDS` (6400) and `BENCH_SHIPLOG_TURNS` (15) set size and
//! turns. Files go to cargo's target directory.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use andiron::shiplog::{Event, Kind, Options, ShipLog};

const PATIENCE: Duration = Duration::from_secs(120);
const GROUP: usize = 64;
const FIGURES: [&str; 6] = ["log", "bare", "bare_grouped", "append", "durable", "bare_each"];
/// A figure, its reference, and the least required ratio of their rates.
const RATIOS: [(&str, &str, f64); 3] =
    [("log", "bare", 0.8), ("log", "bare_grouped", 0.8), ("durable", "bare_each", 0.8)];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Events of about 500 bytes, like metrics.
fn events(count: usize) -> Vec<Event> {
    let event = |number: usize| {
        let rest = "\"step\":\"historical-data\",\"site\":\"map at Job.scala:12\",".repeat(8);
        let body = format!(r#"{{"v":1,"app_id":"app-1",{rest}"committed":{number}}}"#);
        Event { kind: Kind::Metric, id: format!("app-1||{number}|step:3"), revision: number as u64, body }
    };
    (0..count).map(event).collect()
}

/// The bytes that the log writes for these events, one slice per record.
fn records(dir: &Path, events: &[Event]) -> Vec<Vec<u8>> {
    let log = ShipLog::open(dir, "records", Options::for_tests()).unwrap();
    events.iter().for_each(|event| assert!(!log.append(event.clone()).is_none()));
    log.sync(PATIENCE).unwrap();
    let bytes = std::fs::read(log.folder().join("segment-0000000001.log")).unwrap();
    let length = |event: &Event| 36 + event.id.len() + event.body.len();
    let mut at = bytes.len() - events.iter().map(length).sum::<usize>();
    let mut records = Vec::new();
    for event in events {
        records.push(bytes[at..at + length(event)].to_vec());
        at += length(event);
    }
    records
}

struct Bench {
    dir: PathBuf,
    events: Vec<Event>,
    records: Vec<Vec<u8>>,
    turn: usize,
}

impl Bench {
    /// Removes the files of the previous figure, so that all figures find the disk in the same state.
    fn clear(&mut self) {
        let path = |what: &str| self.dir.join(format!("{what}-{}", self.turn));
        drop((std::fs::remove_dir_all(path("app")), std::fs::remove_file(path("bare"))));
        self.turn += 1;
    }

    /// Opens a new log in place of the previous one.
    fn open(&mut self) -> ShipLog {
        self.clear();
        ShipLog::open(&self.dir, &format!("app-{}", self.turn), Options::for_tests()).unwrap()
    }

    /// Creates a file in place of the previous one.
    fn file(&mut self) -> File {
        self.clear();
        File::options()
            .append(true)
            .create_new(true)
            .open(self.dir.join(format!("bare-{}", self.turn)))
            .unwrap()
    }

    /// Nanoseconds per record.
    fn time(&mut self, figure: &str) -> f64 {
        let few = self.records.len() / GROUP;
        match figure {
            "log" | "append" => {
                let (log, events) = (self.open(), self.events.clone());
                let start = Instant::now();
                events.into_iter().for_each(|event| assert!(!log.append(event).is_none()));
                let appended = start.elapsed();
                let last = log.sync(PATIENCE).unwrap();
                let durable = start.elapsed();
                assert_eq!((last.0, log.health().lost_in_all()), (self.records.len() as u64, 0));
                let elapsed = if figure == "append" { appended } else { durable };
                log.close(PATIENCE).unwrap();
                per(elapsed, self.records.len())
            }
            "durable" => {
                let (log, events) = (self.open(), self.events[..few].to_vec());
                let start = Instant::now();
                events.into_iter().for_each(|event| assert!(log.append_durable(event, PATIENCE).is_ok()));
                per(start.elapsed(), few)
            }
            "bare" => {
                let mut file = self.file();
                let start = Instant::now();
                for group in self.records.chunks(GROUP) {
                    group.iter().for_each(|record| file.write_all(record).unwrap());
                    file.sync_data().unwrap();
                }
                per(start.elapsed(), self.records.len())
            }
            "bare_grouped" => {
                let mut file = self.file();
                let groups: Vec<Vec<u8>> = self.records.chunks(GROUP).map(|group| group.concat()).collect();
                let start = Instant::now();
                for group in &groups {
                    file.write_all(group).unwrap();
                    file.sync_data().unwrap();
                }
                per(start.elapsed(), self.records.len())
            }
            _ => {
                let mut file = self.file();
                let start = Instant::now();
                for record in &self.records[..few] {
                    file.write_all(record).unwrap();
                    file.sync_data().unwrap();
                }
                per(start.elapsed(), few)
            }
        }
    }
}

fn per(elapsed: Duration, records: usize) -> f64 {
    elapsed.as_nanos() as f64 / records as f64
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn main() {
    // `cargo test` runs benches too, with other arguments: then once, and small.
    let whole = std::env::args().any(|argument| argument == "--bench");
    let records_wanted = if whole { number("BENCH_SHIPLOG_RECORDS", 6_400) } else { 640 } as usize;
    let turns = if whole { number("BENCH_SHIPLOG_TURNS", 15) } else { 1 };
    let target = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let scratch = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempdir_in(target)
        .unwrap();
    let events = events(records_wanted);
    let records = records(scratch.path(), &events);
    let mut bench = Bench { dir: scratch.path().to_path_buf(), events, records, turn: 0 };
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); FIGURES.len()];
    for turn in 0..turns {
        // Forward and backward, so that effects that grow with time affect all figures equally.
        let order: Vec<usize> = match turn % 2 {
            0 => (0..FIGURES.len()).collect(),
            _ => (0..FIGURES.len()).rev().collect(),
        };
        for at in order {
            times[at].push(bench.time(FIGURES[at]));
        }
    }
    let of = |figure: &str| &times[FIGURES.iter().position(|name| *name == figure).unwrap()];
    for figure in FIGURES {
        println!("{figure:>14} {:>12.0} ns per record", median(of(figure)));
    }
    let mut json = format!("{{\"records\":{records_wanted},\"turns\":{turns},\"ns_per_record\":{{");
    let list =
        |values: &[f64]| values.iter().map(|value| format!("{value:.0}")).collect::<Vec<_>>().join(",");
    json += &FIGURES.map(|figure| format!("\"{figure}\":[{}]", list(of(figure)))).join(",");
    json += "},\"ratios\":{";
    json += &RATIOS
        .map(|(figure, other, wanted)| {
            let ratio = median(of(other)) / median(of(figure));
            let turn_by_turn: Vec<f64> =
                of(figure).iter().zip(of(other)).map(|(ours, theirs)| theirs / ours).collect();
            let paired = median(&turn_by_turn);
            println!("{figure} / {other}: {ratio:.2} of the rate (turn by turn {paired:.2}), at least {wanted} is required");
            format!("\"{figure}/{other}\":{{\"ratio\":{ratio:.3},\"turn_by_turn\":{paired:.3},\"wanted\":{wanted}}}")
        })
        .join(",");
    json += "}}\n";
    if whole {
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("build");
        std::fs::create_dir_all(&build).unwrap();
        std::fs::write(build.join("bench-shiplog.json"), json).unwrap();
    }
}
