//! Arbitrary input of metrics from the JVM: packed buffers, cells, JSON, settings, limits of gates. No input
//! may cause a panic, or an allocation larger than its own size justifies.

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use std::sync::Arc;
use std::time::Duration;

use andiron::error::Result;
use andiron::event::LogHealth;
use andiron::metrics::{
    Application, Event, Limits, MetricsSettings, Record, Sequence, StepCell, TaskEnd, ValueKind,
};
use andiron_model::config;
use proptest::prelude::*;

/// A record that accepts every valid event.
struct Nowhere;

impl Record for Nowhere {
    fn append(&self, event: Event) -> Sequence {
        let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
        assert!(body.is_object() && !event.body.contains('\n') && event.revision > 0);
        Sequence(1)
    }

    fn sync(&self, _: Duration) -> Result<Sequence> {
        Ok(Sequence(1))
    }

    fn close(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn health(&self) -> LogHealth {
        LogHealth::default()
    }

    fn predecessor(&self) -> Option<String> {
        None
    }
}

fn application() -> Arc<Application> {
    let settings =
        MetricsSettings { application: "app".into(), ship_every: None, ..MetricsSettings::for_tests() };
    let app = Application::start_with(&settings, "{}", Arc::new(Nowhere)).unwrap();
    (0..4).for_each(|id| {
        app.accumulator(
            id,
            "acc",
            [ValueKind::Long, ValueKind::MergedLong, ValueKind::Double, ValueKind::MergedDouble][id as usize],
        )
    });
    app.stage_submitted(r#"{"stage":0,"attempt":0,"rdd":1,"tasks":4}"#);
    app
}

/// Small numbers, which often coincide, and arbitrary ones.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..4_u64, 1 => any::<u64>()]
}

/// The words of a task end: usually valid, then cut, lengthened or changed at some place.
fn task_end() -> impl Strategy<Value = Vec<u8>> {
    let updates = prop::collection::vec((number(), any::<u64>(), any::<u64>()), 0..6);
    ((number(), number(), number(), number()), (any::<u8>(), any::<u8>()), updates, damage()).prop_map(
        |((stage, attempt, task, partition), (kind, reason), updates, damage)| {
            let mut buffer = 2_u32.to_le_bytes().to_vec();
            [stage, attempt].iter().for_each(|n| buffer.extend_from_slice(&(*n as u32).to_le_bytes()));
            buffer.extend_from_slice(&task.to_le_bytes());
            buffer.extend_from_slice(&(partition as u32).to_le_bytes());
            buffer.extend_from_slice(&[kind % 3, reason % 7, kind >> 7, 0]);
            buffer.extend_from_slice(&[0; 8]);
            buffer.extend_from_slice(&(updates.len() as u32).to_le_bytes());
            for (acc, bits, merged) in updates {
                [acc, bits, merged].iter().for_each(|n| buffer.extend_from_slice(&n.to_le_bytes()));
            }
            damage.apply(buffer)
        },
    )
}

fn cell() -> impl Strategy<Value = Vec<u8>> {
    let counters = prop::collection::vec((number(), any::<i64>()), 0..5);
    let samples = prop::collection::vec(sample(), 0..3);
    let ids = (number(), number(), number(), number());
    let places = (number(), number(), number(), any::<u8>());
    let around = (number(), prop::collection::vec(number(), 0..3));
    (ids, places, around, counters, samples, damage()).prop_map(
        |(
            (step, site, instance, partition),
            (partitions, stage, task, flags),
            (execution, guards),
            counters,
            samples,
            damage,
        )| {
            let mut buffer = 2_u32.to_le_bytes().to_vec();
            [step, site, instance].iter().for_each(|n| buffer.extend_from_slice(&n.to_le_bytes()));
            let words = [partition, partitions, stage, 0];
            words.iter().for_each(|n| buffer.extend_from_slice(&(*n as u32).to_le_bytes()));
            buffer.extend_from_slice(&task.to_le_bytes());
            buffer.push(flags);
            buffer.extend_from_slice(&execution.to_le_bytes());
            buffer.extend_from_slice(&(guards.len() as u16).to_le_bytes());
            guards.iter().for_each(|guard| buffer.extend_from_slice(&guard.to_le_bytes()));
            buffer.extend_from_slice(&(counters.len() as u16).to_le_bytes());
            for (index, value) in counters {
                buffer.extend_from_slice(&(index as u16).to_le_bytes());
                buffer.extend_from_slice(&value.to_le_bytes());
            }
            buffer.extend_from_slice(&any_seen(samples.len()).to_le_bytes());
            buffer.extend_from_slice(&(samples.len() as u32).to_le_bytes());
            for sample in samples {
                buffer.extend_from_slice(&(sample.len() as u32).to_le_bytes());
                buffer.extend_from_slice(&sample);
            }
            damage.apply(buffer)
        },
    )
}

fn any_seen(samples: usize) -> u64 {
    if samples == 2 {
        u64::MAX
    } else {
        samples as u64
    }
}

fn sample() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (number(), ".{0,20}").prop_map(|(hash, text)| {
            format!(r#"{{"hash":"{hash}","stack_hash":"1","stack":"s","record":{text:?}}}"#).into_bytes()
        }),
        prop::collection::vec(any::<u8>(), 0..30),
    ]
}

