//! Events on their way through the ship log to its reader and to sinks.

use super::*;
use crate::shiplog::read;
use crate::sinks::ShipError;
use std::sync::mpsc;
use std::time::Instant;

/// A directory for logs. The log creates it with access for its owner only.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Root {
        Root(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("logs")
    }
}

fn settings(root: &Path) -> MetricsSettings {
    MetricsSettings {
        application: "app-1".into(),
        log_dir: Some(root.into()),
        ..MetricsSettings::for_tests()
    }
}

fn one_task(app: &Application) {
    app.accumulator(ROWS, "rows", ValueKind::Long);
    app.stage_submitted(r#"{"stage":0,"attempt":0,"rdd":3,"tasks":1}"#);
    let end = task_end((0, 0), 0, 1, TaskKind::Result, Reason::Success, &[(ROWS, 5)]);
    app.task_end(&TaskEnd::decode(&end).unwrap());
    app.step_cell(&Filed::new(1, 0, 1, 1, 10, 1).bytes());
}

fn events(root: &Path) -> Vec<(Event, Value)> {
    let reading = read(&root.join("app-1")).unwrap();
    let with_body = |event: Event| (serde_json::from_str(&event.body).unwrap(), event);
    reading.map(|event| with_body(event.unwrap())).map(|(body, event)| (event, body)).collect()
}

#[test]
fn one_step_one_counter_one_task_end() {
    let root = Root::new();
    let app = Application::start(&settings(&root.path()), r#"{"app_name":"demo"}"#).unwrap();
    one_task(&app);
    assert!(app.flush(Duration::from_secs(20)));
    let live = events(&root.path());
    let rows = live.iter().find(|(event, _)| event.id == "app-1||rows|rdd:3").unwrap();
    assert_eq!((&rows.1["committed"], &rows.1["exact"]), (&json!(5), &json!(true)));
    assert!(live.iter().any(|(event, _)| event.id == "app-1||step 1/dropped|step:operator 1"));
    app.end(r#"{"ended_ms":9}"#, Duration::from_secs(20));
    let ended = events(&root.path());
    let last = |kind: Kind| ended.iter().rfind(|(event, _)| event.kind == kind).unwrap();
    assert_eq!((last(Kind::Application).0.revision, &last(Kind::Application).1["ended_ms"]), (2, &json!(9)));
    assert_eq!(last(Kind::Health).1["log"]["lost"], json!({}));
    assert!(last(Kind::Health).1["sinks"]["embedded"]["sent"].as_u64().unwrap() > 0);
}

#[test]
fn a_log_that_cannot_be_opened_costs_nothing_but_the_log() {
    let root = Root::new();
    let file = root.0.path().join("file");
    std::fs::write(&file, "no directory").unwrap();
    let app = Application::start(&settings(&file), "{}").unwrap();
    one_task(&app);
    assert!(!app.flush(Duration::from_secs(1)));
    assert_eq!(app.step_figures("step 1").of("in"), 10);
    app.end("{}", Duration::from_secs(1));
}

/// Takes events, and blocks if the flag is set.
struct Slow(mpsc::Sender<String>, bool);

impl Sink for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn ship(&mut self, events: &[Event]) -> std::result::Result<(), ShipError> {
        for event in events {
            let _ = self.0.send(event.id.clone());
        }
        if self.1 {
            loop {
                std::thread::park();
            }
        }
        Ok(())
    }
}

#[test]
fn sinks_get_all_of_it_before_the_end() {
    let root = Root::new();
    let (sender, receiver) = mpsc::channel();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Slow(sender, false))];
    let app = Application::start_shipping(&settings(&root.path()), "{}", sinks).unwrap();
    one_task(&app);
    app.end("{}", Duration::from_secs(20));
    let shipped: Vec<String> = receiver.try_iter().collect();
    assert_eq!(shipped, events(&root.path()).into_iter().map(|(event, _)| event.id).collect::<Vec<_>>());
}

#[test]
fn a_sink_that_hangs_costs_the_time_it_may_and_no_more() {
    let root = Root::new();
    let (sender, receiver) = mpsc::channel();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Slow(sender, true))];
    let app = Application::start_shipping(&settings(&root.path()), "{}", sinks).unwrap();
    receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    one_task(&app);
    let start = Instant::now();
    app.end("{}", Duration::from_secs(1));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert!(events(&root.path()).iter().any(|(event, _)| event.id == "app-1||rows|rdd:3"));
}
