//! An event as one JSON object: the value of a Kafka message, and a line of `andiron events`.

use serde_json::Value;

use crate::event::Event;

/// The event's body with `event_id`, `kind` (its name) and `revision`, without line breaks.
///
/// A body that is not a JSON object, which no release of Andiron writes, becomes the string `body`.
pub(crate) fn value(event: &Event) -> String {
    let id = Value::from(event.id.as_str());
    let head = format!("{{\"event_id\":{id},\"kind\":\"{:?}\",\"revision\":{}", event.kind, event.revision);
    match event.body.trim().strip_prefix('{').map(str::trim_start) {
        Some("}") => format!("{head}}}"),
        Some(rest) if rest.ends_with('}') => format!("{head},{rest}"),
        _ => format!("{head},\"body\":{}}}", Value::from(event.body.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::Kind;

    fn of(body: &str) -> Value {
        let id = "app-1||a \"step\"/in|\u{1}\n".to_string();
        let text = value(&Event { kind: Kind::LogLine, id, revision: u64::MAX, body: body.to_string() });
        assert!(!text.contains('\n'), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_body_gets_id_kind_and_revision() {
        let named =
            json!({"event_id": "app-1||a \"step\"/in|\u{1}\n", "kind": "LogLine", "revision": u64::MAX});
        let mut with_body = named.clone();
        with_body["v"] = json!(1);
        with_body["message"] = json!("<b>\"}");
        assert_eq!(of(r#"{"v":1,"message":"<b>\"}"}"#), with_body);
        assert_eq!(of(r#" { "v":1,"message":"<b>\"}" } "#), with_body);
        assert_eq!((of("{}"), of(" { } ")), (named.clone(), named.clone()));
        let mut no_object = named;
        no_object["body"] = json!("[1]");
        assert_eq!(of("[1]"), no_object);
    }

    #[test]
    fn every_kind_has_its_name() {
        let names: Vec<String> = Kind::ALL
            .iter()
            .map(|kind| value(&Event { kind: *kind, id: String::new(), revision: 1, body: "{}".to_string() }))
            .map(|text| serde_json::from_str::<Value>(&text).unwrap()["kind"].as_str().unwrap().to_string())
            .collect();
        let all = [
            "Application",
            "Metric",
            "Failure",
            "Stage",
            "Job",
            "Execution",
            "Verdict",
            "LogLine",
            "Health",
            "Gate",
        ];
        assert_eq!(names, all);
    }
}
