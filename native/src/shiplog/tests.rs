//! The guarantees of the log as a whole, on disks that work and on disks that fail.

mod damage;
mod disks;
mod others;
mod removed;

use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::testing::{event, events, open, read_all, root, segments, until, Faulty, PATIENCE};
use super::*;
use crate::error::Code;

fn small() -> Options {
    Options { segment_bytes: 1_000, ..Options::for_tests() }
}

#[test]
fn what_is_appended_is_read_back_in_order() {
    let (_dir, root) = root();
    let log = open(&root, "app-1", Options::for_tests());
    for number in 0..500 {
        assert_eq!(log.append(event(number)), Sequence(number + 1));
    }
    assert_eq!(log.sync(PATIENCE).unwrap(), Sequence(500));
    assert_eq!(log.acknowledged(), Sequence(500));
    let (read, notes) = read_all(log.folder());
    assert_eq!(read, events(0..500));
    assert_eq!(notes, Notes::default());
    log.close(PATIENCE).unwrap();
    let closed = Notes { closed: true, ..Notes::default() };
    assert_eq!(read_all(log.folder()), (events(0..500), closed));
    let health = log.health();
    assert_eq!((health.appended, health.durable, health.waiting, health.lost_in_all()), (500, 500, 0, 0));
    let bytes: u64 = segments(log.folder()).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!((health.bytes, health.segments), (bytes, 1));
}

#[test]
fn a_group_is_64_records_or_20_milliseconds() {
    let (_dir, root) = root();
    let medium = Faulty::default();
    let log = open(&root, "app-1", Options { medium: Arc::new(medium.clone()), ..Options::for_tests() });
    for number in 0..5_000 {
        log.append(event(number));
    }
    until("all are durable", || log.acknowledged() == Sequence(5_000));
    let largest = medium.0.largest_group.load(std::sync::atomic::Ordering::SeqCst);
    assert!((2..=64).contains(&largest), "{largest}");
    let before = log.health().syncs;
    let start = Instant::now();
    log.append(event(5_000));
    log.append(event(5_001));
    until("a lone record is durable without a request", || log.acknowledged() == Sequence(5_002));
    assert!(start.elapsed() >= Duration::from_millis(15), "it waits for others");
    assert!(log.health().syncs <= before + 2);
}

#[test]
fn durable_appends_of_many_threads_are_all_there() {
    let (_dir, root) = root();
    let log = open(&root, "app-1", small());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..25 {
                    let sequence = log.append_durable(event(thread * 1_000 + number), PATIENCE).unwrap();
                    assert!(log.acknowledged() >= sequence);
                }
            });
        }
    });
    let (read, notes) = read_all(log.folder());
    assert_eq!((read.len(), notes), (200, Notes::default()));
    for thread in 0..8 {
        let own = read.iter().map(|event| event.revision).filter(|number| number / 1_000 == thread);
        assert!(own.eq(thread * 1_000..thread * 1_000 + 25), "thread {thread} is out of order");
    }
}

#[test]
fn segments_end_when_they_are_full_or_told_to() {
    let (_dir, root) = root();
    let log = open(&root, "app-1", small());
    for number in 0..200 {
        log.append_durable(event(number), PATIENCE).unwrap();
    }
    let before = segments(log.folder());
    assert!(before.len() > 10);
    assert!(before.iter().all(|path| path.metadata().unwrap().len() <= 1_000));
    let sealed: Vec<Vec<u8>> = before.iter().map(|path| std::fs::read(path).unwrap()).collect();
    log.seal(PATIENCE).unwrap();
    log.append_durable(event(200), PATIENCE).unwrap();
    assert_eq!(segments(log.folder()).len(), before.len() + 1);
    for (path, bytes) in before.iter().zip(sealed) {
        assert_eq!(std::fs::read(path).unwrap(), bytes, "a sealed segment has changed");
    }
    assert_eq!(read_all(log.folder()), (events(0..201), Notes::default()));
    // An event larger than a segment has a segment of its own.
    let large = Event { body: format!("{{{}}}", "x".repeat(5_000)), ..event(201) };
    log.append_durable(large.clone(), PATIENCE).unwrap();
    assert_eq!(read_all(log.folder()).0.last(), Some(&large));
}

#[test]
fn a_log_has_one_writer_at_a_time() {
    let (_dir, root) = root();
    let first = open(&root, "app-1", Options::for_tests());
    let other = ShipLog::open(&root, "app-1", Options::for_tests()).err().unwrap();
    assert_eq!(other.code(), Code::LogInUse);
    assert!(
        other.message().contains("app-1") && other.message().contains("spark.andiron.log.dir"),
        "{other}"
    );
    let attempt = open(&root, "app-1", Options { attempt: "2".into(), ..Options::for_tests() });
    assert!(attempt.folder().ends_with("app-1.2"));
    first.append_durable(event(0), PATIENCE).unwrap();
    first.close(PATIENCE).unwrap();
    let second = open(&root, "app-1", Options::for_tests());
    // The mark of an orderly close is a record too.
    assert_eq!(second.append_durable(event(1), PATIENCE).unwrap(), Sequence(3));
    assert_eq!(read_all(second.folder()), (events(0..2), Notes::default()));
}

