//! Gates: verdicts and their messages.

use super::*;

fn limits(json: Value) -> Limits {
    Limits::parse(&json.to_string()).unwrap()
}

/// A step that has read `rows` and dropped `dropped`.
fn bench(rows: i64, dropped: i64) -> Bench {
    let bench = Bench::new();
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":1}"#);
    let sample = json!({"hash": "5", "stack_hash": "ab", "error_class": "E", "message": "gone"}).to_string();
    let cell = Filed::new(1, 0, 1, 1, rows, dropped);
    let samples = if dropped > 0 { vec![sample] } else { Vec::new() };
    bench.app.step_cell(&Filed { samples, ..cell }.bytes());
    bench
}

#[test]
fn a_ratio_at_the_limit_passes_and_one_above_fails() {
    let limits = limits(json!({"gate": "commit", "max_drop_ratio": 0.001, "write": "/out"}));
    let verdict = bench(100_000, 100).app.judge("history", &limits);
    assert!(verdict.passed, "{verdict:?}");
    let verdict = bench(100_000, 101).app.judge("history", &limits);
    assert!(!verdict.passed);
    assert_eq!(verdict.reason, "0.101 % of the rows were dropped, more than 0.1 %");
    let verdict = bench(100_000, 20_000).app.judge("history", &limits);
    assert_eq!(verdict.ratio(), Some(0.2));
    assert_eq!(verdict.reason, "20 % of the rows were dropped, more than 0.1 %");
    assert_eq!(verdict.top_causes[0].message, "gone");
}

#[test]
fn dropped_rows_have_a_limit_of_their_own() {
    let limits = limits(json!({"gate": "guard", "max_drop_ratio": 1.0, "max_dropped": 9}));
    assert!(bench(100, 9).app.judge("history", &limits).passed);
    assert_eq!(bench(100, 10).app.judge("history", &limits).reason, "10 rows were dropped, more than 9");
}

#[test]
fn fewer_rows_than_asked_for_fail() {
    let limits = limits(json!({"gate": "guard", "min_rows": 100}));
    assert!(bench(100, 0).app.judge("history", &limits).passed);
    assert_eq!(bench(99, 0).app.judge("history", &limits).reason, "99 rows were read, fewer than 100");
    assert!(!bench(0, 0).app.judge("history", &limits).passed);
}

#[test]
fn no_row_at_all_is_a_policy() {
    for (policy, passed) in [("pass", true), ("fail", false)] {
        let limits = limits(json!({"gate": "guard", "zero_rows": policy}));
        let verdict = bench(0, 0).app.judge("history", &limits);
        assert_eq!((verdict.passed, verdict.ratio()), (passed, None));
    }
}

#[test]
fn unknown_fails() {
    let bench = Bench::new();
    let strict = limits(json!({"gate": "guard"}));
    let verdict = bench.app.judge("nowhere", &strict);
    assert!(!verdict.passed && verdict.counts.is_none());
    assert!(verdict.reason.contains("not known"), "{verdict:?}");
    assert!(bench.app.judge("nowhere", &limits(json!({"gate": "guard", "unknown": "pass"}))).passed);
}

#[test]
fn what_was_read_in_part_is_judged_by_what_was_read() {
    let bench = Bench::new();
    bench.app.step_cell(&Filed::new(1, 0, 4, 1, 10, 0).flags(0).bytes());
    let unexplained = limits(json!({"gate": "commit", "max_drop_ratio": 0.1}));
    let verdict = bench.app.judge("step 1", &unexplained);
    assert_eq!((verdict.passed, verdict.decision), (false, Decision::Unknown));
    assert!(verdict.reason.contains("of its 4 partitions no task has told of 1, 2, 3"), "{verdict:?}");
    let limits = limits(json!({"gate": "commit", "max_drop_ratio": 0.1, "partial": true}));
    let verdict = bench.app.judge("step 1", &limits);
    assert!(verdict.passed && verdict.counts == Some((10, 0)), "{verdict:?}");
    bench.app.step_cell(&Filed::new(1, 1, 4, 2, 10, 9).flags(0).bytes());
    assert!(!bench.app.judge("step 1", &limits).passed);
}

