//! Gates first: what failed and why, what passed, and which run came before.

use super::markup::Page;
use super::most;
use crate::report::format;
use crate::report::model::{Cause, Outcome, Verdict, View};
use crate::report::pick;

/// The section on gates.
pub(super) fn section(page: &mut Page, view: &View) {
    page.raw("<section id=gates aria-label=Gates>\n");
    notices(page, view);
    let picked = pick::verdicts(view, most::VERDICTS);
    let (failed, passed): (Vec<&Verdict>, Vec<&Verdict>) =
        picked.shown.iter().partition(|verdict| !verdict.passed);
    for verdict in failed {
        failure(page, view, verdict);
    }
    if !passed.is_empty() {
        page.raw("<div class=\"card good\">\n<ul class=passes>\n");
        passed.into_iter().for_each(|verdict| pass(page, verdict));
        page.raw("</ul>\n</div>\n");
    }
    if picked.left > 0 {
        page.raw("<p class=quiet>");
        page.left_out(picked.left, "verdict", "verdicts");
        page.raw("</p>\n");
    }
    troubled(page, view);
    if view.verdicts.is_empty() && view.gates.is_empty() {
        page.raw("<div class=\"card calm\"><p>No gate was set: nothing decides whether the dropped rows are too many.</p></div>\n");
    }
    page.raw("</section>\n");
}

/// Gates that were never asked, or that something went past.
fn troubled(page: &mut Page, view: &View) {
    for gate in view.gates.iter().take(most::VERDICTS) {
        let Some(trouble) = gate.trouble() else { continue };
        page.raw("<p class=\"notice warn\"><span>The gate of <b>")
            .line(&gate.step)
            .raw("</b> was ")
            .say(&trouble);
        if !gate.last_bypass.is_empty() {
            page.element(", last by <code>", &gate.last_bypass, "</code>");
        }
        page.raw(".</span></p>\n");
    }
}

fn notices(page: &mut Page, view: &View) {
    let application = &view.application;
    if !application.predecessor.is_empty() {
        page.raw("<p class=\"notice warn\"><span>This run");
        if !application.run.is_empty() {
            page.raw(" (<b>").line(&application.run).raw("</b>)");
        }
        page.raw(" was begun by <b class=mono>").line(&application.predecessor);
        page.raw("</b>, which never ended.</span></p>\n");
    }
    if let Some(open) = view.outcome.why_open() {
        page.raw("<p class=\"notice warn\"><span>").raw(open);
        if view.last_ms > 0 {
            page.raw(". The last event is of ").say(&format::instant(view.last_ms)).raw(" UTC");
        }
        page.raw(".</span></p>\n");
    }
    if let Outcome::Failed(code) = view.outcome {
        page.raw("<p class=\"notice bad\"><span>The application ended with exit code ")
            .say(&code.to_string());
        page.raw("; no gate failed.</span></p>\n");
    }
    for note in view.notes.iter().take(most::NOTES) {
        page.element("<p class=\"notice warn\"><span>", note, "</span></p>\n");
    }
}

fn failure(page: &mut Page, view: &View, verdict: &Verdict) {
    page.raw("<div class=\"card bad\">\n<p class=eyebrow>").raw(layer(&verdict.gate)).raw("</p>\n<h2>");
    page.line(&verdict.step);
    match (verdict.dropped, verdict.input) {
        (Some(dropped), Some(input)) => {
            page.raw(" dropped <b>").say(&format::count(dropped)).raw("</b> of ");
            page.say(&format::some(input, "row", "rows"));
        }
        _ => {
            page.raw(" did not pass its gate");
        }
    }
    if verdict.unknown {
        page.raw(", and cannot be judged");
    }
    page.raw("</h2>\n");
    gauge(page, verdict);
    if !verdict.reason.is_empty() {
        page.element("<p class=reason>", &verdict.reason, "</p>\n");
    }
    if !verdict.causes.is_empty() {
        causes(page, view, verdict);
    }
    if !verdict.write.is_empty() {
        page.raw("<p class=\"write quiet\">").raw(write(&verdict.gate)).element(
            " <code>",
            &verdict.write,
            "</code></p>\n",
        );
    }
    page.raw("</div>\n");
}

