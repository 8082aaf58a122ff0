//! The process around the cache, with a store in a temporary folder.
#![allow(clippy::unwrap_used)]

use super::super::{CatalogId, Listing, PayloadKind, SlotId};
use super::*;
use crate::cache::store::Writer;
use std::time::Duration;

const LENGTH: usize = 4096;

#[test]
fn what_a_load_was_told_to_adopt_stays_until_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::new();
    let cache_dir = directory.path().join("cache");
    let settings = CacheSettings {
        cache_dir: cache_dir.clone(),
        budget_bytes: LENGTH as u64,
        hard_limit_bytes: LENGTH as u64,
        ..CacheSettings::for_tests()
    };
    process.configure(settings).unwrap();
    let cache = &process.cache;
    let catalog = cache.open_catalog("application", "data", PayloadKind::Bytes, 0).unwrap();
    let [first, second] = ["v0", "v1"].map(|version| {
        let listing = Listing { version, digest: version, bytes: Some(LENGTH as u64), label: "memory" };
        cache.add_version(catalog, &listing).unwrap()
    });
    let begin = |cursor, slot| {
        assert_eq!(cache.advance(cursor, slot).unwrap(), None);
        let load = process.next_load(Duration::ZERO).unwrap();
        (load, process.begin_bytes(load, None).unwrap())
    };
    let keeper = cache.begin_attempt("keeper");
    let cursor = cache.open_cursor(keeper, true).unwrap();
    for slot in [first, second] {
        let (load, writes) = begin(cursor, slot);
        assert!(writes);
        process.write(load, |writer| writer.write(&[7; LENGTH])).unwrap();
        process.publish_bytes(load).unwrap();
    }
    cache.release(cursor);
    let reader = cache.open_cursor(cache.begin_attempt("reader"), true).unwrap();
    let (load, writes) = begin(reader, first);
    assert!(!writes, "its mapping is still here");
    cache.end_attempt(keeper);
    std::fs::remove_dir_all(cache_dir).unwrap();
    process.publish_bytes(load).unwrap();
    assert_eq!(process.open_view(reader, 0).unwrap().length, LENGTH as u64);
    assert!(process.in_flight.is_empty());
}

#[test]
fn a_load_that_fails_keeps_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::new();
    let cache_dir = directory.path().join("cache");
    process.configure(CacheSettings { cache_dir, budget_bytes: 1, ..CacheSettings::for_tests() }).unwrap();
    let cache = &process.cache;
    let catalog = cache.open_catalog("application", "data", PayloadKind::Bytes, 0).unwrap();
    let listing = Listing { version: "v", digest: "v", bytes: Some(0), label: "memory" };
    let slot = cache.add_version(catalog, &listing).unwrap();
    let kept = process.store().unwrap().begin("v", "memory", Some(0), None, Duration::ZERO).unwrap();
    let kept = Bytes::new(kept.unwrap().publish().unwrap());
    process.mapped.keep("v", &kept);
    let cursor = cache.open_cursor(cache.begin_attempt("task"), true).unwrap();
    cache.advance(cursor, slot).unwrap();
    let load = process.next_load(Duration::ZERO).unwrap();
    assert!(!process.begin_bytes(load, None).unwrap());
    assert_eq!(Arc::strong_count(&kept), 2);
    process.fail_load(load, Error::new(Code::LoadFailed, "gone")).unwrap();
    assert_eq!(Arc::strong_count(&kept), 1);
}

/// A process with one version `v` of [`LENGTH`] bytes, and a task's cursor that waits for it.
struct Waiting {
    process: Process,
    clock: Clock,
    folder: tempfile::TempDir,
    catalog: CatalogId,
    slot: SlotId,
    cursor: CursorId,
}

const LOAD_TIMEOUT: Duration = Duration::from_secs(2);

impl Waiting {
    fn new() -> Waiting {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual());
        let process = Process::with_clock(clock.clone());
        let (load_timeout, failure_memory) = (LOAD_TIMEOUT, Duration::ZERO);
        let cache_dir = folder.path().join("cache");
        process
            .configure(CacheSettings {
                cache_dir,
                load_timeout,
                failure_memory,
                ..CacheSettings::for_tests()
            })
            .unwrap();
        let catalog = process.cache.open_catalog("application", "data", PayloadKind::Bytes, 0).unwrap();
        let listing = Listing { version: "v", digest: "v", bytes: Some(LENGTH as u64), label: "memory" };
        let slot = process.cache.add_version(catalog, &listing).unwrap();
        let cursor = process.cache.open_cursor(process.cache.begin_attempt("task"), true).unwrap();
        assert_eq!(process.cache.advance(cursor, slot).unwrap(), None);
        Waiting { process, clock, folder, catalog, slot, cursor }
    }

    fn begin(&self) -> LoadId {
        let load = self.process.next_load(Duration::ZERO).unwrap();
        assert!(self.process.begin_bytes(load, None).unwrap());
        load
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("cache/application").join(name)
    }
}

