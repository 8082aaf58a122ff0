//! Stages, verdicts and figures of a view, in order and with their relations.

use std::collections::HashMap;

use super::latest::Latest;
use super::model::{Accumulator, Figure, Samples, Stage, StageId, Step, Verdict, View};
use crate::event::{Source, StageStatus};

/// Stages that ran, and the numbers of those that were only skipped.
pub(super) fn stages(latest: &mut Latest) -> (Vec<Stage>, Vec<u64>) {
    let known = latest.stages.take().filter(|stage| stage.stage.is_some());
    let (skipped, mut ran): (Vec<Stage>, Vec<Stage>) =
        known.partition(|stage| stage.status == StageStatus::Skipped);
    ran.sort_by_key(|stage| (stage.submitted_ms.unwrap_or(u64::MAX), stage.id()));
    for stage in &mut ran {
        stage.steps.retain(|name| !name.is_empty());
        stage.changed.retain(|name| !name.is_empty());
    }
    let mut skipped: Vec<u64> = skipped.iter().map(|stage| stage.id().stage).collect();
    skipped.sort_unstable();
    skipped.dedup();
    (ran, skipped)
}

/// Verdicts, failures first.
pub(super) fn verdicts(latest: &mut Latest) -> Vec<Verdict> {
    let mut found: Vec<Verdict> = latest.verdicts.take().collect();
    for verdict in &mut found {
        // Earlier releases wrote the greatest number for no limit.
        verdict.limit_rows = verdict.limit_rows.filter(|rows| *rows < i64::MAX as u64);
    }
    found.sort_by_key(|verdict| (verdict.passed, verdict.at_ms.unwrap_or(0)));
    found
}

/// Steps in execution order and accumulators by name. `view` already has stages, executions and verdicts.
pub(super) fn figures(latest: &mut Latest, view: &View) -> (Vec<Step>, Vec<Accumulator>) {
    let mut steps: Vec<Step> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let mut accumulators: Vec<Accumulator> = Vec::new();
    let mut named: HashMap<String, usize> = HashMap::new();
    for mut figure in latest.metrics.take() {
        figure.stages.sort_unstable();
        figure.stages.dedup();
        if figure.source == Source::Accumulator {
            let at = *named.entry(figure.name.clone()).or_insert_with(|| {
                accumulators.push(Accumulator { name: figure.name.clone(), ..Accumulator::default() });
                accumulators.len() - 1
            });
            accumulators[at].scopes.push((figure.scope.clone(), figure));
        } else {
            let key = (figure.step.clone(), figure.site.clone());
            let at = *places.entry(key.clone()).or_insert_with(|| {
                steps.push(Step { name: key.0, site: key.1, ..Step::default() });
                steps.len() - 1
            });
            file(&mut steps[at], figure);
        }
    }
    let (nodes, samples) = (node_names(view), samples(latest));
    for step in &mut steps {
        finish(step, view, &nodes, &samples);
    }
    // The sort is stable: steps of the same stage keep the order of their declaration.
    let order: HashMap<StageId, usize> = view.stages.iter().enumerate().map(|(at, s)| (s.id(), at)).collect();
    let first = |step: &Step| step.stages.iter().filter_map(|id| order.get(id)).min().copied();
    steps.sort_by_key(|step| first(step).unwrap_or(usize::MAX));
    accumulators.iter_mut().for_each(|accumulator| in_order(&mut accumulator.scopes));
    accumulators.sort_by(|a, b| a.name.cmp(&b.name));
    (steps, accumulators)
}

/// Names of plan nodes by execution and node.
fn node_names(view: &View) -> HashMap<(u64, u64), &str> {
    let all = view.executions.iter();
    all.flat_map(|e| e.nodes.iter().filter_map(|node| Some(((e.id, node.id?), node.name.as_str())))).collect()
}

/// The nodes of a figure, by name.
fn nodes<'a>(figure: &'a Figure, names: &'a HashMap<(u64, u64), &str>) -> impl Iterator<Item = String> + 'a {
    figure.plan_nodes.iter().map(|node| match figure.execution.and_then(|id| names.get(&(id, *node))) {
        // The names of Andiron's own nodes repeat the step and its site, which are shown above.
        Some(name) if name.starts_with("AndironStep ") => format!("AndironStep ({node})"),
        Some(name) => format!("{name} ({node})"),
        None => node.to_string(),
    })
}

fn file(step: &mut Step, figure: Figure) {
    let place = match figure.name.as_str() {
        "in" => &mut step.input,
        "out" => &mut step.output,
        "dropped" => &mut step.dropped,
        _ => return step.own.push(figure),
    };
    *place = Some(figure);
}

fn finish(
    step: &mut Step,
    view: &View,
    names: &HashMap<(u64, u64), &str>,
    samples: &HashMap<String, Samples>,
) {
    step.own.sort_by(|a, b| a.name.cmp(&b.name));
    let mut stages: Vec<StageId> = step.figures().flat_map(|figure| figure.stages.clone()).collect();
    stages.sort_unstable();
    stages.dedup();
    let mut found: Vec<String> = Vec::new();
    for node in step.figures().flat_map(|figure| nodes(figure, names)) {
        if !found.contains(&node) {
            found.push(node);
        }
    }
    (step.stages, step.nodes) = (stages, found);
    let verdicts = || view.verdicts.iter().filter(|verdict| verdict.step == step.name);
    step.failed = verdicts().any(|verdict| verdict.blames(&step.site));
    step.limit = verdicts().filter_map(|verdict| verdict.limit_ratio).min_by(f64::total_cmp);
    step.samples = samples.get(&step.name).cloned();
}

/// The summaries of samples by step, with the bounds in words.
fn samples(latest: &Latest) -> HashMap<String, Samples> {
    let in_words = |(_, summary): (&str, &Samples)| {
        let bounds = summary.cut_by.iter().filter(|bound| !bound.is_empty());
        let cut_by = bounds.map(|bound| bound_in_words(bound)).collect();
        (summary.step.clone(), Samples { cut_by, ..summary.clone() })
    };
    latest.summaries.iter().map(in_words).collect()
}

fn bound_in_words(bound: &str) -> String {
    match bound {
        "samples" => "spark.andiron.metrics.samples keeps no more",
        "task" => "a task returns at most 64 KiB of samples",
        "result" => {
            "all tasks of an operator return at most a tenth of spark.driver.maxResultSize of samples"
        }
        "memory" => "the driver keeps at most 48 MiB of samples of all steps",
        other => return format!("the bound {other}"),
    }
    .to_string()
}

/// Sorts by RDD and branch as numbers.
fn in_order(scopes: &mut [(String, Figure)]) {
    let number = |scope: &str, before: &str| {
        let (_, after) = scope.split_once(before)?;
        after.split('/').next()?.parse::<u64>().ok()
    };
    scopes.sort_by_cached_key(|(scope, _)| (number(scope, "rdd:"), number(scope, "/branch:"), scope.clone()));
}
