//! The cache core against a naive model of it: the same operations on both, and every answer compared.
//!
//! | module | what it is |
//! |---|---|
//! | [`op`] | operations, and how they are drawn |
//! | [`model`] | what the cache should do, in maps and loops, with every figure counted anew each time |
//! | [`policy`] | the model's budget: who is admitted and who goes |
//! | [`twin`] | a cache and its model side by side |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "every line here is test code")]
#![allow(missing_docs, reason = "the core's names, which the core documents")]

pub mod gates;
pub mod model;
pub mod op;
pub mod policy;
pub mod twin;

use proptest::test_runner::{Config, RngSeed};

/// The value of an environment variable, a number.
pub fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// How a property of a decoder is tried: with `cases` inputs, the same in every run. `MODEL_TIMES` makes them more, `MODEL_SEED` others.
pub fn config(cases: u32) -> Config {
    let cases = cases.saturating_mul(variable("MODEL_TIMES", 1) as u32);
    let rng_seed = RngSeed::Fixed(variable("MODEL_SEED", 1));
    Config { cases, rng_seed, failure_persistence: None, ..Config::default() }
}
