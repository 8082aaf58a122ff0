//! Gates in a report: never asked, bypassed, unknown, and the operators that a verdict blames.

use andiron::report::check::{check, CANNOT_TELL, NOT_PASSED, PASSED};
use andiron::report::model::Outcome;
use andiron::report::{html, text, View};
use andiron::shiplog::Kind;
use serde_json::{json, Value};

use crate::fixtures::Log;

fn gate(log: &mut Log, number: u64, step: &str, more: &Value) {
    let mut body = json!({"step": step, "gate_id": number, "limit_ratio": 0.001, "passed": 0, "failed": 0, "unknown": 0, "bypassed": 0});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    log.add(Kind::Gate, &format!("limits:{number}"), body);
}

fn verdict(log: &mut Log, number: u64, step: &str, result: &str, operators: &Value) {
    log.add(
        Kind::Verdict,
        &format!("gate:{step}:{number}"),
        json!({"step": step, "gate": "commit", "result": result, "passed": result == "passed", "in": 100, "dropped": 1, "ratio": 0.01,
            "limit_ratio": 0.001, "min_rows": 0, "reason": "so it is", "exact": true, "top_causes": [], "operators": operators,
            "write": "hdfs://warehouse/features"}),
    );
}

fn ended(fill: impl FnOnce(&mut Log)) -> View {
    let mut log = Log::new("app");
    log.application("features", Some((1000, 0)), json!({}));
    fill(&mut log);
    View::build(log.events, Vec::new())
}

#[test]
fn an_application_whose_gate_was_never_asked_or_bypassed_is_ungated() {
    let idle = ended(|log| gate(log, 1, "history", &json!({})));
    let passed_by = ended(|log| {
        gate(
            log,
            1,
            "history",
            &json!({"passed": 1, "bypassed": 2, "last_bypass": "saveAsTextFile, A.scala:3"}),
        );
        verdict(log, 1, "history", "passed", &json!([]));
    });
    for (view, said) in [(&idle, "never asked"), (&passed_by, "bypassed 2 times")] {
        assert_eq!(view.outcome, Outcome::Ungated);
        let (text, page) = (text::render(view, text::Colour::Plain), html::render(view));
        assert!(text.contains("ENDED, UNGATED") && text.contains(said), "{text}");
        assert!(page.contains("Ended, ungated") && page.contains(said));
        assert!(!text.contains("no gate was set") && !page.contains("No gate was set"));
        assert_eq!(check(view).0, NOT_PASSED);
    }
    let none = ended(|_| {});
    assert_eq!(none.outcome, Outcome::Ended);
    assert!(text::render(&none, text::Colour::Plain).contains("no gate was set"));
}

#[test]
fn a_check_passes_only_where_every_gate_has() {
    let good = |log: &mut Log| {
        gate(log, 1, "history", &json!({"passed": 1}));
        verdict(log, 1, "history", "passed", &json!([]));
    };
    assert_eq!(check(&ended(good)).0, PASSED);
    let failed = ended(|log| {
        good(log);
        gate(log, 2, "labels", &json!({"failed": 1}));
        verdict(log, 1, "labels", "failed", &json!([]));
    });
    assert_eq!(check(&failed).0, NOT_PASSED);
    let mut open = Log::new("app");
    open.application("features", None, json!({}));
    good(&mut open);
    assert_eq!(check(&View::build(open.events, Vec::new())).0, CANNOT_TELL);
    assert_eq!(check(&ended(|_| {})).0, CANNOT_TELL);
}

#[test]
fn what_cannot_be_judged_is_shown_so_and_every_verdict_names_its_layer() {
    let view = ended(|log| verdict(log, 1, "history", "unknown", &json!([])));
    let (text, page) = (text::render(&view, text::Colour::Plain), html::render(&view));
    assert!(text.contains("UNKNOWN  history cannot be judged") && text.contains(", at commit"), "{text}");
    assert!(page.contains("cannot be judged") && page.contains("Gate at commit"));
}

#[test]
fn a_verdict_marks_the_operators_that_it_blames_and_no_other_of_the_step() {
    let of = |site: &str, dropped: u64| json!({"site": site, "instance": 1, "in": 100, "out": 100 - dropped, "dropped": dropped});
    let view = ended(|log| {
        for site in ["map at A.scala:1", "map at A.scala:1 #2", "filter at A.scala:2"] {
            log.step("history", site, "in", 100, &[], json!({}));
        }
        verdict(
            log,
            1,
            "history",
            "failed",
            &json!([of("map at A.scala:1 #2", 50), of("filter at A.scala:2", 0)]),
        );
    });
    let failed: Vec<&str> =
        view.steps.iter().filter(|step| step.failed).map(|step| step.site.as_str()).collect();
    assert_eq!(failed, ["map at A.scala:1 #2"]);
}
