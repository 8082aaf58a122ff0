//! A log whose folder or segment is removed while it is written.

use super::*;

fn written(root: &std::path::Path, numbers: std::ops::Range<u64>) -> ShipLog {
    let log = open(root, "app-1", Options::for_tests());
    log.append(application(0));
    for number in numbers {
        log.append(event(number));
    }
    log.sync(PATIENCE).unwrap();
    log
}

#[test]
fn a_folder_that_is_removed_is_made_anew_with_its_application() {
    let (_dir, root) = root();
    for removed in ["", "app-1"] {
        let log = written(&root, 1..100);
        let mut tail = Tail::after(log.folder(), Sequence::NONE);
        let mut tailed = Vec::new();
        tail.read(Sequence(50), usize::MAX, usize::MAX, &mut tailed).unwrap();
        assert_eq!(tailed.len(), 50);
        std::fs::remove_dir_all(root.join(removed)).unwrap();
        assert_eq!(log.append_durable(event(100), PATIENCE).unwrap(), Sequence(101));
        log.append_durable(event(101), PATIENCE).unwrap();
        let (read, notes) = read_all(log.folder());
        assert_eq!(read, [vec![application(0)], events(100..102)].concat());
        assert_eq!((notes.missing, notes.corrupt_bytes), (99, 0), "{notes:?}");
        let found = applications(&root).unwrap();
        assert_eq!((found.len(), found[0].live, found[0].event.clone()), (1, true, Some(application(0))));
        // A file that was open when the folder was removed may be read to its end.
        tail.read(Sequence(102), usize::MAX, usize::MAX, &mut tailed).unwrap();
        assert_eq!(tail.position(), Sequence(102));
        assert_eq!((tailed.len() as u64 + tail.take_gone(), tailed.last()), (102, Some(&event(101))));
        assert_eq!(ShipLog::open(&root, "app-1", Options::for_tests()).err().unwrap().code(), Code::LogInUse);
        log.close(PATIENCE).unwrap();
        assert_eq!((log.health().failures, log.health().lost_in_all()), (0, 0));
        let again = open(&root, "app-1", Options::for_tests());
        assert_eq!(again.append_durable(event(102), PATIENCE).unwrap(), Sequence(104));
        drop(again);
        std::fs::remove_dir_all(&root).unwrap();
    }
}

#[test]
fn a_segment_that_is_removed_is_followed_by_another() {
    let (_dir, root) = root();
    let log = written(&root, 1..10);
    log.seal(PATIENCE).unwrap();
    for number in 10..20 {
        log.append_durable(event(number), PATIENCE).unwrap();
    }
    std::fs::remove_file(&segments(log.folder())[1]).unwrap();
    log.append_durable(event(20), PATIENCE).unwrap();
    let (read, notes) = read_all(log.folder());
    assert_eq!(read, [vec![application(0)], events(1..10), events(20..21)].concat());
    assert_eq!(notes.missing, 10);
    let mut tail = Tail::after(log.folder(), Sequence::NONE);
    let mut tailed = Vec::new();
    tail.read(Sequence(21), usize::MAX, usize::MAX, &mut tailed).unwrap();
    assert_eq!((tailed, tail.take_gone()), (read, 10));
    log.close(PATIENCE).unwrap();
}

#[test]
fn a_log_waits_until_its_folder_can_be_made_anew() {
    let (_dir, root) = root();
    let log = written(&root, 1..10);
    std::fs::remove_dir_all(&root).unwrap();
    std::fs::write(&root, "in the way").unwrap();
    log.append(event(10));
    until("the folder is refused", || log.health().failures > 0);
    assert!(log.health().last_failure.unwrap().contains(&root.display().to_string()));
    std::fs::remove_file(&root).unwrap();
    log.sync(PATIENCE).unwrap();
    assert_eq!(read_all(log.folder()).0, [vec![application(0)], events(10..11)].concat());
    log.close(PATIENCE).unwrap();
}

#[test]
fn a_folder_that_was_renamed_while_another_has_its_name_is_not_followed() {
    let (dir, root) = root();
    let log = written(&root, 1..10);
    let aside = dir.path().join("aside");
    std::fs::rename(log.folder(), &aside).unwrap();
    std::fs::create_dir(log.folder()).unwrap();
    log.append_durable(event(10), PATIENCE).unwrap();
    assert_eq!(read_all(&aside).0, [vec![application(0)], events(1..11)].concat());
    assert_eq!(std::fs::read_dir(log.folder()).unwrap().count(), 0);
    log.close(PATIENCE).unwrap();
}

#[test]
fn a_warning_says_what_is_lost() {
    let told = |from, first| writer::lost("/logs/app-1".as_ref(), from, first);
    assert!(told(1, 8).contains("the log /logs/app-1 was removed"), "{}", told(1, 8));
    assert!(told(1, 8).contains("7 events, 1 to 7, are lost to reports"), "{}", told(1, 8));
    assert!(told(1, 1).contains("nothing was written to it yet"), "{}", told(1, 1));
}
