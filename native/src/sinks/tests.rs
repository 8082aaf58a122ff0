//! Shipping to sinks that work, fail, refuse, panic and hang.

use std::path::Path;
use std::time::{Duration, Instant};

use super::faulty::{SinkFault, SinkFaults};
use super::*;
use crate::event::{Event, Sequence};
use crate::shiplog::testing::{event, events, open, read_all, root, until, PATIENCE};
use crate::shiplog::{position, set_position, Options, ShipLog};

fn start(root: &Path, application: &str, sinks: &[(&str, &SinkFaults)]) -> (ShipLog, Shipper) {
    let log = open(root, application, Options { segment_bytes: 20_000, ..Options::for_tests() });
    let sinks = sinks.iter().map(|(name, faults)| faults.sink(name)).collect();
    let shipper = Shipper::start(&log, sinks).unwrap();
    (log, shipper)
}

fn append(log: &ShipLog, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| assert!(!log.append(event(number)).is_none()));
    log.sync(PATIENCE).unwrap();
}

/// Ends an application normally. Returns the sinks that have not taken all events.
fn end(log: &ShipLog, shipper: &Shipper) -> Vec<String> {
    let behind = shipper.stop(Duration::from_secs(5));
    log.close(PATIENCE).unwrap();
    behind
}

/// The events without repetitions.
fn once(taken: Vec<Event>) -> Vec<Event> {
    let mut seen = std::collections::HashSet::new();
    taken.into_iter().filter(|event| seen.insert(event.id.clone())).collect()
}

#[test]
fn a_sink_gets_everything_once_and_in_order() {
    let (_dir, root) = root();
    let faults = SinkFaults::default();
    let (log, shipper) = start(&root, "app-1", &[("kafka", &faults)]);
    append(&log, 0..2_000);
    assert_eq!(end(&log, &shipper), [""; 0]);
    assert_eq!(faults.taken(), events(0..2_000));
    assert!(faults.calls() < 1_000);
    let health = &shipper.health()["kafka"];
    assert_eq!((health.sent, health.retried, health.behind), (2_000, 0, 0));
    assert_eq!(position(log.folder(), "kafka"), Some(Sequence(2_000)));
}

#[test]
fn a_sink_sees_nothing_that_is_not_durable() {
    let (_dir, root) = root();
    let medium = crate::shiplog::testing::Faulty::default();
    let options = Options { medium: std::sync::Arc::new(medium.clone()), ..Options::for_tests() };
    let log = open(&root, "app-1", options);
    let faults = SinkFaults::default();
    let shipper = Shipper::start(&log, vec![faults.sink("kafka")]).unwrap();
    append(&log, 0..10);
    until("ten are shipped", || faults.taken().len() == 10);
    medium.0.sync_errors.store(u64::MAX, std::sync::atomic::Ordering::SeqCst);
    log.append(event(10));
    until("the disk refuses", || log.health().failures > 2);
    assert_eq!(faults.taken().len(), 10);
    medium.0.sync_errors.store(0, std::sync::atomic::Ordering::SeqCst);
    until("the eleventh is shipped", || faults.taken().len() == 11);
    assert_eq!(end(&log, &shipper), [""; 0]);
    assert_eq!(faults.taken(), events(0..11));
}

#[test]
fn a_sink_that_is_down_all_the_time_costs_and_loses_nothing() {
    let (_dir, root) = root();
    let (down, works) = (SinkFaults::default(), SinkFaults::default());
    down.always(Some(SinkFault::Retry));
    let (log, shipper) = start(&root, "app-1", &[("down", &down), ("works", &works)]);
    append(&log, 0..1_000);
    until("the other sink has all", || works.taken().len() == 1_000);
    let began = Instant::now();
    assert_eq!(end(&log, &shipper), ["down"]);
    assert!(began.elapsed() < Duration::from_secs(2), "stopping waited for a sink that is down");
    let health = shipper.health();
    assert_eq!((health["down"].sent, health["down"].behind), (0, 1_000));
    assert!(health["down"].retried > 0 && !health["down"].last_failure.is_empty());
    assert_eq!(read_all(log.folder()).0, events(0..1_000));
    // The next start ships it after its own events.
    down.always(None);
    let (log, shipper) = start(&root, "app-2", &[("down", &down), ("works", &works)]);
    append(&log, 1_000..1_010);
    until("the next start ships what was left", || down.taken().len() == 1_010);
    assert_eq!(end(&log, &shipper), [""; 0]);
    let mut all = down.taken();
    all.sort_by_key(|event| event.revision);
    assert_eq!((all, works.taken()), (events(0..1_010), events(0..1_010)));
}

