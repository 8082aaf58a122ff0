//! Failed rows by stack. A click opens a group, and another one a row of it.

use maud::{html, Markup};

use super::links::Rows;
use super::most;
use super::parts::{bar, block, line, more, name, plain, rest, short, text};
use crate::report::clean::Limit;
use crate::report::format;
use crate::report::model::{Group, Sample, View};

/// The limit of a record in a page.
const RECORD: Limit = Limit { characters: 4 << 10, lines: true };

/// The section on failed rows.
pub(super) fn section(view: &View, rows: &Rows) -> Markup {
    let (seen, kept) = totals(view);
    let all = view.sample_count().max(1);
    let mut left = most::SAMPLES;
    html! {
        section id="failures" {
            h2 { "Failed rows" }
            @if view.failures.is_empty() {
                p.quiet { "No row failed in a step." }
            } @else {
                p.lede {
                    (format::some(view.sample_count() as u64, "sampled row", "sampled rows"))
                    ", grouped by where they were thrown."
                    @if seen > kept {
                        " " (format::some(seen, "row", "rows"))
                        " failed; which of them are kept does not depend on the order of tasks."
                    }
                }
                @for (at, one) in view.failures.iter().take(most::GROUPS).enumerate() {
                    @let shown = one.samples.len().min(most::SAMPLES_PER_GROUP).min(left);
                    (group(one, at, all, shown, rows))
                    @let () = left -= shown;
                }
                (rest(view.failures.len().saturating_sub(most::GROUPS), "stack", "stacks"))
            }
        }
    }
}

/// Failed rows that were seen and kept, each step once.
fn totals(view: &View) -> (u64, u64) {
    let mut steps: Vec<&str> = Vec::new();
    let (mut seen, mut kept) = (0u64, 0u64);
    for step in &view.steps {
        if let (Some(samples), false) = (&step.samples, steps.contains(&step.name.as_str())) {
            steps.push(&step.name);
            seen = seen.saturating_add(samples.seen);
            kept = kept.saturating_add(samples.kept);
        }
    }
    (seen, kept)
}

/// A group with its first `shown` rows.
fn group(group: &Group, at: usize, all: usize, shown: usize, rows: &Rows) -> Markup {
    let title = if group.name.is_empty() { short(&group.class) } else { &group.name };
    html! {
        details.group id={ "f" (at) } {
            summary {
                span.n { (format::count(group.samples.len() as u64)) }
                span.share { (bar(0.0, group.samples.len() as f64 / all as f64)) }
                span.cause {
                    b title=(plain(group.title())) { (name(title)) } " "
                    span.message { (line(&group.text())) }
                }
                span.tags { @for (step, _) in group.steps.iter().take(3) { span.chip { (name(step)) } } }
            }
            div.body {
                (about(group))
                @if let Some(stack) = &group.stack { pre.stack-trace tabindex="0" { (block(stack)) } }
                div.samples { @for one in &group.samples[..shown] { (sample(one, group, rows)) } }
                (rest(group.samples.len() - shown, "row", "rows"))
            }
        }
    }
}

fn about(group: &Group) -> Markup {
    html! {
        dl.pairs {
            div { dt { "Class" } dd.mono { (line(&group.class)) } }
            div { dt { "Stack" } dd.mono { (line(&group.hash)) } }
            @if group.stacks > 1 {
                div {
                    dt { "Stacks" }
                    dd { (format::count(group.stacks as u64)) " different ones, of which this is the example’s" }
                }
            }
            @if group.messages > 1 {
                div { dt { "Messages" } dd { (format::count(group.messages as u64)) " different ones" } }
            }
            @if !group.versions.is_empty() {
                div {
                    dt { "Versions" }
                    dd {
                        @for (version, n) in group.versions.iter().take(8) {
                            span.chip { (name(version)) " " i { "× " (format::count(*n)) } } " "
                        }
                        @if group.versions.len() > 8 { (more(group.versions.len() - 8, "version", "versions")) }
                    }
                }
            }
        }
    }
}

fn sample(sample: &Sample, group: &Group, rows: &Rows) -> Markup {
    html! {
        details.sample {
            summary {
                code.key { (line(sample.key.as_deref().filter(|key| !key.is_empty()).unwrap_or("(no key)"))) }
                @if group.steps.len() > 1 { span.chip { (name(&sample.step)) } }
                span.message.quiet { (line(&sample.message)) }
                span.at {
                    @if !sample.committed { span.inexact { "attempt did not count" } " " }
                    @if !sample.version.is_empty() { span.chip { (name(&sample.version)) } " " }
                    @if let Some(stage) = sample.stage_id() { span.quiet { "stage" } " " (rows.link(stage)) }
                    @if let Some(partition) = sample.partition {
                        " " span.quiet { "partition" } " " (partition)
                    }
                }
            }
            div.body {
                dl.pairs {
                    div { dt { "Message" } dd { (line(&sample.message)) } }
                    div { dt { "Site" } dd { (line(&sample.site)) } }
                    div {
                        dt { "Task" }
                        dd {
                            @if let Some(attempt) = sample.task_attempt { "attempt " (attempt) }
                            @if !sample.executor.is_empty() { " on executor " (name(&sample.executor)) }
                            @if !sample.host.is_empty() { ", " (name(&sample.host)) }
                        }
                    }
                }
                @if let Some(record) = sample.record.as_deref().filter(|record| !record.is_empty()) {
                    pre tabindex="0" { (text(record, RECORD)) }
                    @if sample.cut { p.quiet { "The record was cut or redacted before it was logged." } }
                } @else {
                    p.quiet { "The row was not recorded." }
                }
            }
        }
    }
}
