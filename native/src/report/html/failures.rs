//! Failed rows by stack, to open.

use super::markup::Page;
use super::most;
use super::stages::link;
use super::verdict::short;
use crate::report::clean::{Limit, BLOCK, NAME};
use crate::report::format;
use crate::report::model::{Group, Sample, View};

/// A record in a page.
const RECORD: Limit = Limit { characters: 4 << 10, lines: true };

/// The section on failed rows.
pub(super) fn section(page: &mut Page, view: &View) {
    page.raw("<section id=failures>\n<h2>Failed rows</h2>\n");
    if view.failures.is_empty() {
        page.raw("<p class=quiet>No row failed in a step.</p>\n</section>\n");
        return;
    }
    page.raw("<p class=lede>");
    page.say(&format::some(view.sample_count() as u64, "sampled row", "sampled rows"))
        .raw(", grouped by where they were thrown.");
    let (seen, kept) = totals(view);
    if seen > kept {
        page.raw(" ")
            .say(&format::some(seen, "row", "rows"))
            .raw(" failed; which of them are kept does not depend on the order of tasks.");
    }
    page.raw("</p>\n");
    let all = view.sample_count().max(1);
    let mut left = most::SAMPLES;
    for (at, one) in view.failures.iter().take(most::GROUPS).enumerate() {
        group(page, one, at, all, &mut left);
    }
    if view.failures.len() > most::GROUPS {
        page.raw("<p class=quiet>");
        page.left_out(view.failures.len() - most::GROUPS, "stack", "stacks");
        page.raw("</p>\n");
    }
    page.raw("</section>\n");
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

fn group(page: &mut Page, group: &Group, at: usize, all: usize, left: &mut usize) {
    page.raw("<details class=group").attribute("id", &format!("f{at}")).raw("><summary><span class=n>");
    page.say(&format::count(group.samples.len() as u64)).raw("</span><span class=share>");
    super::stages::bar(page, 0.0, group.samples.len() as f64 / all as f64);
    page.raw("</span><span class=cause><b")
        .attribute("title", group.title())
        .raw(">")
        .text(if group.name.is_empty() { short(&group.class) } else { &group.name }, NAME);
    page.raw("</b> <span class=message>").line(&group.told()).raw("</span></span><span class=tags>");
    for (step, _) in group.steps.iter().take(3) {
        page.raw("<span class=chip>").text(step, NAME).raw("</span>");
    }
    page.raw("</span></summary>\n<div class=body>\n<dl class=pairs>");
    page.element("<div><dt>Class</dt><dd class=mono>", &group.class, "</dd></div>");
    page.element("<div><dt>Stack</dt><dd class=mono>", &group.hash, "</dd></div>");
    if group.stacks > 1 {
        page.raw("<div><dt>Stacks</dt><dd>")
            .say(&format::count(group.stacks as u64))
            .raw(" different ones, of which this is the example’s</dd></div>");
    }
    if group.messages > 1 {
        page.raw("<div><dt>Messages</dt><dd>")
            .say(&format::count(group.messages as u64))
            .raw(" different ones</dd></div>");
    }
    if !group.versions.is_empty() {
        page.raw("<div><dt>Versions</dt><dd>");
        for (version, n) in group.versions.iter().take(8) {
            page.raw("<span class=chip>")
                .text(version, NAME)
                .raw(" <i>× ")
                .say(&format::count(*n))
                .raw("</i></span> ");
        }
        if group.versions.len() > 8 {
            page.left_out(group.versions.len() - 8, "version", "versions");
        }
        page.raw("</dd></div>");
    }
    page.raw("</dl>\n");
    if let Some(stack) = &group.stack {
        page.raw("<pre class=stack-trace tabindex=0>").text(stack, BLOCK).raw("</pre>\n");
    }
    let shown = group.samples.len().min(most::SAMPLES_PER_GROUP).min(*left);
    *left -= shown;
    page.raw("<div class=samples>\n");
    for one in &group.samples[..shown] {
        sample(page, one, group);
    }
    page.raw("</div>\n");
    if shown < group.samples.len() {
        page.raw("<p class=quiet>");
        page.left_out(group.samples.len() - shown, "row", "rows");
        page.raw("</p>\n");
    }
    page.raw("</div>\n</details>\n");
}

fn sample(page: &mut Page, sample: &Sample, group: &Group) {
    page.raw("<details class=sample><summary><code class=key>");
    page.line(if sample.key.is_empty() { "(no key)" } else { &sample.key }).raw("</code>");
    if group.steps.len() > 1 {
        page.raw("<span class=chip>").text(&sample.step, NAME).raw("</span>");
    }
    page.raw("<span class=\"message quiet\">").line(&sample.message).raw("</span><span class=at>");
    if !sample.committed {
        page.raw("<span class=inexact>attempt did not count</span> ");
    }
    if !sample.version.is_empty() {
        page.raw("<span class=chip>").text(&sample.version, NAME).raw("</span> ");
    }
    if let Some(stage) = sample.stage {
        page.raw("<span class=quiet>stage</span> ");
        link(page, stage);
    }
    if let Some(partition) = sample.partition {
        page.raw(" <span class=quiet>partition</span> ").say(&partition.to_string());
    }
    page.raw("</span></summary>\n<div class=body>\n<dl class=pairs>");
    page.element("<div><dt>Message</dt><dd>", &sample.message, "</dd></div>");
    page.element("<div><dt>Site</dt><dd>", &sample.site, "</dd></div>");
    page.raw("<div><dt>Task</dt><dd>");
    if let Some(attempt) = sample.task_attempt {
        page.raw("attempt ").say(&attempt.to_string());
    }
    if !sample.executor.is_empty() {
        page.raw(" on executor ").text(&sample.executor, NAME);
    }
    if !sample.host.is_empty() {
        page.raw(", ").text(&sample.host, NAME);
    }
    page.raw("</dd></div></dl>\n");
    if sample.record.is_empty() {
        page.raw("<p class=quiet>The row was not recorded.</p>\n");
    } else {
        page.raw("<pre tabindex=0>").text(&sample.record, RECORD).raw("</pre>\n");
        if sample.cut {
            page.raw("<p class=quiet>The record was cut or redacted before it was logged.</p>\n");
        }
    }
    page.raw("</div>\n</details>\n");
}
