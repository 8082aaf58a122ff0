//! The programs that `GateProgramsSuite` runs on a real Spark equal those of the model.

#![allow(clippy::unwrap_used, reason = "every line here is test code")]

use andiron_model::gates::export::programs;

/// `cargo run -p andiron-model --bin gate-programs > jvm/src/test/resources/gate-programs.json` writes them
/// anew.
#[test]
fn the_checked_in_programs_are_the_models() {
    if std::env::var_os("MODEL_SEED").is_some() {
        return;
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../jvm/src/test/resources/gate-programs.json");
    let made: String = programs(50).iter().map(|program| format!("{program}\n")).collect();
    assert!(
        std::fs::read_to_string(file).unwrap() == made,
        "{file} differs from the output of gate-programs: write it anew"
    );
}
