//! Warnings and errors of driver and executors, by stage.

use maud::{html, Markup};

use super::most;
use super::parts::{line, name, plain, rest, short};
use crate::report::format;
use crate::report::model::{LogLine, StageLog, View};
use crate::report::pick;

/// The section on log lines.
pub(super) fn section(view: &View) -> Markup {
    let picked = pick::logs(view, most::LOG_STAGES);
    let mut left = most::LOG_LINES;
    html! {
        section id="logs" {
            h2 { "Warnings and errors" }
            @if view.logs.is_empty() {
                p.quiet { "Driver and executors logged neither." }
            } @else {
                @if let Some(order) = picked.order("stages with lines") { p.lede { (order) "." } }
                @for log in &picked.shown {
                    @let shown = log.lines.len().min(left.max(1));
                    (stage(view, log, shown))
                    @let () = left = left.saturating_sub(shown);
                }
                (rest(picked.left, "stage", "stages"))
            }
        }
    }
}

/// The first `shown` lines of a stage.
fn stage(view: &View, log: &StageLog, shown: usize) -> Markup {
    let of = |id: u64| view.stages.iter().find(|stage| stage.stage == Some(id));
    let stage_name = log.stage.and_then(of).map_or("", |stage| &stage.name);
    let hidden = (log.errors + log.warnings).saturating_sub(shown as u64);
    html! {
        details.log {
            summary {
                span.where { @if let Some(stage) = log.stage { "Stage " (stage) } @else { "No stage" } }
                span.message.quiet { (line(stage_name)) }
                span.at {
                    @if log.errors > 0 {
                        span.error { (format::kept(log.errors, log.kept_errors, ("error", "errors"))) } " "
                    }
                    @if log.warnings > 0 {
                        span.quiet { (format::kept(log.warnings, log.kept_warnings, ("warning", "warnings"))) }
                    }
                }
            }
            ol.lines { @for one in &log.lines[..shown] { (log_line(one)) } }
            (rest(hidden as usize, "line", "lines"))
            @if let Some(said) = format::left_out(&log.left_out) { p.quiet { (line(&said)) } }
        }
    }
}

fn log_line(one: &LogLine) -> Markup {
    html! {
        li class=[one.is_error().then_some("error")] {
            span.head {
                time { (format::clock(one.at_ms.unwrap_or(0))) } " "
                b { (if one.is_error() { "ERROR" } else { "WARN" }) } " "
                span.quiet title=(plain(&format!("{} {}", one.logger, one.thread))) {
                    @if one.executor != "driver" { "executor " }
                    (name(&one.executor)) " · " (name(short(&one.logger)))
                }
            }
            span.said { (line(&one.message)) }
        }
    }
}
