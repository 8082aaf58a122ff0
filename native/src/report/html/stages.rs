//! Stages: the timeline, and a row for each stage attempt with its steps and the counters that it changed.

use maud::{html, Markup};

use super::links::{anchor, Rows};
use super::most;
use super::parts::{bar, block, columns, line, more, name, rest};
use super::timeline::{class, timeline, Span};
use crate::event::OWN_COUNTERS;
use crate::report::format;
use crate::report::model::{Stage, View};
use crate::report::pick::{last, Picked};

/// The section on stages.
pub(super) fn section(view: &View, picked: &Picked<'_, Stage>, rows: &Rows) -> Markup {
    // The span is that of the newest stages: in a long run, older ones would leave them no room.
    let (_, newest) = last(&view.stages, most::BARS);
    let span = Span::of(view, newest);
    html! {
        section id="stages" {
            h2 { "Stages" }
            @if view.stages.is_empty() {
                p.quiet { "No stage has run." }
            } @else {
                @if let Some(order) = picked.order("stages") {
                    p.lede {
                        (order) "."
                        @if view.stages.len() > newest.len() {
                            " The timeline is that of the "
                            (format::some(newest.len() as u64, "newest stage", "newest stages")) "."
                        }
                    }
                }
                (timeline(newest, &span, rows))
                table.stages.stack {
                    (columns(&[
                        ("Stage", "n"), ("Name", ""), ("Changed", ""),
                        ("Tasks", "n"), ("Took", "n"), ("When", "when"),
                    ]))
                    tbody { @for stage in &picked.shown { (row(view, stage, &span)) } }
                }
                (rest(picked.left, "stage", "stages"))
                (skipped(view))
            }
        }
    }
}

fn skipped(view: &View) -> Markup {
    let (left, newest) = last(&view.skipped, most::SCOPES);
    let listed: Vec<String> = newest.iter().map(u64::to_string).collect();
    html! {
        @if !view.skipped.is_empty() {
            p.quiet {
                (format::some(view.skipped.len() as u64, "stage was", "stages were"))
                " skipped, since their output existed: "
                @if left > 0 { (more(left, "stage", "stages")) ", " }
                (listed.join(", ")) "."
            }
        }
    }
}

fn row(view: &View, stage: &Stage, span: &Span) -> Markup {
    html! {
        tr.(class(stage)) id=(anchor(stage.id())) {
            th.n scope="row" { (stage.id().to_string()) }
            td.what {
                span.name { (line(&stage.name)) }
                @if !stage.call_site.is_empty() && stage.call_site != stage.name {
                    span.site { (line(&stage.call_site)) }
                }
                @if !stage.failure.is_empty() {
                    details.why { summary.inexact { "failed" } pre tabindex="0" { (block(&stage.failure)) } }
                }
            }
            td.changed data-label="Changed" { (changed(stage)) }
            td.n data-label="Tasks" {
                (format::count(stage.tasks.unwrap_or(0)))
                @if stage.failed_tasks > Some(0) {
                    small.inexact { (format::count(stage.failed_tasks.unwrap_or(0))) " failed" }
                } @else if stage.succeeded_tasks < stage.tasks {
                    small.quiet { (format::count(stage.succeeded_tasks.unwrap_or(0))) " done" }
                }
            }
            td.n data-label="Took" {
                @if let Some(took) = stage.took_ms(view.until_ms()) {
                    (format::duration(took))
                } @else {
                    span.quiet { "–" }
                }
            }
            td.when { @if let Some((start, end)) = span.place(stage) { (bar(start, end)) } }
        }
    }
}

fn changed(stage: &Stage) -> Markup {
    const SHOWN: usize = 4;
    // A step's name implies its three own counters.
    let implied = |name: &str| {
        let own = |counter: &str| OWN_COUNTERS.contains(&counter);
        let of = |step: &String| name.strip_prefix(step.as_str()).and_then(|rest| rest.strip_prefix('.'));
        stage.steps.iter().any(|step| of(step).is_some_and(own))
    };
    let counters: Vec<&String> = stage.changed.iter().filter(|name| !implied(name)).collect();
    let (shown, others) = counters.split_at(counters.len().min(SHOWN));
    let list =
        |counters: &[&String]| html! { @for counter in counters { span.counter { (name(counter)) } " " } };
    html! {
        @for step in stage.steps.iter().take(most::LINKS) { span.chip { (name(step)) } " " }
        (list(shown))
        @if !others.is_empty() {
            details.inline {
                summary { (format::count(others.len() as u64)) " more" }
                (list(&others[..others.len().min(most::COUNTERS)]))
            }
        }
    }
}
