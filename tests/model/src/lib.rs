//! The cache core against a naive model of it: the same operations on both, with every answer compared.
//!
//! | module | content |
//! |---|---|
//! | [`op`] | operations, and their random generation |
//! | [`model`] | the cache's intended behaviour in maps and loops, with every figure counted anew each time |
//! | [`policy`] | the model's budget: admission and eviction |
//! | [`tables`] | tables in memory, whose every version is one segment |
//! | [`twin`] | a cache and its model side by side |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "every line here is test code")]
#![allow(missing_docs, reason = "the core's names, which the core documents")]

pub mod gates;
pub mod model;
pub mod op;
pub mod policy;
pub mod tables;
pub mod twin;

use proptest::test_runner::{Config, RngSeed};

/// The value of a numeric environment variable.
pub fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The configuration for a property of a decoder: `cases` inputs, the same in every run. `MODEL_TIMES`
/// multiplies their number, `MODEL_SEED` changes them.
pub fn config(cases: u32) -> Config {
    let cases = cases.saturating_mul(variable("MODEL_TIMES", 1) as u32);
    let rng_seed = RngSeed::Fixed(variable("MODEL_SEED", 1));
    Config { cases, rng_seed, failure_persistence: None, ..Config::default() }
}
