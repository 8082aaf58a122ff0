//! Accumulators of others, log lines, plans, the shipper, and the foot of the page.

use super::markup::Page;
use super::most;
use super::stages::links;
use crate::report::clean::{BLOCK, LINE, NAME};
use crate::report::format;
use crate::report::model::{Accumulator, Amount, Health, LogLine, StageLog, View};
use crate::report::pick;

/// The section on accumulators that are not Andiron's.
pub(super) fn accumulators(page: &mut Page, view: &View) {
    page.raw("<section id=accumulators>\n<h2>Accumulators</h2>\n");
    if view.accumulators.is_empty() {
        page.raw("<p class=quiet>The application has no named accumulators of its own.</p>\n</section>\n");
        return;
    }
    page.raw("<p class=lede>Named accumulators of the application, counted once for each RDD that ends a stage, or each branch of a union there, beside all that was attempted. ");
    page.raw("Several figures of one are never added: their rows may be the same.</p>\n");
    page.raw("<table class=\"accumulators stack\">\n<thead><tr><th scope=col>Name</th><th scope=col class=n>Committed</th>");
    page.raw("<th scope=col class=n>Attempted</th><th scope=col>Exactness</th><th scope=col>Where</th></tr></thead>\n<tbody>\n");
    for accumulator in view.accumulators.iter().take(most::ACCUMULATORS) {
        one(page, accumulator);
    }
    page.raw("</tbody>\n</table>\n");
    if view.accumulators.len() > most::ACCUMULATORS {
        page.raw("<p class=quiet>");
        page.left_out(view.accumulators.len() - most::ACCUMULATORS, "accumulator", "accumulators");
        page.raw("</p>\n");
    }
    page.raw("</section>\n");
}

/// A row for each figure.
fn one(page: &mut Page, accumulator: &Accumulator) {
    let (left, newest) = pick::last(&accumulator.scopes, most::SCOPES);
    for (scope, figure) in newest {
        page.raw("<tr><th scope=row><span class=name>")
            .text(&accumulator.name, NAME)
            .raw("</span></th><td class=n data-label=Committed>");
        page.say(&shown(figure.committed)).raw("</td><td class=n data-label=Attempted>");
        if figure.attempted == figure.committed {
            page.raw("<span class=quiet>").say(&shown(figure.attempted)).raw("</span>");
        } else {
            page.say(&shown(figure.attempted));
        }
        page.raw("</td><td class=exactness data-label=Exactness>");
        if figure.exact {
            page.raw("<span class=exact>exact</span>");
        } else {
            page.raw("<span class=inexact>not exact</span><small class=quiet>")
                .text(&figure.reason, LINE)
                .raw("</small>");
        }
        page.raw("</td><td class=places data-label=Where><span class=mono>").text(scope, NAME).raw("</span>");
        if !figure.stages.is_empty() {
            let word = if figure.stages.len() == 1 { "stage" } else { "stages" };
            page.raw("<small><span class=quiet>").raw(word).raw("</span> ");
            links(page, &figure.stages);
            page.raw("</small>");
        }
        page.raw("</td></tr>\n");
    }
    if left > 0 {
        page.raw("<tr><th scope=row><span class=name>")
            .text(&accumulator.name, NAME)
            .raw("</span></th><td colspan=4 class=quiet>");
        page.left_out(left, "earlier figure", "earlier figures");
        page.raw("</td></tr>\n");
    }
}

fn shown(amount: Option<Amount>) -> String {
    amount.map_or("–".to_string(), format::amount)
}

/// The section on log lines.
pub(super) fn logs(page: &mut Page, view: &View) {
    page.raw("<section id=logs>\n<h2>Warnings and errors</h2>\n");
    if view.logs.is_empty() {
        page.raw("<p class=quiet>Driver and executors logged neither.</p>\n</section>\n");
        return;
    }
    let mut left = most::LOG_LINES;
    let picked = pick::logs(view, most::LOG_STAGES);
    if let Some(order) = picked.order("stages with lines") {
        page.raw("<p class=lede>").say(&order).raw(".</p>\n");
    }
    for log in &picked.shown {
        stage_log(page, view, log, &mut left);
    }
    if picked.left > 0 {
        page.raw("<p class=quiet>");
        page.left_out(picked.left, "stage", "stages");
        page.raw("</p>\n");
    }
    page.raw("</section>\n");
}

