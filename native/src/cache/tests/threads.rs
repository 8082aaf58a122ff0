//! Real threads, locks and time-outs, also under Miri and ThreadSanitizer: behaviour that shuttle's
//! replacements cannot show.

use super::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;

const TASKS: usize = 4;
const LOADERS: usize = 2;
/// Miri takes some milliseconds for each step.
const STEPS: usize = if cfg!(miri) { 6 } else { 400 };

#[test]
fn tasks_that_end_and_begin_again_walk_over_few_versions() {
    let (sender, orders) = channel();
    let sender = Arc::new(Mutex::new(Some(sender)));
    let launch = Arc::clone(&sender);
    let cache = Cache::new(
        Clock::system(),
        Box::new(move |load| {
            if let Some(sender) = &*lock(&launch) {
                sender.send(load).unwrap();
            }
        }),
    );
    let settings = CacheSettings { budget_bytes: 20, hard_limit_bytes: 40, ..CacheSettings::for_tests() };
    cache.configure(settings).unwrap();
    let catalog = cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
    let slots: Vec<SlotId> =
        (0..4).map(|i| list_version(&cache, catalog, &format!("v{i}"), Some(10))).collect();
    let orders = Mutex::new(orders);
    let fate = Arc::default();
    let loaded = AtomicU64::new(0);
    let walk = |task: usize| {
        let mut attempt = cache.begin_attempt("task");
        let mut cursor = cache.open_cursor(attempt, true).unwrap();
        for step in 0..STEPS {
            if step % 5 == 4 {
                cache.end_attempt(attempt);
                attempt = cache.begin_attempt("task");
                cursor = cache.open_cursor(attempt, true).unwrap();
            }
            let mut outcome = cache.advance(cursor, slots[(task + step * (task + 1)) % slots.len()]);
            while let Ok(None) = outcome {
                outcome = cache.wait(cursor, Duration::from_millis(100));
            }
            let residency = outcome.unwrap().unwrap();
            assert_eq!(cache.leased(cursor, 0).unwrap().0, residency);
        }
        cache.end_attempt(attempt);
    };
    let walk = &walk;
    thread::scope(|scope| {
        for _ in 0..LOADERS {
            scope.spawn(|| loop {
                let load = lock(&orders).recv();
                let Ok(load) = load else { break };
                loaded.fetch_add(1, Ordering::Relaxed);
                cache.finish_load(load, Arc::new(Plain(Arc::clone(&fate))), 10).unwrap();
            });
        }
        let tasks: Vec<_> = (0..TASKS).map(|task| scope.spawn(move || walk(task))).collect();
        for task in tasks {
            task.join().unwrap();
        }
        lock(&sender).take();
    });
    cache.close_catalog(catalog);
    let stats = cache.stats();
    assert_eq!(
        (stats.reserved_bytes, stats.leases, stats.attempts, stats.max_over_budget_bytes),
        (0, 0, 0, 0)
    );
    let count = |what| lock(&fate).iter().filter(|event| **event == what).count() as u64;
    let loads = loaded.load(Ordering::Relaxed);
    assert_eq!((count("evicted"), count("freed"), stats.loads), (loads, loads, loads));
}