#[test]
fn after_close_events_are_lost_and_counted() {
    let (_dir, root) = root();
    let log = open(&root, "app-1", Options::for_tests());
    log.append(event(0));
    log.close(PATIENCE).unwrap();
    log.close(PATIENCE).unwrap();
    assert!(log.append(event(1)).is_none());
    assert_eq!(log.append_durable(event(2), PATIENCE).unwrap_err().code(), Code::LogLost);
    assert_eq!((log.health().lost(LossCause::Closed), log.health().appended), (2, 1));
    assert_eq!(read_all(log.folder()).0, events(0..1));
}

#[test]
fn what_is_no_event_is_lost_and_counted() {
    let (_dir, root) = root();
    let log = open(&root, "app-1", Options::for_tests());
    for body in ["", "{", "[]", "{\n}", "null"] {
        assert!(log.append(Event { body: body.into(), ..event(0) }).is_none(), "{body:?}");
    }
    assert!(log.append(Event { id: "x".repeat(70_000), ..event(0) }).is_none());
    assert!(log.append(Event { body: format!("{{{}}}", "x".repeat(9 << 20)), ..event(0) }).is_none());
    let health = log.health();
    assert_eq!((health.lost(LossCause::Malformed), health.lost(LossCause::TooLarge)), (5, 2));
    log.append_durable(event(1), PATIENCE).unwrap();
    assert_eq!(read_all(log.folder()), (events(1..2), Notes::default()));
}

#[test]
fn everything_is_private_to_us() {
    let (_dir, root) = root();
    let log = open(&root, "app-1", Options::for_tests());
    log.append_durable(event(0), PATIENCE).unwrap();
    set_position(log.folder(), "kafka", Sequence(1)).unwrap();
    let mode = |path: &std::path::Path| path.symlink_metadata().unwrap().mode() & 0o7777;
    assert_eq!((mode(&root), mode(log.folder())), (0o700, 0o700));
    for name in folder::names(log.folder()).unwrap() {
        assert_eq!(mode(&log.folder().join(&name)), 0o600, "{name}");
    }
}

#[test]
fn directories_of_others_are_refused() {
    let (dir, root) = root();
    let refusal = |root: &std::path::Path| {
        let error = ShipLog::open(root, "app-1", Options::for_tests()).err().unwrap();
        assert_eq!(error.code(), Code::DirectoryUnsafe, "{error}");
        assert!(error.message().contains("spark.andiron.log.dir"), "{error}");
    };
    std::fs::create_dir(&root).unwrap();
    std::fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
    refusal(&root);
    std::fs::set_permissions(&root, PermissionsExt::from_mode(0o700)).unwrap();
    let link = dir.path().join("link");
    symlink(&root, &link).unwrap();
    refusal(&link);
    symlink(dir.path(), root.join("app-1")).unwrap();
    refusal(&root);
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    refusal(&file);
    assert_eq!(
        ShipLog::open(&file.join("below"), "app-1", Options::for_tests()).err().unwrap().code(),
        Code::Io
    );
}

#[test]
fn a_bad_application_id_is_refused() {
    let (_dir, root) = root();
    for id in ["", "../app", "a/b", "a\0", ".", ".hidden"] {
        assert_eq!(ShipLog::open(&root, id, Options::for_tests()).err().unwrap().code(), Code::BadSetting);
    }
    let long = "x".repeat(5_000);
    let log = open(&root, &long, Options::for_tests());
    log.append_durable(event(0), PATIENCE).unwrap();
    assert_eq!(applications(&root).unwrap()[0].application, "x".repeat(1_024));
}

fn application(number: u64) -> Event {
    Event { kind: Kind::Application, ..event(number) }
}

#[test]
fn applications_are_told_from_the_ends_of_their_logs() {
    let (_dir, root) = root();
    let done = open(&root, "app-1", small());
    done.append(application(1));
    for number in 2..300 {
        done.append(event(number));
    }
    done.append(application(300));
    done.close(PATIENCE).unwrap();
    let live = open(&root, "app-2", Options { run_id: "nightly".into(), attempt: "1".into(), ..small() });
    live.append_durable(application(7), PATIENCE).unwrap();
    std::fs::create_dir(root.join("no log")).unwrap();
    std::fs::write(root.join("no folder"), "").unwrap();
    let found = applications(&root).unwrap();
    let told: Vec<_> =
        found.iter().map(|it| (it.application.as_str(), it.attempt.as_str(), it.live, it.closed)).collect();
    assert_eq!(told, [("app-1", "", false, true), ("app-2", "1", true, false)]);
    assert_eq!(found[0].event, Some(application(300)));
    assert_eq!(found[1].event, Some(application(7)));
    assert_eq!((found[0].run_id.as_str(), found[1].run_id.as_str()), ("", "nightly"));
    // A file's time comes from a coarser clock than the application's start, which may lag behind by many ticks.
    assert!(found.iter().all(|it| it.bytes > 0 && it.started_ms <= it.modified_ms + 1000));
    assert_eq!(applications(&root.join("nothing")).unwrap_err().code(), Code::Io);
}