#[test]
fn what_is_gone_from_the_log_before_its_turn_is_counted() {
    let (_dir, root) = root();
    let faults = SinkFaults::default();
    faults.always(Some(SinkFault::Retry));
    let log =
        open(&root, "app-1", Options { segment_bytes: 5_000, most_bytes: 20_000, ..Options::for_tests() });
    let shipper = Shipper::start(&log, vec![faults.sink("kafka")]).unwrap();
    for number in 0..1_000 {
        log.append_durable(event(number), PATIENCE).unwrap();
    }
    until("the middle of the log is gone", || read_all(log.folder()).1.missing > 500);
    faults.always(None);
    until("the sink has the rest", || shipper.health()["kafka"].behind == 0 && faults.taken().len() > 2);
    assert_eq!(end(&log, &shipper), [""; 0]);
    let health = &shipper.health()["kafka"];
    let gone = health.dropped["gone"];
    assert_eq!(health.sent + gone, 1_000);
    assert_eq!(once(faults.taken()).len() as u64 + gone, 1_000);
    assert!(gone > 500, "{gone}");
}

#[test]
fn a_batch_that_failed_is_shipped_again_before_the_next() {
    let (_dir, root) = root();
    let faults = SinkFaults::default();
    for fault in [SinkFault::Retry, SinkFault::RetryAfterTaking, SinkFault::Panic, SinkFault::Retry] {
        faults.next(fault);
    }
    let (log, shipper) = start(&root, "app-1", &[("kafka", &faults)]);
    append(&log, 0..200);
    until("all is shipped", || shipper.health()["kafka"].sent == 200);
    assert_eq!(end(&log, &shipper), [""; 0]);
    assert!(faults.taken().len() > 200);
    assert_eq!(once(faults.taken()), events(0..200));
    let health = &shipper.health()["kafka"];
    assert_eq!((health.retried, health.dropped.len()), (4, 0));
}

#[test]
fn events_that_a_sink_refuses_are_dropped_alone() {
    for (fault, cause) in [(SinkFault::Refuse, "refused"), (SinkFault::Panic, "panic")] {
        let (_dir, root) = root();
        let faults = SinkFaults::default();
        faults.poison(&event(77).id, fault);
        let (log, shipper) = start(&root, "app-1", &[("kafka", &faults)]);
        append(&log, 0..100);
        until("all others are shipped", || shipper.health()["kafka"].sent == 99);
        assert_eq!(end(&log, &shipper), [""; 0]);
        let expected: Vec<Event> = events(0..100).into_iter().filter(|event| event.revision != 77).collect();
        assert_eq!(once(faults.taken()), expected);
        let health = &shipper.health()["kafka"];
        assert_eq!(health.dropped.iter().map(|(k, v)| (k.as_str(), *v)).collect::<Vec<_>>(), [(cause, 1)]);
        assert_eq!(position(log.folder(), "kafka"), Some(Sequence(100)));
    }
}

#[test]
fn a_sink_that_hangs_is_left_behind() {
    let (_dir, root) = root();
    let (hangs, works) = (SinkFaults::default(), SinkFaults::default());
    hangs.always(Some(SinkFault::Block));
    let (log, shipper) = start(&root, "app-1", &[("hangs", &hangs), ("works", &works)]);
    append(&log, 0..100);
    until("the sink hangs", || hangs.calls() == 1);
    let began = Instant::now();
    assert_eq!(shipper.stop(Duration::from_millis(300)), ["hangs"]);
    log.close(PATIENCE).unwrap();
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(works.taken(), events(0..100));
    hangs.open();
    until("the call returns", || !hangs.taken().is_empty());
    std::thread::sleep(Duration::from_millis(50));
    // Its arrival was never acknowledged.
    assert_eq!(position(log.folder(), "hangs"), Some(Sequence::NONE));
    let next = SinkFaults::default();
    let (log, shipper) = start(&root, "app-2", &[("hangs", &next)]);
    until("the next start ships it", || next.taken().len() == 100);
    assert_eq!(end(&log, &shipper), [""; 0]);
}

#[test]
fn a_call_that_hung_before_the_stop_is_not_waited_for() {
    let (_dir, root) = root();
    let faults = SinkFaults::default();
    faults.always(Some(SinkFault::Block));
    let (log, shipper) = start(&root, "app-1", &[("hangs", &faults)]);
    append(&log, 0..1);
    until("the sink hangs", || faults.calls() == 1);
    std::thread::sleep(Duration::from_secs(4));
    let began = Instant::now();
    assert_eq!(shipper.stop(Duration::from_secs(4)), ["hangs"]);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    faults.open();
}

