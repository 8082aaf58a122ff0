//! The report for a terminal.

mod canvas;
mod failures;
mod most;
mod steps;

use super::clean::{terminal, LINE, NAME};
use super::format;
use super::model::{Outcome, Verdict, View};
use super::pick;
pub use canvas::Colour;
use canvas::Text;
use most::SHORT;

/// The report of `view`. Any text of the view is safe to print.
pub fn render(view: &View, colour: Colour) -> String {
    let mut text = Text { out: String::new(), colour };
    title(&mut text, view);
    gates(&mut text, view);
    steps::steps(&mut text, view);
    failures::failures(&mut text, view);
    steps::stages(&mut text, view);
    failures::accumulators(&mut text, view);
    failures::logs(&mut text, view);
    failures::health(&mut text, view);
    text.out
}

fn title(text: &mut Text, view: &View) {
    let application = &view.application;
    let outcome = match view.outcome {
        Outcome::EndedAtGate => text.bad("ENDED AT ITS GATE"),
        Outcome::GateFailed => text.bad("FAILED AT THE GATE"),
        Outcome::Failed(code) => text.bad(&format!("FAILED, exit code {code}")),
        Outcome::Ungated => text.warn("ENDED, UNGATED"),
        Outcome::Passed => text.good("PASSED"),
        Outcome::Ended => "ENDED".to_string(),
        Outcome::Running => text.warn("RUNNING"),
        Outcome::Killed => text.warn("NEVER ENDED"),
        Outcome::Open => text.warn("NOT ENDED"),
    };
    let name = if application.name.is_empty() { "Application" } else { &application.name };
    text.line(&format!("{}  {outcome}", text.paint("1", &terminal(name, NAME))));
    let mut facts = vec![terminal(&application.id, NAME)];
    let named = [("attempt", &application.attempt), ("run", &application.run), ("Spark", &application.spark)];
    for (what, value) in named.into_iter().filter(|(_, value)| !value.is_empty()) {
        facts.push(format!("{what} {}", terminal(value, NAME)));
    }
    for value in [&application.master, &application.user].into_iter().filter(|value| !value.is_empty()) {
        facts.push(terminal(value, NAME));
    }
    text.line(&facts.join(" · "));
    if let Some(started) = application.started_ms {
        let took = format::duration(view.until_ms().saturating_sub(started));
        let took = if application.ended_ms.is_some() {
            format!("took {took}")
        } else {
            format!("last heard of after {took}")
        };
        text.line(&format!("started {} UTC, {took}", format::instant(started)));
    }
    if !application.predecessor.is_empty() {
        let before = terminal(&application.predecessor, NAME);
        text.line(&text.warn(&format!("this run was begun by {before}, which never ended")));
    }
    if let Some(open) = view.outcome.why_open() {
        text.line(&text.warn(open));
    }
    for note in view.notes.iter().take(20) {
        text.line(&text.warn(&terminal(note, LINE)));
    }
}

fn gates(text: &mut Text, view: &View) {
    text.heading("Gates");
    if view.verdicts.is_empty() && view.gates.is_empty() {
        text.line("  no gate was set");
    }
    let troubled = view.gates.iter().filter_map(|gate| Some((gate, gate.trouble()?)));
    for (gate, trouble) in troubled.take(most::STEPS) {
        let last = if gate.last_bypass.is_empty() {
            String::new()
        } else {
            format!(", last by {}", terminal(&gate.last_bypass, LINE))
        };
        text.line(&format!("  {}  the gate of {}{last}", text.warn(&trouble), terminal(&gate.step, NAME)));
    }
    let picked = pick::verdicts(view, most::STEPS);
    for verdict in &picked.shown {
        gate(text, verdict);
    }
    text.more(picked.left, "verdict", "verdicts");
}

fn gate(text: &mut Text, verdict: &Verdict) {
    let mark = match (verdict.is_unknown(), verdict.passed) {
        (true, true) => text.warn("passed, though unknown"),
        (true, false) => text.bad("UNKNOWN"),
        (false, true) => text.good("passed"),
        (false, false) => text.bad("FAILED"),
    };
    let mut said = format!("  {mark}  {}", terminal(&verdict.step, NAME));
    if verdict.is_unknown() {
        said += " cannot be judged";
    }
    if let (Some(dropped), Some(input)) = (verdict.dropped, verdict.input) {
        said += &format!(" dropped {} of {}", format::count(dropped), format::some(input, "row", "rows"));
    }
    if let Some(ratio) = verdict.ratio {
        said += &format!(", {}", format::percent(ratio));
    }
    if let Some(limit) = verdict.limit_ratio {
        said += &format!(" (limit {})", format::percent(limit));
    }
    if let Some(rows) = verdict.limit_rows {
        said += &format!(" (limit {})", format::some(rows, "row", "rows"));
    }
    said += &format!(", {}", verdict.layer());
    text.line(&said);
    if !verdict.reason.is_empty() {
        text.line(&format!("          {}", terminal(&verdict.reason, LINE)));
    }
    for cause in verdict.causes.iter().take(5) {
        let (name, message) = (terminal(cause.name(), NAME), terminal(&cause.text(), SHORT));
        text.line(&format!("          {:>9}  {name}: {message}", format::count(cause.count)));
    }
    if !verdict.write.is_empty() {
        let what = if verdict.passed { "write" } else { "not written" };
        text.line(&format!("          {what}: {}", terminal(&verdict.write, LINE)));
    }
}
