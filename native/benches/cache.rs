//! The cost of the core's hot paths without a JVM and without loading: an advance, a release, a comparison.
//!
//! | benchmark | timed operation |
//! |---|---|
//! | `same_version` | the comparison for a row while its version stays: two handles |
//! | `advance/held` | `Cache::advance` to the version that the cursor holds |
//! | `advance/resident` | `Cache::advance` to another resident version: releases one, leases the other |
//! | `advance/resident, N threads` | the same from N threads at once, each with its own cursor; per advance |
//! | `release` | `Cache::release` of a lease, and the advance that takes it again |
//! | `attempt` | begin an attempt, open a cursor, lease, end the attempt |
//!
//! `cargo bench -p andiron --bench cache`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

use std::any::Any;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use andiron::cache::CacheSettings;
use andiron::cache::{AttemptId, Cache, CursorId, Listing, LoadId, Payload, PayloadKind, SlotId};
use andiron::clock::Clock;
use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use std::sync::mpsc::{channel, Receiver};

struct Nothing;

impl Payload for Nothing {
    fn evict(&self) {}

    fn kept_by_attempts(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A cache with every version of one dataset resident, as many as the jobs of the Netflix talk (Spark + AI
/// Summit 2020) have.
struct Loaded {
    cache: Cache,
    slots: Vec<SlotId>,
}

impl Loaded {
    fn new(versions: usize) -> Loaded {
        let (launched, loads): (_, Receiver<LoadId>) = channel();
        let cache = Cache::new(Clock::system(), Box::new(move |load| launched.send(load).unwrap()));
        cache.configure(CacheSettings::for_tests()).unwrap();
        let catalog = cache.open_catalog("bench", "data", PayloadKind::Bytes, 0).unwrap();
        let slots = (0..versions)
            .map(|i| {
                let name = format!("v{i:02}");
                let listing =
                    Listing { version: &name, digest: &name, bytes: Some(1 << 20), label: "file:/bench" };
                cache.add_version(catalog, &listing).unwrap()
            })
            .collect();
        let loaded = Loaded { cache, slots };
        let (attempt, cursor) = loaded.task();
        for slot in &loaded.slots {
            assert_eq!(loaded.cache.advance(cursor, *slot).unwrap(), None);
            loaded.cache.finish_load(loads.recv().unwrap(), Arc::new(Nothing), 1 << 20).unwrap();
        }
        loaded.cache.end_attempt(attempt);
        loaded
    }

    fn task(&self) -> (AttemptId, CursorId) {
        let attempt = self.cache.begin_attempt("bench");
        (attempt, self.cache.open_cursor(attempt, true).unwrap())
    }

    fn lease(&self, cursor: CursorId, version: usize) {
        let slot = self.slots[version % self.slots.len()];
        assert!(self.cache.advance(cursor, slot).unwrap().is_some());
    }

    /// The time of `times` advances in each of `threads` threads that begin together: the longest of them.
    fn together(&self, threads: usize, times: u64) -> Duration {
        let start = Barrier::new(threads);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|thread| {
                    let start = &start;
                    scope.spawn(move || {
                        let (attempt, cursor) = self.task();
                        start.wait();
                        let began = Instant::now();
                        for i in 0..times {
                            self.lease(cursor, thread + i as usize);
                        }
                        let took = began.elapsed();
                        self.cache.end_attempt(attempt);
                        took
                    })
                })
                .collect();
            running.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
        })
    }
}

fn cursors(criterion: &mut Criterion) {
    let loaded = Loaded::new(15);
    let (_, cursor) = loaded.task();
    criterion.bench_function("same_version", |b| {
        let (held, wanted) = (loaded.slots[3], loaded.slots[3]);
        b.iter(|| black_box(held) == black_box(wanted));
    });
    criterion.bench_function("release", |b| {
        b.iter(|| {
            loaded.lease(cursor, 0);
            loaded.cache.release(cursor);
        });
    });
    criterion.bench_function("attempt", |b| {
        b.iter(|| {
            let (attempt, cursor) = loaded.task();
            loaded.lease(cursor, 0);
            loaded.cache.end_attempt(attempt)
        });
    });
    let mut advance = criterion.benchmark_group("advance");
    advance.throughput(Throughput::Elements(1));
    advance.bench_function("held", |b| {
        loaded.lease(cursor, 0);
        b.iter(|| loaded.lease(cursor, 0));
    });
    advance.bench_function("resident", |b| {
        let mut version = 0;
        b.iter(|| {
            version += 1;
            loaded.lease(cursor, version);
        });
    });
    for threads in [2, 4, 16] {
        advance.bench_function(format!("resident, {threads} threads"), |b| {
            b.iter_custom(|times| loaded.together(threads, times));
        });
    }
    advance.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = cursors
}
criterion_main!(benches);
