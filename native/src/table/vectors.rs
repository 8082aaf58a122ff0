//! Keys and rows with their bytes, for encoders in other languages: tests/vectors.
//!
//! `ANDIRON_GOLDEN=write cargo test -p andiron --lib table::vectors` writes the files anew.

use serde_json::{json, Value as Json};

use super::testing::{column, everything, plain_types, value};
use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Numbers as decimal text, floats and doubles as the hexadecimal digits of their bits, bytes as those of the bytes.
fn shown(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(truth) => json!(truth),
        Value::Int(number) => json!(number.to_string()),
        Value::Float(float) => json!(format!("{:08x}", float.to_bits())),
        Value::Double(double) => json!(format!("{:016x}", double.to_bits())),
        Value::Decimal(unscaled) => json!(unscaled.to_string()),
        Value::Bytes(bytes) => json!(hex(bytes)),
    }
}

/// Compares with the file, or writes it.
fn golden(name: &str, all: &Json) {
    let path = format!("{}/../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = format!("{}\n", serde_json::to_string_pretty(all).unwrap());
    if std::env::var("ANDIRON_GOLDEN").as_deref() == Ok("write") {
        std::fs::create_dir_all(format!("{}/../tests/vectors", env!("CARGO_MANIFEST_DIR"))).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{path} is not of this encoder");
}

fn key(types: &[Type], seed: u64, values: &[Value]) -> Json {
    let columns: Vec<Column> = types.iter().zip(0..).map(|(of, id)| column(id, of.clone(), false)).collect();
    let shape = KeyShape::new(&columns.iter().collect::<Vec<_>>()).unwrap();
    let mut bytes = Vec::new();
    shape.encode(values, &mut bytes).unwrap();
    let hash = shape.hash(seed).of(&bytes);
    let decoded: Vec<Json> = shape.decode(&bytes).unwrap().iter().map(shown).collect();
    json!({
        "types": types, "seed": seed.to_string(), "values": values.iter().map(shown).collect::<Vec<_>>(),
        "decoded": decoded, "key": hex(&bytes), "hash": format!("{hash:016x}"),
        "shardOf64": shard(hash, 6), "tag": super::slot::tag(hash), "place": (hash & 0xffff_ffff).to_string(),
    })
}

#[test]
fn keys() {
    let mut all = Vec::new();
    for of in plain_types() {
        all.extend(
            [0, 1, -1, 77, i64::MIN, i64::MAX]
                .map(|number| key(std::slice::from_ref(&of), 42, &[value(&of, number)])),
        );
    }
    for double in [-0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
        all.push(key(&[Type::Double], 42, &[Value::Double(double)]));
        all.push(key(&[Type::Float], 42, &[Value::Float(double as f32)]));
    }
    for length in [0, 1, 3, 4, 7, 8, 9, 16, 31, 32, 33, 63, 64, 100, 1000] {
        let bytes: Vec<u8> = (0..length).map(|at| (at * 31 % 251) as u8).collect();
        all.push(key(&[Type::Binary], u64::MAX, &[Value::Bytes(bytes)]));
    }
    let pair = [Type::String, Type::Int];
    all.push(key(&pair, 7, &[Value::text(""), Value::Int(0)]));
    all.push(key(&pair, 7, &[Value::text("api.AbortController"), Value::Int(-3)]));
    let types = plain_types();
    let values: Vec<Value> = types.iter().map(|of| value(of, 5)).collect();
    all.push(key(&types, 7, &values));
    golden("table-keys.json", &Json::Array(all));
}

#[test]
fn rows() {
    let schema = everything(3);
    let codec = Codec::new(&[1], 42, std::slice::from_ref(&schema)).unwrap();
    let place = Place::default();
    let columns = &schema.columns[1..];
    let mut rows = Vec::new();
    let mut add = |values: Vec<Value>| {
        let mut bytes = Vec::new();
        codec.row(&[Value::Int(values.len() as i64)], &values, &mut bytes, &place).unwrap();
        let record = Packed::first(&bytes).unwrap();
        codec.check(&record).unwrap();
        rows.push(json!({ "values": values.iter().map(shown).collect::<Vec<_>>(), "record": hex(&bytes) }));
    };
    for number in [0, 1, 6, -1, 13, i64::MIN] {
        add(columns.iter().map(|column| value(&column.of, number)).collect());
    }
    let mut with_nulls = |is_null: &dyn Fn(i64) -> bool| {
        let value_of = |(column, at): (&Column, i64)| match column.nullable && is_null(at) {
            true => Value::Null,
            false => value(&column.of, at),
        };
        add(columns.iter().zip(0..).map(value_of).collect());
    };
    with_nulls(&|_| true);
    with_nulls(&|at| at % 4 == 0);
    golden("table-rows.json", &json!({ "schema": schema, "key": [1], "rows": rows }));
}

#[test]
fn spark_s_own_xxh64_gives_the_same() {
    // From `XXH64.hashUnsafeBytes(text, Platform.BYTE_ARRAY_OFFSET, length, 42)` of Spark 3.5.4.
    let text = b"The quick brown fox jumps over the lazy dog, twice: 0123456789";
    let spark = [
        (0, 0x98b1_582b_0977_e704),
        (3, 0xc565_d217_c25a_a7be),
        (4, 0x79ec_5f2b_cfa7_33d2),
        (8, 0x9dff_822f_1ab1_e222),
        (17, 0xfa16_9fa2_3ff6_fe92),
        (31, 0xc9db_1a07_26f7_e9ee),
        (32, 0xac70_13d7_9f70_27c6),
        (33, 0x4824_29fe_24d4_0975),
        (62, 0xc00e_8315_194d_f02f),
    ];
    for (length, hash) in spark {
        assert_eq!(KeyHash::Xxh64(42).of(&text[..length]), hash, "{length}");
    }
}
