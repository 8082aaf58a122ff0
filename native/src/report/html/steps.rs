//! Steps in execution order, with all that is known of their counters.

use super::markup::Page;
use super::most;
use super::stages::links;
use crate::report::clean::{LINE, NAME};
use crate::report::format;
use crate::report::model::{Figure, Samples, Step, View};
use crate::report::pick;

/// Counters of a step that are shown at once; the others open.
const OPEN_COUNTERS: usize = 12;

/// The section on steps.
pub(super) fn section(page: &mut Page, view: &View) {
    page.raw("<section id=steps>\n<h2>Steps</h2>\n");
    if view.steps.is_empty() {
        page.raw("<p class=quiet>No step counted anything.</p>\n</section>\n");
        return;
    }
    let picked = pick::steps(view, most::STEPS);
    page.raw("<p class=lede>");
    match picked.order("steps") {
        Some(order) => page.say(&order),
        None => page.raw("In execution order"),
    };
    page.raw(". A figure counts each row once; ");
    page.raw("where more ran than counts, what was <i>attempted</i> stands beneath it, as Spark’s accumulators show it.</p>\n");
    page.raw(
        "<table class=\"steps stack\">\n<thead><tr><th scope=col>Step</th><th scope=col class=n>In</th>",
    );
    page.raw("<th scope=col class=n>Out</th><th scope=col class=n>Dropped</th><th scope=col class=n>Drop ratio</th>");
    page.raw("<th scope=col>Exactness</th></tr></thead>\n");
    for step in &picked.shown {
        one(page, step);
    }
    page.raw("</table>\n");
    if picked.left > 0 {
        page.raw("<p class=quiet>");
        page.left_out(picked.left, "step", "steps");
        page.raw("</p>\n");
    }
    page.raw("</section>\n");
}

fn one(page: &mut Page, step: &Step) {
    page.raw(if step.failed { "<tbody class=failed>\n" } else { "<tbody>\n" });
    page.raw("<tr class=main><th scope=row><span class=name>").text(&step.name, NAME).raw("</span>");
    if !step.site.is_empty() {
        page.raw("<span class=site>").line(&step.site).raw("</span>");
    }
    page.raw("</th>");
    page.raw("<td class=n data-label=In>");
    value(page, step.input.as_ref());
    page.raw("</td><td class=n data-label=Out>");
    value(page, step.output.as_ref());
    page.raw("</td><td class=n data-label=Dropped>");
    value(page, step.dropped.as_ref());
    page.raw("</td><td class=\"n ratio\" data-label=\"Drop ratio\">");
    ratio(page, step);
    page.raw("</td><td class=exactness data-label=Exactness>");
    exactness(page, step);
    page.raw("</td></tr>\n<tr class=about-it><td colspan=6>");
    counters(page, step);
    details(page, step);
    page.raw("</td></tr>\n</tbody>\n");
}

fn value(page: &mut Page, figure: Option<&Figure>) {
    let Some(figure) = figure else {
        page.raw("<span class=quiet>–</span>");
        return;
    };
    amount(page, figure);
    if figure.ran_again() {
        if let Some(attempted) = figure.attempted {
            page.raw("<small><span class=quiet>attempted</span> ")
                .say(&format::amount(attempted))
                .raw("</small>");
        }
    }
}

/// The committed figure; marked if it is not exact.
pub(super) fn amount(page: &mut Page, figure: &Figure) {
    let shown = figure.committed.map_or("unknown".to_string(), format::amount);
    if figure.exact {
        page.raw("<span class=v>").say(&shown).raw("</span>");
    } else {
        page.raw("<span class=\"v about\"")
            .attribute("title", &reason(figure))
            .raw(">")
            .say(&shown)
            .raw("</span>");
    }
}

/// Why a figure is not exact.
pub(super) fn reason(figure: &Figure) -> String {
    let why = if figure.reason.is_empty() { "no reason given" } else { figure.reason.as_str() };
    format!("not exact: {why}")
}

fn ratio(page: &mut Page, step: &Step) {
    match step.drop_ratio() {
        Some(ratio) => page.raw("<span class=v>").say(&format::percent(ratio)).raw("</span>"),
        None => page.raw("<span class=quiet>–</span>"),
    };
    if let Some(limit) = step.limit {
        page.raw("<small><span class=quiet>limit</span> ").say(&format::percent(limit)).raw("</small>");
    }
}

fn exactness(page: &mut Page, step: &Step) {
    if step.is_exact() {
        page.raw("<span class=exact>exact</span>");
    } else {
        page.raw("<span class=inexact>not exact</span>");
    }
    if step.figures().any(|figure| !figure.settled) {
        page.raw("<small class=quiet>so far</small>");
    }
    let partitions = step.figures().filter_map(|figure| figure.partitions).find(|(have, all)| have < all);
    if let Some((have, all)) = partitions {
        page.raw("<small class=quiet>").say(&format::count(have)).raw(" of ");
        page.say(&format::some(all, "partition", "partitions")).raw("</small>");
    }
}

