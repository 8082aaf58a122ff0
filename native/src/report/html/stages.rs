//! Stages: the timeline, and what each of them ran and changed.

use super::markup::Page;
use super::most;
use crate::report::clean::{BLOCK, NAME};
use crate::report::format;
use crate::report::model::{Stage, StageId, View};
use crate::report::pick::{last, Picked};

/// The section on stages.
pub(super) fn section(page: &mut Page, view: &View, picked: &Picked<'_, Stage>) {
    page.raw("<section id=stages>\n<h2>Stages</h2>\n");
    if view.stages.is_empty() {
        page.raw("<p class=quiet>No stage has run.</p>\n</section>\n");
        return;
    }
    // Of a long life the span is that of the newest: what is older would leave them no room.
    let (_, newest) = last(&view.stages, most::BARS);
    let span = Span::of(view, newest);
    if let Some(order) = picked.order("stages") {
        page.raw("<p class=lede>").say(&order).raw(".");
        if view.stages.len() > newest.len() {
            let bars = format::some(newest.len() as u64, "newest stage", "newest stages");
            page.raw(" The timeline is that of the ").say(&bars).raw(".");
        }
        page.raw("</p>\n");
    }
    timeline(page, newest, &span);
    page.raw(
        "<table class=\"stages stack\">\n<thead><tr><th scope=col class=n>Stage</th><th scope=col>Name</th>",
    );
    page.raw("<th scope=col>Changed</th><th scope=col class=n>Tasks</th><th scope=col class=n>Took</th>");
    page.raw("<th scope=col class=when>When</th></tr></thead>\n<tbody>\n");
    for stage in &picked.shown {
        row(page, view, stage, &span);
    }
    page.raw("</tbody>\n</table>\n");
    if picked.left > 0 {
        page.raw("<p class=quiet>");
        page.left_out(picked.left, "stage", "stages");
        page.raw("</p>\n");
    }
    if !view.skipped.is_empty() {
        page.raw("<p class=quiet>").say(&format::some(view.skipped.len() as u64, "stage was", "stages were"));
        page.raw(" skipped, their output being there already: ");
        let (left, newest) = last(&view.skipped, most::SCOPES);
        if left > 0 {
            page.left_out(left, "stage", "stages");
            page.raw(", ");
        }
        let listed: Vec<String> = newest.iter().map(u64::to_string).collect();
        page.say(&listed.join(", ")).raw(".</p>\n");
    }
    page.raw("</section>\n");
}

/// The time that stages are drawn in.
struct Span {
    start: u64,
    length: f64,
    until: u64,
}

impl Span {
    fn of(view: &View, stages: &[Stage]) -> Span {
        let start = stages.iter().filter_map(|s| s.submitted_ms).min().unwrap_or(0);
        let end = stages.iter().filter_map(|s| s.completed_ms.or(s.submitted_ms)).max().unwrap_or(0);
        let running = stages.iter().any(|stage| stage.completed_ms.is_none());
        let until = if running { end.max(view.until_ms()) } else { end };
        Span { start, length: until.saturating_sub(start).max(1) as f64, until }
    }

    /// Where a stage begins and ends, as shares of the span. None: before it.
    fn place(&self, stage: &Stage) -> Option<(f64, f64)> {
        let at = |time: u64| (time.saturating_sub(self.start) as f64 / self.length).clamp(0.0, 1.0);
        let start = at(stage.submitted_ms?);
        if stage.completed_ms.is_some_and(|completed| completed < self.start) {
            return None;
        }
        Some((start, at(stage.completed_ms.unwrap_or(self.until)).max(start)))
    }
}

