//! The schema of events and the tables of their fields, made from the structs. A test holds the files equal to them.

use std::fmt::Write;
use std::path::PathBuf;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{json_schema, JsonSchema, Schema};
use serde_json::{json, Map, Value};

use super::{
    ApplicationBody, ExecutionBody, FailedRowBody, GateBody, HealthBody, JobBody, Kind, LogLineBody,
    MetricBody, Number, SampleSummaryBody, StageBody, VerdictBody,
};

/// Where the tables are in the document.
const BEGIN: &str = "<!-- The fields, made from native/src/event by the command above. -->\n";
const END: &str = "<!-- End of the fields. -->\n";

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number"})
    }
}

/// The names of the structs of each kind.
fn bodies(generator: &mut SchemaGenerator) -> Kinds {
    let mut of = |kind: Kind| match kind {
        Kind::Application => vec![named::<ApplicationBody>(generator)],
        Kind::Metric => vec![named::<MetricBody>(generator)],
        Kind::Failure => vec![named::<FailedRowBody>(generator), named::<SampleSummaryBody>(generator)],
        Kind::Stage => vec![named::<StageBody>(generator)],
        Kind::Job => vec![named::<JobBody>(generator)],
        Kind::Execution => vec![named::<ExecutionBody>(generator)],
        Kind::Verdict => vec![named::<VerdictBody>(generator)],
        Kind::LogLine => vec![named::<LogLineBody>(generator)],
        Kind::Health => vec![named::<HealthBody>(generator)],
        Kind::Gate => vec![named::<GateBody>(generator)],
    };
    Kind::ALL.iter().map(|kind| (*kind, of(*kind))).collect()
}

fn named<T: JsonSchema>(generator: &mut SchemaGenerator) -> String {
    generator.subschema_for::<T>();
    T::schema_name().into_owned()
}

/// The names of the structs of each kind.
type Kinds = Vec<(Kind, Vec<String>)>;

/// The definitions of all structs, and the structs of each kind.
fn definitions() -> (Map<String, Value>, Kinds) {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12().for_serialize());
    let kinds = bodies(&mut generator);
    let mut all = generator.take_definitions(true);
    all.values_mut().for_each(simplify);
    (all, kinds)
}

/// Without null, formats, defaults and line breaks; marked fields are required.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(simplify),
        Value::Object(map) => {
            map.values_mut().for_each(simplify);
            if let Some(Value::Array(types)) = map.get("type").cloned() {
                map.extend(types.into_iter().find(|one| one != "null").map(|one| ("type".to_string(), one)));
            }
            if let Some(Value::Array(any)) = map.remove("anyOf") {
                let real = any.into_iter().find(|one| one.get("type").is_none_or(|of| of != "null"));
                map.extend(real.and_then(|real| real.as_object().cloned()).into_iter().flatten());
            }
            if let Some(Value::Array(variants)) = map.get("oneOf") {
                let names: Vec<Value> = variants.iter().filter_map(|one| one.get("const").cloned()).collect();
                map.remove("oneOf");
                map.insert("enum".to_string(), Value::from(names));
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.replace("\n\n", "\r").replace('\n', " ").replace('\r', "\n\n");
            }
            for name in ["format", "default", "title"] {
                // A field may have such a name, and is a type then.
                if map.get(name).is_some_and(|value| value.get("type").or(value.get("$ref")).is_none()) {
                    map.remove(name);
                }
            }
            require(map);
        }
        _ => {}
    }
}

fn require(map: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = map.get_mut("properties") else { return };
    let mut marked = Vec::new();
    for (name, property) in properties {
        if property.as_object_mut().and_then(|property| property.remove("required")).is_some() {
            marked.push(Value::from(name.as_str()));
        }
    }
    if let Value::Array(required) = map.entry("required").or_insert_with(|| json!([])) {
        required.extend(marked);
        required.sort_by_key(|name| name.as_str().map(str::to_string));
    }
}

fn schema() -> String {
    let (definitions, kinds) = definitions();
    let names: Vec<String> = kinds.iter().map(|(kind, _)| format!("{kind:?}")).collect();
    let conditions: Vec<Value> = kinds
        .iter()
        .map(|(kind, bodies)| {
            let refs: Vec<Value> =
                bodies.iter().map(|body| json!({"$ref": format!("#/$defs/{body}")})).collect();
            let then = if let [one] = refs.as_slice() { one.clone() } else { json!({"anyOf": refs}) };
            json!({"if": {"properties": {"kind": {"const": format!("{kind:?}")}}}, "then": then})
        })
        .collect();
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:andiron:event:1",
        "title": "andiron.event/1",
        "description": "The value of a Kafka message, and a line of `andiron events`. wire-format.md says the rest. \
            Later releases add fields, which a consumer keeps or ignores.",
        "type": "object",
        "required": ["event_id", "kind", "revision", "v", "app_id", "app_attempt", "ts_ms"],
        "properties": {
            "event_id": {"type": "string", "minLength": 1},
            "kind": {"enum": names},
            "revision": {"type": "integer", "minimum": 1},
            "v": {"const": super::Common::VERSION},
            "app_id": {"type": "string", "minLength": 1},
            "app_attempt": {"type": "string"},
            "ts_ms": {"type": "integer", "minimum": 0},
        },
        "allOf": conditions,
        "$defs": definitions,
    });
    serde_json::to_string_pretty(&whole).unwrap() + "\n"
}