#[test]
fn a_run_knows_the_application_that_never_ended() {
    let (_dir, root) = root();
    let run = |id: &str| Options { run_id: id.into(), ..Options::for_tests() };
    let runs = [
        ("app-1", "nightly", false, None),
        ("app-2", "nightly", true, Some("app-1")),
        ("app-3", "nightly", false, Some("app-1")),
        ("app-4", "other", false, None),
    ];
    for (id, run_id, closed, predecessor) in runs {
        let log = open(&root, id, run(run_id));
        assert_eq!(log.predecessor(), predecessor, "{id}");
        log.append_durable(event(0), PATIENCE).unwrap();
        let segment = &segments(log.folder())[0];
        let before = std::fs::read(segment).unwrap();
        log.close(PATIENCE).unwrap();
        if !closed {
            std::fs::write(segment, before).unwrap();
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    assert_eq!(open(&root, "app-5", run("nightly")).predecessor(), Some("app-3"));
    assert_eq!(open(&root, "app-6", run("")).predecessor(), None);
}

fn finished(root: &std::path::Path, id: &str, age: Duration, sinks: &[(&str, u64)]) -> u64 {
    // The log's own sweep must leave the others alone.
    let log =
        open(root, id, Options { retention: Duration::MAX, most_bytes: u64::MAX, ..Options::for_tests() });
    for (sink, position) in sinks {
        set_position(log.folder(), sink, Sequence(*position)).unwrap();
    }
    log.append(event(0));
    log.close(PATIENCE).unwrap();
    let segment = &segments(log.folder())[0];
    let then = std::time::SystemTime::now() - age;
    std::fs::File::options().write(true).open(segment).unwrap().set_modified(then).unwrap();
    segment.metadata().unwrap().len()
}

fn sweep(root: &std::path::Path, age: Duration, bytes: u64) {
    retention::sweep(&retention::RetentionLimits { root: root.into(), own: root.into(), age, bytes })
        .unwrap();
}

fn ids(root: &std::path::Path) -> Vec<String> {
    let mut ids: Vec<String> =
        applications(root).unwrap().into_iter().map(|found| found.application).collect();
    ids.sort();
    ids
}

#[test]
fn old_logs_go_once_they_are_shipped() {
    let (_dir, root) = root();
    let day = Duration::from_secs(24 * 3600);
    finished(&root, "old-owed", 9 * day, &[("kafka", 1), ("hive", 0)]);
    finished(&root, "old-shipped", 9 * day, &[("kafka", 1), ("hive", 1)]);
    finished(&root, "old-without-sinks", 8 * day, &[]);
    finished(&root, "young", 6 * day, &[]);
    let live = open(&root, "old-live", Options { retention: Duration::MAX, ..Options::for_tests() });
    live.append_durable(event(0), PATIENCE).unwrap();
    std::fs::create_dir(root.join("not-a-log")).unwrap();
    sweep(&root, 7 * day, u64::MAX);
    assert_eq!(ids(&root), ["old-live", "old-owed", "young"]);
    assert!(root.join("not-a-log").exists() && !root.join("old-shipped").exists());
}

#[test]
fn the_oldest_logs_go_when_there_are_too_many() {
    let (_dir, root) = root();
    let hour = Duration::from_secs(3600);
    let bytes = finished(&root, "a", 3 * hour, &[("kafka", 0)]);
    finished(&root, "b", 2 * hour, &[]);
    finished(&root, "c", hour, &[]);
    sweep(&root, 7 * 24 * hour, 3 * bytes);
    assert_eq!(ids(&root), ["a", "b", "c"]);
    sweep(&root, 7 * 24 * hour, 3 * bytes - 1);
    assert_eq!(ids(&root), ["b", "c"]);
    sweep(&root, 7 * 24 * hour, 0);
    assert!(ids(&root).is_empty());
}

#[test]
fn a_log_that_grows_beyond_the_limit_loses_its_middle() {
    let (_dir, root) = root();
    let log = open(&root, "app-1", Options { most_bytes: 5_000, ..small() });
    for number in 0..300 {
        log.append_durable(event(number), PATIENCE).unwrap();
    }
    until("the log is small", || {
        segments(log.folder()).iter().map(|path| path.metadata().map_or(0, |it| it.len())).sum::<u64>()
            <= 6_500
    });
    log.close(PATIENCE).unwrap();
    until("the sweeps are over", || {
        let (read, notes) = read_all(log.folder());
        read.len() as u64 + notes.missing == 300
    });
    let (read, notes) = read_all(log.folder());
    assert_eq!((read.first(), read.last()), (Some(&event(0)), Some(&event(299))));
    let mut tail = Tail::after(log.folder(), Sequence::NONE);
    let mut tailed = Vec::new();
    tail.read(Sequence(300), usize::MAX, usize::MAX, &mut tailed).unwrap();
    assert_eq!((tailed, tail.take_gone()), (read, notes.missing));
    assert_eq!((tail.position(), tail.take_gone()), (Sequence(300), 0));
}
