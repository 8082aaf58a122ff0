//! Versions as catalogs list them, and their end when catalogs close.

use super::*;

/// A budget of 25 bytes and an empty catalog.
fn catalog_of(kind: PayloadKind) -> (Bench, CatalogId) {
    let bench = Bench::with_budget(25);
    let catalog = bench.cache.open_catalog("app", "other", kind, 0).unwrap();
    (bench, catalog)
}

fn list_again(bench: &Bench, catalog: CatalogId, bytes: Option<u64>) -> Result<SlotId> {
    let listing = Listing { version: "v", digest: "v", bytes, label: "file:/again" };
    bench.cache.add_version(catalog, &listing)
}

#[test]
fn a_size_that_is_declared_later_counts() {
    for kind in [PayloadKind::Bytes, PayloadKind::Object] {
        let (bench, catalog) = catalog_of(kind);
        let slot = list_version(&bench.cache, catalog, "v", None);
        assert_eq!(list_again(&bench, catalog, Some(10)).unwrap(), slot);
        assert_eq!(list_again(&bench, catalog, None).unwrap(), slot);
        let (_, a) = bench.task();
        bench.cache.advance(a, slot).unwrap();
        assert_eq!(bench.cache.stats().reserved_bytes, 10);
        assert_eq!(bench.cache.load_slot(bench.next_load()).unwrap().1.bytes, Some(10));
    }
}

#[test]
fn another_size_for_the_same_version_is_an_error() {
    for kind in [PayloadKind::Bytes, PayloadKind::Object] {
        let (bench, catalog) = catalog_of(kind);
        list_version(&bench.cache, catalog, "v", Some(10));
        let twin = bench.cache.open_catalog("app", "other", kind, 0).unwrap();
        let error = list_again(&bench, twin, Some(11)).unwrap_err();
        assert_eq!(error.code(), Code::SourceSizeMismatch);
        for part in ["\"other\"", "\"v\"", "file:/source", "file:/again", "10", "11"] {
            assert!(error.message().contains(part), "{part} not in: {error}");
        }
        bench.cache.close_catalog(catalog);
        list_again(&bench, twin, Some(11)).unwrap();
    }
}

#[test]
fn what_a_load_measured_contradicts_a_length_but_not_the_size_of_an_object() {
    for (kind, agrees) in [(PayloadKind::Bytes, false), (PayloadKind::Object, true)] {
        let (bench, catalog) = catalog_of(kind);
        let slot = list_version(&bench.cache, catalog, "v", None);
        let (_, a) = bench.task();
        bench.cache.advance(a, slot).unwrap();
        bench.finish();
        list_again(&bench, catalog, Some(10)).unwrap();
        let again = bench.cache.open_catalog("app", "third", kind, 0).unwrap();
        let slot = list_version(&bench.cache, again, "v", None);
        bench.cache.advance(a, slot).unwrap();
        bench.finish();
        assert_eq!(list_again(&bench, again, Some(12)).is_ok(), agrees);
        assert_eq!(bench.cache.stats().reserved_bytes, 20);
    }
}

#[test]
fn who_waits_for_a_version_whose_size_turns_out_too_large_is_told() {
    let (bench, catalog) = catalog_of(PayloadKind::Object);
    let [first, second] = ["u", "v"].map(|version| list_version(&bench.cache, catalog, version, None));
    let (_, a) = bench.task();
    let (_, b) = bench.task();
    bench.cache.advance(a, first).unwrap();
    assert_eq!(bench.cache.advance(b, second).unwrap(), None);
    list_again(&bench, catalog, Some(26)).unwrap();
    assert_eq!(bench.look(b).unwrap_err().code(), Code::VersionLargerThanBudget);
}

#[test]
fn who_waits_for_a_size_is_admitted_when_it_is_declared() {
    let (bench, catalog) = catalog_of(PayloadKind::Object);
    let [first, second] = ["u", "v"].map(|version| list_version(&bench.cache, catalog, version, None));
    let (_, a) = bench.task();
    let (_, b) = bench.task();
    bench.cache.advance(a, first).unwrap();
    bench.cache.advance(b, second).unwrap();
    assert_eq!(lock(&bench.started).len(), 1);
    list_again(&bench, catalog, Some(10)).unwrap();
    assert_eq!(lock(&bench.started).len(), 2);
}

#[test]
fn attempts_and_leases_outlive_their_application_and_count_in_the_next() {
    let bench = Bench::with_budget(10);
    let (attempt, a) = bench.task();
    bench.advance(a, 0);
    bench.finish();
    bench.cache.close_application("app");
    assert!(bench.cache.leased(a, 0).is_ok());
    let next = CacheSettings {
        application: "next".into(),
        budget_bytes: 9,
        hard_limit_bytes: 9,
        ..CacheSettings::for_tests()
    };
    bench.cache.configure(next).unwrap();
    let catalog = bench.cache.open_catalog("next", "data", PayloadKind::Bytes, 0).unwrap();
    let slot = list_version(&bench.cache, catalog, "v", Some(9));
    let (_, b) = bench.task();
    assert_eq!(bench.cache.advance(b, slot).unwrap(), None);
    assert!(lock(&bench.started).is_empty());
    let stats = bench.cache.stats();
    assert_eq!((stats.over_budget_admissions, stats.max_over_budget_bytes, stats.attempts), (1, 1, 2));
    assert_eq!(bench.cache.end_attempt(attempt), 1);
    assert_eq!(lock(&bench.started).len(), 1);
}
