//! Reports of invented applications: their content, and their safety against hostile text in logs.

#![allow(clippy::expect_used, reason = "a step that fails fails its test")]

mod check;
mod command;
mod fixtures;
mod gates;
mod long;
mod metrics;

use andiron::report::{diff, html, text, View};
use andiron::shiplog::{Event, Kind};
use check::check;
use fixtures::{failing, hostile, small, taint, wide, Log, NASTY};
use serde_json::{json, Value};

fn view(events: Vec<Event>) -> View {
    View::build(events, Vec::new())
}

/// Compares with the file of this name; `ANDIRON_GOLDEN=write` writes it instead.
fn golden(name: &str, found: &str) {
    let file = format!("{}/tests/report/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("ANDIRON_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&file, found).expect("the golden file");
    }
    let wanted = std::fs::read_to_string(&file).expect("the golden file");
    assert!(wanted == found, "{file} differs; with ANDIRON_GOLDEN=write it becomes:\n{found}");
}

#[test]
fn the_text_says_what_the_log_says() {
    golden("passing", &text::render(&view(small()), text::Colour::Plain));
    golden("failing", &text::render(&view(failing()), text::Colour::Plain));
    golden("empty", &text::render(&view(Vec::new()), text::Colour::Plain));
}

#[test]
fn two_runs_are_compared_by_their_ratios() {
    golden("diff", &diff::render(&view(small()), &view(failing())));
}

#[test]
fn every_page_is_valid() {
    for (name, events) in [
        ("small", small()),
        ("failing", failing()),
        ("wide", wide()),
        ("hostile", hostile()),
        ("empty", Vec::new()),
    ] {
        let page = html::render(&view(events));
        if let Err(wrong) = check(&page) {
            panic!("{name}: {wrong}");
        }
    }
}

#[test]
fn the_gate_comes_first_and_steps_in_execution_order() {
    let view = view(failing());
    let names: Vec<&str> = view.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["labels", "history", "features"]);
    let page = html::render(&view);
    let order = [
        "Ended at its gate",
        "id=\"gates\"",
        "dropped <b>20,014</b>",
        "id=\"steps\"",
        "id=\"failures\"",
        "id=\"stages\"",
        "id=\"shipping\"",
    ];
    let places: Vec<usize> =
        order.iter().map(|mark| page.find(mark).unwrap_or_else(|| panic!("no {mark}"))).collect();
    assert!(places.is_sorted(), "{order:?} are at {places:?}");
}

#[test]
fn the_last_revision_of_an_id_holds_whatever_the_order() {
    let mut log = Log::new("app");
    for committed in [1, 2, 3] {
        log.step("labels", "map at A.scala:1", "in", committed, &[0], json!({}));
    }
    let committed = |events: Vec<Event>| {
        let view = view(events);
        assert_eq!(view.steps.len(), 1);
        view.steps[0].input.as_ref().and_then(|figure| figure.committed).map(|amount| amount.as_f64())
    };
    let mut events = log.events.clone();
    assert_eq!(committed(events.clone()), Some(3.0));
    events.reverse();
    assert_eq!(committed(events.clone()), Some(3.0));
    events.extend(log.events);
    assert_eq!(committed(events), Some(3.0), "a replay changes nothing");
}

#[test]
fn a_sample_is_the_smallest_hashes_that_were_kept() {
    let mut log = Log::new("app");
    for hash in [9, 4, 7, 1, 8] {
        log.failure("history", hash, ("E", "m", "s"), json!({"stack": if hash == 9 { "at x" } else { "" }}));
    }
    log.add(
        Kind::Failure,
        "history|samples",
        json!({"step": "history", "seen": 50, "kept": 3, "complete": true}),
    );
    let view = view(log.events);
    let tasks: Vec<u64> = view.failures[0].samples.iter().filter_map(|sample| sample.task_attempt).collect();
    assert_eq!(tasks, [1001, 1004, 1007]);
    assert_eq!(
        view.failures[0].stack.as_deref(),
        Some("at x"),
        "the stack came with a row that was pushed out"
    );
}

