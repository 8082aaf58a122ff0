//! Questions beside verdicts: instances that dropped all their rows, and results that no gate has judged.

use serde_json::{json, Value};

use super::*;

fn ask(application: &Application, question: &Value) -> Value {
    application.ask(&question.to_string()).unwrap()
}

#[test]
fn a_gate_that_was_never_asked_is_named_and_one_that_was_is_not() {
    let application = Application::start(&MetricsSettings::for_tests(), "{}").unwrap();
    for (id, step) in [(1, "idle"), (2, "asked")] {
        application.step_declared(
            &json!({"step": step, "id": id, "counters": [], "gate": {"number": id, "limit_ratio": 0.1}})
                .to_string(),
        );
    }
    let limits = Limits::parse(r#"{"gate": "commit", "step_id": 2, "gate_id": 2}"#).unwrap();
    application.judge("asked", &limits);
    let said = ask(&application, &json!({"ask": "never asked"}))["warn"].to_string();
    assert!(said.contains("'idle'") && !said.contains("'asked'"), "{said}");
}

#[test]
fn what_is_no_question_is_refused() {
    let application = Application::start(&MetricsSettings::for_tests(), "{}").unwrap();
    for text in ["", "[]", "{}", r#"{"ask": "why"}"#] {
        assert!(application.ask(text).is_err(), "{text}");
    }
}