/// All stages in as few lanes as they need.
fn timeline(page: &mut Page, stages: &[Stage], span: &Span) {
    const LANE: f64 = 12.0;
    let mut ends: Vec<f64> = Vec::new();
    let mut bars = Vec::new();
    for stage in stages {
        let Some((start, end)) = span.place(stage) else { continue };
        let end = end.max(start + 0.004);
        let lane = ends.iter().position(|last| *last <= start + 1e-9).unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(end);
        } else {
            ends[lane] = end;
        }
        bars.push((stage, lane, start, end));
    }
    let height = ends.len() as f64 * LANE + 4.0;
    page.raw(
        "<figure class=timeline>\n<svg role=img aria-label=\"Stages over time\" preserveAspectRatio=none",
    );
    page.attribute("viewBox", &format!("0 0 1000 {height}"))
        .attribute("height", &height.to_string())
        .raw(">\n");
    let (step, ticks) = ticks(span.length);
    for tick in 1..=ticks {
        let x = format!("{:.1}", tick as f64 * step / span.length * 1000.0);
        page.raw("<line class=grid y1=0 vector-effect=non-scaling-stroke")
            .attribute("x1", &x)
            .attribute("x2", &x);
        page.attribute("y2", &height.to_string()).raw(" />");
    }
    for (stage, lane, start, end) in bars {
        let has_row = page.has(stage.id);
        if has_row {
            page.raw("<a").attribute("href", &format!("#s{}.{}", stage.id.stage, stage.id.attempt)).raw(">");
        }
        page.raw("<rect rx=1");
        page.attribute("class", class(stage));
        page.attribute("x", &format!("{:.2}", start * 1000.0))
            .attribute("width", &format!("{:.2}", (end - start) * 1000.0 - 0.8));
        page.attribute("y", &(lane as f64 * LANE + 2.0).to_string())
            .attribute("height", &(LANE - 2.0).to_string())
            .raw("><title>");
        page.say(&format!("Stage {}: ", stage.id)).line(&stage.name).raw("</title></rect>");
        page.raw(if has_row { "</a>\n" } else { "\n" });
    }
    page.raw("</svg>\n<svg class=axis width=\"100%\" height=18 aria-hidden=true>");
    for tick in 0..=ticks {
        let left = tick as f64 * step / span.length * 100.0;
        if left <= 96.0 {
            page.raw("<text y=13").attribute("x", &format!("{left:.2}%")).raw(">");
            page.say(&tick_label(tick as f64 * step)).raw("</text>");
        }
    }
    page.raw("</svg>\n<figcaption><span class=\"key step\"></span>ran a step <span class=\"key plain\"></span>ran none ");
    page.raw("<span class=\"key failed\"></span>failed <span class=\"key running\"></span>not completed</figcaption>\n</figure>\n");
}

/// A round number of milliseconds between ticks, and how many ticks there are after the first.
fn ticks(length: f64) -> (f64, usize) {
    const STEPS: [f64; 17] = [
        10.0, 50.0, 100.0, 500.0, 1e3, 2e3, 5e3, 10e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1800e3, 3600e3,
        7200e3, 21600e3,
    ];
    let step = STEPS.into_iter().find(|step| length / step <= 7.0).unwrap_or_else(|| (length / 6.0).max(1.0));
    (step, (length / step) as usize)
}

fn tick_label(millis: f64) -> String {
    let seconds = millis / 1000.0;
    let whole = seconds as u64;
    match whole {
        0 if millis == 0.0 => "0".to_string(),
        0 => format!("{millis} ms"),
        1..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{}:{:02} min", whole / 60, whole % 60),
        _ => format!("{}:{:02} h", whole / 3600, whole / 60 % 60),
    }
    .replace(":00 min", " min")
}

fn class(stage: &Stage) -> &'static str {
    match stage.status.as_str() {
        "failed" => "failed",
        "succeeded" if stage.steps.is_empty() => "plain",
        "succeeded" => "step",
        _ => "running",
    }
}

