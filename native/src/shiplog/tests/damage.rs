//! DiskFiles that were cut, flipped, mixed or written by other programs.

use super::*;
use std::fs;

/// A closed log of 20 events in one segment, and the segment.
fn finished() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
    let (dir, root) = root();
    let log = open(&root, "app-1", Options::for_tests());
    (0..20).for_each(|number| assert!(!log.append(event(number)).is_none()));
    log.close(PATIENCE).unwrap();
    let segment = segments(log.folder()).remove(0);
    (dir, log.folder().to_path_buf(), segment)
}

#[test]
fn a_log_that_is_cut_anywhere_is_read_to_the_cut_and_goes_on() {
    let (_dir, folder, segment) = finished();
    let root = folder.parent().unwrap();
    let whole = fs::read(&segment).unwrap();
    let mut last = 0;
    for cut in 0..whole.len() {
        fs::write(&segment, &whole[..cut]).unwrap();
        let (read, notes) = read_all(&folder);
        assert_eq!(read, events(0..read.len() as u64));
        assert!(read.len() >= last && read.len() <= last + 1 && !notes.closed);
        assert_eq!((notes.corrupt_bytes, notes.missing), (0, 0));
        last = read.len();
        if cut % 97 == 0 {
            let log = open(root, "app-1", Options::for_tests());
            log.append_durable(event(last as u64), PATIENCE).unwrap();
            let (read, after) = read_all(&folder);
            assert_eq!(read, events(0..last as u64 + 1));
            assert_eq!(after, Notes { torn_bytes: after.torn_bytes, ..Notes::default() });
            assert!(after.torn_bytes == notes.torn_bytes || last == 0);
            log.close(PATIENCE).unwrap();
            segments(&folder).iter().skip(1).for_each(|extra| fs::remove_file(extra).unwrap());
        }
    }
    assert_eq!(last, 20);
}

#[test]
fn a_damaged_record_is_skipped_and_told() {
    let (_dir, folder, segment) = finished();
    let whole = fs::read(&segment).unwrap();
    let end = whole.len();
    for at in (0..end).step_by(7) {
        let mut wrong = whole.clone();
        wrong[at] ^= 0x10;
        fs::write(&segment, &wrong).unwrap();
        let mut reading = read(&folder).unwrap();
        let read: Vec<_> = reading.by_ref().collect();
        let notes = reading.notes();
        let events: Vec<Event> = read.into_iter().map(|event| event.unwrap()).collect();
        let expected = events.iter().map(|found| found.revision).collect::<Vec<_>>();
        assert!(expected.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(events.iter().all(|found| *found == event(found.revision)));
        match at {
            0..8 => assert_eq!((events.len(), notes.foreign.len()), (0, 1)),
            _ if events.len() == 20 => assert!(notes.corrupt_places + notes.torn_bytes > 0),
            _ => assert_eq!((events.len(), notes.corrupt_places), (19, 1)),
        }
        if events.len() == 19 && events[0] == event(0) {
            assert_eq!(notes.missing, 1);
        }
    }
}

/// A valid record header that claims a body of 4 MiB.
fn false_head(number: u64) -> Vec<u8> {
    let mut head = vec![0xfe, 0xc1, 0xff, 0xc0, 2, 0, 0, 0];
    head.extend_from_slice(&(4_u32 << 20).to_le_bytes());
    head.extend_from_slice(&number.to_le_bytes());
    head.extend_from_slice(&1_u64.to_le_bytes());
    let sum = crc32fast::hash(&head);
    head.extend_from_slice(&sum.to_le_bytes());
    head
}

#[test]
fn false_records_take_the_time_of_their_bytes() {
    for gap in [0, 100, 10_000] {
        let (_dir, folder, segment) = finished();
        let mut bytes = fs::read(&segment).unwrap();
        let mut crafted = Vec::new();
        while crafted.len() < 8_400_000 {
            crafted.extend_from_slice(&false_head(100));
            crafted.resize(crafted.len() + gap, b'x');
        }
        let header = usize::from(bytes[10]);
        bytes.splice(header..header, crafted.iter().copied());
        fs::write(&segment, bytes).unwrap();
        let start = Instant::now();
        let (read, notes) = read_all(&folder);
        assert_eq!((read, notes.corrupt_bytes), (events(0..20), crafted.len() as u64));
        assert!(start.elapsed() < PATIENCE, "{:?} with gaps of {gap} bytes", start.elapsed());
    }
}

#[test]
fn zeroes_after_the_end_are_a_torn_tail() {
    let (_dir, folder, segment) = finished();
    let mut bytes = fs::read(&segment).unwrap();
    bytes.resize(bytes.len() + 100_000, 0);
    fs::write(&segment, bytes).unwrap();
    let (read, notes) = read_all(&folder);
    assert_eq!((read, notes.torn_bytes), (events(0..20), 100_000));
}

#[test]
fn segments_of_a_later_release_are_an_error_that_says_so() {
    let (_dir, folder, segment) = finished();
    let mut later = fs::read(&segment).unwrap();
    later[8] = 2;
    let length = usize::from(later[10]);
    let sum = crc32fast::hash(&later[..length - 4]);
    later[length - 4..length].copy_from_slice(&sum.to_le_bytes());
    fs::write(folder.join("segment-0000000002.log"), later).unwrap();
    let read: Vec<_> = read(&folder).unwrap().collect();
    assert_eq!(read.len(), 21);
    let error = read[20].as_ref().unwrap_err();
    assert_eq!(error.code(), Code::LogVersion);
    assert!(
        error.message().contains("version 2") && error.message().contains("segment-0000000002"),
        "{error}"
    );
    let opened = ShipLog::open(folder.parent().unwrap(), "app-1", Options::for_tests());
    assert_eq!(opened.err().unwrap().code(), Code::LogVersion);
}

#[test]
fn files_of_others_are_left_out() {
    let (_dir, folder, _) = finished();
    fs::write(folder.join("segment-0000000000.log"), "#!/bin/sh\n").unwrap();
    fs::write(folder.join("segment-1.log"), "").unwrap();
    fs::write(folder.join("notes.txt"), "").unwrap();
    let (read, notes) = read_all(&folder);
    assert_eq!(read, events(0..20));
    assert_eq!(notes.foreign, [folder.join("segment-0000000000.log")]);
    let log = open(folder.parent().unwrap(), "app-1", Options::for_tests());
    assert_eq!(log.append_durable(event(20), PATIENCE).unwrap(), Sequence(22));
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error() {
    let (dir, _folder, segment) = finished();
    assert_eq!(read(&dir.path().join("nothing")).err().unwrap().code(), Code::Io);
    fs::remove_file(&segment).unwrap();
    fs::create_dir(&segment).unwrap();
    let folder = segment.parent().unwrap();
    let read: Vec<_> = read(folder).unwrap().collect();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].as_ref().unwrap_err().code(), Code::Io);
}

