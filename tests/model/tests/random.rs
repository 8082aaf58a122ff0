//! Random operations on a cache and on its model, compared after each: at least 100,000 by default.
//!
//! `MODEL_CASES` sets the number of sequences, `MODEL_SEED` their random seed. A failing sequence is shrunk
//! to the shortest one that still fails, and printed.

#![allow(clippy::expect_used, reason = "every line here is test code")]

use andiron::cache::CacheSettings;
use andiron_model::op::{op, Op};
use andiron_model::twin::Twin;
use andiron_model::{config, variable};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::time::Duration;

const LENGTH: usize = 200;

fn settings() -> impl Strategy<Value = CacheSettings> {
    (
        1u64..60,
        prop_oneof![3 => Just(None), 1 => (1u64..5).prop_map(Some)],
        0u64..40,
        any::<bool>(),
        0u64..800,
    )
        .prop_map(|(budget, versions, beyond, keep_warm, memory)| CacheSettings {
            budget_bytes: budget,
            budget_versions: versions,
            hard_limit_bytes: budget + beyond,
            keep_warm,
            failure_memory: Duration::from_millis(memory),
            load_timeout: Duration::from_secs(5),
            wait_timeout: Duration::from_secs(12),
            deadlock_after: Duration::from_secs(3),
            ..CacheSettings::for_tests()
        })
}

#[test]
fn the_cache_does_what_its_model_does() {
    let config = Config { max_shrink_iters: 20_000, ..config(variable("MODEL_CASES", 1200) as u32) };
    let operations = std::sync::atomic::AtomicU64::new(0);
    proptest!(config, |(settings in settings(), ops in prop::collection::vec(op(), 1..LENGTH))| {
        let mut twin = Twin::new(settings);
        // A catalog and a task at the beginning, so that every sequence has objects to act on.
        for first in [Op::Open { dataset: 0, versions: 31, sized: 23 }, Op::Begin(false), Op::OpenCursor(0, true)] {
            twin.apply(&first);
        }
        for op in &ops {
            twin.apply(op);
        }
        twin.end();
        operations.fetch_add(ops.len() as u64, std::sync::atomic::Ordering::Relaxed);
    });
    println!("{} operations, seed {}", operations.into_inner(), variable("MODEL_SEED", 1));
}
