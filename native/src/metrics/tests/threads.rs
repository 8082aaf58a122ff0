//! Concurrent threads: no update is lost, and no thread waits for the shipping thread.

use super::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn figures_are_whole_whoever_else_is_at_work() {
    const THREADS: u32 = 4;
    const TASKS: u32 = 2_000;
    let bench = Bench::new();
    bench.stage(0, 0, 3, THREADS * TASKS);
    let (app, done) = (&bench.app, AtomicBool::new(false));
    std::thread::scope(|scope| {
        let shipping = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                app.ship_changes();
                app.figures_json();
            }
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                scope.spawn(move || {
                    for at in 0..TASKS {
                        let partition = worker * TASKS + at;
                        let task = u64::from(partition);
                        let updates = [(ROWS, 3)];
                        let end = task_end(
                            (0, 0),
                            partition,
                            task,
                            TaskKind::ShuffleMap,
                            Reason::Success,
                            &updates,
                        );
                        app.task_end(&TaskEnd::decode(&end).unwrap());
                        app.step_cell(&Filed::new(1, partition, THREADS * TASKS, task, 2, 0).bytes());
                    }
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        done.store(true, Ordering::SeqCst);
        shipping.join().unwrap();
    });
    bench.completed(0, 0);
    let all = i64::from(THREADS * TASKS);
    bench.app.accumulator_values(&json!({"values": [{"acc": ROWS, "long": all * 3}]}).to_string());
    bench.rows("rdd:3/shuffle").is_exactly(all * 3, all * 3);
    let figures = bench.app.step_figures("step 1");
    assert!(figures.exact && figures.of("in") == i128::from(all * 2), "{figures:?}");
    // The revisions of each id ascend by one, and the last revision has the last figure.
    bench.app.ship_changes();
    let mut last: HashMap<String, Event> = HashMap::new();
    for event in lock(&bench.log.events).drain(..) {
        let expected = last.get(&event.id).map_or(1, |known| known.revision + 1);
        assert_eq!(event.revision, expected, "{}", event.id);
        last.insert(event.id.clone(), event);
    }
    let body: Value = serde_json::from_str(&last["app-1||rows|rdd:3/shuffle"].body).unwrap();
    assert_eq!((&body["committed"], &body["exact"]), (&json!(all * 3), &json!(true)));
}
