//! Arbitrary input from outside: the text of settings, checksums, error numbers and handles. No input may
//! cause a panic or be accepted as a value that it is not.

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use andiron::cache::store::Checksum;
use andiron::cache::CacheSettings;
use andiron::cache::{
    Attempt, Cache, Catalog, Cursor, Handle, HandleKind, Listing, Payload, PayloadKind, Slot,
};
use andiron::clock::Clock;
use andiron::error::{Code, Error};
use andiron_model::config;
use proptest::prelude::*;
use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEYS: [&str; 13] = [
    "application",
    "cacheDir",
    "spark.andiron.cache.diskBytes",
    "spark.andiron.cache.budgetBytes",
    "spark.andiron.cache.budgetVersions",
    "spark.andiron.cache.hardLimitBytes",
    "spark.andiron.cache.keepWarm",
    "spark.andiron.cache.overdraftAfter",
    "spark.andiron.cache.deadlockAfter",
    "spark.andiron.cache.failureMemory",
    "spark.andiron.cache.loadTimeout",
    "spark.andiron.cache.waitTimeout",
    "spark.andiron.cache.queueAge",
];

/// A text that is read, so that one bad line decides.
const COMPLETE: &str =
    "application=app\ncacheDir=/a\nspark.andiron.cache.diskBytes=1\nspark.andiron.cache.budgetBytes=1\n\
                        spark.andiron.cache.budgetVersions=0\nspark.andiron.cache.hardLimitBytes=1\n\
                        spark.andiron.cache.keepWarm=true\nspark.andiron.cache.overdraftAfter=1\n\
                        spark.andiron.cache.deadlockAfter=1\nspark.andiron.cache.failureMemory=1\n\
                        spark.andiron.cache.loadTimeout=1\nspark.andiron.cache.waitTimeout=1\n\
                        spark.andiron.cache.queueAge=1\n";

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u64>().prop_map(|number| number.to_string()),
        any::<i128>().prop_map(|number| number.to_string()),
        proptest::bool::ANY.prop_map(|truth| truth.to_string()),
        ".{0,12}",
        Just(String::new()),
    ]
}

fn judge(text: &str) {
    match CacheSettings::parse(text) {
        Ok(settings) => {
            assert!(!settings.application.is_empty());
            assert!(settings.budget_bytes > 0 && settings.hard_limit_bytes >= settings.budget_bytes);
            assert_ne!(settings.budget_versions, Some(0));
        }
        Err(error) => {
            assert_eq!(error.code(), Code::BadSetting);
            assert!(error.message().starts_with("setting "));
        }
    }
}

#[test]
fn settings_of_any_text_are_read_or_refused() {
    proptest!(config(4000), |(text in any::<String>())| judge(&text));
}

#[test]
fn settings_of_any_values_are_read_or_refused() {
    let line = (0..KEYS.len(), value()).prop_map(|(key, value)| format!("{}={value}\n", KEYS[key]));
    proptest!(config(4000), |(lines in prop::collection::vec(line, 0..20))| {
        judge(&lines.concat());
        judge(&(COMPLETE.to_string() + &lines.concat()));
    });
}

#[test]
fn settings_survive_their_text() {
    let numbers = prop::collection::vec(0..u64::MAX / 1_000_000_000, 8);
    proptest!(config(4000), |(budget in 1..u64::MAX / 2, beyond in 0..u64::MAX / 2, count in 0..4u64, keep in proptest::bool::ANY, n in numbers)| {
        let text = format!(
            "application=app-{}\ncacheDir=/a dir/b\nspark.andiron.cache.diskBytes={}\n\
             spark.andiron.cache.budgetBytes={budget}\nspark.andiron.cache.budgetVersions={count}\n\
             spark.andiron.cache.hardLimitBytes={}\nspark.andiron.cache.keepWarm={keep}\n\
             spark.andiron.cache.overdraftAfter={}\nspark.andiron.cache.deadlockAfter={}\n\
             spark.andiron.cache.failureMemory={}\nspark.andiron.cache.loadTimeout={}\n\
             spark.andiron.cache.waitTimeout={}\nspark.andiron.cache.queueAge={}\n",
            n[0], n[1], budget + beyond, n[2], n[3], n[4], n[5], n[6], n[7]
        );
        let millis = Duration::from_millis;
        let expected = CacheSettings {
            application: format!("app-{}", n[0]),
            cache_dir: "/a dir/b".into(),
            disk_bytes: n[1],
            budget_bytes: budget,
            budget_versions: (count > 0).then_some(count),
            hard_limit_bytes: budget + beyond,
            keep_warm: keep,
            overdraft_after: millis(n[2]),
            deadlock_after: millis(n[3]),
            failure_memory: millis(n[4]),
            load_timeout: millis(n[5]),
            wait_timeout: millis(n[6]),
            queue_age: millis(n[7]),
        };
        prop_assert_eq!(CacheSettings::parse(&text).unwrap(), expected);
    });
}