#[test]
fn a_sample_is_the_hashes_up_to_the_ceiling_whatever_is_missing() {
    let mut log = Log::new("app");
    for hash in [9, 4, 7, 1, 10] {
        log.failure("history", hash, ("E", "m", "s"), json!({}));
    }
    let summary =
        json!({"step": "history", "seen": 50, "kept": 4, "complete": false, "ceiling": format!("{:020}", 7)});
    log.add(Kind::Failure, "history|samples", summary);
    let view = view(log.events);
    let tasks: Vec<u64> = view.failures[0].samples.iter().filter_map(|sample| sample.task_attempt).collect();
    assert_eq!(
        tasks,
        [1001, 1004, 1007],
        "one of the four is lost, and the next in the log does not replace it"
    );
}

#[test]
fn the_wide_run_is_there_whole() {
    let view = view(wide());
    assert_eq!(
        (view.stages.len(), view.skipped.len(), view.steps.len(), view.accumulators.len()),
        (70, 6, 8, 40)
    );
    let page = html::render(&view);
    for stage in 0..70 {
        assert!(page.contains(&format!("id=\"s{stage}.0\"")), "stage {stage} has no row");
    }
    for counter in 0..40 {
        assert!(page.contains(&format!(">counter-{counter:02}<")), "counter {counter} is missing");
        assert!(
            page.contains(&format!(">pipeline.rows.kind-{counter:02}<")),
            "accumulator {counter} is missing"
        );
    }
    assert!(page.contains("taken by limit: 12 of 200 partitions were read to their end"));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

/// Several figures of an accumulator may count the same rows.
#[test]
fn figures_of_an_accumulator_are_listed_and_never_added() {
    let mut log = Log::new("app");
    let mut rows = |branch: &str, committed: i64| {
        let reason = "a union has several branches of one plan, and each is counted";
        let body = json!({"source": "accumulator", "acc": "rows", "type": "long", "scope": branch, "attempted": committed,
            "committed": committed, "exact": false, "reason": reason, "final": true, "stages": [], "scopes": 30});
        log.add(Kind::Metric, &format!("rows|{branch}"), body);
    };
    (1..30).rev().for_each(|branch| rows(&format!("rdd:7/branch:{branch}"), 1000 + branch));
    rows("rdd:12/branch:1/shuffle", 77);
    let view = view(log.events);
    let scopes: Vec<&str> = view.accumulators[0].scopes.iter().map(|(scope, _)| scope.as_str()).collect();
    assert_eq!(
        (scopes[0], scopes[1], scopes[28], scopes[29]),
        ("rdd:7/branch:1", "rdd:7/branch:2", "rdd:7/branch:29", "rdd:12/branch:1/shuffle")
    );
    let text = text::render(&view, text::Colour::Plain);
    let of = |scope: &str| text.lines().find(|line| line.ends_with(scope)).unwrap_or_default().to_string();
    let line = of("rdd:7/branch:29");
    assert!(
        line.starts_with("  rows") && line.contains("1,029") && line.contains("no: a union has"),
        "{text}"
    );
    assert!(of("rdd:12/branch:1/shuffle").contains(" 77 "), "{text}");
    assert!(text.contains("and 10 earlier figures"), "{text}");
    let page = html::render(&view);
    for branch in 1..30 {
        assert!(page.contains(&format!(">rdd:7/branch:{branch}<")), "branch {branch}");
        assert!(page.contains(&format!(">1,{:03}<", branch)), "branch {branch}");
    }
    let sum = (1..30).map(|n| 1000 + n).sum::<i64>() + 77;
    let sum = format!("{},{:03}", sum / 1000, sum % 1000);
    let diff = diff::render(&view, &view);
    for out in [&text, &page, &diff] {
        assert!(!out.contains(&sum), "{sum} is no figure: {out}");
    }
    assert!(diff.contains("rows (1 of 30)  ") && diff.contains("rows: 10 more figures"), "{diff}");
}

#[test]
fn the_last_failure_of_a_sink_is_shown() {
    let body = json!({"log": {}, "sinks": {"kafka": {"sent": 3, "retried": 2, "dropped": {}, "behind": 7, "last_failure": "no broker <answers>"}}});
    let mut events = small();
    let health = events.iter_mut().find(|event| event.kind == Kind::Health);
    health.expect("a Health event").body = body.to_string();
    let view = view(events);
    assert!(html::render(&view).contains("last failure: no broker &lt;answers&gt;"));
    let text = text::render(&view, text::Colour::Plain);
    assert!(text.contains("kafka: 3 sent, 2 retried, 7 behind"), "{text}");
    assert!(text.contains("its last failure: no broker <answers>"), "{text}");
}

#[test]
fn huge_rows_are_cut_and_the_page_says_so() {
    let page = html::render(&view(hostile()));
    assert!(page.len() < 6_000_000, "{} bytes", page.len());
    assert!(page.contains("more characters</span>"));
}

#[test]
fn a_terminal_gets_no_controls() {
    for events in [hostile(), wide()] {
        let report = text::render(&view(events), text::Colour::Plain);
        let bad =
            report.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
        assert_eq!(bad, None);
    }
    let compared = diff::render(&view(hostile()), &view(hostile()));
    assert!(!compared.chars().any(|c| c.is_control() && c != '\n'));
}

/// With any value in place of any other, and any characters in place of any text, pages stay valid and the
/// code does not panic.
#[test]
fn any_bytes_in_any_field_give_a_valid_page() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let pool = [wide(), failing(), failing()];
    for round in 0..150 {
        let mut events = pool[round % 3].clone();
        random.thin(&mut events);
        for event in &mut events {
            let Ok(mut body) = serde_json::from_str::<Value>(&event.body) else { continue };
            random.spoil(&mut body, 0);
            event.body = body.to_string();
            match random.below(40) {
                0 => event.body = event.body.chars().take(random.below(200)).collect(),
                1 => event.id = random.text(),
                2 => event.revision = random.next(),
                3 => {
                    event.kind =
                        [Kind::Application, Kind::Stage, Kind::Health, Kind::Failure][random.below(4)]
                }
                _ => {}
            }
        }
        let view = view(events);
        let page = html::render(&view);
        if let Err(wrong) = check(&page) {
            panic!("round {round}: {wrong}");
        }
        let report = text::render(&view, text::Colour::Plain);
        assert!(!report.chars().any(|c| c.is_control() && c != '\n'), "round {round}");
    }
}

