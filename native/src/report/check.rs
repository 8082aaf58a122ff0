//! The result of an application's gates as an exit status.

use super::clean::{terminal, LINE, NAME};
use super::format;
use super::model::{Outcome, View};

/// Every gate has passed.
pub const PASSED: u8 = 0;
/// A gate has failed, was bypassed, or was never asked.
pub const NOT_PASSED: u8 = 1;
/// The result is unknown: the log has no end, has lost events, or has no gate, or a gate has passed rows that it
/// could not judge.
pub const CANNOT_TELL: u8 = 2;

/// The status, and its reason.
pub fn check(view: &View) -> (u8, String) {
    let mut against: Vec<String> = Vec::new();
    let refused = view.verdicts.iter().filter(|verdict| !verdict.passed);
    against.extend(refused.map(|verdict| {
        let what = if verdict.is_unknown() { "could not be judged" } else { "failed" };
        let (step, reason) = (terminal(&verdict.step, NAME), terminal(&verdict.reason, LINE));
        format!("{step} {what} ({}): {reason}", verdict.layer())
    }));
    let troubled = view.gates.iter().filter_map(|gate| Some((gate, gate.trouble()?)));
    against.extend(
        troubled.map(|(gate, trouble)| format!("the gate of {} was {trouble}", terminal(&gate.step, NAME))),
    );
    if !against.is_empty() {
        return (NOT_PASSED, lines(&against));
    }
    let mut unsure: Vec<String> = Vec::new();
    let doubtful = view.verdicts.iter().filter(|verdict| verdict.is_unknown());
    unsure
        .extend(doubtful.map(|verdict| {
            format!("{} passed though it could not be judged", terminal(&verdict.step, NAME))
        }));
    if view.application.ended_ms.is_none() {
        let why = view.outcome.why_open().unwrap_or(Outcome::Open.why_open().unwrap_or_default());
        unsure.push(why.to_string());
    }
    if view.health.as_ref().is_some_and(|health| !health.log.lost.is_empty()) {
        unsure.push("the log has lost events".to_string());
    }
    if view.verdicts.is_empty() && view.gates.is_empty() {
        unsure.push("no gate was set".to_string());
    }
    if unsure.is_empty() {
        let gates = view.gates.len().max(1);
        let verdicts = format::some(view.verdicts.len() as u64, "verdict", "verdicts");
        (PASSED, format!("all gates passed: {gates}, with {verdicts}\n"))
    } else {
        (CANNOT_TELL, lines(&unsure))
    }
}

fn lines(all: &[String]) -> String {
    all.iter().map(|line| format!("{line}\n")).collect()
}