#[test]
fn checksums_of_any_text_are_read_or_refused() {
    let like = "(xxh3|crc32|sha256|md5|):[0-9a-fA-Fxg]{0,70}";
    proptest!(config(4000), |(text in prop_oneof![like.boxed(), any::<String>().boxed()])| {
        if let Err(error) = Checksum::parse(&text) {
            prop_assert!(!error.message().is_empty());
        }
    });
}

#[test]
fn error_numbers_are_codes_or_nothing() {
    proptest!(config(4000), |(number in prop_oneof![any::<i32>(), 90..130, 390..410])| {
        prop_assert!(Code::from_number(number).is_none_or(|code| code as i32 == number));
    });
}

struct Nothing;

impl Payload for Nothing {
    fn evict(&self) {}

    fn kept_by_attempts(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A number close to the handles of a small cache, or any number.
fn raw() -> impl Strategy<Value = i64> {
    let close = (0u64..9, 0u64..4, 0u64..8)
        .prop_map(|(tag, generation, index)| (tag << 60 | generation << 32 | index) as i64);
    prop_oneof![close, any::<i64>(), Just(0), Just(-1), Just(i64::MIN), Just(i64::MAX)]
}

fn kinds(raw: i64) -> usize {
    fn is<T: HandleKind>(raw: i64) -> usize {
        usize::from(Handle::<T>::from_raw(raw).is_some_and(|handle| handle.raw() == raw))
    }
    is::<Slot>(raw) + is::<Attempt>(raw) + is::<Cursor>(raw) + is::<Catalog>(raw)
}

#[test]
fn a_number_is_a_handle_of_one_kind_at_most() {
    proptest!(config(4000), |(raw in raw())| prop_assert!(kinds(raw) <= 1));
}

#[test]
fn numbers_that_are_no_handles_do_nothing() {
    let loads: Arc<Mutex<Vec<u64>>> = Arc::default();
    let list = Arc::clone(&loads);
    let cache = Cache::new(Clock::manual(), Box::new(move |load| list.lock().unwrap().push(load)));
    cache.configure(CacheSettings::for_tests()).unwrap();
    let catalog = cache.open_catalog("app", "data", PayloadKind::Bytes, 0).unwrap();
    let listing = Listing { version: "v", digest: "d", bytes: Some(1), label: "memory" };
    let slot = cache.add_version(catalog, &listing).unwrap();
    let attempt = cache.begin_attempt("task");
    let cursor = cache.open_cursor(attempt, true).unwrap();
    assert_eq!(cache.advance(cursor, slot).unwrap(), None);
    let load = loads.lock().unwrap().remove(0);
    cache.finish_load(load, Arc::new(Nothing), 1).unwrap();
    let stale = {
        let other = cache.begin_attempt("gone");
        let closed = cache.open_cursor(other, true).unwrap();
        cache.end_attempt(other);
        [other.raw(), closed.raw()]
    };
    let live = [catalog.raw(), slot.raw(), attempt.raw(), cursor.raw()];
    let before = cache.stats();
    let refused = |error: Option<Error>, codes: &[Code]| {
        let code = error.map(|error| error.code());
        assert!(code.is_some_and(|code| codes.contains(&code)), "{code:?} is none of {codes:?}");
    };
    let try_all = |raw: i64| {
        if let Some(none) = Handle::<Cursor>::from_raw(raw) {
            refused(cache.advance(none, slot).err(), &[Code::Released]);
            refused(cache.advance_all(none, &[slot]).err(), &[Code::Released]);
            refused(cache.wait(none, Duration::ZERO).err(), &[Code::Released]);
            refused(cache.leased(none, 0).err(), &[Code::Released]);
            cache.release(none);
            cache.close_cursor(none);
        }
        if let Some(none) = Handle::<Slot>::from_raw(raw) {
            refused(cache.set_demand(none, 1).err(), &[Code::CatalogClosed]);
        }
        if let Some(none) = Handle::<Attempt>::from_raw(raw) {
            assert_eq!(cache.end_attempt(none), 0);
            refused(cache.open_cursor(none, true).err(), &[Code::Released]);
        }
        if let Some(none) = Handle::<Catalog>::from_raw(raw) {
            cache.close_catalog(none);
            refused(cache.add_version(none, &listing).err(), &[Code::CatalogClosed]);
        }
        let number = raw as u64;
        if number != load {
            assert!(cache.load_slot(number).is_err());
            refused(cache.finish_load(number, Arc::new(Nothing), 1).err(), &[Code::BadHandle]);
            refused(cache.fail_load(number, Error::new(Code::LoadFailed, "")).err(), &[Code::BadHandle]);
        }
        assert_eq!(cache.stats(), before);
    };
    stale.iter().for_each(|raw| try_all(*raw));
    proptest!(config(4000), |(raw in raw(), index in 0..usize::MAX)| {
        if !live.contains(&raw) {
            try_all(raw);
        }
        prop_assert_eq!(cache.leased(cursor, index).is_ok(), index == 0);
    });
}