/// A small generator with the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn text(&mut self) -> String {
        match self.below(3) {
            0 => NASTY[self.below(NASTY.len())].to_string(),
            1 => {
                let bytes: Vec<u8> = (0..self.below(60)).map(|_| self.next() as u8).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => {
                (0..self.below(40)).filter_map(|_| char::from_u32((self.next() % 0x11_0000) as u32)).collect()
            }
        }
    }

    fn value(&mut self) -> Value {
        match self.below(7) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.next()),
            3 => json!(self.next() as i64),
            4 => json!(f64::from_bits(self.next())),
            5 => json!([self.text(), {"stage": self.next(), "attempt": self.text()}]),
            _ => json!({"a": self.text()}),
        }
    }

    /// Keeps some of the events, so that rounds are fast and differ.
    fn thin(&mut self, events: &mut Vec<Event>) {
        let keep = 1 + self.below(4);
        events.retain(|_| self.below(4) < keep && self.below(3) == 0);
    }

    fn spoil(&mut self, value: &mut Value, depth: usize) {
        taint(value, &mut |text| if self.below(4) == 0 { self.text() } else { text.clone() });
        self.replace(value, depth);
    }

    fn replace(&mut self, value: &mut Value, depth: usize) {
        if depth > 0 && self.below(12) == 0 {
            *value = self.value();
            return;
        }
        match value {
            Value::Object(map) => map.values_mut().for_each(|value| self.replace(value, depth + 1)),
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value, depth + 1)),
            _ => {}
        }
    }
}

