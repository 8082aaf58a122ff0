//! The application's own named accumulators.

use maud::{html, Markup};

use super::links::Rows;
use super::most;
use super::parts::{columns, line, more, name, rest};
use crate::report::format;
use crate::report::model::{Accumulator, Amount, Figure, View};
use crate::report::pick;

/// The section on named accumulators.
pub(super) fn section(view: &View, rows: &Rows) -> Markup {
    html! {
        section id="accumulators" {
            h2 { "Accumulators" }
            @if view.accumulators.is_empty() {
                p.quiet { "The application has no named accumulators of its own." }
            } @else {
                p.lede {
                    "Named accumulators of the application, counted once for each RDD that ends a stage, or each branch "
                    "of a union there, with the attempted value. Figures of one accumulator are never summed: their rows "
                    "may be the same."
                }
                table.accumulators.stack {
                    (columns(&[("Name", ""), ("Committed", "n"), ("Attempted", "n"), ("Exactness", ""), ("Where", "")]))
                    tbody {
                        @for accumulator in view.accumulators.iter().take(most::ACCUMULATORS) {
                            (figures(accumulator, rows))
                        }
                    }
                }
                (rest(view.accumulators.len().saturating_sub(most::ACCUMULATORS), "accumulator", "accumulators"))
            }
        }
    }
}

/// A row for each figure.
fn figures(accumulator: &Accumulator, rows: &Rows) -> Markup {
    let (left, newest) = pick::last(&accumulator.scopes, most::SCOPES);
    let heading = html! { th scope="row" { span.name { (name(&accumulator.name)) } } };
    html! {
        @for (scope, figure) in newest { tr { (heading) (cells(scope, figure, rows)) } }
        @if left > 0 {
            tr { (heading) td.quiet colspan="4" { (more(left, "earlier figure", "earlier figures")) } }
        }
    }
}

fn cells(scope: &str, figure: &Figure, rows: &Rows) -> Markup {
    let shown = |amount: Option<Amount>| amount.map_or("–".to_string(), format::amount);
    html! {
        td.n data-label="Committed" { (shown(figure.committed)) }
        td.n data-label="Attempted" {
            @if figure.attempted == figure.committed {
                span.quiet { (shown(figure.attempted)) }
            } @else {
                (shown(figure.attempted))
            }
        }
        td.exactness data-label="Exactness" {
            @if figure.exact {
                span.exact { "exact" }
            } @else {
                span.inexact { "not exact" } small.quiet { (line(&figure.reason)) }
            }
        }
        td.places data-label="Where" {
            span.mono { (name(scope)) }
            @if !figure.stages.is_empty() {
                small {
                    span.quiet { (if figure.stages.len() == 1 { "stage" } else { "stages" }) } " "
                    (rows.links(&figure.stages))
                }
            }
        }
    }
}