#[test]
fn a_tail_reads_what_is_acknowledged_and_no_more() {
    let (_dir, root) = root();
    let log = open(&root, "app-1", small());
    let mut tail = Tail::after(log.folder(), Sequence::NONE);
    let mut read = Vec::new();
    tail.read(Sequence(10), 10, 1 << 20, &mut read).unwrap();
    assert!(read.is_empty());
    for number in 0..300 {
        log.append_durable(event(number), PATIENCE).unwrap();
        if number % 3 == 0 {
            tail.read(log.acknowledged(), 1_000, 1 << 20, &mut read).unwrap();
            assert_eq!((read.len() as u64, tail.position()), (number + 1, log.acknowledged()));
        }
    }
    let mut some = Vec::new();
    let mut tail = Tail::after(log.folder(), Sequence(100));
    tail.read(Sequence(200), 30, 1 << 20, &mut some).unwrap();
    assert_eq!((some, tail.position()), (events(100..130), Sequence(130)));
    let mut some = Vec::new();
    tail.read(Sequence(140), 30, 1 << 20, &mut some).unwrap();
    assert_eq!((some, tail.position()), (events(130..140), Sequence(140)));
    let mut some = Vec::new();
    tail.read(Sequence(300), 30, 1, &mut some).unwrap();
    assert_eq!(some, events(140..141));
}

#[test]
fn what_was_read_ahead_before_it_was_durable_is_read_again() {
    const MARKER: [u8; 4] = [0xfe, 0xc1, 0xff, 0xc0];
    let (_dir, root) = root();
    let log = open(&root, "app-1", Options::for_tests());
    for event in events(1..4) {
        log.append(event);
    }
    log.close(PATIENCE).unwrap();
    let path = segments(log.folder()).remove(0);
    let whole = std::fs::read(&path).unwrap();
    let records: Vec<usize> = (0..whole.len() - 4).filter(|at| whole[*at..at + 4] == MARKER).collect();
    let mut holed = whole.clone();
    holed[records[1]..records[2]].fill(0);
    for (filled, expected) in [(true, vec![2, 3]), (false, vec![3])] {
        std::fs::write(&path, &holed).unwrap();
        let mut tail = Tail::after(log.folder(), Sequence::NONE);
        let mut batch = Vec::new();
        tail.read(Sequence(1), 500, 1 << 20, &mut batch).unwrap();
        assert_eq!(batch.drain(..).map(|event| event.revision).collect::<Vec<_>>(), [1]);
        if filled {
            std::fs::write(&path, &whole).unwrap();
        }
        tail.read(Sequence(3), 500, 1 << 20, &mut batch).unwrap();
        assert_eq!(batch.iter().map(|event| event.revision).collect::<Vec<_>>(), expected);
        assert_eq!(tail.position(), Sequence(3));
    }
}
