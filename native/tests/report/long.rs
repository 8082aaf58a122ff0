//! Long-running applications: a report's selection from very many stages, steps, executions and log lines.

use std::sync::OnceLock;

use andiron::report::{html, text, View};
use andiron::shiplog::{Event, Kind};
use serde_json::json;

use super::check::check;
use super::fixtures::{Log, START};

const STAGES: u64 = 11_000;
const FAILED: [u64; 2] = [7, 5_000];

/// A stream of months: a stage each minute, every tenth with a site of the step and an execution. Two stages
/// have failed, and one site dropped half of its rows.
fn long() -> Vec<Event> {
    let mut log = Log::new("app");
    log.application("stream", None, json!({}));
    for id in 0..STAGES {
        let at = id * 60_000;
        let more = match FAILED.contains(&id) {
            true => {
                json!({"status": "failed", "failed_tasks": 4, "failure": "java.lang.IllegalStateException: disk"})
            }
            false => json!({}),
        };
        log.stage(id, &format!("batch {id}"), (at, at + 5_000), &["ingest"], &["ingest.in"], more);
        if id % 10 != 9 && id != 3_000 {
            continue;
        }
        let ran = json!({"execution": id, "description": format!("save of batch {id}"), "plan": "Scan",
            "started_ms": START + at, "ended_ms": START + at + 5_000});
        log.add(Kind::Execution, &format!("execution:{id}"), ran);
        log.add(
            Kind::LogLine,
            &format!("log:driver:{id}"),
            json!({"executor": "driver", "level": "WARN", "logger": "org.example.Batch", "message": format!("late by {id} rows"), "stage": id}),
        );
        let site = format!("map at Stream.scala:12 #{id}");
        log.step("ingest", &site, "in", 1_000, &[id], json!({}));
        log.step("ingest", &site, "dropped", if id == 3_000 { 500 } else { 0 }, &[id], json!({}));
    }
    // An operator that runs in every stage.
    let stages: Vec<u64> = (0..STAGES).collect();
    log.step("whole", "count at Stream.scala:9", "in", 1_000, &stages, json!({}));
    for stage in STAGES..STAGES + 900 {
        log.add(Kind::Stage, &format!("stage:{stage}.0"), json!({"stage": stage, "status": "skipped"}));
    }
    log.events
}

fn seen() -> &'static View {
    static VIEW: OnceLock<View> = OnceLock::new();
    VIEW.get_or_init(|| View::build(long(), Vec::new()))
}

fn places(text: &str, marks: &[String]) -> Vec<Option<usize>> {
    marks.iter().map(|mark| text.find(mark.as_str())).collect()
}

#[test]
fn the_worst_and_the_newest_of_very_many_are_shown() {
    let view = seen();
    let page = html::render(view);
    if let Err(wrong) = check(&page) {
        panic!("{wrong}");
    }
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let row = |stage: u64| format!(" id=\"s{stage}.0\"><th class=\"n\"");
    let rows = [row(5_000), row(7), row(STAGES - 1), row(STAGES - 2)];
    let found = places(&page, &rows);
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?}");
    assert_eq!(page.matches("\"><th class=\"n\" scope=\"row\">").count(), 1_000);
    assert!(page.contains("1,000 of 11,000 stages: the worst first, then the newest"));
    assert!(page.contains("10,000 more stages"));
    assert!(page.contains("400 of 1,102 steps: the worst first, then the newest"));
    let half = "map at Stream.scala:12 #3000<";
    let sites = [half.to_string(), format!("map at Stream.scala:12 #{}<", STAGES - 1)];
    let found = places(&page, &sites);
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?}");
    assert!(page.contains(&format!("save of batch {}<", STAGES - 1)), "the newest executions");
    assert!(page.contains(&format!("late by {} rows", STAGES - 1)), "the newest lines");
    // Every link to a stage has a target.
    let targets: Vec<&str> =
        page.split("href=\"#s").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let dead = targets.iter().filter(|id| id.contains('.') && !page.contains(&format!(" id=\"s{id}\"><th ")));
    assert_eq!(dead.collect::<Vec<_>>(), Vec::<&&str>::new());
    // The timeline shares lanes among its bars.
    let height = page
        .split("<svg role=\"img\"")
        .nth(1)
        .and_then(|svg| svg.split("height=\"").nth(1))
        .unwrap_or_default();
    let height: f64 = height.split('"').next().and_then(|text| text.parse().ok()).unwrap_or(f64::MAX);
    assert!(height < 200.0, "the timeline is {height} pixels high");
}

