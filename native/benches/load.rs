//! The speed of bringing a version's bytes into memory, against the kernel and `cp`, in turns within one run.
//!
//! For each layout of the source in the page cache (`small`: written 128 KiB at a time, as `cp` and HDFS
//! clients do; `huge`: written 2 MiB at a time, which the kernel keeps in huge pages that populate without
//! being touched):
//!
//! | figure | timed operation |
//! |---|---|
//! | `populate` | mmap and MADV_POPULATE_READ of the source |
//! | `populate_and_sum` | the same and the sum of its words: no checksum can be faster |
//! | `map_in_place` | `Store::map_in_place` of it, XXH3 included |
//! | `copy_local` | begin, `Writer::copy_local`, publish: to a populated mapping, XXH3 included |
//! | `stream` | the same with the source read in chunks of 256 KiB and passed to `Writer::write` |
//! | `cp` | `cp --reflink=never --sparse=never` into the same directory |
//! | `cold_populate`, `cold_map_in_place` | as above after the source's pages were dropped |
//!
//! Unmapping and removing is not timed. In the layout `huge`, populating fills in one entry per 2 MiB and
//! reads nothing, so that no operation that reads the bytes can keep 0.4 of its pace.
//!
//! `cargo bench -p andiron --bench load` writes every turn, the medians and their ratios to
//! `build/bench-load.json`. `BENCH_LOAD_MB` (512) and `BENCH_LOAD_TURNS` (7) set size and turns. Files go to
//! cargo's target directory.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

use std::any::Any;
use std::ffi::c_void;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use andiron::cache::store::{Mapping, Store};
use rustix::mm::{Advice, MapFlags, ProtFlags};

const WARM: [&str; 6] = ["populate", "populate_and_sum", "map_in_place", "copy_local", "stream", "cp"];
const COLD: [&str; 2] = ["cold_populate", "cold_map_in_place"];
/// A figure, its reference, and the least required ratio of their rates.
const RATIOS: [(&str, &str, f64); 5] = [
    ("map_in_place", "populate", 0.4),
    ("map_in_place", "populate_and_sum", 0.4),
    ("cold_map_in_place", "cold_populate", 0.4),
    ("copy_local", "cp", 0.7),
    ("stream", "cp", 0.7),
];

struct Bench {
    dir: PathBuf,
    store: Store,
    bytes: u64,
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// A source of bytes that do not repeat, written in pieces of `piece` bytes and synced to disk.
fn write_source(path: &Path, bytes: u64, piece: usize) {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut file = File::create(path).unwrap();
    let mut left = bytes as usize;
    while left > 0 {
        let mut chunk = Vec::with_capacity(piece);
        while chunk.len() < piece.min(left) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.extend_from_slice(&state.to_le_bytes());
        }
        chunk.truncate(left);
        file.write_all(&chunk).unwrap();
        left -= chunk.len();
    }
    file.sync_all().unwrap();
}

/// A populated mapping of the benchmark's own.
struct Populated {
    start: *mut c_void,
    length: usize,
}

impl Populated {
    fn of(path: &Path, length: usize) -> Populated {
        let file = File::open(path).unwrap();
        // SAFETY: the kernel chooses an unused range, which only the returned value refers to.
        let start = unsafe {
            rustix::mm::mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, &file, 0)
                .unwrap()
        };
        // SAFETY: the range is the one that was just mapped.
        unsafe { rustix::mm::madvise(start, length, Advice::LinuxPopulateRead).unwrap() };
        Populated { start, length }
    }

    fn sum(self) -> Populated {
        // SAFETY: the range is mapped, on a page boundary and as long as the file, which is not truncated in
        // the meantime.
        let words = unsafe { std::slice::from_raw_parts(self.start.cast::<u64>(), self.length / 8) };
        black_box(words.iter().fold(0u64, |sum, word| sum.wrapping_add(*word)));
        self
    }
}

impl Drop for Populated {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `of`, and no other value refers to it.
        unsafe { rustix::mm::munmap(self.start, self.length).unwrap() };
    }
}

impl Bench {
    fn drop_pages(&self, path: &Path) {
        let file = File::open(path).unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }

    fn write(&self, write: impl FnOnce(&mut andiron::cache::store::Writer)) -> Mapping {
        let mut writer =
            self.store.begin("bench", "bench", Some(self.bytes), None, Duration::ZERO).unwrap().unwrap();
        write(&mut writer);
        writer.publish().unwrap()
    }

    fn stream(&self, source: &Path) -> Mapping {
        self.write(|writer| {
            let mut source = File::open(source).unwrap();
            let mut buffer = vec![0; 256 << 10];
            loop {
                match source.read(&mut buffer).unwrap() {
                    0 => break,
                    read => writer.write(&buffer[..read]).unwrap(),
                }
            }
        })
    }

