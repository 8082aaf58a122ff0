//! Writes gate programs for a real Spark, one JSON object a line: `gate-programs COUNT`; `MODEL_SEED` is the
//! random seed.

#![allow(clippy::unwrap_used, reason = "a tool of the tests")]

fn main() {
    let count = std::env::args().nth(1).map_or(50, |count| count.parse().unwrap());
    for program in andiron_model::gates::export::programs(count) {
        println!("{program}");
    }
}
