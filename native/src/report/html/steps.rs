//! Steps in execution order, with all known figures of their counters.

use maud::{html, Markup};

use super::links::Rows;
use super::most;
use super::parts::{columns, line, more, name, plain, rest};
use crate::report::format;
use crate::report::model::{Figure, Samples, Step, View};
use crate::report::pick;

/// The number of a step's counters that are shown at once. A click opens the others.
const OPEN_COUNTERS: usize = 12;

/// The section on steps.
pub(super) fn section(view: &View, rows: &Rows) -> Markup {
    let picked = pick::steps(view, most::STEPS);
    html! {
        section id="steps" {
            h2 { "Steps" }
            @if view.steps.is_empty() {
                p.quiet { "No step counted anything." }
            } @else {
                p.lede {
                    (picked.order("steps").as_deref().unwrap_or("In execution order"))
                    ". A figure counts each row once; if rows were evaluated more than once, the " i { "attempted" }
                    " value is below it, as in Spark’s accumulators."
                }
                table.steps.stack {
                    (columns(&[
                        ("Step", ""), ("In", "n"), ("Out", "n"),
                        ("Dropped", "n"), ("Drop ratio", "n"), ("Exactness", ""),
                    ]))
                    @for step in &picked.shown { (body(step, rows)) }
                }
                (rest(picked.left, "step", "steps"))
            }
        }
    }
}

fn body(step: &Step, rows: &Rows) -> Markup {
    html! {
        tbody class=[step.failed.then_some("failed")] {
            tr.main {
                th scope="row" {
                    span.name { (name(&step.name)) }
                    @if !step.site.is_empty() { span.site { (line(&step.site)) } }
                }
                td.n data-label="In" { (value(step.input.as_ref())) }
                td.n data-label="Out" { (value(step.output.as_ref())) }
                td.n data-label="Dropped" { (value(step.dropped.as_ref())) }
                td.n.ratio data-label="Drop ratio" { (ratio(step)) }
                td.exactness data-label="Exactness" { (exactness(step)) }
            }
            tr.about-it { td colspan="6" { (counters(step)) (details(step, rows)) } }
        }
    }
}

fn value(figure: Option<&Figure>) -> Markup {
    html! {
        @if let Some(figure) = figure {
            (amount(figure))
            @if let Some(attempted) = attempted(figure) { small { (attempted) } }
        } @else {
            span.quiet { "–" }
        }
    }
}

/// The committed figure, marked unless it is exact.
fn amount(figure: &Figure) -> Markup {
    let shown = figure.committed.map_or("unknown".to_string(), format::amount);
    let reason = if figure.reason.is_empty() { "no reason given" } else { figure.reason.as_str() };
    html! {
        @if figure.exact {
            span.v { (shown) }
        } @else {
            span.v.about title=(plain(&format!("not exact: {reason}"))) { (shown) }
        }
    }
}

/// The attempted figure, if it differs from the committed one.
fn attempted(figure: &Figure) -> Option<Markup> {
    let attempted = figure.attempted.filter(|_| figure.ran_again())?;
    Some(html! { span.quiet { "attempted" } " " (format::amount(attempted)) })
}

fn ratio(step: &Step) -> Markup {
    html! {
        @if let Some(ratio) = step.drop_ratio() {
            span.v { (format::percent(ratio)) }
        } @else {
            span.quiet { "–" }
        }
        @if let Some(limit) = step.limit { small { span.quiet { "limit" } " " (format::percent(limit)) } }
    }
}

fn exactness(step: &Step) -> Markup {
    let partitions = step.figures().filter_map(Figure::partitions).find(|(have, all)| have < all);
    html! {
        @if step.is_exact() { span.exact { "exact" } } @else { span.inexact { "not exact" } }
        @if step.figures().any(|figure| !figure.settled) { small.quiet { "so far" } }
        @if let Some((have, all)) = partitions {
            small.quiet { (format::count(have)) " of " (format::some(all, "partition", "partitions")) }
        }
    }
}

