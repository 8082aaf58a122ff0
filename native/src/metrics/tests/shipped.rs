//! Shipping: each changed figure, whole, and nothing else.

use super::*;

const TWO: &[(u64, u64)] = &[(ROWS, 10), (8, 1)];

fn kinds(events: &[(Event, Value)]) -> Vec<Kind> {
    events.iter().map(|(event, _)| event.kind).collect()
}

#[test]
fn the_application_comes_first_and_has_what_all_events_have() {
    let bench = Bench::new();
    let events = lock(&bench.log.events).clone();
    assert_eq!((events[0].kind, events[0].id.as_str(), events[0].revision), (Kind::Application, "app-1", 1));
    let body: Value = serde_json::from_str(&events[0].body).unwrap();
    assert_eq!((&body["v"], &body["app_id"], &body["app_attempt"]), (&json!(1), &json!("app-1"), &json!("")));
    assert!(body["ts_ms"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(body["app_name"], "test");
}

#[test]
fn attempts_of_an_application_have_ids_apart() {
    let id = |attempt: &str, id: &str| {
        let identity = ship::Identity { application: "app-1".to_string(), attempt: attempt.to_string() };
        let draft = ship::Draft::of(id.to_string(), 1, &ApplicationBody::default());
        identity.event(draft, 0).id
    };
    assert_eq!((id("", ""), id("2", "")), ("app-1".to_string(), "app-1|2".to_string()));
    assert_eq!(
        (id("", "health"), id("2", "health")),
        ("app-1||health".to_string(), "app-1|2|health".to_string())
    );
}

#[test]
fn nothing_new_ships_nothing() {
    let bench = Bench::new();
    assert!(bench.ship().is_empty());
    bench.stage(0, 0, 3, 1);
    bench.result((0, 0), 0, Reason::Success, 10);
    bench.completed(0, 0);
    assert_eq!(kinds(&bench.ship()), [Kind::Metric, Kind::Stage]);
    assert!(bench.ship().is_empty());
}

#[test]
fn only_the_counters_that_differ_are_shipped() {
    let bench = Bench::new();
    bench.app.accumulator(8, "misses", ValueKind::Long);
    bench.stage(0, 0, 3, 2);
    bench.task((0, 0), 0, TaskKind::ShuffleMap, Reason::Success, TWO);
    assert_eq!(bench.ship_kind(Kind::Metric).len(), 2);
    bench.stage(0, 1, 3, 1);
    // The other accumulator's figure is unchanged, though another partition has reported.
    bench.task((0, 1), 0, TaskKind::ShuffleMap, Reason::Success, &[(ROWS, 10), (8, 2)]);
    let shipped = bench.ship_kind(Kind::Metric);
    let committed: Vec<_> =
        shipped.iter().map(|(e, body)| (e.id.clone(), body["committed"].clone())).collect();
    let expected = [("app-1||rows|rdd:3/shuffle", 10), ("app-1||misses|rdd:3/shuffle", 2)];
    let expected: Vec<_> = expected.iter().map(|(id, n)| (id.to_string(), json!(n))).collect();
    // `rows` differs in its attempted value and its stages.
    assert_eq!(committed, expected);
    bench.task((0, 1), 1, TaskKind::ShuffleMap, Reason::Success, &[(8, 1)]);
    bench.completed(0, 1);
    let shipped = bench.ship_kind(Kind::Metric);
    assert_eq!(shipped.len(), 2, "both are whole now: {shipped:?}");
    assert!(shipped.iter().all(|(_, body)| body["exact"] == true && body["final"] == true));
}

#[test]
fn all_counters_of_a_part_end_with_one_coverage() {
    let bench = Bench::new();
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":1}"#);
    bench.stage(1, 0, 3, 8);
    bench.ship();
    // Only the first task drops rows: while the stage runs, the other counters change more often than `dropped`.
    bench.app.step_cell(&Filed::new(1, 0, 8, 1, 10, 10).bytes());
    assert_eq!(bench.ship_kind(Kind::Metric).len(), 3);
    for partition in 1..7 {
        let cell = Filed::new(1, partition, 8, 2 + u64::from(partition), 10, 0);
        bench.app.step_cell(&cell.bytes());
        assert_eq!(bench.ship_kind(Kind::Metric).len(), 2, "in and out, and no more for coverage alone");
    }
    bench.completed(1, 0);
    let last = bench.ship_kind(Kind::Metric);
    assert_eq!(last.len(), 3, "{last:?}");
    for (event, body) in &last {
        let told = (&body["partitions_reported"], body["reason"].as_str().unwrap());
        let reason = "7 of 8 partitions were read to their end: an action read a part of them (take, limit)";
        assert_eq!(told, (&json!(7), reason), "{}", event.id);
    }
    assert!(bench.ship_kind(Kind::Metric).is_empty());
}

#[test]
fn a_report_of_a_running_stage_has_one_coverage() {
    let bench = Bench::new();
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":1}"#);
    bench.stage(1, 0, 3, 8);
    for partition in 0..4 {
        bench.app.step_cell(&Filed::new(1, partition, 8, 2 + u64::from(partition), 10, 0).bytes());
        bench.ship();
    }
    assert!(bench.ship().is_empty());
    bench.app.flush(Duration::ZERO);
    let shipped = std::mem::take(&mut *lock(&bench.log.events));
    let told: Vec<Value> = shipped
        .iter()
        .filter(|event| event.kind == Kind::Metric)
        .map(|event| serde_json::from_str::<Value>(&event.body).unwrap())
        .collect();
    assert_eq!(
        told.iter().map(|body| body["acc"].as_str().unwrap()).collect::<Vec<_>>(),
        ["dropped"],
        "the others had that before"
    );
    assert!(told.iter().all(|body| body["partitions_reported"] == 4), "{told:?}");
}

#[test]
fn a_stage_that_changed_no_counter_ships_no_figure() {
    let bench = Bench::new();
    for stage in 0..70 {
        bench.stage(stage, 0, u64::from(stage), 1);
        let updates = if stage % 10 == 0 { TWO } else { &[] };
        bench.task((stage, 0), 0, TaskKind::ShuffleMap, Reason::Success, updates);
        bench.completed(stage, 0);
        let shipped = bench.ship();
        let metrics = shipped.iter().filter(|(event, _)| event.kind == Kind::Metric);
        let changed = &shipped.iter().find(|(event, _)| event.kind == Kind::Stage).unwrap().1["changed"];
        if stage % 10 == 0 {
            assert_eq!(changed, &json!(["rows"]));
        } else {
            assert_eq!((metrics.count(), changed), (0, &json!([])));
        }
    }
}

#[test]
fn a_stage_names_its_jobs_execution_steps_and_counters() {
    let bench = Bench::new();
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":1}"#);
    bench.app.job_start(r#"{"job":4,"stages":[0,1],"submitted_ms":1,"call_site":"save at Job.scala:20"}"#);
    let nodes = json!([
        {"id": 0, "name": "Exchange", "metrics": [90]},
        {"id": 1, "name": "AndironStep history: map at Job.scala:12", "metrics": []},
        {"id": 2, "name": "Scan", "metrics": [91, 92]},
    ]);
    bench.app.execution(
        &json!({"execution": 2, "plan": "== Plan ==", "nodes": nodes, "started_ms": 1}).to_string(),
    );
    bench.stage_with(
        1,
        0,
        3,
        1,
        json!({"execution_id": 2, "call_site": "map at Job.scala:12", "submitted_ms": 2}),
    );
    bench.app.step_cell(&Filed::new(1, 0, 1, 1, 10, 0).bytes());
    bench.map((1, 0), 0, Reason::Success, 10);
    bench.app.stage_completed(r#"{"stage":1,"attempt":0,"completed_ms":9,"accumulables":[7,92]}"#);
    bench.app.job_end(r#"{"job":4,"ended_ms":10,"status":"succeeded"}"#);
    let shipped = bench.ship();
    let body =
        |id: &str| &shipped.iter().find(|(event, _)| event.id == id).unwrap_or_else(|| panic!("no {id}")).1;
    let stage = body("app-1||stage:1.0");
    assert_eq!(
        (&stage["status"], &stage["job_ids"], &stage["execution_id"]),
        (&json!("succeeded"), &json!([4]), &json!(2))
    );
    assert_eq!(stage["steps"], json!(["history"]));
    assert_eq!(stage["changed"], json!(["history.in", "history.out", "rows"]));
    assert_eq!((&stage["succeeded_tasks"], &stage["failed_tasks"]), (&json!(1), &json!(0)));
    assert_eq!(body("app-1||stage:0.0")["status"], "skipped");
    assert_eq!(body("app-1||job:4")["status"], "succeeded");
    assert_eq!(body("app-1||execution:2")["nodes"], nodes);
    let step = body("app-1||history/in|step:map at Job.scala:12");
    assert_eq!(
        (&step["plan_nodes"], &step["execution_id"], &step["job_id"]),
        (&json!([1]), &json!(2), &json!(4))
    );
    assert_eq!(step["stages"], json!([{"stage": 1, "attempt": 0}]));
    let rows = body("app-1||rows|rdd:3/shuffle");
    assert_eq!((&rows["plan_nodes"], &rows["job_id"]), (&json!([2]), &json!(4)));
}

#[test]
fn a_second_scope_is_told_of_the_first_and_a_third_is_not() {
    let bench = Bench::new();
    for (stage, shipped) in [(0, 1), (1, 2), (2, 1)] {
        bench.stage(stage, 0, u64::from(stage), 1);
        bench.result((stage, 0), 0, Reason::Success, 10);
        bench.completed(stage, 0);
        let metrics = bench.ship_kind(Kind::Metric);
        assert_eq!(metrics.len(), shipped, "stage {stage}: {metrics:?}");
        assert!(metrics.iter().all(|(_, body)| body["exact"] == (stage == 0)));
    }
}

#[test]
fn a_plan_that_changes_after_its_stages_is_told_at_its_end() {
    let bench = Bench::new();
    let plan = |id: u32, more: Value| {
        let mut body = json!({"execution": 2, "nodes": [{"id": id, "name": "Scan", "metrics": [91]}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bench.app.execution(&body.to_string());
    };
    plan(4, json!({"plan": "first"}));
    bench.stage_with(0, 0, 3, 1, json!({"execution_id": 2}));
    bench.result((0, 0), 0, Reason::Success, 10);
    bench.app.stage_completed(r#"{"stage":0,"attempt":0,"accumulables":[91]}"#);
    assert_eq!(bench.ship_kind(Kind::Metric)[0].1["plan_nodes"], json!([4]));
    plan(6, json!({"plan": "second"}));
    assert_eq!(kinds(&bench.ship()), [Kind::Execution]);
    plan(6, json!({"ended_ms": 9}));
    let shipped = bench.ship();
    assert_eq!(kinds(&shipped), [Kind::Execution, Kind::Metric]);
    assert_eq!(shipped[1].1["plan_nodes"], json!([6]));
}

#[test]
fn a_running_stage_is_shipped_as_such_and_once() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 9);
    assert_eq!(bench.ship_kind(Kind::Stage)[0].1["status"], "running");
    bench.map((0, 0), 0, Reason::Success, 10);
    assert_eq!(kinds(&bench.ship()), [Kind::Metric]);
    bench.app.stage_completed(r#"{"stage":0,"attempt":0,"failure":"Job aborted"}"#);
    let shipped = bench.ship_kind(Kind::Stage);
    assert_eq!((shipped[0].0.revision, &shipped[0].1["status"]), (2, &json!("failed")));
}

#[test]
fn what_the_log_refuses_is_offered_again() {
    let bench = Bench::new();
    bench.stage(0, 0, 3, 1);
    bench.result((0, 0), 0, Reason::Success, 10);
    bench.completed(0, 0);
    *lock(&bench.log.full) = true;
    assert!(bench.ship().is_empty());
    *lock(&bench.log.full) = false;
    assert_eq!(kinds(&bench.ship()), [Kind::Metric, Kind::Stage]);
    assert!(bench.ship().is_empty());
}

#[test]
fn failed_rows_are_shipped_once_with_one_stack_for_each_hash() {
    let bench = Bench::new();
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":1}"#);
    let sample = |hash: u64| {
        let body = json!({"hash": hash.to_string(), "stack_hash": "ab", "stack": "at A", "record": "r", "executor": "3"});
        body.to_string()
    };
    let cell = Filed { samples: (0..3).map(sample).collect(), ..Filed::new(1, 0, 2, 1, 10, 3) };
    bench.app.step_cell(&cell.bytes());
    bench.app.step_cell(&cell.bytes());
    let shipped = bench.ship_kind(Kind::Failure);
    let ids: Vec<&str> = shipped.iter().map(|(event, _)| event.id.as_str()).collect();
    let hashes = ["00000000000000000000", "00000000000000000001", "00000000000000000002"];
    assert_eq!(ids[..3], hashes.map(|hash| format!("app-1||history|{hash}")));
    assert_eq!(ids[3..], ["app-1||history|samples"]);
    assert_eq!(shipped.iter().filter(|(_, body)| body.get("stack").is_some()).count(), 1);
    assert!(shipped[..3].iter().all(|(_, body)| body["committed"] == true && body["step"] == "history"));
    let summary = &shipped[3].1;
    assert_eq!(summary["ceiling"], hashes[2], "the greatest hash that counts");
    assert_eq!(
        (&summary["seen"], &summary["kept"], &summary["complete"]),
        (&json!(3), &json!(3), &json!(true))
    );
    // A retry drops the same rows: no sample changes.
    bench.app.step_cell(&Filed { task: 2, ..cell.clone() }.bytes());
    assert!(bench.ship_kind(Kind::Failure).is_empty());
    // A retry drops no row: the rows of the earlier attempt no longer count.
    bench.app.step_cell(&Filed::new(1, 0, 2, 3, 10, 0).bytes());
    let shipped = bench.ship_kind(Kind::Failure);
    assert_eq!(shipped.iter().filter(|(_, body)| body["committed"] == false).count(), 3);
    assert_eq!(shipped.last().unwrap().1["seen"], 0);
}

#[test]
fn steps_counters_and_places_that_read_alike_together_are_told_apart() {
    let bench = Bench::new();
    let declare = |id: u64, step: &str, counter: &str, site: &str| {
        let declaration = json!({"id": id, "step": step, "counters": [counter], "site": site, "site_id": id});
        bench.app.step_declared(&declaration.to_string());
        let counters = vec![(0, 1), (3, 1)];
        bench.app.step_cell(&Filed { step: id, site: id, counters, ..Filed::new(1, 0, 1, 1, 1, 0) }.bytes());
    };
    declare(1, "etl", "us/rows", "map at A.scala:1");
    declare(2, "etl/us", "rows", "map at A.scala:1");
    declare(3, "twins", "rows", "map at A.scala:1");
    declare(4, "twins", "rows", "map at A.scala:1");
    declare(5, "twins", "rows", "map at A.scala:1 #2");
    let mut ids: Vec<String> = bench.ship_kind(Kind::Metric).into_iter().map(|(event, _)| event.id).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), all), (20, 20), "{ids:?}");
}

#[test]
fn samples_that_a_task_has_cut_are_incomplete() {
    let bench = Bench::new();
    let sample = r#"{"hash":"1"}"#.to_string();
    let cell = Filed { samples: vec![sample], ..Filed::new(1, 0, 1, 1, 10, 3) };
    bench.app.step_cell(&cell.bytes());
    assert_eq!(bench.ship_kind(Kind::Failure)[1].1["complete"], false);
    let bench = Bench::new();
    bench.app.step_cell(&Filed { flags: COMPLETE | SAMPLES_WHOLE, ..cell }.bytes());
    assert_eq!(bench.ship_kind(Kind::Failure)[1].1["complete"], true);
}

#[test]
fn lines_of_logs_are_numbered_and_bounded() {
    let bench = Bench::new();
    bench.ship();
    for _ in 0..2_001 {
        bench.app.log_line(r#"{"executor":"driver","level":"WARN","logger":"x","message":"m","stage":null}"#);
    }
    bench.app.log_line(r#"{"executor":"1","level":"ERROR","logger":"x","message":"m","ts_ms":5}"#);
    bench.app.log_line(r#"{"executor":"1","level":"ERROR","stage":4,"left_out":300}"#);
    let shipped = bench.ship();
    assert_eq!(shipped.len(), 2_003);
    assert_eq!(shipped[1].0.id, "app-1||log:driver:2");
    assert!(shipped[1].1.get("stage").is_none());
    assert_eq!((shipped[2_000].0.id.as_str(), &shipped[2_000].1["ts_ms"]), ("app-1||log:1:1", &json!(5)));
    let (left, body) = &shipped[2_001];
    assert_eq!((left.id.as_str(), &body["left_out"]), ("app-1||log:driver:left out::WARN", &json!(1)));
    let (left, body) = &shipped[2_002];
    assert_eq!((left.id.as_str(), &body["left_out"]), ("app-1||log:1:left out:4:ERROR", &json!(300)));
    assert_eq!((&body["stage"], &body["message"]), (&json!(4), &json!("300 more errors are left out")));
    lock(&bench.log.events).clear();
    bench.app.ship_trouble();
    let health: Value = serde_json::from_str(&lock(&bench.log.events)[0].body).unwrap();
    assert_eq!(health["listener"]["log_lines_left_out"], 301);
    bench.app.ship_trouble();
    assert_eq!(lock(&bench.log.events).len(), 1);
}

#[test]
fn the_end_is_shipped() {
    let bench = Bench::new();
    bench.ship();
    bench.app.end(r#"{"ended_ms":77,"exit_code":1}"#, Duration::ZERO);
    let events = lock(&bench.log.events).clone();
    let last = |kind: Kind| -> (u64, Value) {
        let event = events.iter().rev().find(|event| event.kind == kind).unwrap();
        (event.revision, serde_json::from_str(&event.body).unwrap())
    };
    let (revision, application) = last(Kind::Application);
    assert_eq!((revision, &application["ended_ms"], &application["exit_code"]), (2, &json!(77), &json!(1)));
    assert_eq!(last(Kind::Health).1["callbacks"]["errors"], 0);
}

#[test]
fn a_thread_of_its_own_ships_what_changes() {
    let settings = MetricsSettings {
        application: "app-1".into(),
        ship_every: Some(Duration::from_millis(5)),
        ..MetricsSettings::for_tests()
    };
    let log = Arc::new(Kept::default());
    let app = Application::start_with(&settings, "{}", Arc::clone(&log) as Arc<dyn Record>).unwrap();
    app.stage_submitted(r#"{"stage":0,"attempt":0,"rdd":1,"tasks":1}"#);
    let start = std::time::Instant::now();
    while lock(&log.events).len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing was shipped");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_sentinel_lets_through_who_waits() {
    let bench = Bench::new();
    assert!(!bench.app.reached(1, Duration::from_millis(1)));
    bench.app.sentinel(2);
    assert!(bench.app.reached(1, Duration::ZERO) && bench.app.reached(2, Duration::ZERO));
    let app = Arc::clone(&bench.app);
    let waiting = std::thread::spawn(move || app.reached(3, Duration::from_secs(20)));
    bench.app.sentinel(3);
    assert!(waiting.join().unwrap());
}