#[test]
fn an_early_gate_looks_at_dropped_rows_of_what_runs() {
    let bench = bench(100, 0);
    let limits = limits(json!({"gate": "early", "max_drop_ratio": 0.0, "max_dropped": 5, "min_rows": 1000}));
    assert!(bench.app.judge("history", &limits).passed);
    // A second instance, with one of its four partitions evaluated.
    bench.app.step_cell(&Filed::new(2, 0, 4, 9, 10, 6).bytes());
    let verdict = bench.app.judge("history", &limits);
    assert!(!verdict.passed, "{verdict:?}");
    assert_eq!((verdict.instance, verdict.stage), (Some(2), Some(1)));
    // Only a failed verdict of an early gate is shipped, and only once.
    let verdicts = || lock(&bench.log.events).iter().filter(|event| event.kind == Kind::Verdict).count();
    assert_eq!(verdicts(), 1);
    assert!(bench.app.judge("history", &limits).passed);
    assert_eq!(verdicts(), 1);
    assert!(Bench::new().app.judge("nowhere", &limits).passed);
}

#[test]
fn a_write_is_judged_by_its_own_instances() {
    let bench = bench(100, 0);
    bench.app.step_cell(&Filed::new(2, 0, 2, 9, 10, 6).bytes());
    let reached = json!([{"site": 1, "instance": 2, "behind": false}]);
    let limits =
        limits(json!({"gate": "commit", "max_drop_ratio": 0.1, "reached": reached, "partial": true}));
    let verdict = bench.app.judge("history", &limits);
    assert_eq!((verdict.passed, verdict.counts), (false, Some((10, 6))));
}

/// With a retry, another execution and a concurrent write, a gate judges the scope that it was asked about.
#[test]
fn a_gate_judges_its_own_step_and_the_operators_of_its_write() {
    let bench = bench(100, 90);
    for (step, site) in [(1, 2), (2, 3)] {
        let declared = json!({"step": "history", "id": step, "site": "map at Job.scala:12", "site_id": site});
        bench.app.step_declared(&declared.to_string());
        bench.app.step_cell(&Filed { step, site, ..Filed::new(site, 0, 1, site, 100, 1) }.bytes());
    }
    let judge = |more: Value| {
        let mut body = json!({"gate": "commit", "max_drop_ratio": 0.1, "max_dropped": 50});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bench.app.judge("history", &limits(body))
    };
    assert!(!judge(json!({})).passed);
    assert!(!judge(json!({"step_id": 1})).passed);
    let verdict = judge(json!({"step_id": 1, "sites": [2]}));
    assert_eq!((verdict.passed, verdict.counts), (true, Some((100, 1))), "{verdict:?}");
    assert_eq!(verdict.top_causes, Vec::new());
    assert!(judge(json!({"step_id": 2})).passed);
    let verdict = judge(json!({"step_id": 2, "sites": [4]}));
    assert!(!verdict.passed && verdict.counts.is_none(), "{verdict:?}");
}