/// A logger that blocks while it is armed if a message names the sink `halting`, like an appender on a stalled disk.
struct Halting(std::sync::Mutex<bool>, std::sync::Condvar);

impl log::Log for Halting {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.args().to_string().contains("sink halting") {
            drop(self.1.wait_while(self.0.lock().unwrap(), |armed| *armed).unwrap());
        }
    }

    fn flush(&self) {}
}

static HALTING: Halting = Halting(std::sync::Mutex::new(true), std::sync::Condvar::new());

#[test]
fn an_appender_that_stalls_holds_up_nobody_who_asks() {
    log::set_logger(&HALTING).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let (_dir, root) = root();
    let faults = SinkFaults::default();
    faults.next(SinkFault::Retry);
    let (log, shipper) = start(&root, "app-1", &[("halting", &faults)]);
    append(&log, 0..10);
    // Both are asked while the sink's thread is blocked in the logger: for a failure, then for the first success.
    let health = std::thread::scope(|scope| {
        let asks = scope.spawn(|| {
            until("the failure is counted", || shipper.health()["halting"].failed.contains_key("told"));
            shipper.health()
        });
        let end = Instant::now() + PATIENCE;
        while !asks.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        let answered = asks.is_finished();
        *HALTING.0.lock().unwrap() = false;
        HALTING.1.notify_all();
        assert!(answered, "who asks waits for the appender");
        asks.join().unwrap()
    });
    assert_eq!(health["halting"].sent, 0);
    assert_eq!(end(&log, &shipper), [""; 0]);
    assert_eq!(faults.taken(), events(0..10));
}

#[test]
fn the_log_is_a_sink_that_has_what_is_durable() {
    let (_dir, root) = root();
    let log = open(&root, "app-1", Options::for_tests());
    let shipper = Shipper::start(&log, vec![Box::new(Embedded)]).unwrap();
    append(&log, 0..10);
    let health = &shipper.health()["embedded"];
    assert_eq!((health.sent, health.behind), (10, 0));
    assert_eq!(end(&log, &shipper), [""; 0]);
    assert_eq!(position(log.folder(), "embedded"), None);
}

#[test]
fn the_command_ships_what_is_owed() {
    let (_dir, root) = root();
    let down = SinkFaults::default();
    down.always(Some(SinkFault::Retry));
    for (application, numbers) in [("app-1", 0..700), ("app-2", 700..900)] {
        let (log, shipper) = start(&root, application, &[("kafka", &down)]);
        append(&log, numbers);
        assert_eq!(end(&log, &shipper), ["kafka"]);
    }
    let (live, _shipper) = start(&root, "app-3", &[("kafka", &down)]);
    append(&live, 900..910);
    let still_down = ship(&root, vec![down.sink("kafka")], Duration::from_millis(200)).unwrap();
    assert_eq!((still_down.applications.len(), still_down.live, still_down.sinks["kafka"].sent), (0, 1, 0));
    assert!(still_down.sinks["kafka"].behind >= 900, "{still_down:?}");
    let (works, other) = (SinkFaults::default(), SinkFaults::default());
    let sinks = || vec![works.sink("kafka"), other.sink("hive")];
    let shipped = ship(&root, sinks(), PATIENCE).unwrap();
    assert_eq!(
        (shipped.applications.as_slice(), shipped.live),
        (["app-1", "app-2"].map(String::from).as_slice(), 1)
    );
    assert_eq!((works.taken(), other.taken()), (events(0..900), Vec::new()));
    assert_eq!((shipped.sinks["kafka"].sent, shipped.sinks["kafka"].behind), (900, 0));
    let again = ship(&root, sinks(), PATIENCE).unwrap();
    assert_eq!((again.applications.len(), works.taken().len(), other.taken().len()), (0, 900, 0));
}

#[test]
fn a_position_that_is_lost_costs_duplicates_only() {
    let (_dir, root) = root();
    let faults = SinkFaults::default();
    let (log, shipper) = start(&root, "app-1", &[("kafka", &faults)]);
    append(&log, 0..50);
    assert_eq!(end(&log, &shipper), [""; 0]);
    std::fs::write(log.folder().join("position-kafka"), "nonsense").unwrap();
    ship(&root, vec![faults.sink("kafka")], PATIENCE).unwrap();
    assert_eq!((faults.taken().len(), once(faults.taken())), (100, events(0..50)));
    set_position(log.folder(), "kafka", Sequence(25)).unwrap();
    ship(&root, vec![faults.sink("kafka")], PATIENCE).unwrap();
    assert_eq!(faults.taken()[100..], events(25..50));
}
