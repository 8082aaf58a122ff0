//! Bodies as they are written and read.

use serde_json::{json, Value};

use super::*;
use crate::event::id::RowHash;

#[test]
fn every_kind_survives_its_number() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_number(*kind as u8), Some(*kind));
    }
    assert_eq!(Kind::from_number(0), None);
    assert_eq!(Kind::from_number(11), None);
}

#[test]
fn unknown_fields_are_absent_and_come_back_as_unknown() {
    let summary = SampleSummaryBody { step: "s".to_string(), seen: 3, ..SampleSummaryBody::default() };
    let text = summary.json();
    assert_eq!(text, r#"{"step":"s","seen":3,"kept":0,"complete":false}"#);
    assert_eq!(read::<SampleSummaryBody>(&text), Some(summary.clone()));
    let ceiling = SampleSummaryBody { ceiling: Some(RowHash(7)), ..summary };
    assert!(ceiling.json().ends_with(r#""ceiling":"00000000000000000007"}"#));
    assert_eq!(read(&ceiling.json()), Some(ceiling));
    let unpadded: SampleSummaryBody = read(r#"{"ceiling":"7"}"#).unwrap();
    assert_eq!(unpadded.ceiling, Some(RowHash(7)));
}

#[test]
fn a_body_gets_the_fields_of_all_events() {
    let common = Common { v: 1, app_id: "a \"b\"".to_string(), app_attempt: String::new(), ts_ms: 7 };
    let body = JobBody { id: 3, ..JobBody::default() }.json();
    let whole: Value = serde_json::from_str(&common.with(&body)).unwrap();
    let of_all = json!({"v": 1, "app_id": "a \"b\"", "app_attempt": "", "ts_ms": 7});
    let mut wanted = of_all.clone();
    (wanted["job"], wanted["stages"], wanted["status"]) = (json!(3), json!([]), json!("running"));
    assert_eq!(whole, wanted);
    assert_eq!(serde_json::from_str::<Value>(&common.with("{}")).unwrap(), of_all);
}

#[test]
fn a_damaged_field_is_unknown_and_leaves_the_others() {
    let damaged = json!({
        "source": "step", "acc": 12, "type": "quaternion", "committed": 5, "attempted": "many", "exact": true,
        "stages": [{"stage": 1, "attempt": 0}, 7, "x", {"stage": -1}, {"stage": 2}, null], "reason": null,
        "plan_nodes": {"a": 1}, "later": {"any": ["thing"]}, "final": "yes",
        "other_instances": [{"instance": "one", "value": 1.5, "covered": 2}],
    });
    let body: MetricBody = read(&damaged.to_string()).unwrap();
    let wanted = MetricBody {
        name: "12".to_string(),
        committed: Some(Number::Whole(5)),
        exact: true,
        stages: vec![StageId { stage: 1, attempt: 0 }, StageId { stage: 2, attempt: 0 }],
        others: vec![OtherInstance {
            value: Some(Number::Real(1.5)),
            covered: 2,
            ..OtherInstance::default()
        }],
        ..MetricBody::default()
    };
    assert_eq!(body, wanted);
    let given = read_object::<MetricBody>(damaged.as_object().unwrap());
    assert_eq!(given, MetricBody { name: String::new(), ..wanted }, "from the JVM a number is no text");
    for text in ["", "[]", "[1]", "null", "7", "{\"acc\":", "{}x"] {
        assert_eq!(read::<MetricBody>(text), None, "{text}");
    }
    assert_eq!(read::<JobBody>(r#"{"job": 1, "job": 2}"#).unwrap().id, 2, "the last of two holds");
}

#[test]
fn damaged_elements_cost_themselves_alone_however_many_they_are() {
    let list: Vec<Value> = (0..20_000).map(|n| json!([n])).chain([json!("kept")]).collect();
    let numbers: Vec<Value> = (0..20_000).map(|n| json!([n])).chain([json!(7), json!("x")]).collect();
    let body = json!({"stage": 4, "steps": list, "job_ids": numbers, "name": "kept"}).to_string();
    let stage: StageBody = read(&body).unwrap();
    assert_eq!((stage.id().stage, stage.name.as_str()), (4, "kept"));
    assert_eq!((stage.steps.as_slice(), stage.jobs.as_slice()), (&["kept".to_string()][..], &[7][..]));
}

/// A gate must not pass a run whose log has lost events, whatever else of the event is damaged.
#[test]
fn losses_are_read_beside_any_number_of_damaged_counts() {
    let mut lost: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("a{n:03}"), Value::Null)).collect();
    lost.insert("io".to_string(), json!(5));
    let listener: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("l{n:03}"), json!("x"))).collect();
    let body = json!({"log": {"lost": lost, "last_failure": 5, "durable": "x"}, "listener": listener});
    let health: HealthBody = read(&body.to_string()).unwrap();
    assert_eq!(health.log.lost.into_iter().collect::<Vec<_>>(), [("io".to_string(), 5)]);
    assert_eq!((health.log.last_failure.as_str(), health.log.durable), ("5", None));
}

#[test]
fn a_list_is_no_struct_and_a_damaged_id_is_no_id() {
    let body = json!({"stages": [[4, 0], {"stage": -1}, {"stage": 5}]}).to_string();
    let figure: MetricBody = read(&body).unwrap();
    assert_eq!(figure.stages.iter().map(|id| id.stage).collect::<Vec<_>>(), [5]);
    let body =
        json!({"execution": 1, "nodes": [{"id": 0, "name": "Scan"}, {"id": "x", "name": "Y"}]}).to_string();
    let plan: ExecutionBody = read(&body).unwrap();
    assert_eq!(plan.nodes.iter().map(|node| node.id).collect::<Vec<_>>(), [Some(0), None]);
}

#[test]
fn an_empty_record_is_known_and_a_missing_one_is_not() {
    let row: FailedRowBody = read(r#"{"record": "", "step": "s"}"#).unwrap();
    assert_eq!((row.record.as_deref(), row.key.as_deref()), (Some(""), None));
    assert!(row.json().contains(r#""record":"""#) && !row.json().contains("row_key"), "{}", row.json());
}

#[test]
fn a_failure_is_a_row_or_a_summary() {
    assert!(matches!(FailureBody::read(r#"{"seen": "many", "step": "s"}"#), Some(FailureBody::Summary(_))));
    let Some(FailureBody::Row(row)) = FailureBody::read(r#"{"step": "s", "stage": 4}"#) else {
        panic!("no row")
    };
    assert!(row.committed && row.stage == Some(4));
    assert!(FailureBody::read("seen").is_none());
}

#[test]
fn a_state_of_a_later_version_is_unknown() {
    let stage: StageBody = read(r#"{"stage": 1, "status": "paused"}"#).unwrap();
    assert_eq!((stage.status, stage.status.as_str()), (StageStatus::Unknown, "unknown"));
    let job: JobBody = read(r#"{"job": 1, "status": "paused"}"#).unwrap();
    assert_eq!(job.status, JobStatus::Unknown);
    assert_eq!(read::<StageBody>(r#"{"stage": 1}"#).unwrap().status, StageStatus::Running);
}
