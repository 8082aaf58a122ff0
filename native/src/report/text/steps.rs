//! Steps and stages: tables of a terminal.

use super::canvas::Text;
use super::most;
use crate::event::StageStatus;
use crate::report::clean::{terminal, Limit, LINE, NAME};
use crate::report::format;
use crate::report::model::{Figure, StageId, Step, View};
use crate::report::pick;

pub(super) fn steps(text: &mut Text, view: &View) {
    let picked = pick::steps(view, most::STEPS);
    match picked.order("steps") {
        Some(order) => {
            text.heading("Steps");
            text.line(&format!("  {order}"));
        }
        None => text.heading("Steps, in execution order"),
    }
    if view.steps.is_empty() {
        return text.line("  no step counted anything");
    }
    let heads = ["step", "in", "out", "dropped", "ratio", "attempted in", "exact", "stages"];
    let mut rows = vec![heads.map(str::to_string).to_vec()];
    for step in &picked.shown {
        rows.push(row(step));
        for figure in step.own.iter().take(most::COUNTERS) {
            rows.push(own(step, figure));
        }
        if step.own.len() > most::COUNTERS {
            let left = step.own.len() - most::COUNTERS;
            rows.push(vec![format!("  … {}", format::more(left, "counter", "counters"))]);
        }
    }
    text.table(&rows, &[1, 2, 3, 4, 5]);
    text.more(picked.left, "step", "steps");
    for step in &picked.shown {
        for reason in step.reasons() {
            let said = format!("  {} is not exact: {}", terminal(&step.name, NAME), terminal(reason, LINE));
            text.line(&text.warn(&said));
        }
    }
}

fn shown(figure: Option<&Figure>) -> String {
    figure.and_then(|figure| figure.committed).map_or("–".to_string(), format::amount)
}

fn row(step: &Step) -> Vec<String> {
    let again = step.input.as_ref().filter(|figure| figure.ran_again()).and_then(|figure| figure.attempted);
    vec![
        terminal(&step.name, NAME),
        shown(step.input.as_ref()),
        shown(step.output.as_ref()),
        shown(step.dropped.as_ref()),
        step.drop_ratio().map_or("–".to_string(), format::percent),
        again.map_or(String::new(), format::amount),
        if step.is_exact() { "yes" } else { "no" }.to_string(),
        stage_list(&step.stages),
    ]
}

fn own(step: &Step, figure: &Figure) -> Vec<String> {
    let input = step.input.as_ref().and_then(|figure| figure.committed).map(|amount| amount.as_f64());
    let ratio = input.filter(|rows| *rows > 0.0).zip(figure.committed).map(|(rows, own)| own.as_f64() / rows);
    let again = figure.attempted.filter(|_| figure.ran_again());
    vec![
        format!("  {}", terminal(&figure.name, NAME)),
        shown(Some(figure)),
        String::new(),
        String::new(),
        ratio.map_or(String::new(), format::share),
        again.map_or(String::new(), format::amount),
        if figure.exact { "" } else { "no" }.to_string(),
    ]
}

fn stage_list(stages: &[StageId]) -> String {
    let (left, newest) = pick::last(stages, most::LINKS);
    let before = (left > 0).then(|| format!("… {} more", format::count(left as u64)));
    let said: Vec<String> = before.into_iter().chain(newest.iter().map(StageId::to_string)).collect();
    said.join(", ")
}

pub(super) fn stages(text: &mut Text, view: &View) {
    text.heading("Stages");
    if view.stages.is_empty() {
        return text.line("  no stage has run");
    }
    let picked = pick::stages(view, most::STAGES);
    if let Some(order) = picked.order("stages") {
        text.line(&format!("  {order}"));
    }
    let heads = ["stage", "name", "tasks", "failed", "took", "steps and counters that it changed"];
    let mut rows = vec![heads.map(str::to_string).to_vec()];
    for stage in &picked.shown {
        let changed: Vec<String> = stage
            .steps
            .iter()
            .chain(&stage.changed)
            .take(most::LINKS)
            .map(|name| terminal(name, NAME))
            .collect();
        let failed = stage.failed_tasks.filter(|tasks| *tasks > 0).map_or(String::new(), format::count);
        let state = match stage.status {
            StageStatus::Succeeded => String::new(),
            status => format!(" ({})", status.as_str()),
        };
        rows.push(vec![
            stage.id().to_string(),
            terminal(&format!("{}{state}", stage.name), Limit { characters: 48, lines: false }),
            format::count(stage.tasks.unwrap_or(0)),
            failed,
            stage.took_ms(view.until_ms()).map_or("–".to_string(), format::duration),
            changed.join(", "),
        ]);
    }
    text.table(&rows, &[0, 2, 3, 4]);
    text.more(picked.left, "stage", "stages");
    if !view.skipped.is_empty() {
        text.line(&format!("  {} skipped", format::some(view.skipped.len() as u64, "stage", "stages")));
    }
}
