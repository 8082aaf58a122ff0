//! Disks that are full, fail, panic or never answer.

use super::*;
use std::sync::atomic::Ordering;

fn faulty(root: &std::path::Path, queue_bytes: usize) -> (Faulty, ShipLog) {
    let medium = Faulty::default();
    let options = Options { medium: Arc::new(medium.clone()), queue_bytes, ..Options::for_tests() };
    (medium, open(root, "app-1", options))
}

#[test]
fn a_full_disk_costs_what_does_not_fit_the_queue() {
    let (_dir, root) = root();
    let (medium, log) = faulty(&root, 20_000);
    log.append_durable(event(0), PATIENCE).unwrap();
    medium.0.write_error.store(libc::ENOSPC as u64, Ordering::SeqCst);
    log.append(event(1));
    until("the disk refuses", || log.health().failures > 0);
    let start = Instant::now();
    let taken: Vec<u64> = (2..1_000).filter(|number| !log.append(event(*number)).is_none()).collect();
    assert!(start.elapsed() < Duration::from_secs(1), "appending waited for the disk");
    let health = log.health();
    assert!((50..500).contains(&taken.len()), "{}", taken.len());
    assert_eq!(health.lost(LossCause::DiskFull), 998 - taken.len() as u64);
    assert_eq!(health.lost_in_all(), health.lost(LossCause::DiskFull));
    assert!(health.last_failure.unwrap().contains("No space left"));
    assert_eq!(log.append_durable(event(999), Duration::ZERO).unwrap_err().code(), Code::LogLost);
    let error = log.sync(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.code(), Code::LogTimedOut);
    assert!(error.message().contains("No space left"), "{error}");
    medium.0.write_error.store(0, Ordering::SeqCst);
    log.sync(PATIENCE).unwrap();
    let expected: Vec<Event> = [0, 1].into_iter().chain(taken).map(event).collect();
    let (read, notes) = read_all(log.folder());
    assert_eq!(read, expected);
    assert_eq!((notes.missing, notes.corrupt_bytes), (0, 0));
    log.close(PATIENCE).unwrap();
}

#[test]
fn a_group_whose_sync_failed_is_written_again() {
    let (_dir, root) = root();
    let (medium, log) = faulty(&root, 1 << 20);
    for number in 0..300 {
        if number % 60 == 0 {
            medium.0.sync_errors.store(1 + number / 120, Ordering::SeqCst);
        }
        if number % 70 == 0 {
            medium.0.panics.store(1, Ordering::SeqCst);
        }
        log.append_durable(event(number), PATIENCE).unwrap();
    }
    let (read, notes) = read_all(log.folder());
    assert_eq!(read, events(0..300));
    assert!(notes.repeated > 0 && notes.missing == 0, "{notes:?}");
    assert!(log.health().failures >= 9);
    log.close(PATIENCE).unwrap();
}

#[test]
fn a_disk_that_never_answers_holds_up_nobody() {
    let (_dir, root) = root();
    let (medium, log) = faulty(&root, 10_000);
    log.append_durable(event(0), PATIENCE).unwrap();
    medium.0.block(true);
    log.append(event(1));
    until("the write hangs", || medium.0.waits.load(Ordering::SeqCst));
    let start = Instant::now();
    for number in 2..1_000 {
        log.append(event(number));
    }
    assert!(log.health().lost(LossCause::QueueFull) > 500);
    assert_eq!(log.close(Duration::from_millis(100)).unwrap_err().code(), Code::LogTimedOut);
    assert!(start.elapsed() < Duration::from_secs(2));
    medium.0.block(false);
    until("the thread ends", || log.follow().ended());
    let (read, notes) = read_all(log.folder());
    let health = log.health();
    assert_eq!(health.durable, read.len() as u64);
    assert_eq!(health.appended, health.durable + health.lost(LossCause::Closed));
    assert_eq!((notes.missing, notes.torn_bytes), (0, 0));
}

#[test]
fn what_a_dead_disk_has_not_taken_is_counted_at_the_end() {
    let (_dir, root) = root();
    let (medium, log) = faulty(&root, 1 << 20);
    medium.0.write_error.store(libc::EIO as u64, Ordering::SeqCst);
    for number in 0..100 {
        log.append(event(number));
    }
    assert_eq!(log.close(Duration::from_millis(80)).unwrap_err().code(), Code::LogTimedOut);
    until("the thread ends", || log.follow().ended());
    let health = log.health();
    assert_eq!((health.durable, health.waiting, health.lost(LossCause::Io)), (0, 0, 100));
    assert!(segments(log.folder()).is_empty(), "a segment without a record stays");
    drop(log);
    let log = open(&root, "app-1", Options::for_tests());
    assert_eq!(log.append_durable(event(0), PATIENCE).unwrap(), Sequence(1));
}
