//! The start of loads, and the start of their time-outs.

use super::*;

fn impatient() -> Bench {
    Bench::new(CacheSettings {
        load_timeout: Duration::from_secs(1),
        wait_timeout: Duration::from_secs(9),
        ..CacheSettings::for_tests()
    })
}

#[test]
fn a_load_that_no_thread_has_taken_does_not_time_out() {
    let bench = impatient();
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.turn(8_000);
    assert_eq!(bench.look(a).unwrap(), None);
    let load = bench.next_load();
    bench.turn(999);
    assert_eq!(bench.look(a).unwrap(), None);
    bench.cache.finish_load(load, Arc::new(Plain(Arc::default())), 10).unwrap();
    assert!(bench.look(a).unwrap().is_some());
    assert_eq!(bench.cache.stats().load_millis, 999);
}

#[test]
fn a_load_that_was_taken_times_out() {
    let bench = impatient();
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.turn(5_000);
    bench.next_load();
    bench.turn(1_000);
    assert_eq!(bench.look(a).unwrap_err().code(), Code::LoadTimedOut);
}

#[test]
fn a_load_that_was_given_back_waits_again() {
    let bench = impatient();
    let (_, a) = bench.task();
    bench.advance(a, 0);
    let load = bench.next_load();
    bench.turn(500);
    bench.cache.load_given_back(load).unwrap();
    bench.turn(5_000);
    assert_eq!(bench.look(a).unwrap(), None);
    bench.cache.load_taken(load);
    bench.turn(1_000);
    assert_eq!(bench.look(a).unwrap_err().code(), Code::LoadTimedOut);
    assert_eq!(bench.cache.load_given_back(load).unwrap_err().code(), Code::CatalogClosed);
}

#[test]
fn a_wait_for_a_loader_thread_is_bounded_and_says_so() {
    let bench = impatient();
    let (_, a) = bench.task();
    bench.advance(a, 0);
    bench.turn(9_000);
    let error = bench.look(a).unwrap_err();
    assert_eq!(error.code(), Code::WaitTimedOut);
    assert!(error.message().contains("spark.andiron.cache.loaderThreads"), "{error}");
    bench.finish();
    assert!(bench.advance(a, 0).is_some());
}

#[test]
fn pages_go_before_loads_start() {
    let events: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let loads: Arc<Mutex<Vec<LoadId>>> = Arc::default();
    let (told, list) = (Arc::clone(&events), Arc::clone(&loads));
    let launch = move |load| {
        lock(&told).push("started");
        lock(&list).push(load);
    };
    let cache = Cache::new(Clock::manual(), Box::new(launch));
    cache
        .configure(CacheSettings { budget_bytes: 10, hard_limit_bytes: 10, ..CacheSettings::for_tests() })
        .unwrap();
    let catalog = cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
    let slots = ["v0", "v1"].map(|version| list_version(&cache, catalog, version, Some(10)));
    let cursor = cache.open_cursor(cache.begin_attempt("task"), true).unwrap();
    for slot in slots {
        cache.advance(cursor, slot).unwrap();
        let load = lock(&loads).remove(0);
        cache.finish_load(load, Arc::new(Plain(Arc::clone(&events))), 10).unwrap();
    }
    assert_eq!(*lock(&events), ["started", "evicted", "started"]);
}

#[test]
fn an_abandoned_load_is_told_once_while_the_lock_is_free() {
    let told: Arc<Mutex<Vec<(LoadId, bool)>>> = Arc::default();
    let started: Arc<Mutex<Vec<LoadId>>> = Arc::default();
    let (list, tell, clock) = (Arc::clone(&started), Arc::clone(&told), Clock::manual());
    let cache = Arc::new_cyclic(|me: &std::sync::Weak<Cache>| {
        let me = me.clone();
        let free = move || me.upgrade().is_some_and(|cache| cache.state.try_lock().is_ok());
        Cache::new(clock.clone(), Box::new(move |load| lock(&list).push(load)))
            .on_abandoned(Box::new(move |load| lock(&tell).push((load, free()))))
    });
    cache
        .configure(CacheSettings { load_timeout: Duration::from_secs(1), ..CacheSettings::for_tests() })
        .unwrap();
    let catalog = cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
    let cursor = cache.open_cursor(cache.begin_attempt("task"), true).unwrap();
    let [late, closed, ended] = ["late", "closed", "ended"].map(|version| {
        cache.advance(cursor, list_version(&cache, catalog, version, Some(1))).unwrap();
        let load = lock(&started).remove(0);
        if version != "closed" {
            cache.load_taken(load);
        }
        if version == "ended" {
            cache.fail_load(load, Error::new(Code::LoadFailed, "gone")).unwrap();
        }
        load
    });
    clock.turn(Duration::from_secs(1));
    cache.pass_time();
    cache.pass_time();
    assert_eq!(*lock(&told), [(late, true)]);
    cache.close_catalog(catalog);
    assert_eq!(*lock(&told), [(late, true), (closed, true)]);
    assert!(cache.load_slot(closed).is_err() && ended > closed);
}
