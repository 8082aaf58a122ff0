//! The behaviour of metrics, one rule for each test, driven by events as Spark posts them.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::event::LogHealth;

mod batches;
mod bounds;
mod caches;
mod decoding;
mod gate_history;
mod gates;
mod kinds;
mod logged;
mod naive;
mod outside;
mod partial;
mod retries;
mod select;
mod series;
mod shipped;
mod steps;
mod threads;
mod unions;

/// A record that keeps events in memory.
#[derive(Default)]
pub(super) struct Kept {
    events: Mutex<Vec<Event>>,
    full: Mutex<bool>,
}

impl Record for Kept {
    fn append(&self, event: Event) -> Sequence {
        if *lock(&self.full) {
            return Sequence::NONE;
        }
        let mut events = lock(&self.events);
        events.push(event);
        Sequence(events.len() as u64)
    }

    fn sync(&self, _: Duration) -> Result<Sequence> {
        Ok(Sequence(lock(&self.events).len() as u64))
    }

    fn close(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn health(&self) -> LogHealth {
        LogHealth { appended: Some(lock(&self.events).len() as u64), ..LogHealth::default() }
    }

    fn predecessor(&self) -> Option<String> {
        None
    }
}

/// An application whose events a test reads. It ships only when the test calls `ship`.
pub(super) struct Bench {
    app: Arc<Application>,
    log: Arc<Kept>,
    next_task: std::cell::Cell<u64>,
    /// The merged value of each accumulator, as Spark's driver has it.
    merged: std::cell::RefCell<std::collections::HashMap<u64, u64>>,
    /// Whether the next task ends report that the task has read blocks or files.
    reads: std::cell::Cell<bool>,
}

const ROWS: u64 = 7;

impl Bench {
    fn new() -> Bench {
        let settings =
            MetricsSettings { application: "app-1".into(), ship_every: None, ..MetricsSettings::for_tests() };
        let log = Arc::new(Kept::default());
        let record: Arc<dyn Record> = Arc::clone(&log) as Arc<dyn Record>;
        let app = Application::start_with(&settings, r#"{"app_name":"test"}"#, record).unwrap();
        app.accumulator(ROWS, "rows", ValueKind::Long);
        Bench {
            app,
            log,
            next_task: std::cell::Cell::new(0),
            merged: Default::default(),
            reads: Default::default(),
        }
    }

    fn stage(&self, stage: u32, attempt: u32, rdd: u64, tasks: u32) {
        self.stage_with(stage, attempt, rdd, tasks, json!({}));
    }

    fn stage_with(&self, stage: u32, attempt: u32, rdd: u64, tasks: u32, more: Value) {
        let mut body = json!({"stage": stage, "attempt": attempt, "rdd": rdd, "tasks": tasks, "name": "count at Job.scala:1"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.app.stage_submitted(&body.to_string());
    }

    fn completed(&self, stage: u32, attempt: u32) {
        self.app.stage_completed(&json!({"stage": stage, "attempt": attempt, "completed_ms": 5}).to_string());
    }

    /// The end of a map task that counted `rows`.
    fn map(&self, stage: (u32, u32), partition: u32, reason: Reason, rows: i64) -> u64 {
        self.task(stage, partition, TaskKind::ShuffleMap, reason, &[(ROWS, rows as u64)])
    }

    fn result(&self, stage: (u32, u32), partition: u32, reason: Reason, rows: i64) -> u64 {
        self.task(stage, partition, TaskKind::Result, reason, &[(ROWS, rows as u64)])
    }

    /// A task end with these updates. Updates of 0 are left out, as Spark does.
    fn task(
        &self,
        stage: (u32, u32),
        partition: u32,
        kind: TaskKind,
        reason: Reason,
        updates: &[(u64, u64)],
    ) -> u64 {
        let task = self.next_task.get() + 1;
        self.next_task.set(task);
        let merge = |(acc, bits): (u64, u64)| {
            let mut merged = self.merged.borrow_mut();
            let value = merged.entry(acc).or_default();
            if reason != Reason::Resubmitted {
                *value = value.wrapping_add(bits);
            }
            (acc, bits, *value)
        };
        let updates: Vec<_> = updates.iter().copied().filter(|(_, bits)| *bits != 0).map(merge).collect();
        let buffer = packed(stage, partition, task, (kind, reason, self.reads.get()), &updates);
        self.app.task_end(&TaskEnd::decode(&buffer).unwrap());
        task
    }

    /// The figures of `rows` in a scope.
    fn rows(&self, scope: &str) -> Figure {
        self.accumulator("rows", scope)
    }

    fn accumulator(&self, name: &str, scope: &str) -> Figure {
        let figures: Value = serde_json::from_str(&self.app.figures_json()).unwrap();
        let all = figures["accumulators"].as_array().unwrap();
        let found = all.iter().find(|figure| figure["acc"] == name && figure["scope"] == scope);
        let found = found.unwrap_or_else(|| panic!("no {name} in {scope}: {figures}"));
        Figure {
            committed: found["committed"].as_f64().unwrap(),
            attempted: found["attempted"].as_f64().unwrap(),
            exact: found["exact"].as_bool().unwrap(),
            reason: found["reason"].as_str().unwrap().to_string(),
        }
    }

    fn ship(&self) -> Vec<(Event, Value)> {
        self.ship_with(false)
    }

    fn ship_with(&self, at_once: bool) -> Vec<(Event, Value)> {
        lock(&self.log.events).clear();
        let count = if at_once { self.app.ship_all() } else { self.app.ship_changes() };
        let events = std::mem::take(&mut *lock(&self.log.events));
        assert_eq!(events.len(), count);
        events
            .into_iter()
            .map(|event| {
                assert!(!event.body.contains('\n'));
                let body = serde_json::from_str(&event.body).unwrap();
                (event, body)
            })
            .collect()
    }

    fn ship_kind(&self, kind: Kind) -> Vec<(Event, Value)> {
        self.ship().into_iter().filter(|(event, _)| event.kind == kind).collect()
    }
}

#[derive(Debug)]
struct Figure {
    committed: f64,
    attempted: f64,
    exact: bool,
    reason: String,
}

impl Figure {
    #[track_caller]
    fn is_exactly(&self, committed: i64, attempted: i64) {
        assert_eq!((self.committed, self.attempted), (committed as f64, attempted as f64), "{self:?}");
        assert!(self.exact, "{self:?}");
    }

    #[track_caller]
    fn is_flagged(&self, committed: i64, attempted: i64, reason: &str) {
        assert_eq!((self.committed, self.attempted), (committed as f64, attempted as f64), "{self:?}");
        assert!(!self.exact && self.reason.contains(reason), "{self:?}");
    }
}

/// A task end of accumulators that no other task updates.
pub(super) fn task_end(
    stage: (u32, u32),
    partition: u32,
    task: u64,
    kind: TaskKind,
    reason: Reason,
    updates: &[(u64, u64)],
) -> Vec<u8> {
    let updates: Vec<_> = updates.iter().map(|(acc, bits)| (*acc, *bits, *bits)).collect();
    packed(stage, partition, task, (kind, reason, false), &updates)
}

/// A task end with its updates: accumulator, update and merged value of each.
pub(super) fn packed(
    (stage, attempt): (u32, u32),
    partition: u32,
    task: u64,
    (kind, reason, reads): (TaskKind, Reason, bool),
    updates: &[(u64, u64, u64)],
) -> Vec<u8> {
    let mut buffer = Vec::new();
    for word in [2, stage, attempt] {
        buffer.extend_from_slice(&word.to_le_bytes());
    }
    buffer.extend_from_slice(&task.to_le_bytes());
    buffer.extend_from_slice(&partition.to_le_bytes());
    buffer.extend_from_slice(&[kind as u8, reason as u8, u8::from(reads), 0]);
    buffer.extend_from_slice(&1_600_000_000_000_u64.to_le_bytes());
    buffer.extend_from_slice(&(updates.len() as u32).to_le_bytes());
    for (acc, bits, merged) in updates {
        for word in [acc, bits, merged] {
            buffer.extend_from_slice(&word.to_le_bytes());
        }
    }
    buffer
}

/// A step cell as a task files it.
#[derive(Debug, Clone)]
pub(super) struct Filed {
    step: u64,
    site: u64,
    instance: u64,
    partition: u32,
    partitions: u32,
    stage: (u32, u32),
    task: u64,
    flags: u8,
    execution: Option<u64>,
    guards: Vec<u64>,
    counters: Vec<(u16, i64)>,
    seen: u64,
    samples: Vec<String>,
}

pub(super) const COMPLETE: u8 = 1;
pub(super) const FAILED: u8 = 2;
pub(super) const SAMPLES_WHOLE: u8 = 4;
pub(super) const KEPT: u8 = 8;
pub(super) const EARLY: u8 = 16;

impl Filed {
    /// A complete cell of step 1 at site 1.
    fn new(instance: u64, partition: u32, partitions: u32, task: u64, rows: i64, dropped: i64) -> Filed {
        Filed {
            step: 1,
            site: 1,
            instance,
            partition,
            partitions,
            stage: (1, 0),
            task,
            flags: COMPLETE,
            execution: None,
            guards: Vec::new(),
            counters: vec![(0, rows), (1, rows - dropped), (2, dropped)],
            seen: dropped as u64,
            samples: Vec::new(),
        }
    }

    fn flags(mut self, flags: u8) -> Filed {
        self.flags = flags;
        self
    }

    /// The same under a SQL execution.
    fn under(mut self, execution: u64) -> Filed {
        self.execution = Some(execution);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut buffer = 2_u32.to_le_bytes().to_vec();
        for word in [self.step, self.site, self.instance] {
            buffer.extend_from_slice(&word.to_le_bytes());
        }
        for word in [self.partition, self.partitions, self.stage.0, self.stage.1] {
            buffer.extend_from_slice(&word.to_le_bytes());
        }
        buffer.extend_from_slice(&self.task.to_le_bytes());
        buffer.push(self.flags);
        buffer.extend_from_slice(&self.execution.unwrap_or(u64::MAX).to_le_bytes());
        buffer.extend_from_slice(&(self.guards.len() as u16).to_le_bytes());
        self.guards.iter().for_each(|guard| buffer.extend_from_slice(&guard.to_le_bytes()));
        buffer.extend_from_slice(&(self.counters.len() as u16).to_le_bytes());
        for (counter, value) in &self.counters {
            buffer.extend_from_slice(&counter.to_le_bytes());
            buffer.extend_from_slice(&value.to_le_bytes());
        }
        buffer.extend_from_slice(&self.seen.to_le_bytes());
        buffer.extend_from_slice(&(self.samples.len() as u32).to_le_bytes());
        for sample in &self.samples {
            buffer.extend_from_slice(&(sample.len() as u32).to_le_bytes());
            buffer.extend_from_slice(sample.as_bytes());
        }
        buffer
    }
}

/// A random number generator with a fixed sequence for each seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}