#[test]
fn the_operator_that_drops_most_of_its_rows_decides() {
    let bench = bench(1_000_000, 0);
    bench.app.step_declared(r#"{"step":"history","id":1,"site":"filter at Job.scala:20","site_id":2}"#);
    bench.app.step_cell(&Filed { site: 2, ..Filed::new(7, 0, 1, 2, 1000, 10) }.bytes());
    let limits = limits(json!({"gate": "commit", "max_drop_ratio": 0.005, "min_rows": 1_000_000}));
    let verdict = bench.app.judge("history", &limits);
    assert!(!verdict.passed);
    assert_eq!(verdict.site.as_deref(), Some("filter at Job.scala:20"));
    assert_eq!(verdict.counts, Some((1000, 10)));
}

#[test]
fn verdicts_are_shipped_with_what_they_say() {
    let bench = bench(100, 50);
    bench.ship();
    let limits =
        limits(json!({"gate": "commit", "max_drop_ratio": 0.1, "max_dropped": i64::MAX, "write": "/out"}));
    bench.app.judge("history", &limits);
    bench.app.judge("history", &limits);
    let events = lock(&bench.log.events).clone();
    let verdicts: Vec<&Event> = events.iter().filter(|event| event.kind == Kind::Verdict).collect();
    assert_eq!(
        verdicts.iter().map(|v| v.id.as_str()).collect::<Vec<_>>(),
        ["app-1||gate:history:1", "app-1||gate:history:2"]
    );
    let body: Value = serde_json::from_str(&verdicts[0].body).unwrap();
    assert_eq!((&body["in"], &body["dropped"], &body["ratio"]), (&json!(100), &json!(50), &json!(0.5)));
    assert_eq!(
        (&body["passed"], &body["limit_rows"], &body["write"]),
        (&json!(false), &Value::Null, &json!("/out"))
    );
    assert_eq!(body["top_causes"][0]["count"], 1);
}

#[test]
fn bad_limits_are_refused() {
    for text in ["", "[]", r#"{"max_drop_ratio":1.5}"#, r#"{"zero_rows":"perhaps"}"#] {
        assert_eq!(Limits::parse(text).unwrap_err().code(), Code::BadArgument, "{text}");
    }
}

#[test]
fn an_application_ends_at_its_gate_if_nothing_began_after_the_refusal() {
    let now = crate::clock::unix_ms;
    for (refused, job_after, passed_after, ended_at) in [
        (true, false, false, Some("history")),
        (true, true, false, None),
        (true, false, true, None),
        (false, false, false, None),
    ] {
        let bench = bench(100, 20);
        let job = |number: u32, at_ms: u64| {
            bench
                .app
                .job_start(&json!({"job": number, "stages": [number], "submitted_ms": at_ms}).to_string());
        };
        let judge = |most: f64| {
            bench.app.judge("history", &limits(json!({"gate": "commit", "max_drop_ratio": most}))).passed
        };
        assert_eq!(judge(if refused { 0.1 } else { 0.5 }), !refused);
        // The start of an earlier job arrives late.
        job(1, now() - 500);
        if job_after {
            job(2, now() + 1000);
        }
        if passed_after {
            assert!(judge(0.5));
        }
        bench.app.end(r#"{"ended_ms":7}"#, std::time::Duration::from_secs(1));
        let events = std::mem::take(&mut *lock(&bench.log.events));
        let last = events.iter().rev().find(|event| event.kind == Kind::Application).unwrap();
        let body: Value = serde_json::from_str(&last.body).unwrap();
        assert_eq!(body["ended_at_gate"].as_str(), ended_at, "{body}");
    }
}

/// A cell's flags hold the bound that the task met last.
#[test]
fn the_bounds_that_have_cut_samples_are_in_the_summary() {
    for (flags, bounds) in
        [(0, json!(["samples"])), (64, json!(["task"])), (128, json!(["result"])), (4, Value::Null)]
    {
        let bench = Bench::new();
        bench.app.step_declared(r#"{"step":"history","id":1,"site":"map at Job.scala:12","site_id":1}"#);
        let sample =
            json!({"hash": "5", "stack_hash": "ab", "error_class": "E", "message": "gone"}).to_string();
        let cell = Filed { samples: vec![sample], ..Filed::new(1, 0, 1, 1, 100, 20) };
        let bytes = cell.flags(COMPLETE | flags).bytes();
        bench.app.step_cell(&bytes);
        let summary = bench.ship_kind(Kind::Failure).into_iter().find(|(_, body)| body.get("seen").is_some());
        let (_, body) = summary.unwrap();
        assert_eq!((&body["cut_by"], &body["complete"]), (&bounds, &json!(flags == 4)), "{body}");
    }
}

/// The driver keeps samples as they were shipped; a stack is in the log once and is added to each sample.
#[test]
fn failed_rows_are_told_by_step_and_with_their_stacks() {
    let bench = bench(100, 1);
    bench.app.step_declared(r#"{"step":"history","id":2,"site":"map at Job.scala:12","site_id":2}"#);
    let sample = |hash: u64| {
        json!({"hash": hash.to_string(), "stack_hash": "cd", "error_class": "E", "message": format!("no {hash}"), "stack": "at A", "group": "late"})
            .to_string()
    };
    let samples = vec![sample(7), sample(8)];
    bench.app.step_cell(&Filed { step: 2, site: 2, samples, ..Filed::new(1, 0, 2, 1, 100, 2) }.bytes());
    assert!(!bench.ship_kind(Kind::Failure).is_empty());
    let told =
        |step: Option<u64>| -> Vec<Value> { serde_json::from_str(&bench.app.failures_json(step)).unwrap() };
    assert_eq!((told(None).len(), told(Some(1)).len(), told(Some(9)).len()), (3, 1, 0));
    let rows = told(Some(2));
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(
            (&row["stack"], &row["group"], &row["committed"]),
            (&json!("at A"), &json!("late"), &json!(true))
        );
        assert_eq!(row["step"], "history");
    }
    let verdict =
        bench.app.judge("history", &limits(json!({"gate": "commit", "max_drop_ratio": 0.0, "step_id": 2})));
    let cause = &verdict.top_causes[0];
    assert_eq!((cause.group.as_str(), cause.count, cause.messages), ("late", 2, 2));
    assert_eq!(cause.line(), "late: 2 different messages, for example: E: no 7");
}