fn counters(step: &Step) -> Markup {
    let (open, closed) = step.own.split_at(step.own.len().min(OPEN_COUNTERS));
    let (shown, left) = closed.split_at(closed.len().min(most::COUNTERS));
    html! {
        @if !open.is_empty() { (list(step, open)) }
        @if !closed.is_empty() {
            details {
                summary { (format::some(closed.len() as u64, "more counter", "more counters")) }
                (list(step, shown))
                @if !left.is_empty() { (more(left.len(), "counter", "counters")) }
            }
        }
    }
}

fn list(step: &Step, figures: &[Figure]) -> Markup {
    let input = step.input.as_ref().and_then(|figure| figure.committed).map(|amount| amount.as_f64());
    let input = input.filter(|rows| *rows > 0.0);
    html! {
        ul.counters {
            @for figure in figures {
                li {
                    span.k title=(plain(&figure.name)) { (name(&figure.name)) }
                    (amount(figure))
                    small { @if let Some(attempted) = attempted(figure) { (attempted) } }
                    small.quiet {
                        @if let Some((input, own)) = input.zip(figure.committed) {
                            @let share = own.as_f64() / input;
                            (format::share(share)) @if share.abs() <= 1.0 { " of in" }
                        }
                    }
                }
            }
        }
    }
}

fn details(step: &Step, rows: &Rows) -> Markup {
    let reasons = step.reasons();
    html! {
        @if !reasons.is_empty() {
            p.why {
                span.inexact { "Not exact:" } " "
                @for (at, reason) in reasons.iter().take(5).enumerate() {
                    @if at > 0 { "; " }
                    (line(reason))
                }
            }
        }
        p.where {
            @if !step.stages.is_empty() {
                span.quiet { "ran in " (if step.stages.len() == 1 { "stage" } else { "stages" }) } " "
                (rows.links(&step.stages))
            }
            @if !step.nodes.is_empty() {
                " " span.quiet { "as" } " "
                @for (at, node) in step.nodes.iter().take(most::LINKS).enumerate() {
                    @if at > 0 { ", " }
                    span.node { (name(node)) }
                }
                @if step.nodes.len() > most::LINKS { (more(step.nodes.len() - most::LINKS, "node", "nodes")) }
            }
            @if let Some(samples) = &step.samples { (sampled(samples)) }
        }
        (others(step))
    }
}

fn sampled(samples: &Samples) -> Markup {
    let rows = if samples.seen.max(samples.kept) == 1 { "row" } else { "rows" };
    html! {
        " " a.sampled href="#failures" {
            (format::count(samples.kept))
            @if samples.kept < samples.seen { " of " (format::count(samples.seen)) }
            " failed " (rows) " sampled"
        }
        @if samples.is_quietly_cut() { " " span.inexact { "samples are incomplete" } }
        @for bound in &samples.cut_by { " " span.quiet { "· " (line(bound)) } }
    }
}

/// The physical executions other than the one of the shown figure.
fn others(step: &Step) -> Markup {
    let figures: Vec<&Figure> = step.figures().filter(|figure| !figure.others.is_empty()).collect();
    let most_others = figures.iter().map(|figure| figure.others.len()).max().unwrap_or(0);
    let pairs = figures.iter().flat_map(|figure| figure.others.iter().map(move |other| (figure, other)));
    html! {
        @if most_others > 0 {
            details.others {
                summary {
                    (format::some(most_others as u64, "other execution", "other executions")) " of this step"
                }
                p.quiet {
                    "Executions are never summed: the figure above is that of the newest one that covers every partition."
                }
                table.tiny {
                    (columns(&[("Counter", ""), ("Execution", ""), ("Value", "n"), ("Partitions", "n")]))
                    tbody {
                        @for (figure, other) in pairs.take(most::SCOPES) {
                            tr {
                                td { (name(&figure.name)) }
                                td { (other.instance.to_string()) }
                                td.n { (other.value.map_or("–".to_string(), format::amount)) }
                                td.n { (format::count(other.covered)) " of " (format::count(other.total)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
