//! Accumulators that are not sums, and additions made on the driver.

use super::*;

#[test]
fn what_is_no_sum_is_shown_as_spark_has_merged_it() {
    let bench = Bench::new();
    bench.app.accumulator(8, "max", ValueKind::Other);
    bench.app.accumulator(8, "max", ValueKind::MergedLong);
    bench.app.accumulator(9, "mean", ValueKind::MergedDouble);
    bench.stage(0, 0, 3, 2);
    let mean = |x: f64| (9, x.to_bits(), x.to_bits());
    for (partition, max) in [(0, 999), (1, 500)] {
        let of = (TaskKind::Result, Reason::Success, false);
        let buffer = packed((0, 0), partition, 1, of, &[(8, max, 999), mean(499.5)]);
        bench.app.task_end(&TaskEnd::decode(&buffer).unwrap());
    }
    bench.completed(0, 0);
    let shipped = bench.ship_kind(Kind::Metric);
    let told: Vec<_> =
        shipped.iter().map(|(_, body)| (body["committed"].clone(), body["type"].clone())).collect();
    assert_eq!(told, [(json!(999), json!("long")), (json!(499.5), json!("double"))]);
    for (_, body) in shipped {
        assert!(body["reason"].as_str().unwrap().contains("no sum") && body["exact"] == false, "{body}");
        assert!(body.get("attempted").is_none(), "{body}");
    }
}

#[test]
fn what_the_driver_adds_is_told_and_what_it_has_not_is_not() {
    let bench = Bench::new();
    bench.merged.borrow_mut().insert(ROWS, 5);
    bench.stage(0, 0, 3, 2);
    bench.result((0, 0), 0, Reason::Success, 10);
    bench.result((0, 0), 1, Reason::Success, 10);
    bench.completed(0, 0);
    bench.rows("rdd:3").is_flagged(20, 20, "5 were added on the driver, outside tasks");

    let bench = Bench::new();
    bench.stage(0, 0, 3, 2);
    bench.result((0, 0), 0, Reason::Success, 10);
    bench.result((0, 0), 1, Reason::Success, 10);
    bench.completed(0, 0);
    bench.rows("rdd:3").is_exactly(20, 20);
    bench.app.accumulator_values(r#"{"values":[{"acc":7,"long":20},{"acc":99,"long":1},{"acc":"x"},3]}"#);
    bench.rows("rdd:3").is_exactly(20, 20);
    bench.app.accumulator_values(r#"{"values":[{"acc":7,"long":0}]}"#);
    bench.rows("rdd:3").is_flagged(20, 20, "20 were taken off on the driver");
    assert_eq!(bench.ship_kind(Kind::Metric)[0].1["exact"], false);
}

#[test]
fn a_sum_that_cannot_be_shown_is_not_exact() {
    let bench = Bench::new();
    bench.app.accumulator(8, "weight", ValueKind::Double);
    bench.stage(0, 0, 3, 2);
    let of = (TaskKind::Result, Reason::Success, false);
    for partition in [0, 1] {
        let nan = f64::NAN.to_bits();
        let merged = (i64::MAX.wrapping_mul(i64::from(partition) + 1)) as u64;
        let buffer = packed((0, 0), partition, 1, of, &[(ROWS, i64::MAX as u64, merged), (8, nan, nan)]);
        bench.app.task_end(&TaskEnd::decode(&buffer).unwrap());
    }
    bench.completed(0, 0);
    let shipped = bench.ship_kind(Kind::Metric);
    assert_eq!(shipped.len(), 2);
    for (_, body) in shipped {
        let reason = body["reason"].as_str().unwrap();
        assert!(reason.contains("does not fit in 64 bits") || reason.contains("no finite number"), "{body}");
        assert_eq!(body["exact"], false);
    }
}

#[test]
fn doubles_differ_by_more_than_their_last_bits() {
    let bench = Bench::new();
    bench.app.accumulator(8, "weight", ValueKind::Double);
    bench.stage(0, 0, 3, 1);
    let of = (TaskKind::Result, Reason::Success, false);
    let sum = 0.1 + 0.2;
    let buffer = packed((0, 0), 0, 1, of, &[(8, 0.3_f64.to_bits(), f64::to_bits(sum))]);
    bench.app.task_end(&TaskEnd::decode(&buffer).unwrap());
    assert!(bench.accumulator("weight", "rdd:3").exact);
    bench.app.accumulator_values(r#"{"values":[{"acc":8,"double":0.8}]}"#);
    assert!(bench.accumulator("weight", "rdd:3").reason.contains("0.5 were added on the driver"));
}

/// The program creates the first accumulator before the second, in any order of updates.
#[test]
fn of_one_name_the_first_that_is_named_is_the_first() {
    let bench = Bench::new();
    bench.app.accumulator(8, "same", ValueKind::Long);
    bench.app.accumulator(9, "same", ValueKind::Long);
    bench.stage(0, 0, 3, 1);
    bench.task((0, 0), 0, TaskKind::Result, Reason::Success, &[(9, 2)]);
    bench.accumulator("same #2", "rdd:3").is_exactly(2, 2);
}

/// A name that ends like a numbered one stays with its accumulator.
#[test]
fn numbered_names_do_not_collide() {
    let bench = Bench::new();
    bench.app.accumulator(11, "same #2", ValueKind::Long);
    bench.app.accumulator(8, "same", ValueKind::Long);
    bench.app.accumulator(9, "same", ValueKind::Long);
    bench.app.accumulator(10, "same #2", ValueKind::Long);
    bench.stage(0, 0, 3, 1);
    bench.task((0, 0), 0, TaskKind::Result, Reason::Success, &[(8, 2), (9, 3), (10, 4), (11, 1)]);
    for (name, value) in [("same #2", 1), ("same", 2), ("same #3", 3), ("same #2 #2", 4)] {
        bench.accumulator(name, "rdd:3").is_exactly(value, value);
    }
}