#[test]
fn the_text_of_a_long_life_is_short_and_new() {
    let view = seen();
    let report = text::render(view, text::Colour::Plain);
    assert!(report.lines().count() < 1_200, "{} lines", report.lines().count());
    assert!(report.contains("100 of 11,000 stages: the worst first, then the newest"), "{report}");
    assert!(report.contains("200 of 1,102 steps: the worst first, then the newest"), "{report}");
    let marks = ["batch 5000 (failed)", "batch 7 (failed)", "batch 10999", "batch 10998"].map(str::to_string);
    let found = places(&report, &marks);
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?}");
    assert!(!report.contains("  batch 4  "), "the oldest");
    let whole = report.lines().find(|line| line.trim_start().starts_with("whole ")).unwrap_or_default();
    assert!(whole.contains("10999") && !whole.contains(" 0, 1, 2"), "{whole}");
}

#[test]
fn verdicts_of_a_long_life_are_the_newest() {
    let mut log = Log::new("app");
    for n in 0..1_000u64 {
        log.add(Kind::Verdict, &format!("gate:history:{n}"), json!({"step": "history", "gate": "commit", "passed": n % 2 == 0, "in": 10_000 + n,
            "dropped": 1, "ratio": 0.1, "limit_ratio": 0.05, "reason": "", "top_causes": [], "write": format!("/out/day-{n}")}));
    }
    let view = View::build(log.events, Vec::new());
    for report in [text::render(&view, text::Colour::Plain), html::render(&view)] {
        let failed = report.find("/out/day-999").expect("the newest refusal");
        let passed = report.find("/out/day-998").expect("the newest write");
        assert!(
            failed < passed && report.find("/out/day-1\n").is_none() && !report.contains("/out/day-0<"),
            "{failed} {passed}"
        );
        assert!(report.contains("800 more verdicts"));
    }
}

#[test]
fn the_lines_of_no_stage_are_the_newest() {
    let mut log = Log::new("app");
    for n in 0..500u64 {
        let line = json!({"executor": "driver", "level": "ERROR", "logger": "Driver", "message": format!("turn {n} failed")});
        log.add(Kind::LogLine, &format!("log:driver:{n}"), line);
    }
    let view = View::build(log.events, Vec::new());
    let page = html::render(&view);
    assert!(page.contains("turn 499 failed") && !page.contains("turn 0 failed"));
    assert!(page.contains("450 more lines"), "of 500 lines 50 are kept");
}

#[test]
fn each_stage_that_is_named_shows_a_line() {
    let mut log = Log::new("app");
    for stage in 0..30u64 {
        for n in 0..50u64 {
            let line = json!({"executor": "1", "level": "ERROR", "logger": "user", "message": format!("turn {n} of stage {stage}."), "stage": stage});
            log.add(Kind::LogLine, &format!("log:1:{}", stage * 50 + n), line);
        }
    }
    let view = View::build(log.events, Vec::new());
    let (page, text) = (html::render(&view), text::render(&view, text::Colour::Plain));
    for stage in 0..30 {
        assert!(page.contains(&format!("turn 0 of stage {stage}.")), "{stage}");
        let named = text.contains(&format!("stage {stage}: 50 errors"));
        assert_eq!(text.contains(&format!("turn 0 of stage {stage}.")), named, "{stage}");
    }
}

#[test]
fn lines_that_the_log_has_not_are_told() {
    let mut log = Log::new("app");
    let error = |executor: &str| json!({"executor": executor, "level": "ERROR", "logger": "user", "message": "always the same", "stage": 0});
    for n in 0..50u64 {
        log.add(Kind::LogLine, &format!("log:1:{n}"), error("1"));
    }
    for executor in 1..=7 {
        let mut body = error(&executor.to_string());
        body["left_out"] = json!(if executor == 1 { 13_950 } else { 1_000 });
        log.add(Kind::LogLine, &format!("log:{executor}:left out:0:ERROR"), body);
    }
    let view = View::build(log.events, Vec::new());
    let said = "not in the log: 19,950 lines (executor 1 13,950, executor 2 1,000, executor 3 1,000, executor 4 1,000, executor 5 1,000, and 2 more executors)";
    let page = html::render(&view);
    assert!(page.contains("20,000 errors (50 kept)") && page.contains(said), "{page}");
    let text = andiron::report::text::render(&view, andiron::report::text::Colour::Plain);
    assert!(text.contains("stage 0: 20,000 errors (50 kept), 0 warnings"), "{text}");
    assert!(text.contains("not in the log: 19,950 lines (executor 1 13,950"), "{text}");
}
