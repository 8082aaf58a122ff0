//! The memory of metrics, counted by the allocator: 100,000 tasks with 50 accumulators, and a step's cells.

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use andiron::metrics::{Application, MetricsSettings, TaskEnd, ValueKind};

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the allocations of each thread.
struct Counting;

// SAFETY: every call goes unchanged to the system's allocator; the counters are plain cells that allocate
// nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size() as isize));
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.with(|bytes| bytes.set(bytes.get() - layout.size() as isize));
        // SAFETY: guaranteed by the caller.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn application() -> Arc<Application> {
    let settings =
        MetricsSettings { application: "app".into(), ship_every: None, ..MetricsSettings::for_tests() };
    Application::start(&settings, "{}").unwrap()
}

fn task_end(partition: u32, attempt: u32, updates: u64) -> Vec<u8> {
    let mut buffer = Vec::new();
    [2, 0, attempt].iter().for_each(|word: &u32| buffer.extend_from_slice(&word.to_le_bytes()));
    buffer.extend_from_slice(&u64::from(partition).to_le_bytes());
    buffer.extend_from_slice(&partition.to_le_bytes());
    buffer.extend_from_slice(&[1, 0, 0, 0]);
    buffer.extend_from_slice(&0_u64.to_le_bytes());
    buffer.extend_from_slice(&(updates as u32).to_le_bytes());
    for id in 0..updates {
        buffer.extend_from_slice(&id.to_le_bytes());
        buffer.extend_from_slice(&(id + 1).to_le_bytes());
        buffer.extend_from_slice(&((id + 1) * (u64::from(partition) + 1)).to_le_bytes());
    }
    buffer
}

fn cell(partition: u32, partitions: u32) -> Vec<u8> {
    let mut buffer = 2_u32.to_le_bytes().to_vec();
    [1_u64, 1, 1].iter().for_each(|word| buffer.extend_from_slice(&word.to_le_bytes()));
    [partition, partitions, 0, 0].iter().for_each(|word| buffer.extend_from_slice(&word.to_le_bytes()));
    buffer.extend_from_slice(&u64::from(partition).to_le_bytes());
    buffer.push(1);
    buffer.extend_from_slice(&u64::MAX.to_le_bytes());
    buffer.extend_from_slice(&0_u16.to_le_bytes());
    buffer.extend_from_slice(&3_u16.to_le_bytes());
    for counter in 0..3_u16 {
        buffer.extend_from_slice(&counter.to_le_bytes());
        buffer.extend_from_slice(&5_i64.to_le_bytes());
    }
    buffer.extend_from_slice(&[0; 12]);
    buffer
}

const TASKS: u32 = 100_000;

/// At most 8 bytes for each cell and 32 for each task, and a small constant.
#[test]
fn a_hundred_thousand_tasks_with_fifty_accumulators_take_what_is_promised() {
    let app = application();
    (0..50).for_each(|id| app.accumulator(id, &format!("acc {id}"), ValueKind::Long));
    app.stage_submitted(&format!(r#"{{"stage":0,"attempt":0,"rdd":1,"tasks":{TASKS}}}"#));
    let before = BYTES.get();
    for partition in 0..TASKS {
        let buffer = task_end(partition, 0, 50);
        app.task_end(&TaskEnd::decode(&buffer).unwrap());
    }
    let took = BYTES.get() - before;
    println!("{took} bytes for {TASKS} tasks with 50 accumulators");
    assert!(took <= TASKS as isize * (8 * 50 + 32) + (64 << 10), "{took} bytes");
    assert!(took >= TASKS as isize * 8 * 50, "{took} bytes: the test counts nothing");
}

#[test]
fn a_task_end_of_cells_that_exist_allocates_nothing() {
    let app = application();
    (0..10).for_each(|id| app.accumulator(id, &format!("acc {id}"), ValueKind::Long));
    app.stage_submitted(r#"{"stage":0,"attempt":0,"rdd":1,"tasks":1000}"#);
    let all = |attempt: u32| -> Vec<Vec<u8>> { (0..1000).map(|at| task_end(at, attempt, 10)).collect() };
    let (first, second) = (all(0), all(0));
    first.iter().for_each(|buffer| app.task_end(&TaskEnd::decode(buffer).unwrap()));
    let before = CALLS.get();
    second.iter().for_each(|buffer| app.task_end(&TaskEnd::decode(buffer).unwrap()));
    assert_eq!(CALLS.get() - before, 0);
}

#[test]
fn a_step_cell_takes_what_is_said_of_it() {
    let app = application();
    let before = BYTES.get();
    for partition in 0..TASKS {
        app.step_cell(&cell(partition, TASKS));
    }
    let each = (BYTES.get() - before) / TASKS as isize;
    println!("{each} bytes for a cell of a step");
    assert_eq!(app.step_figures("step 1").of("in"), i128::from(TASKS) * 5);
    assert!(each <= 180, "{each} bytes for a cell");
}
