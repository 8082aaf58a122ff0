//! Additions to counters from outside the step's functions: reported, not counted.

use super::*;

fn declare(bench: &Bench) {
    let declaration = json!({"step": "history", "id": 1, "counters": ["own", "other"], "site": "map at Job.scala:12", "site_id": 1});
    bench.app.step_declared(&declaration.to_string());
}

#[track_caller]
fn says(bench: &Bench, own: i128, reason: &str) {
    let figures = bench.app.figures_of(1).unwrap();
    assert_eq!(
        (figures.of("in"), figures.of("own"), figures.exact),
        (10, own, reason.is_empty()),
        "{figures:?}"
    );
    assert_eq!(figures.reason, reason);
    assert_eq!(bench.app.step_figures("history"), figures);
}

#[test]
fn what_a_task_tells_of_them_makes_the_users_counters_inexact() {
    let bench = Bench::new();
    declare(&bench);
    let mut cell = Filed::new(1, 0, 1, 1, 10, 0);
    cell.counters.extend([(3, 9), (255, 12)]);
    bench.app.step_cell(&cell.bytes());
    bench.app.step_cell(&cell.bytes());
    says(&bench, 9, "12 additions to counters came from outside the step's functions");
    for (_, body) in bench.ship_kind(Kind::Metric) {
        let own = ["own", "other"].contains(&body["acc"].as_str().unwrap());
        assert_eq!(body["exact"], !own, "{body}");
    }
    // Another instance, whose additions come from the step's functions.
    bench.app.step_cell(&Filed { counters: vec![(0, 10), (3, 10)], ..Filed::new(2, 0, 1, 2, 10, 0) }.bytes());
    says(&bench, 10, "");
    let told = bench.ship_kind(Kind::Metric);
    assert!(
        told.iter().any(|(event, body)| event.id.contains("/other|")
            && body["exact"] == true
            && event.revision == 2),
        "{told:?}"
    );
}

#[test]
fn what_the_driver_tells_of_them_is_the_steps() {
    let bench = Bench::new();
    bench.app.step_declared(r#"{"id": 1, "outside": 7}"#);
    declare(&bench);
    bench.app.step_cell(&Filed::new(1, 0, 1, 1, 10, 0).bytes());
    says(&bench, 0, "");
    bench.ship();
    bench.app.step_declared(r#"{"id": 1, "outside": 1}"#);
    says(&bench, 0, "an addition to a counter came from outside the step's functions");
    let told = bench.ship_kind(Kind::Metric);
    assert_eq!(
        told.iter().map(|(_, body)| (body["acc"].as_str().unwrap(), &body["committed"])).collect::<Vec<_>>(),
        [("own", &json!(0)), ("other", &json!(0))]
    );
    bench.app.step_declared(r#"{"id": 1, "outside": 2}"#);
    says(&bench, 0, "3 additions to counters came from outside the step's functions");
}