#[test]
fn a_load_that_hangs_is_given_up_and_the_next_one_begins_at_once() {
    for in_a_step in [false, true] {
        let waiting = Waiting::new();
        let (process, cache) = (&waiting.process, &waiting.process.cache);
        let hung = waiting.begin();
        let half = |writer: &mut Writer| writer.write(&[1; LENGTH / 2]);
        process.write(hung, half).unwrap();
        let (answer, source) = std::sync::mpsc::channel::<()>();
        let (begun, hangs) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            // Dropped after a failure, so that the loader ends.
            let answer = answer;
            let loader = scope.spawn(move || {
                let hang = || {
                    begun.send(()).unwrap();
                    let _ended = source.recv();
                };
                if !in_a_step {
                    hang();
                    return process.write(hung, half);
                }
                process.write(hung, |writer| {
                    hang();
                    half(writer)
                })
            });
            hangs.recv().unwrap();
            waiting.clock.turn(LOAD_TIMEOUT);
            assert_eq!(cache.wait(waiting.cursor, Duration::ZERO).unwrap_err().code(), Code::LoadTimedOut);
            assert_eq!(process.stats().disk_bytes, 0);
            assert_eq!(cache.advance(waiting.cursor, waiting.slot).unwrap(), None);
            let retry = waiting.begin();
            process.write(retry, |writer| writer.write(&[2; LENGTH])).unwrap();
            answer.send(()).unwrap();
            let error = loader.join().unwrap().unwrap_err();
            assert_eq!(error.code(), Code::CatalogClosed, "{error}");
            process.fail_load(hung, error).unwrap();
            process.publish_bytes(retry).unwrap();
        });
        assert!(cache.wait(waiting.cursor, Duration::ZERO).unwrap().is_some());
        assert_eq!(std::fs::read(waiting.file("v.bytes")).unwrap(), [2; LENGTH]);
        let stats = process.stats();
        assert_eq!((stats.loads, stats.abandoned_loads, stats.disk_bytes), (1, 1, LENGTH as u64));
        assert!(process.in_flight.is_empty());
    }
}

#[test]
fn a_load_whose_catalog_closes_leaves_no_file_though_it_hangs() {
    let waiting = Waiting::new();
    let load = waiting.begin();
    assert!(waiting.file("v.tmp").exists());
    waiting.process.cache.close_catalog(waiting.catalog);
    assert!(!waiting.file("v.tmp").exists());
    let process = &waiting.process;
    let refused = process.write(load, |writer| writer.write(b"late")).unwrap_err();
    assert_eq!(refused.code(), Code::CatalogClosed);
    assert_eq!(process.publish_bytes(load).unwrap_err().code(), Code::CatalogClosed);
    process.fail_load(load, refused).unwrap();
    assert_eq!(process.stats().reserved_bytes, 0);
}

#[test]
fn the_pages_of_mapped_versions_are_a_figure() {
    let waiting = Waiting::new();
    let process = &waiting.process;
    assert_eq!(process.stats().mapped_resident_bytes, 0);
    let load = waiting.begin();
    process.write(load, |writer| writer.write(&[7; LENGTH])).unwrap();
    process.publish_bytes(load).unwrap();
    assert_eq!(process.stats().mapped_resident_bytes, 0, "measured once a second at most");
    waiting.clock.turn(Duration::from_secs(1));
    assert_eq!(process.stats().mapped_resident_bytes, LENGTH as u64);
    let view = process.open_view(waiting.cursor, 0).unwrap().view;
    process.close_application("application");
    process.cache.close_cursor(waiting.cursor);
    waiting.clock.turn(Duration::from_secs(1));
    assert_eq!(process.stats().retired_mappings, 1);
    process.close_view(view);
}

#[test]
fn figures_do_not_wait_for_a_directory_that_is_being_opened() {
    let directory = tempfile::tempdir().unwrap();
    let cache_dir = directory.path().join("cache");
    let process = Process::new();
    let settings = CacheSettings { cache_dir: cache_dir.clone(), ..CacheSettings::for_tests() };
    process.configure(settings.clone()).unwrap();
    process.close_application(&settings.application);
    let swept = std::fs::File::open(cache_dir.join(".andiron.lock")).unwrap();
    rustix::fs::flock(&swept, rustix::fs::FlockOperation::LockExclusive).unwrap();
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| process.configure(settings));
        std::thread::sleep(Duration::from_millis(100));
        let (tell, told) = std::sync::mpsc::channel();
        scope.spawn(|| {
            tell.send(process.stats().disk_bytes).unwrap();
            tell
        });
        let figure = told.recv_timeout(Duration::from_secs(20));
        assert!(!opening.is_finished(), "it waits for the sweep of the directory");
        rustix::fs::flock(&swept, rustix::fs::FlockOperation::Unlock).unwrap();
        assert_eq!(figure, Ok(0));
        opening.join().unwrap().unwrap();
    });
}