#[test]
fn a_stage_tells_its_steps_in_their_order_and_nodes_without_what_stands_above() {
    let mut log = Log::new("app");
    let names =
        json!([{"id": 4, "name": "AndironStep labels: map at A.scala:1"}, {"id": 2, "name": "Scan csv"}]);
    log.add(Kind::Execution, "execution:0", json!({"execution": 0, "nodes": names, "started_ms": 1}));
    for (step, site) in [("labels", "map at A.scala:1"), ("history", "map at A.scala:2")] {
        for counter in ["in", "dropped"] {
            log.step(step, site, counter, 1, &[3], json!({"plan_nodes": [4, 2]}));
        }
    }
    let changed = ["free", "history.dropped", "history.in", "labels.in", "other.one"];
    log.stage(3, "parquet at A.scala:9", (0, 10), &["history", "labels"], &changed, json!({}));
    let view = view(log.events);
    assert_eq!(view.stages[0].steps, ["labels", "history"]);
    assert_eq!(view.stages[0].changed, ["labels.in", "history.dropped", "history.in", "free", "other.one"]);
    assert_eq!(view.steps[0].nodes, ["AndironStep (4)", "Scan csv (2)"]);
    let page = html::render(&view);
    let shown = |counter: &str| page.contains(&format!("class=\"counter\">{counter}</span>"));
    assert!(
        shown("free") && shown("other.one") && !shown("labels.in") && !shown("history.dropped"),
        "{page}"
    );
}

#[test]
fn samples_are_called_incomplete_where_the_numbers_do_not_say_it() {
    for (kept, seen, complete, called) in
        [(500, 67_470, false, false), (3, 3, false, true), (3, 3, true, false), (2, 3, true, false)]
    {
        let mut log = Log::new("app");
        log.step("history", "map at A.scala:1", "dropped", seen, &[0], json!({}));
        let summary = json!({"step": "history", "seen": seen, "kept": kept, "complete": complete});
        log.add(Kind::Failure, "history|samples", summary);
        log.failure("history", 1, ("E", "m", "s"), json!({}));
        let view = view(log.events);
        let texts = [text::render(&view, text::Colour::Plain), html::render(&view)];
        for text in texts {
            assert_eq!(text.contains("samples are incomplete"), called, "{kept} of {seen}, {complete}");
            assert!(text.contains(" sampled"), "{text}");
        }
    }
}

#[test]
fn a_group_with_different_messages_is_called_by_its_class_and_an_example() {
    let mut log = Log::new("app");
    for hash in 0..152u64 {
        let message = format!("no history of member {hash}");
        log.failure("history", hash, ("com.example.Miss", &message, "9f1c"), json!({}));
    }
    let cause = json!({"stack_hash": "9f1c", "error_class": "com.example.Miss", "message": "no history of member 0", "messages": 152, "count": 152});
    log.add(Kind::Verdict, "gate:history:0", json!({"step": "history", "gate": "commit", "passed": false, "in": 200, "dropped": 152, "top_causes": [cause]}));
    let view = view(log.events);
    let told = "152 different messages, for example: no history of member 0";
    let report = text::render(&view, text::Colour::Plain);
    assert_eq!(report.matches(&format!("com.example.Miss: {told}")).count(), 2, "{report}");
    assert!(
        report.contains("(stage 5, partition 1)") && report.contains(": no history of member 1 "),
        "{report}"
    );
    let page = html::render(&view);
    assert_eq!(page.matches(told).count(), 2);
}

