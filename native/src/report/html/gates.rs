//! Gates, the first section: failures with their causes, passes, gates in trouble, and notices about the run.

use maud::{html, Markup};

use super::most;
use super::parts::{bar, line, rest, short};
use crate::report::format;
use crate::report::model::{Cause, Outcome, Verdict, View};
use crate::report::pick;

/// The section on gates.
pub(super) fn section(view: &View) -> Markup {
    let picked = pick::verdicts(view, most::VERDICTS);
    let (failed, passed): (Vec<&Verdict>, Vec<&Verdict>) =
        picked.shown.iter().partition(|verdict| !verdict.passed);
    html! {
        section id="gates" aria-label="Gates" {
            (notices(view))
            @for verdict in failed { (failure(view, verdict)) }
            @if !passed.is_empty() {
                div.card.good { ul.passes { @for verdict in passed { (pass(verdict)) } } }
            }
            (rest(picked.left, "verdict", "verdicts"))
            (troubled(view))
            @if view.verdicts.is_empty() && view.gates.is_empty() {
                div.card.calm {
                    p { "No gate was set: nothing decides whether the dropped rows are too many." }
                }
            }
        }
    }
}

/// Gates that were never asked or were bypassed.
fn troubled(view: &View) -> Markup {
    let gates = view.gates.iter().take(most::VERDICTS);
    html! {
        @for (gate, trouble) in gates.filter_map(|gate| Some((gate, gate.trouble()?))) {
            p.notice.warn {
                span {
                    "The gate of " b { (line(&gate.step)) } " was " (trouble)
                    @if !gate.last_bypass.is_empty() { ", last by " code { (line(&gate.last_bypass)) } }
                    "."
                }
            }
        }
    }
}

fn notices(view: &View) -> Markup {
    let application = &view.application;
    html! {
        @if !application.predecessor.is_empty() {
            p.notice.warn {
                span {
                    "This run"
                    @if !application.run.is_empty() { " (" b { (line(&application.run)) } ")" }
                    " was begun by " b.mono { (line(&application.predecessor)) } ", which never ended."
                }
            }
        }
        @if let Some(open) = view.outcome.why_open() {
            p.notice.warn {
                span {
                    (open)
                    @if view.last_ms > 0 { ". The last event is of " (format::instant(view.last_ms)) " UTC" }
                    "."
                }
            }
        }
        @if let Outcome::Failed(code) = view.outcome {
            p.notice.bad { span { "The application ended with exit code " (code) "; no gate failed." } }
        }
        @for note in view.notes.iter().take(most::NOTES) {
            p.notice.warn { span { (line(note)) } }
        }
    }
}

fn failure(view: &View, verdict: &Verdict) -> Markup {
    html! {
        div.card.bad {
            p.eyebrow { (layer(&verdict.gate)) }
            h2 {
                (line(&verdict.step))
                @if let (Some(dropped), Some(input)) = (verdict.dropped, verdict.input) {
                    " dropped " b { (format::count(dropped)) } " of " (format::some(input, "row", "rows"))
                } @else {
                    " did not pass its gate"
                }
                @if verdict.is_unknown() { ", and cannot be judged" }
            }
            (gauge(verdict))
            @if !verdict.reason.is_empty() { p.reason { (line(&verdict.reason)) } }
            @if !verdict.causes.is_empty() { (causes(view, verdict)) }
            @if !verdict.write.is_empty() {
                p.write.quiet { (write(&verdict.gate)) " " code { (line(&verdict.write)) } }
            }
        }
    }
}

/// The ratio with its limit, as a gauge.
fn gauge(verdict: &Verdict) -> Markup {
    let limits = limits(verdict);
    let limit = verdict.limit_ratio.filter(|limit| *limit > 0.0);
    let times = verdict.ratio.zip(limit).map(|(ratio, limit)| ratio / limit);
    html! {
        p.gauge {
            @if let Some(ratio) = verdict.ratio { b.ratio { (format::percent(ratio)) } }
            @if !limits.is_empty() { span { "limit " (limits) } }
            @if let Some(times) = times.filter(|times| times.is_finite() && *times >= 1.05) {
                span { (times_of(times)) " × the limit" }
            }
        }
    }
}

fn times_of(times: f64) -> String {
    if times < 10.0 {
        format!("{times:.1}")
    } else {
        format::count(times.round() as u64)
    }
}

fn limits(verdict: &Verdict) -> String {
    let mut said = Vec::new();
    if let Some(ratio) = verdict.limit_ratio {
        said.push(format::percent(ratio));
    }
    if let Some(rows) = verdict.limit_rows {
        said.push(format::some(rows, "row", "rows"));
    }
    if let Some(rows) = verdict.min_rows.filter(|rows| *rows > 0) {
        said.push(format!("at least {}", format::some(rows, "row", "rows")));
    }
    said.join(", ")
}

fn causes(view: &View, verdict: &Verdict) -> Markup {
    let all: u64 = verdict.causes.iter().map(|cause| cause.count).max().unwrap_or(0).max(1);
    html! {
        table.causes {
            caption { "Top causes, by sampled rows" }
            tbody {
                @for cause in verdict.causes.iter().take(most::CAUSES) {
                    tr {
                        td.n { (format::count(cause.count)) }
                        td.share { (bar(0.0, cause.count as f64 / all as f64)) }
                        td { (link(view, cause)) }
                    }
                }
            }
        }
    }
}

/// The cause, with a link to its group if the page has that.
fn link(view: &View, cause: &Cause) -> Markup {
    let group = view.failures.iter().take(most::GROUPS).position(|group| group.is_of(cause));
    let name = if cause.group.is_empty() { short(&cause.class) } else { &cause.group };
    let name = html! { span.mono { (line(name)) } };
    html! {
        @if let Some(at) = group { a href={ "#f" (at) } { (name) } } @else { (name) }
        " " span.quiet { (line(&cause.text())) }
    }
}

fn pass(verdict: &Verdict) -> Markup {
    let limits = limits(verdict);
    html! {
        li {
            svg.tick viewBox="0 0 16 16" width="14" height="14" role="img" aria-label="passed" {
                path d="M3.5 8.5l3 3 6-7" fill="none" stroke="currentColor" stroke-width="1.8"
                    stroke-linecap="round" stroke-linejoin="round" {}
            }
            span {
                b { (line(&verdict.step)) } " dropped "
                @if let (Some(dropped), Some(input)) = (verdict.dropped, verdict.input) {
                    (format::count(dropped)) " of " (format::some(input, "row", "rows"))
                } @else {
                    "an unknown number of rows"
                }
            }
            span.quiet {
                @if let Some(ratio) = verdict.ratio { (format::percent(ratio)) }
                @if !limits.is_empty() { ", limit " (limits) }
            }
            span.quiet.layer { (layer(&verdict.gate)) }
            @if !verdict.reason.is_empty() { span.quiet.why { (line(&verdict.reason)) } }
            @if verdict.is_unknown() { span.quiet.why { "cannot be judged, and may pass" } }
            @if !verdict.write.is_empty() {
                span.quiet.path { "Written: " code { (line(&verdict.write)) } }
            }
        }
    }
}

fn layer(gate: &str) -> &'static str {
    match gate {
        "commit" => "Gate at commit",
        "guard" => "Gate in guard",
        "early" => "Early warning",
        "all dropped" => "All rows dropped",
        _ => "Gate",
    }
}

fn write(gate: &str) -> &'static str {
    match gate {
        "commit" | "early" => "Not written:",
        _ => "Write:",
    }
}
