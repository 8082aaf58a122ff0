//! Malformed buffers and malformed JSON.

use super::*;

#[test]
fn task_ends_are_read_as_they_were_packed() {
    let updates = [(3, 4, 5), (u64::MAX, (-1_i64) as u64, 9)];
    let of = (TaskKind::ShuffleMap, Reason::FetchFailed, true);
    let buffer = packed((7, 2), 5, 99, of, &updates);
    let event = TaskEnd::decode(&buffer).unwrap();
    assert_eq!((event.stage, event.stage_attempt, event.partition, event.task_attempt), (7, 2, 5, 99));
    assert_eq!((event.kind, event.reason), (TaskKind::ShuffleMap, Reason::FetchFailed));
    assert_eq!((event.finished_ms, event.has_read), (1_600_000_000_000, true));
    assert_eq!(event.updates().collect::<Vec<_>>(), updates);
}

#[test]
fn task_ends_that_come_together_count_as_those_that_come_alone() {
    let end = |partition: u32| {
        let rows = u64::from(partition) + 1;
        let merged = rows * (rows + 1) / 2;
        let of = (TaskKind::ShuffleMap, Reason::Success, false);
        packed((0, 0), partition, rows, of, &[(ROWS, rows, merged)])
    };
    let whole: Vec<u8> = (0..4).flat_map(end).collect();
    assert_eq!(TaskEnd::all(&whole).map(|end| end.unwrap().partition).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(TaskEnd::all(&[]).count(), 0);
    let one = end(0).len();
    for length in (0..whole.len()).filter(|length| length % one != 0) {
        let read: Vec<_> = TaskEnd::all(&whole[..length]).collect();
        assert_eq!(read.len(), length / one + 1);
        assert!(read[..length / one].iter().all(Result::is_ok) && read[length / one].is_err());
    }

    let bench = Bench::new();
    bench.stage(0, 0, 0, 4);
    bench.app.task_ends(&whole).unwrap();
    bench.rows("rdd:0/shuffle").is_exactly(10, 10);

    let damaged = Bench::new();
    damaged.stage(0, 0, 0, 4);
    let error = damaged.app.task_ends(&[end(0), end(1), vec![7; 40], end(2)].concat()).unwrap_err();
    assert_eq!(error.code(), Code::BadArgument);
    assert_eq!(damaged.rows("rdd:0/shuffle").committed, 3.0);
}

#[test]
fn step_cells_are_read_as_they_were_filed() {
    let filed = Filed { samples: vec!["{}".into(), "x".into()], ..Filed::new(4, 1, 3, 8, 10, 2) };
    let bytes = filed.flags(COMPLETE | SAMPLES_WHOLE).bytes();
    let cell = StepCell::decode(&bytes).unwrap();
    assert_eq!((cell.step, cell.site, cell.instance), (1, 1, 4));
    assert_eq!((cell.partition, cell.partitions, cell.task_attempt), (1, 3, 8));
    assert_eq!((cell.complete, cell.failed, cell.samples_whole, cell.seen), (true, false, true, 2));
    assert_eq!(cell.counters().collect::<Vec<_>>(), [(0, 10), (1, 8), (2, 2)]);
    assert_eq!(cell.samples().collect::<Vec<_>>(), [&b"{}"[..], b"x"]);
}

#[test]
fn every_shorter_or_longer_buffer_is_refused() {
    let end = task_end((7, 2), 5, 99, TaskKind::Result, Reason::Success, &[(3, 4), (5, 6)]);
    let cell = Filed { samples: vec!["{}".into(), "x".into()], ..Filed::new(4, 1, 3, 8, 10, 2) }.bytes();
    for length in 0..end.len() {
        assert_eq!(TaskEnd::decode(&end[..length]).unwrap_err().code(), Code::BadArgument);
    }
    for length in 0..cell.len() {
        assert_eq!(StepCell::decode(&cell[..length]).unwrap_err().code(), Code::BadArgument);
    }
    assert!(TaskEnd::decode(&[end, vec![0]].concat()).is_err());
    assert!(StepCell::decode(&[cell, vec![0]].concat()).is_err());
}

#[test]
fn what_cannot_be_is_refused() {
    let mut end = task_end((7, 2), 5, 99, TaskKind::Result, Reason::Success, &[]);
    end[0] = 1;
    assert!(TaskEnd::decode(&end).unwrap_err().message().contains("version 1"));
    end[0] = 2;
    let kind = end.len() - 16;
    end[kind] = 9;
    assert!(TaskEnd::decode(&end).unwrap_err().message().contains("task kind 9"));
    assert!(StepCell::decode(&Filed::new(1, 3, 3, 1, 1, 0).bytes()).is_err());
    assert!(StepCell::decode(&Filed::new(1, 1, 0, 1, 1, 0).bytes()).is_err());
    assert!(StepCell::decode(&Filed::new(1, 0, u32::MAX, 1, 1, 0).bytes()).is_err());
    let counters = vec![(256, 1)];
    assert!(StepCell::decode(&Filed { counters, ..Filed::new(1, 0, 1, 1, 1, 0) }.bytes()).is_err());
}

#[test]
fn a_cell_that_cannot_be_read_is_counted_and_told() {
    let bench = Bench::new();
    bench.app.step_cell(b"nonsense");
    lock(&bench.log.events).clear();
    bench.app.flush(Duration::ZERO);
    let health: Value = serde_json::from_str(&lock(&bench.log.events)[0].body).unwrap();
    assert_eq!(
        (&health["listener"]["cells_refused"], &health["callbacks"]["errors"]),
        (&json!(1), &json!(1))
    );
    assert!(health["callbacks"]["first"].as_str().unwrap().contains("step cell"));
}

#[test]
fn json_that_is_none_is_counted_and_harmless() {
    let bench = Bench::new();
    let deep = "[".repeat(100_000);
    for text in
        ["", "null", "[]", "{", deep.as_str(), r#"{"stage":"x","rdd":-1}"#, r#"{"stage":1e99,"job":{}}"#]
    {
        bench.app.stage_submitted(text);
        bench.app.stage_completed(text);
        bench.app.job_start(text);
        bench.app.job_end(text);
        bench.app.execution(text);
        bench.app.log_line(text);
        bench.app.step_declared(text);
    }
    bench.app.ship_changes();
    bench.app.flush(Duration::ZERO);
    let events = lock(&bench.log.events);
    let health: Value = serde_json::from_str(&events.last().unwrap().body).unwrap();
    assert_eq!(health["listener"]["unreadable"], 5 * 7);
}