#[test]
fn failed_rows_are_grouped_as_the_user_says() {
    let mut log = Log::new("app");
    for hash in 0..12u64 {
        let (class, stack) = if hash % 2 == 0 { ("a.B", "11") } else { ("c.D", "22") };
        let message = format!("row {hash}");
        let group = json!({"group": if hash < 9 { "late member" } else { "no member" }});
        log.failure("history", hash, (class, &message, stack), group);
    }
    log.failure("history", 12, ("a.B", "alone", "11"), json!({}));
    let cause = json!({"group": "late member", "stack_hash": "11", "error_class": "a.B", "message": "row 0", "messages": 9, "count": 9});
    log.add(Kind::Verdict, "gate:history:0", json!({"step": "history", "gate": "commit", "passed": false, "in": 20, "dropped": 13, "top_causes": [cause]}));
    let view = view(log.events);
    let groups: Vec<(&str, usize)> =
        view.failures.iter().map(|group| (group.title(), group.samples.len())).collect();
    assert_eq!(groups, [("late member", 9), ("no member", 3), ("a.B", 1)]);
    let report = text::render(&view, text::Colour::Plain);
    assert!(report.contains("late member: 9 different messages, for example: a.B: row 0"), "{report}");
    assert!(report.contains("9 samples in history, 2 different stacks, for example 11"), "{report}");
    let page = html::render(&view);
    assert!(page.contains("href=\"#f0\"") && page.contains("late member"), "the cause leads to its group");
}

#[test]
fn the_bound_that_has_cut_the_samples_is_told() {
    let said = [
        ("samples", "spark.andiron.metrics.samples keeps no more"),
        ("task", "a task returns at most 64 KiB of samples"),
        ("result", "a tenth of spark.driver.maxResultSize"),
        ("memory", "48 MiB of samples"),
    ];
    for (bound, words) in said {
        let mut log = Log::new("app");
        log.step("history", "map at A.scala:1", "dropped", 200, &[0], json!({}));
        let summary =
            json!({"step": "history", "seen": 200, "kept": 162, "complete": false, "cut_by": [bound]});
        log.add(Kind::Failure, "history|samples", summary);
        log.failure("history", 1, ("E", "m", "s"), json!({}));
        let view = view(log.events);
        let report = text::render(&view, text::Colour::Plain);
        assert!(
            report.contains("history: 162 of 200 failed rows sampled: ") && report.contains(words),
            "{report}"
        );
        assert!(html::render(&view).contains(words), "{bound}");
    }
}

#[test]
fn one_is_no_plural() {
    let mut log = Log::new("app");
    log.step("history", "map at A.scala:1", "in", 1, &[0], json!({}));
    log.step("history", "map at A.scala:1", "dropped", 1, &[0], json!({}));
    log.failure("history", 1, ("E", "m", "s"), json!({}));
    log.add(
        Kind::Failure,
        "history|samples",
        json!({"step": "history", "seen": 1, "kept": 1, "complete": true}),
    );
    log.add(Kind::Verdict, "gate:history:0", json!({"step": "history", "gate": "commit", "passed": true, "in": 1, "dropped": 1, "limit_rows": 1, "min_rows": 1}));
    log.stage(0, "count", (0, 1), &["history"], &["in"], json!({"tasks": 1}));
    let view = View::build(log.events, Vec::new());
    for report in [text::render(&view, text::Colour::Plain), html::render(&view)] {
        let plurals = ["rows", "samples", "stages", "verdicts", "steps", "events", "partitions", "messages"];
        let wrong = plurals.iter().filter(|word| {
            let said = format!("1 {word}");
            report
                .match_indices(&said)
                .any(|(at, _)| !report[..at].ends_with(|c: char| c.is_ascii_digit() || c == ','))
        });
        assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&&str>::new(), "{report}");
    }
}

#[test]
fn a_write_that_passed_has_its_path_in_a_row_of_its_own() {
    let page = html::render(&view(small()));
    assert!(page.contains(
        "<span class=\"quiet path\">Written: <code>hdfs://warehouse/features/2026-11-23</code></span>"
    ));
    assert!(
        page.contains(".passes .path { grid-column: 2 / -1;"),
        "not in the first column, which is one character wide"
    );
}