/// A bar from `start` to `end`, shares of its width.
pub(super) fn bar(page: &mut Page, start: f64, end: f64) {
    page.raw(
        "<svg class=bar viewBox=\"0 0 100 4\" preserveAspectRatio=none aria-hidden=true><rect height=4 rx=1",
    );
    page.attribute("x", &format!("{:.2}", start * 100.0));
    page.attribute("width", &format!("{:.2}", ((end - start) * 100.0).clamp(0.6, 100.0))).raw(" /></svg>");
}

fn row(page: &mut Page, view: &View, stage: &Stage, span: &Span) {
    page.raw("<tr").attribute("id", &format!("s{}.{}", stage.id.stage, stage.id.attempt));
    page.attribute("class", class(stage))
        .raw("><th scope=row class=n>")
        .say(&stage.id.to_string())
        .raw("</th><td class=what>");
    page.raw("<span class=name>").line(&stage.name).raw("</span>");
    if !stage.call_site.is_empty() && stage.call_site != stage.name {
        page.raw("<span class=site>").line(&stage.call_site).raw("</span>");
    }
    if !stage.failure.is_empty() {
        page.raw("<details class=why><summary class=inexact>failed</summary><pre tabindex=0>")
            .text(&stage.failure, BLOCK);
        page.raw("</pre></details>");
    }
    page.raw("</td><td class=changed data-label=Changed>");
    changed(page, stage);
    page.raw("</td><td class=n data-label=Tasks>").say(&format::count(stage.tasks));
    if stage.failed > 0 {
        page.raw("<small class=inexact>").say(&format::count(stage.failed)).raw(" failed</small>");
    } else if stage.succeeded < stage.tasks {
        page.raw("<small class=quiet>").say(&format::count(stage.succeeded)).raw(" done</small>");
    }
    page.raw("</td><td class=n data-label=Took>");
    match stage.took_ms(view.until_ms()) {
        Some(took) => page.say(&format::duration(took)),
        None => page.raw("<span class=quiet>–</span>"),
    };
    page.raw("</td><td class=when>");
    if let Some((start, end)) = span.place(stage) {
        bar(page, start, end);
    }
    page.raw("</td></tr>\n");
}

fn changed(page: &mut Page, stage: &Stage) {
    for step in stage.steps.iter().take(most::LINKS) {
        page.raw("<span class=chip>").text(step, NAME).raw("</span> ");
    }
    // A step's own three say no more than its name.
    let implied = |name: &str| !stage.steps.is_empty() && ["in", "out", "dropped"].contains(&name);
    let counters: Vec<&String> = stage.changed.iter().filter(|name| !implied(name)).collect();
    if counters.is_empty() {
        return;
    }
    const SHOWN: usize = 4;
    let name = |page: &mut Page, name: &String| {
        page.raw("<span class=counter>").text(name, NAME).raw("</span> ");
    };
    counters.iter().take(SHOWN).for_each(|counter| name(page, counter));
    if counters.len() > SHOWN {
        page.raw("<details class=inline><summary>")
            .say(&format::count((counters.len() - SHOWN) as u64))
            .raw(" more</summary>");
        counters.iter().skip(SHOWN).take(most::COUNTERS).for_each(|counter| name(page, counter));
        page.raw("</details>");
    }
}

/// Links to the last of these stages.
pub(super) fn links(page: &mut Page, ids: &[StageId]) {
    let (left, ids) = last(ids, most::LINKS);
    if left > 0 {
        page.left_out(left, "stage", "stages");
        page.raw(", ");
    }
    for (at, id) in ids.iter().enumerate() {
        page.raw(if at > 0 { ", " } else { "" });
        link(page, *id);
    }
}

/// A link to a stage's row; only its number if the page has none.
pub(super) fn link(page: &mut Page, id: StageId) {
    if page.has(id) {
        page.raw("<a")
            .attribute("href", &format!("#s{}.{}", id.stage, id.attempt))
            .raw(">")
            .say(&id.to_string())
            .raw("</a>");
    } else {
        page.say(&id.to_string());
    }
}