fn counters(page: &mut Page, step: &Step) {
    let (open, closed) = step.own.split_at(step.own.len().min(OPEN_COUNTERS));
    if !open.is_empty() {
        list(page, step, open);
    }
    if !closed.is_empty() {
        page.raw("<details><summary>").say(&format::some(
            closed.len() as u64,
            "more counter",
            "more counters",
        ));
        page.raw("</summary>");
        list(page, step, &closed[..closed.len().min(most::COUNTERS)]);
        if closed.len() > most::COUNTERS {
            page.left_out(closed.len() - most::COUNTERS, "counter", "counters");
        }
        page.raw("</details>");
    }
}

fn list(page: &mut Page, step: &Step, figures: &[Figure]) {
    let input = step.input.as_ref().and_then(|figure| figure.committed).map(|amount| amount.as_f64());
    page.raw("<ul class=counters>");
    for figure in figures {
        page.raw("<li><span class=k")
            .attribute("title", &figure.name)
            .raw(">")
            .text(&figure.name, NAME)
            .raw("</span>");
        amount(page, figure);
        page.raw("<small>");
        if figure.ran_again() {
            if let Some(attempted) = figure.attempted {
                page.raw("<span class=quiet>attempted</span> ").say(&format::amount(attempted));
            }
        }
        page.raw("</small><small class=quiet>");
        if let (Some(input), Some(own)) = (input.filter(|rows| *rows > 0.0), figure.committed) {
            let share = own.as_f64() / input;
            page.say(&format::share(share)).raw(if share.abs() <= 1.0 { " of in" } else { "" });
        }
        page.raw("</small></li>");
    }
    page.raw("</ul>");
}

fn details(page: &mut Page, step: &Step) {
    let reasons = step.reasons();
    if !reasons.is_empty() {
        page.raw("<p class=why><span class=inexact>Not exact:</span> ");
        for (at, reason) in reasons.iter().take(5).enumerate() {
            page.raw(if at > 0 { "; " } else { "" }).text(reason, LINE);
        }
        page.raw("</p>");
    }
    page.raw("<p class=where>");
    if !step.stages.is_empty() {
        page.raw("<span class=quiet>ran in ").raw(if step.stages.len() == 1 { "stage" } else { "stages" });
        page.raw("</span> ");
        links(page, &step.stages);
    }
    if !step.nodes.is_empty() {
        page.raw(" <span class=quiet>as</span> ");
        for (at, node) in step.nodes.iter().take(most::LINKS).enumerate() {
            page.raw(if at > 0 { ", " } else { "" }).raw("<span class=node>").text(node, NAME).raw("</span>");
        }
        if step.nodes.len() > most::LINKS {
            page.left_out(step.nodes.len() - most::LINKS, "node", "nodes");
        }
    }
    if let Some(samples) = &step.samples {
        sampled(page, samples);
    }
    page.raw("</p>");
    others(page, step);
}

fn sampled(page: &mut Page, samples: &Samples) {
    page.raw(" <a class=sampled href=\"#failures\">").say(&format::count(samples.kept));
    if samples.kept < samples.seen {
        page.raw(" of ").say(&format::count(samples.seen));
    }
    let rows = if samples.seen.max(samples.kept) == 1 {
        " failed row sampled</a>"
    } else {
        " failed rows sampled</a>"
    };
    page.raw(rows);
    if samples.is_quietly_cut() {
        page.raw(" <span class=inexact>samples are incomplete</span>");
    }
    for bound in &samples.cut_by {
        page.raw(" <span class=quiet>· ").text(bound, LINE).raw("</span>");
    }
}

/// Physical executions besides the one whose figure is shown.
fn others(page: &mut Page, step: &Step) {
    let figures: Vec<&Figure> = step.figures().filter(|figure| !figure.others.is_empty()).collect();
    let most_others = figures.iter().map(|figure| figure.others.len()).max().unwrap_or(0);
    if most_others == 0 {
        return;
    }
    page.raw("<details class=others><summary>").say(&format::some(
        most_others as u64,
        "other execution",
        "other executions",
    ));
    page.raw(" of this step</summary><p class=quiet>Executions are never added up: the figure above is that of the newest one that ");
    page.raw("covers every partition.</p><table class=tiny><thead><tr><th scope=col>Counter</th><th scope=col>Execution</th>");
    page.raw("<th scope=col class=n>Value</th><th scope=col class=n>Partitions</th></tr></thead><tbody>");
    for (figure, other) in
        figures.iter().flat_map(|f| f.others.iter().map(move |o| (f, o))).take(most::SCOPES)
    {
        page.raw("<tr><td>")
            .text(&figure.name, NAME)
            .raw("</td><td>")
            .text(&other.instance, NAME)
            .raw("</td><td class=n>");
        page.say(&other.value.map_or("–".to_string(), format::amount)).raw("</td><td class=n>");
        page.say(&format::count(other.covered))
            .raw(" of ")
            .say(&format::count(other.total))
            .raw("</td></tr>");
    }
    page.raw("</tbody></table></details>");
}