/// A section for each struct: its documentation, and a table of its fields.
fn tables() -> String {
    let (definitions, kinds) = definitions();
    let mut out = String::new();
    for (kind, bodies) in kinds {
        for body in bodies {
            let definition = &definitions[&body];
            let title = match body.as_str() {
                "FailedRowBody" => "Failure: a failed row".to_string(),
                "SampleSummaryBody" => "Failure: the summary of a step".to_string(),
                _ => format!("{kind:?}"),
            };
            let _ = writeln!(out, "\n### {title}\n\n{}\n", wrapped(text(definition, "description")));
            let _ = writeln!(out, "| field | type | meaning |\n|---|---|---|");
            rows(&mut out, "", definition, &definitions);
        }
    }
    out + "\n"
}

/// The rows of a struct; those of the structs in it follow each of its fields.
fn rows(out: &mut String, before: &str, definition: &Value, all: &Map<String, Value>) {
    let required: Vec<&str> =
        definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in definition["properties"].as_object().into_iter().flatten() {
        let (kind, inner) = kind_of(property, all);
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        let meaning = text(property, "description").replace('|', "\\|").replace("\n\n", " ");
        let _ = writeln!(out, "| `{before}{name}`{mark} | {kind} | {meaning} |");
        if let Some(inner) = inner {
            let infix = if kind.starts_with("list") {
                "[]."
            } else if kind.contains("by name") {
                ".*."
            } else {
                "."
            };
            rows(out, &format!("{before}{name}{infix}"), inner, all);
        }
    }
}

/// A type in words, and the struct in it.
fn kind_of<'a>(property: &'a Value, all: &'a Map<String, Value>) -> (String, Option<&'a Value>) {
    if let Some(name) = property["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let target = &all[name];
        return if target["properties"].is_object() {
            ("object".to_string(), Some(target))
        } else {
            kind_of(target, all)
        };
    }
    if let Some(choices) = property["enum"].as_array() {
        let named: Vec<String> =
            choices.iter().filter_map(Value::as_str).map(|one| format!("`{one}`")).collect();
        return (named.join(", "), None);
    }
    match property["type"].as_str() {
        Some("array") => {
            let (of, inner) = kind_of(&property["items"], all);
            (format!("list of {}", plural(&of)), inner)
        }
        Some("object") => {
            let (of, inner) = kind_of(&property["additionalProperties"], all);
            (format!("{} by name", plural(&of)), inner)
        }
        Some("integer") => ("whole number".to_string(), None),
        Some("string") => ("text".to_string(), None),
        Some("boolean") => ("true or false".to_string(), None),
        other => (other.unwrap_or("any").to_string(), None),
    }
}

fn plural(of: &str) -> String {
    format!("{of}s")
}

fn text<'a>(schema: &'a Value, name: &str) -> &'a str {
    schema[name].as_str().unwrap_or_default()
}

/// Lines of at most 110 characters.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    for paragraph in text.split("\n\n") {
        let mut width = 0;
        out.push_str(if out.is_empty() { "" } else { "\n\n" });
        for word in paragraph.split(' ') {
            let gap = if width == 0 {
                ""
            } else if width + word.len() >= 110 {
                "\n"
            } else {
                " "
            };
            width = if gap == "\n" { word.len() } else { width + gap.len() + word.len() };
            let _ = write!(out, "{gap}{word}");
        }
    }
    out
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/internals").join(name)
}

/// Compares with the file; `ANDIRON_GOLDEN=write` writes it instead.
fn golden(name: &str, wanted: impl Fn(&str) -> String) {
    let old = std::fs::read_to_string(file(name)).unwrap_or_default();
    let new = wanted(&old);
    if std::env::var_os("ANDIRON_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(file(name), new).unwrap();
    } else {
        assert!(old == new, "{name} differs from native/src/event; ANDIRON_GOLDEN=write writes it");
    }
}

#[test]
fn the_schema_is_that_of_the_structs() {
    golden("wire-format.schema.json", |_| schema());
}

#[test]
fn the_tables_of_fields_are_those_of_the_structs() {
    golden("wire-format.md", |old| {
        let (before, rest) = old.split_once(BEGIN).expect("the beginning of the fields");
        let (_, after) = rest.split_once(END).expect("the end of the fields");
        format!("{before}{BEGIN}{}{END}{after}", tables())
    });
}
