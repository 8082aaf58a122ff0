//! Random programs in a model of Spark's scheduler; the answers of gates on each write and guard against the
//! truth.
//!
//! `GATE_CASES` sets the number of programs, `MODEL_TIMES` multiplies it, `MODEL_SEED` is the random seed. A
//! program with a wrong answer is shrunk and printed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "every line here is test code")]

use andiron_model::gates::program::{program, Program};
use andiron_model::gates::rules::{Answer, Beside, Own, Rules};
use andiron_model::gates::run::{run, Judge, Judged};
use andiron_model::gates::spark::Ways;
use andiron_model::{config, variable};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::RefCell;

/// The number of each answer of a judge, and of its errors of each kind.
#[derive(Debug, Default, Clone)]
struct Tally {
    passed: u64,
    failed: u64,
    unknown: u64,
    published_wrongly: u64,
    failed_wrongly: u64,
    needlessly_unknown: u64,
}

impl Tally {
    fn add(&mut self, one: &Judged, at: usize) -> Option<&'static str> {
        let answer = one.answers[at];
        let fault = one.fault(answer);
        let (count, wrong) = match answer {
            Answer::Passed => (&mut self.passed, &mut self.published_wrongly),
            Answer::Failed => (&mut self.failed, &mut self.failed_wrongly),
            Answer::Unknown => (&mut self.unknown, &mut self.needlessly_unknown),
        };
        *count += 1;
        *wrong += u64::from(fault.is_some());
        fault
    }

    fn judged(&self) -> u64 {
        self.passed + self.failed + self.unknown
    }

    /// The unknown answers per thousand.
    fn unknown_share(&self) -> u64 {
        self.unknown * 1000 / self.judged().max(1)
    }
}

fn cases() -> Config {
    Config { max_shrink_iters: 20_000, ..config(variable("GATE_CASES", 10_000) as u32) }
}

/// The most unknown answers per thousand writes and guards. The programs consist of faults: the share shows
/// how much a rule gives up, not how often a user meets it.
const MOST_UNKNOWN: u64 = 130;

#[test]
fn no_write_is_published_that_should_not_be_and_none_fails_that_should_pass() {
    let told = RefCell::new((Tally::default(), Tally::default(), 0_u64));
    let judged = |program: &Program| -> Result<(), TestCaseError> {
        let mut told = told.borrow_mut();
        told.2 += 1;
        for one in run(program, &[Judge::Product, Judge::Naive(Rules::PAGE)], Ways::PRODUCT) {
            let product = told.0.add(&one, 0);
            let naive = told.1.add(&one, 1);
            if let Some(fault) = product.or(naive) {
                return Err(TestCaseError::fail(format!("{fault}: {one:?}")));
            }
            prop_assert_eq!(
                one.answers[0],
                one.answers[1],
                "the product does not judge by its documentation: {:?}",
                one
            );
            prop_assert!(
                !program.is_clean() || one.answers[0] != Answer::Unknown || one.is_excused(),
                "{one:?}"
            );
        }
        Ok(())
    };
    let ran = TestRunner::new(cases()).run(&program(false), |program| judged(&program));
    let (product, _, programs) = told.into_inner();
    println!(
        "{programs} programs, seed {}: {product:?}, {} ‰ unknown",
        variable("MODEL_SEED", 1),
        product.unknown_share()
    );
    ran.unwrap();
    assert!(product.unknown_share() <= MOST_UNKNOWN, "{product:?}");
}

/// The programs must detect wrong judges, such as these.
#[test]
fn wrong_rules_are_found() {
    let wrong = [
        (
            "the newest complete cell, regardless of its fate",
            Rules { own: Own::NewestComplete, ..Rules::PAGE },
        ),
        ("own cells before foreign ones", Rules { beside: Beside::Never, ..Rules::PAGE }),
        ("successes only", Rules { kept: false, ..Rules::PAGE }),
        ("the rules as they were first written", Rules::IN_ORDER),
    ];
    let judges: Vec<Judge> = wrong.iter().map(|(_, rules)| Judge::Naive(*rules)).collect();
    let told = RefCell::new(vec![Tally::default(); wrong.len()]);
    let ran = TestRunner::new(cases()).run(&program(false), |program| {
        for one in run(&program, &judges, Ways::PRODUCT) {
            told.borrow_mut().iter_mut().enumerate().for_each(|(at, tally)| {
                let _ = tally.add(&one, at);
            });
        }
        Ok(())
    });
    ran.unwrap();
    for (tally, (name, _)) in told.into_inner().iter().zip(wrong) {
        println!("{name}: {tally:?}");
        assert!(tally.published_wrongly > 0, "{name}");
    }
}
