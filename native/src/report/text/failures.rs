//! Failed rows, log lines and the shipper's counters on a terminal.

use std::collections::BTreeMap;

use super::canvas::Text;
use super::most::{self, SHORT};
use crate::report::clean::{terminal, BLOCK, LINE, NAME};
use crate::report::format;
use crate::report::model::{Amount, Group, View};
use crate::report::pick;

pub(super) fn failures(text: &mut Text, view: &View) {
    text.heading("Failed rows");
    if view.failures.is_empty() {
        return text.line("  no row failed in a step");
    }
    sampled(text, view);
    for group in view.failures.iter().take(most::GROUPS) {
        one_group(text, group);
    }
    text.more(view.failures.len().saturating_sub(most::GROUPS), "stack", "stacks");
}

/// Samples belong to a step with all its sites.
fn sampled(text: &mut Text, view: &View) {
    let mut told: Vec<&str> = Vec::new();
    for step in pick::steps(view, most::STEPS).shown {
        let Some(samples) = step.samples.as_ref().filter(|samples| samples.seen > 0) else { continue };
        if told.contains(&step.name.as_str()) {
            continue;
        }
        told.push(&step.name);
        let (kept, seen) =
            (format::count(samples.kept), format::some(samples.seen, "failed row", "failed rows"));
        let incomplete = if samples.is_quietly_cut() { "; samples are incomplete" } else { "" };
        let bounds = samples.cut_by.join("; ");
        let bounds = if bounds.is_empty() { bounds } else { format!(": {}", terminal(&bounds, LINE)) };
        let name = terminal(&step.name, NAME);
        text.line(&format!("  {name}: {kept} of {seen} sampled{incomplete}{bounds}"));
    }
}

fn one_group(text: &mut Text, group: &Group) {
    let steps: Vec<String> = group.steps.iter().take(3).map(|(step, _)| terminal(step, NAME)).collect();
    let n = format::some(group.samples.len() as u64, "sample", "samples");
    text.line(&format!(
        "  {}: {}",
        text.paint("1", &terminal(group.title(), NAME)),
        terminal(&group.text(), SHORT)
    ));
    let stacks = match group.stacks {
        0 | 1 => format!("stack {}", terminal(&group.hash, NAME)),
        n => format!(
            "{} different stacks, for example {}",
            format::count(n as u64),
            terminal(&group.hash, NAME)
        ),
    };
    text.line(&format!("    {n} in {}, {stacks}", steps.join(", ")));
    let stack = group.stack.as_deref().unwrap_or_default();
    for line in terminal(stack, BLOCK).lines().take(most::STACK_LINES) {
        text.line(&text.quiet(&format!("      {}", terminal(line.trim_start(), LINE))));
    }
    for sample in group.samples.iter().take(most::SAMPLES) {
        let mut said = String::from("    - ");
        if let Some(key) = sample.key.as_deref().filter(|key| !key.is_empty()) {
            said += &format!("{}: ", terminal(key, SHORT));
        }
        said += &terminal(sample.record.as_deref().unwrap_or_default(), SHORT);
        if group.messages > 1 {
            said += &format!(": {}", terminal(&sample.message, SHORT));
        }
        if !sample.version.is_empty() {
            said += &format!(" [{}]", terminal(&sample.version, NAME));
        }
        if let (Some(stage), Some(partition)) = (sample.stage_id(), sample.partition) {
            said += &format!(" (stage {stage}, partition {partition})");
        }
        text.line(&said);
    }
    text.more(group.samples.len().saturating_sub(most::SAMPLES), "row", "rows");
}

