//! The health of the ship log and of the sinks.

use maud::{html, Markup};

use super::parts::{columns, line, name};
use crate::event::SinkHealth;
use crate::report::format;
use crate::report::model::{Health, View};

/// The limit of causes and counts in one list.
const MOST: usize = 12;

/// The section on shipping.
pub(super) fn section(view: &View) -> Markup {
    html! {
        section id="shipping" {
            h2 { "Shipping" }
            @if let Some(health) = &view.health {
                (counts(health))
                @for (cause, n) in health.log.lost.iter().take(MOST) {
                    p.notice.bad {
                        span { "The log lost " (format::some(*n, "event", "events")) ": " (line(cause)) }
                    }
                }
                @if !health.callbacks.first.is_empty() {
                    p.notice.bad { span { "First error of a callback: " (line(&health.callbacks.first)) } }
                }
                @if !health.sinks.is_empty() { (sinks(health)) }
            } @else {
                p.quiet { "The log says nothing of its own health." }
            }
        }
    }
}

fn counts(health: &Health) -> Markup {
    let error = |is_error: bool| is_error.then_some("error");
    html! {
        dl.facts {
            @for (counter, n) in health.listener.iter().take(MOST) {
                div {
                    dt { "Listener: " (name(counter)) }
                    dd class=[error(health.is_loss(counter) && *n > 0)] { (format::count(*n)) }
                }
            }
            div {
                dt { "Callback errors" }
                dd class=[error(health.callbacks.errors > 0)] { (format::count(health.callbacks.errors)) }
            }
            @for (fact, value) in health.log_counts().iter() {
                div {
                    dt { "Log: " (name(fact)) }
                    dd { @if let Ok(n) = value.parse() { (format::count(n)) } @else { (name(value)) } }
                }
            }
        }
    }
}

fn sinks(health: &Health) -> Markup {
    html! {
        table.tiny.sinks {
            (columns(&[("Sink", ""), ("Sent", "n"), ("Retried", "n"), ("Behind", "n"), ("Dropped", "")]))
            tbody {
                @for (sink_name, sink) in health.sinks.iter().take(50) {
                    tr {
                        th scope="row" { (name(sink_name)) }
                        @for n in [sink.sent, sink.retried, sink.behind] { td.n { (format::count(n)) } }
                        td { (dropped(sink)) }
                    }
                }
            }
        }
    }
}

fn dropped(sink: &SinkHealth) -> Markup {
    let dropped: Vec<_> = sink.dropped.iter().filter(|(_, n)| **n > 0).collect();
    html! {
        @if dropped.is_empty() { span.quiet { "none" } }
        @for (cause, n) in dropped.into_iter().take(MOST) {
            span.error { (format::count(*n)) } " " (name(cause)) " "
        }
        @if !sink.failed.is_empty() {
            div.quiet {
                "calls that failed:"
                @for (cause, n) in sink.failed.iter().take(MOST) { " " (format::count(*n)) " " (name(cause)) }
            }
        }
        @if !sink.last_failure.is_empty() { div.quiet { "last failure: " (line(&sink.last_failure)) } }
    }
}