/// The ratio against its limit.
fn gauge(page: &mut Page, verdict: &Verdict) {
    page.raw("<p class=gauge>");
    if let Some(ratio) = verdict.ratio {
        page.raw("<b class=ratio>").say(&format::percent(ratio)).raw("</b>");
    }
    let limits = limits(verdict);
    if !limits.is_empty() {
        page.raw("<span>limit ").say(&limits).raw("</span>");
    }
    if let (Some(ratio), Some(limit)) = (verdict.ratio, verdict.limit_ratio.filter(|limit| *limit > 0.0)) {
        let times = ratio / limit;
        if times.is_finite() && times >= 1.05 {
            page.raw("<span>").say(&times_of(times)).raw(" × the limit</span>");
        }
    }
    page.raw("</p>\n");
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

fn causes(page: &mut Page, view: &View, verdict: &Verdict) {
    let all: u64 = verdict.causes.iter().map(|cause| cause.count).max().unwrap_or(0).max(1);
    page.raw("<table class=causes>\n<caption>Top causes, by sampled rows</caption>\n<tbody>\n");
    for cause in verdict.causes.iter().take(most::CAUSES) {
        page.raw("<tr><td class=n>").say(&format::count(cause.count)).raw("</td><td class=share>");
        super::stages::bar(page, 0.0, cause.count as f64 / all as f64);
        page.raw("</td><td>");
        link(page, view, cause);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table>\n");
}

fn link(page: &mut Page, view: &View, cause: &Cause) {
    let group = view.failures.iter().take(most::GROUPS).position(|group| group.is_of(cause));
    if let Some(at) = group {
        page.raw("<a").attribute("href", &format!("#f{at}")).raw(">");
    }
    let name = if cause.group.is_empty() { short(&cause.class) } else { &cause.group };
    page.element("<span class=mono>", name, "</span>");
    if group.is_some() {
        page.raw("</a>");
    }
    page.element(" <span class=quiet>", &cause.told(), "</span>");
}

/// A class without its package.
pub(super) fn short(class: &str) -> &str {
    class.rsplit('.').next().filter(|name| !name.is_empty()).unwrap_or(class)
}

fn pass(page: &mut Page, verdict: &Verdict) {
    page.raw("<li><svg class=tick viewBox=\"0 0 16 16\" width=14 height=14 role=img aria-label=passed>");
    page.raw(
        "<path d=\"M3.5 8.5l3 3 6-7\" fill=none stroke=currentColor stroke-width=1.8 stroke-linecap=round ",
    );
    page.raw("stroke-linejoin=round /></svg><span><b>").line(&verdict.step).raw("</b> dropped ");
    match (verdict.dropped, verdict.input) {
        (Some(dropped), Some(input)) => {
            page.say(&format::count(dropped)).raw(" of ").say(&format::some(input, "row", "rows"));
        }
        _ => {
            page.raw("an unknown number of rows");
        }
    }
    page.raw("</span><span class=quiet>");
    if let Some(ratio) = verdict.ratio {
        page.say(&format::percent(ratio));
    }
    let limits = limits(verdict);
    if !limits.is_empty() {
        page.raw(", limit ").say(&limits);
    }
    page.raw("</span><span class=\"quiet layer\">").raw(layer(&verdict.gate)).raw("</span>");
    if !verdict.reason.is_empty() {
        page.element("<span class=\"quiet why\">", &verdict.reason, "</span>");
    }
    if verdict.unknown {
        page.raw("<span class=\"quiet why\">cannot be judged, and may pass</span>");
    }
    if !verdict.write.is_empty() {
        page.element("<span class=\"quiet path\">Written: <code>", &verdict.write, "</code></span>");
    }
    page.raw("</li>\n");
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