/// The damage to a buffer.
#[derive(Debug, Clone)]
enum Damage {
    None,
    Cut(prop::sample::Index),
    More(Vec<u8>),
    Change(prop::sample::Index, u8),
}

impl Damage {
    fn apply(self, mut buffer: Vec<u8>) -> Vec<u8> {
        match self {
            Damage::None => {}
            Damage::Cut(at) => buffer.truncate(at.index(buffer.len())),
            Damage::More(more) => buffer.extend(more),
            Damage::Change(at, to) => {
                let at = at.index(buffer.len());
                buffer[at] = to;
            }
        }
        buffer
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        3 => Just(Damage::None),
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..9).prop_map(Damage::More),
        1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, to)| Damage::Change(at, to)),
    ]
}

/// JSON with the names that metrics know, and values of any kind.
fn json() -> impl Strategy<Value = String> {
    const NAMES: [&str; 22] = [
        "stage",
        "attempt",
        "rdd",
        "tasks",
        "partitions",
        "name",
        "rdds",
        "id",
        "parents",
        "indeterminate",
        "job",
        "stages",
        "execution",
        "execution_id",
        "nodes",
        "metrics",
        "accumulables",
        "collected",
        "step",
        "site",
        "site_id",
        "counters",
    ];
    let value = prop_oneof![
        number().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| format!("{x:?}").replace("inf", "1e999").replace("NaN", "null")),
        Just("true".to_string()),
        Just("null".to_string()),
        "[a-z ]{0,9}".prop_map(|text| format!("{text:?}")),
        prop::collection::vec(number(), 0..4).prop_map(|all| format!("{all:?}")),
        Just(r#"[{"id":1,"name":"CollectLimit","metrics":[1,2],"parents":[1,1]}]"#.to_string()),
        Just(r#"["a","b"]"#.to_string()),
    ];
    let pairs = prop::collection::vec((prop::sample::select(&NAMES[..]), value), 0..8);
    prop_oneof![
        5 => pairs.prop_map(|pairs| {
            let fields: Vec<String> = pairs.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
            format!("{{{}}}", fields.join(","))
        }),
        1 => ".{0,40}",
    ]
}

proptest! {
    #![proptest_config(config(4000))]

    #[test]
    fn any_task_end_is_counted_or_refused(buffers in prop::collection::vec(task_end(), 1..8)) {
        let app = application();
        for buffer in &buffers {
            if let Ok(event) = TaskEnd::decode(buffer) {
                app.task_end(&event);
            }
        }
        app.ship_changes();
        app.figures_json();
    }

    #[test]
    fn any_cell_is_merged_or_refused(cells in prop::collection::vec(cell(), 1..8)) {
        let app = application();
        for cell in &cells {
            let _ = StepCell::decode(cell);
            app.step_cell(cell);
        }
        app.figures_json();
        app.step_figures("step 1");
        for more in ["", r#","scope":{"execution":1},"reached":[{"site":1,"instance":1,"behind":true}]"#, r#","scope":{"guard":0},"reached":[]"#] {
            let limits = Limits::parse(&format!(r#"{{"gate":"guard","max_drop_ratio":0.1{more}}}"#)).unwrap();
            app.judge("step 1", &limits);
        }
        app.ship_changes();
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = TaskEnd::decode(&bytes);
        let _ = StepCell::decode(&bytes);
        application().step_cell(&bytes);
    }

    #[test]
    fn any_json_is_understood_or_counted(texts in prop::collection::vec((0..8_u8, json()), 1..8)) {
        let app = application();
        for (entry, text) in &texts {
            match entry {
                0 => app.stage_submitted(text),
                1 => app.stage_completed(text),
                2 => app.job_start(text),
                3 => app.job_end(text),
                4 => app.execution(text),
                5 => app.log_line(text),
                6 => app.step_declared(text),
                _ => app.end(text, Duration::ZERO),
            }
            let _ = Limits::parse(text);
            let _ = MetricsSettings::parse(text);
        }
        app.ship_changes();
        app.figures_json();
    }
}