    /// Fills and frees as much memory as a copy needs. On a virtual machine that reports free memory to its
    /// host (virtio-balloon), the first user of memory after a pause pays for getting it back, at a tenth of
    /// the speed.
    fn warm_memory(&self) {
        let path = self.dir.join("warm");
        let file = File::create(&path).unwrap();
        let block = vec![1; 2 << 20];
        for offset in (0..self.bytes).step_by(block.len()) {
            file.write_all_at(&block, offset).unwrap();
        }
        fs::remove_file(path).unwrap();
    }

    /// The seconds of one figure, without preparation and clean-up.
    fn time(&self, figure: &str, source: &Path) -> f64 {
        if figure.starts_with("cold") {
            self.drop_pages(source);
        }
        if matches!(figure, "copy_local" | "stream" | "cp") {
            self.warm_memory();
        }
        let copy = self.dir.join("copy");
        let start = Instant::now();
        let length = self.bytes as usize;
        let made: Box<dyn Any> = match figure {
            "populate" | "cold_populate" => Box::new(Populated::of(source, length)),
            "populate_and_sum" => Box::new(Populated::of(source, length).sum()),
            "map_in_place" | "cold_map_in_place" => {
                Box::new(self.store.map_in_place(source, "bench", Some(self.bytes), None).unwrap())
            }
            "copy_local" => Box::new(self.write(|writer| writer.copy_local(source).unwrap())),
            "stream" => Box::new(self.stream(source)),
            _ => {
                let mut cp = Command::new("cp");
                cp.args(["--reflink=never", "--sparse=never"]).arg(source).arg(&copy);
                let status = cp.status().unwrap();
                assert!(status.success());
                Box::new(status)
            }
        };
        let seconds = start.elapsed().as_secs_f64();
        drop(made);
        for left in [copy, self.dir.join("cache/bench/bench.bytes")] {
            if left.exists() {
                fs::remove_file(left).unwrap();
            }
        }
        seconds
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn json_object(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Runs all turns of one layout; returns the JSON of its raw figures, medians and ratios.
fn run(bench: &Bench, layout: &str, piece: usize, turns: u64) -> String {
    let source = bench.dir.join(layout);
    write_source(&source, bench.bytes, piece);
    let figures: Vec<&str> = WARM.into_iter().chain(COLD).collect();
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); figures.len()];
    for turn in 0..=turns {
        // Reading through a cold mapping leaves other pages than writing did.
        write_source(&source, bench.bytes, piece);
        for (figure, seconds) in figures.iter().zip(&mut seconds) {
            let taken = bench.time(figure, &source);
            // The first turn is a warm-up.
            if turn > 0 {
                seconds.push(taken);
            }
        }
    }
    fs::remove_file(&source).unwrap();
    let rate = |figure: &str| {
        let index = figures.iter().position(|name| *name == figure).unwrap();
        bench.bytes as f64 / median(&seconds[index]) / 1e9
    };
    let mut raw = Vec::new();
    let mut medians = Vec::new();
    for (figure, seconds) in figures.iter().zip(&seconds) {
        let list: Vec<String> = seconds.iter().map(|seconds| format!("{seconds:.6}")).collect();
        raw.push((figure.to_string(), format!("[{}]", list.join(", "))));
        medians.push((figure.to_string(), format!("{:.3}", rate(figure))));
        println!("{layout:6} {figure:18} {:10.2} GB/s", rate(figure));
    }
    let mut ratios = Vec::new();
    for (figure, base, wanted) in RATIOS {
        let ratio = rate(figure) / rate(base);
        ratios.push((format!("{figure}/{base}"), format!("{ratio:.3}")));
        println!("{layout:6} {figure} / {base}: {ratio:.3}, wanted {wanted}");
    }
    json_object(&[
        ("layout".into(), format!("\"{layout}\"")),
        ("written_in_bytes".into(), piece.to_string()),
        ("seconds".into(), json_object(&raw)),
        ("median_gb_per_s".into(), json_object(&medians)),
        ("ratios".into(), json_object(&ratios)),
    ])
}

fn main() {
    let bytes = number("BENCH_LOAD_MB", 512) << 20;
    let turns = number("BENCH_LOAD_TURNS", 7);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-load-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    let store = Store::open(&dir.join("cache"), "bench", u64::MAX).unwrap();
    let bench = Bench { dir: dir.clone(), store, bytes };
    let layouts = [run(&bench, "small", 128 << 10, turns), run(&bench, "huge", 2 << 20, turns)];
    drop(bench);
    fs::remove_dir_all(&dir).unwrap();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let cores = std::thread::available_parallelism().unwrap();
    let json = json_object(&[
        ("bytes".into(), bytes.to_string()),
        ("turns".into(), turns.to_string()),
        ("kernel".into(), format!("\"{}\"", kernel.trim())),
        ("cores".into(), cores.to_string()),
        ("layouts".into(), format!("[\n{}\n]", layouts.join(",\n"))),
    ]);
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../build");
    fs::create_dir_all(&build).unwrap();
    fs::write(build.join("bench-load.json"), json + "\n").unwrap();
}