fn stage_log(page: &mut Page, view: &View, log: &StageLog, left: &mut usize) {
    page.raw("<details class=log><summary><span class=where>");
    match log.stage {
        Some(stage) => page.raw("Stage ").say(&stage.to_string()),
        None => page.raw("No stage"),
    };
    page.raw("</span>");
    let name = log
        .stage
        .and_then(|id| view.stages.iter().find(|stage| stage.id.stage == id))
        .map(|stage| &stage.name);
    page.element("<span class=\"message quiet\">", name.map_or("", String::as_str), "</span><span class=at>");
    if log.errors > 0 {
        page.raw("<span class=error>")
            .say(&format::kept(log.errors, log.kept_errors, ("error", "errors")))
            .raw("</span> ");
    }
    if log.warnings > 0 {
        page.raw("<span class=quiet>")
            .say(&format::kept(log.warnings, log.kept_warnings, ("warning", "warnings")))
            .raw("</span>");
    }
    page.raw("</span></summary>\n<ol class=lines>\n");
    let shown = log.lines.len().min((*left).max(1));
    *left = left.saturating_sub(shown);
    log.lines[..shown].iter().for_each(|one| line(page, one));
    page.raw("</ol>\n");
    let more = (log.errors + log.warnings).saturating_sub(shown as u64);
    if more > 0 {
        page.raw("<p class=quiet>");
        page.left_out(more as usize, "line", "lines");
        page.raw("</p>\n");
    }
    if let Some(said) = format::left_out(&log.left_out) {
        page.raw("<p class=quiet>").text(&said, LINE).raw("</p>\n");
    }
    page.raw("</details>\n");
}

fn line(page: &mut Page, line: &LogLine) {
    page.raw(if line.error { "<li class=error>" } else { "<li>" });
    page.raw("<span class=head><time>").say(&format::clock(line.at_ms)).raw("</time> <b>");
    page.raw(if line.error { "ERROR" } else { "WARN" }).raw("</b> <span class=quiet");
    page.attribute("title", &format!("{} {}", line.logger, line.thread)).raw(">");
    page.raw(if line.executor == "driver" { "" } else { "executor " }).text(&line.executor, NAME).raw(" · ");
    page.text(super::verdict::short(&line.logger), NAME)
        .raw("</span></span><span class=said>")
        .line(&line.message);
    page.raw("</span></li>\n");
}

/// The section on SQL executions and their plans.
pub(super) fn executions(page: &mut Page, view: &View) {
    if view.executions.is_empty() {
        return;
    }
    page.raw("<section id=executions>\n<h2>Executions</h2>\n");
    let picked = pick::executions(view, most::EXECUTIONS);
    if let Some(order) = picked.order("executions") {
        page.raw("<p class=lede>").say(&order).raw(".</p>\n");
    }
    for execution in &picked.shown {
        page.raw("<details class=log><summary><span class=where>")
            .say(&execution.id.to_string())
            .raw("</span>");
        page.element("<span class=message>", &execution.description, "</span><span class=\"at quiet\">");
        match (execution.started_ms, execution.ended_ms) {
            (Some(start), Some(end)) => page.say(&format::duration(end.saturating_sub(start))),
            _ => page.raw("not ended"),
        };
        page.raw("</span></summary>\n");
        if !execution.failure.is_empty() {
            page.element("<p class=\"reason error\">", &execution.failure, "</p>\n");
        }
        page.raw("<pre tabindex=0>").text(&execution.plan, BLOCK).raw("</pre>\n</details>\n");
    }
    if picked.left > 0 {
        page.raw("<p class=quiet>");
        page.left_out(picked.left, "execution", "executions");
        page.raw("</p>\n");
    }
    page.raw("</section>\n");
}