pub(super) fn accumulators(text: &mut Text, view: &View) {
    if view.accumulators.is_empty() {
        return;
    }
    text.heading("Accumulators");
    let heads = ["name", "committed", "attempted", "exact", "RDD"];
    let mut rows = vec![heads.map(str::to_string).to_vec()];
    let shown = |amount: Option<Amount>| amount.map_or("–".to_string(), format::amount);
    for accumulator in view.accumulators.iter().take(most::ACCUMULATORS) {
        let name = terminal(&accumulator.name, NAME);
        let (left, newest) = pick::last(&accumulator.scopes, most::SCOPES);
        for (scope, figure) in newest {
            let reason = || terminal(&figure.reason, LINE);
            rows.push(vec![
                name.clone(),
                shown(figure.committed),
                shown(figure.attempted),
                if figure.exact { "yes".to_string() } else { format!("no: {}", reason()) },
                terminal(scope, NAME),
            ]);
        }
        if left > 0 {
            let more = format!("and {}", format::some(left as u64, "earlier figure", "earlier figures"));
            rows.push(vec![name, String::new(), String::new(), more, String::new()]);
        }
    }
    text.table(&rows, &[1, 2]);
    text.more(view.accumulators.len().saturating_sub(most::ACCUMULATORS), "accumulator", "accumulators");
}

pub(super) fn logs(text: &mut Text, view: &View) {
    if view.logs.is_empty() {
        return;
    }
    text.heading("Warnings and errors");
    let mut left = most::LOG_LINES;
    let picked = pick::logs(view, most::LOG_STAGES);
    if let Some(order) = picked.order("stages with lines") {
        text.line(&format!("  {order}"));
    }
    for log in &picked.shown {
        let place = log.stage.map_or("no stage".to_string(), |stage| format!("stage {stage}"));
        let errors = format::kept(log.errors, log.kept_errors, ("error", "errors"));
        let warnings = format::kept(log.warnings, log.kept_warnings, ("warning", "warnings"));
        text.line(&format!("  {place}: {errors}, {warnings}"));
        if let Some(said) = format::left_out(&log.left_out) {
            text.line(&format!("    {}", terminal(&said, LINE)));
        }
        for line in log.lines.iter().filter(|line| line.is_error()).take(left.clamp(1, 5)) {
            left = left.saturating_sub(1);
            let said = format!(
                "    {} {}  {}",
                format::clock(line.at_ms.unwrap_or(0)),
                terminal(&line.executor, NAME),
                terminal(&line.message, SHORT)
            );
            text.line(&text.bad(&said));
        }
    }
    text.more(picked.left, "stage", "stages");
}

pub(super) fn health(text: &mut Text, view: &View) {
    text.heading("Shipping");
    let Some(health) = &view.health else {
        return text.line("  the log says nothing of its own health");
    };
    if !health.listener.is_empty() {
        let counts = health
            .listener
            .iter()
            .take(12)
            .map(|(name, n)| format!("{} {}", format::count(*n), terminal(name, NAME)));
        text.line(&format!("  listener: {}", counts.collect::<Vec<String>>().join(", ")));
    }
    for (cause, n) in &health.log.lost {
        text.line(&text.bad(&format!(
            "  the log lost {}: {}",
            format::some(*n, "event", "events"),
            terminal(cause, NAME)
        )));
    }
    for (name, sink) in &health.sinks {
        let dropped = causes(&sink.dropped);
        let dropped = if dropped.is_empty() { "none".to_string() } else { dropped };
        text.line(&format!(
            "  {}: {} sent, {} retried, {} behind, dropped {dropped}",
            terminal(name, NAME),
            format::count(sink.sent),
            format::count(sink.retried),
            format::count(sink.behind)
        ));
        if !sink.failed.is_empty() {
            text.line(&text.warn(&format!("    calls that failed: {}", causes(&sink.failed))));
        }
        if !sink.last_failure.is_empty() {
            text.line(&text.warn(&format!("    its last failure: {}", terminal(&sink.last_failure, LINE))));
        }
    }
    if health.callbacks.errors > 0 {
        let said = format!(
            "  {} of callbacks, the first: {}",
            format::some(health.callbacks.errors, "error", "errors"),
            terminal(&health.callbacks.first, LINE)
        );
        text.line(&text.warn(&said));
    }
}

fn causes(counts: &BTreeMap<String, u64>) -> String {
    let told = counts.iter().filter(|(_, n)| **n > 0).take(12);
    let told = told.map(|(cause, n)| format!("{} {}", format::count(*n), terminal(cause, NAME)));
    told.collect::<Vec<String>>().join(", ")
}
