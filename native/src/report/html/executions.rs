//! SQL executions and their plans.

use maud::{html, Markup};

use super::most;
use super::parts::{block, line, rest};
use crate::report::format;
use crate::report::model::View;
use crate::report::pick;

/// The section on SQL executions; empty without any.
pub(super) fn section(view: &View) -> Markup {
    let picked = pick::executions(view, most::EXECUTIONS);
    html! {
        @if !view.executions.is_empty() {
            section id="executions" {
                h2 { "Executions" }
                @if let Some(order) = picked.order("executions") { p.lede { (order) "." } }
                @for execution in &picked.shown {
                    details.log {
                        summary {
                            span.where { (execution.id) }
                            span.message { (line(&execution.description)) }
                            span.at.quiet {
                                @if let Some((start, end)) = execution.started_ms.zip(execution.ended_ms) {
                                    (format::duration(end.saturating_sub(start)))
                                } @else {
                                    "not ended"
                                }
                            }
                        }
                        @if !execution.failure.is_empty() { p.reason.error { (line(&execution.failure)) } }
                        pre tabindex="0" { (block(&execution.plan)) }
                    }
                }
                (rest(picked.left, "execution", "executions"))
            }
        }
    }
}