/// The section on the shipper.
pub(super) fn health(page: &mut Page, view: &View) {
    page.raw("<section id=shipping>\n<h2>Shipping</h2>\n");
    match &view.health {
        Some(health) => healthy(page, health),
        None => {
            page.raw("<p class=quiet>The log says nothing of its own health.</p>\n");
        }
    }
    page.raw("</section>\n");
}

fn healthy(page: &mut Page, health: &Health) {
    page.raw("<dl class=facts>\n");
    for (name, n) in health.listener.iter().take(12) {
        page.raw("<div><dt>Listener: ").text(name, NAME);
        page.raw(if health.is_loss(name) && *n > 0 { "</dt><dd class=error>" } else { "</dt><dd>" });
        page.say(&format::count(*n)).raw("</dd></div>\n");
    }
    page.raw("<div><dt>Callback errors</dt>");
    page.raw(if health.callback_errors > 0 { "<dd class=error>" } else { "<dd>" });
    page.say(&format::count(health.callback_errors)).raw("</dd></div>\n");
    for (name, value) in health.log.iter().take(12) {
        page.raw("<div><dt>Log: ").text(name, NAME).raw("</dt><dd>");
        match value.parse() {
            Ok(n) => page.say(&format::count(n)),
            Err(_) => page.text(value, NAME),
        };
        page.raw("</dd></div>\n");
    }
    page.raw("</dl>\n");
    for (cause, n) in health.lost.iter().take(12) {
        page.raw("<p class=\"notice bad\"><span>The log lost ")
            .say(&format::some(*n, "event", "events"))
            .raw(": ");
        page.line(cause).raw("</span></p>\n");
    }
    if !health.first_error.is_empty() {
        page.element(
            "<p class=\"notice bad\"><span>First error of a callback: ",
            &health.first_error,
            "</span></p>\n",
        );
    }
    if health.sinks.is_empty() {
        return;
    }
    page.raw(
        "<table class=\"tiny sinks\">\n<thead><tr><th scope=col>Sink</th><th scope=col class=n>Sent</th>",
    );
    page.raw("<th scope=col class=n>Retried</th><th scope=col class=n>Behind</th><th scope=col>Dropped</th></tr></thead>\n<tbody>\n");
    for sink in health.sinks.iter().take(50) {
        page.raw("<tr><th scope=row>").text(&sink.name, NAME).raw("</th>");
        for n in [sink.sent, sink.retried, sink.behind] {
            page.raw("<td class=n>").say(&format::count(n)).raw("</td>");
        }
        page.raw("<td>");
        let dropped: Vec<_> = sink.dropped.iter().filter(|(_, n)| *n > 0).collect();
        if dropped.is_empty() {
            page.raw("<span class=quiet>none</span>");
        }
        for (cause, n) in dropped.into_iter().take(12) {
            page.raw("<span class=error>").say(&format::count(*n)).raw("</span> ").text(cause, NAME).raw(" ");
        }
        if !sink.failed.is_empty() {
            page.raw("<div class=quiet>calls that failed:");
            for (cause, n) in sink.failed.iter().take(12) {
                page.raw(" ").say(&format::count(*n)).raw(" ").text(cause, NAME);
            }
            page.raw("</div>");
        }
        if !sink.last_failure.is_empty() {
            page.element("<div class=quiet>last failure: ", &sink.last_failure, "</div>");
        }
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table>\n");
}

/// Settings, and where all of this is from.
pub(super) fn foot(page: &mut Page, view: &View) {
    let settings = &view.application.settings;
    if !settings.is_empty() {
        page.raw("<details class=log><summary><span class=message>Settings of Andiron</span><span class=\"at quiet\">");
        page.say(&settings.len().to_string()).raw("</span></summary>\n<dl class=pairs>");
        for (key, value) in settings.iter().take(most::SETTINGS) {
            page.element("<div><dt class=mono>", key, "</dt>").element("<dd>", value, "</dd></div>");
        }
        page.raw("</dl></details>\n");
    }
    page.raw("</main>\n<footer>Andiron ").raw(env!("CARGO_PKG_VERSION")).raw(" · ");
    page.say(&format::some(view.events, "event", "events"))
        .raw(" of the ship log · times are UTC</footer>\n</body>\n</html>\n");
}
