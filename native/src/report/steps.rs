//! Stages, verdicts and figures of a view, in order and with their relations.

use std::collections::HashMap;

use super::build::Latest;
use super::json::Body;
use super::model::{Accumulator, Cause, Figure, Gate, Other, Samples, Stage, StageId, Step, Verdict, View};
use crate::event::Kind;

/// Stages that ran, and the numbers of those that were only skipped.
pub(super) fn stages(latest: &Latest) -> (Vec<Stage>, Vec<u64>) {
    let (mut ran, mut skipped) = (Vec::new(), Vec::new());
    for (_, body) in latest.of(Kind::Stage) {
        let Some(id) = stage_id(body) else { continue };
        let status = body.text("status");
        if status == "skipped" {
            skipped.push(id.stage);
            continue;
        }
        ran.push(Stage {
            id,
            name: body.text("name"),
            call_site: body.text("call_site"),
            details: body.text("details"),
            jobs: body.counts("job_ids"),
            execution: body.count("execution_id"),
            tasks: body.count("tasks").unwrap_or(0),
            succeeded: body.count("succeeded_tasks").unwrap_or(0),
            failed: body.count("failed_tasks").unwrap_or(0),
            submitted_ms: body.count("submitted_ms"),
            completed_ms: body.count("completed_ms"),
            status,
            failure: body.text("failure"),
            steps: body.texts("steps"),
            changed: body.texts("changed"),
        });
    }
    ran.sort_by_key(|stage| (stage.submitted_ms.unwrap_or(u64::MAX), stage.id));
    skipped.sort_unstable();
    skipped.dedup();
    (ran, skipped)
}

fn stage_id(body: &Body) -> Option<StageId> {
    Some(StageId { stage: body.count("stage")?, attempt: body.count("attempt").unwrap_or(0) })
}

/// Verdicts, failures first.
pub(super) fn verdicts(latest: &Latest) -> Vec<Verdict> {
    let mut found: Vec<Verdict> = latest.of(Kind::Verdict).map(|(_, body)| verdict(body)).collect();
    found.sort_by_key(|verdict| (verdict.passed, verdict.at_ms));
    found
}

fn verdict(body: &Body) -> Verdict {
    let causes = body.objects("top_causes").into_iter().map(|cause| Cause {
        hash: cause.text("stack_hash"),
        group: cause.text("group"),
        messages: cause.count("messages").unwrap_or(1),
        class: cause.text("error_class"),
        message: cause.text("message"),
        count: cause.count("count").unwrap_or(0),
    });
    Verdict {
        step: body.text("step"),
        gate: body.text("gate"),
        passed: body.flag("passed").unwrap_or(false),
        unknown: body.text("result") == "unknown",
        input: body.count("in"),
        dropped: body.count("dropped"),
        ratio: body.real("ratio"),
        limit_ratio: body.real("limit_ratio"),
        limit_rows: body.count("limit_rows").filter(|rows| *rows < i64::MAX as u64),
        min_rows: body.count("min_rows"),
        reason: body.text("reason"),
        causes: causes.collect(),
        site: body.text("site"),
        operators: body.objects("operators").iter().map(operator).collect(),
        write: body.text("write"),
        at_ms: body.count("ts_ms").unwrap_or(0),
    }
}

fn operator(body: &Body) -> (String, Option<f64>) {
    let rows = body.count("in").filter(|rows| *rows > 0);
    (body.text("site"), rows.zip(body.count("dropped")).map(|(rows, dropped)| dropped as f64 / rows as f64))
}

/// Gates in the order of their creation.
pub(super) fn gates(latest: &Latest) -> Vec<Gate> {
    let count = |body: &Body, name: &str| body.count(name).unwrap_or(0);
    let gate = |body: &Body| Gate {
        step: body.text("step"),
        limit_ratio: body.real("limit_ratio"),
        limit_rows: body.count("limit_rows"),
        passed: count(body, "passed"),
        failed: count(body, "failed"),
        unknown: count(body, "unknown"),
        bypassed: count(body, "bypassed"),
        last_bypass: body.text("last_bypass"),
    };
    let mut found: Vec<(u64, Gate)> =
        latest.of(Kind::Gate).map(|(_, body)| (count(body, "gate_id"), gate(body))).collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, gate)| gate).collect()
}

/// Steps in execution order and accumulators by name. `view` already has stages, executions and verdicts.
pub(super) fn figures(latest: &Latest, view: &View) -> (Vec<Step>, Vec<Accumulator>) {
    let nodes = node_names(view);
    let mut steps: Vec<Step> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let mut accumulators: Vec<Accumulator> = Vec::new();
    let mut named: HashMap<String, usize> = HashMap::new();
    for (_, body) in latest.of(Kind::Metric) {
        let figure = figure(body, &nodes);
        if body.text("source") == "accumulator" {
            let at = *named.entry(figure.name.clone()).or_insert_with(|| {
                accumulators.push(Accumulator { name: figure.name.clone(), ..Accumulator::default() });
                accumulators.len() - 1
            });
            accumulators[at].scopes.push((body.text("scope"), figure));
        } else {
            let key = (body.text("step"), body.text("site"));
            let at = *places.entry(key.clone()).or_insert_with(|| {
                steps.push(Step { name: key.0.clone(), site: key.1.clone(), ..Step::default() });
                steps.len() - 1
            });
            file(&mut steps[at], figure);
        }
    }
    let samples = samples(latest);
    for step in &mut steps {
        finish(step, view, &samples);
    }
    // The sort is stable: steps of the same stage keep the order of their declaration.
    let order: HashMap<StageId, usize> = view.stages.iter().enumerate().map(|(at, s)| (s.id, at)).collect();
    let first = |step: &Step| step.stages.iter().filter_map(|id| order.get(id)).min().copied();
    steps.sort_by_key(|step| first(step).unwrap_or(usize::MAX));
    accumulators.iter_mut().for_each(|accumulator| in_order(&mut accumulator.scopes));
    accumulators.sort_by(|a, b| a.name.cmp(&b.name));
    (steps, accumulators)
}

/// Names of plan nodes by execution and node.
fn node_names(view: &View) -> HashMap<(u64, &str), &str> {
    let all = view.executions.iter();
    all.flat_map(|e| e.nodes.iter().map(|(node, name)| ((e.id, node.as_str()), name.as_str()))).collect()
}

fn figure(body: &Body, names: &HashMap<(u64, &str), &str>) -> Figure {
    let execution = body.count("execution_id");
    let named = |node: String| match execution.and_then(|id| names.get(&(id, node.as_str()))) {
        // The names of Andiron's own nodes repeat the step and its site, which are shown above.
        Some(name) if name.starts_with("AndironStep ") => format!("AndironStep ({node})"),
        Some(name) => format!("{name} ({node})"),
        None => node,
    };
    let mut stages: Vec<StageId> = body.objects("stages").iter().filter_map(stage_id).collect();
    stages.sort_unstable();
    stages.dedup();
    Figure {
        name: body.text("acc"),
        committed: body.amount("committed"),
        attempted: body.amount("attempted"),
        partitions: body.count("partitions_reported").zip(body.count("partitions_total")),
        exact: body.flag("exact").unwrap_or(false),
        reason: body.text("reason"),
        settled: body.flag("final").unwrap_or(false),
        stages,
        execution,
        nodes: body.texts("plan_nodes").into_iter().map(named).collect(),
        others: body.objects("other_instances").iter().map(other).collect(),
        events_dropped: body.count("events_dropped").unwrap_or(0),
    }
}

fn other(body: &Body) -> Other {
    Other {
        instance: body.text("instance"),
        value: body.amount("value"),
        covered: body.count("covered").unwrap_or(0),
        total: body.count("total").unwrap_or(0),
    }
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

fn finish(step: &mut Step, view: &View, samples: &HashMap<String, Samples>) {
    step.own.sort_by(|a, b| a.name.cmp(&b.name));
    let mut stages: Vec<StageId> = step.figures().flat_map(|figure| figure.stages.clone()).collect();
    stages.sort_unstable();
    stages.dedup();
    let mut nodes: Vec<String> = Vec::new();
    for node in step.figures().flat_map(|figure| &figure.nodes) {
        if !nodes.contains(node) {
            nodes.push(node.clone());
        }
    }
    (step.stages, step.nodes) = (stages, nodes);
    let verdicts = || view.verdicts.iter().filter(|verdict| verdict.step == step.name);
    step.failed = verdicts().any(|verdict| verdict.blames(&step.site));
    step.limit = verdicts().filter_map(|verdict| verdict.limit_ratio).min_by(f64::total_cmp);
    step.samples = samples.get(&step.name).cloned();
}

fn samples(latest: &Latest) -> HashMap<String, Samples> {
    let summaries = latest.of(Kind::Failure).filter(|(_, body)| body.has("seen"));
    let samples = |body: &Body| Samples {
        seen: body.count("seen").unwrap_or(0),
        kept: body.count("kept").unwrap_or(0),
        complete: body.flag("complete").unwrap_or(false),
        cut_by: body.texts("cut_by").iter().map(|bound| bound_in_words(bound)).collect(),
    };
    summaries.map(|(_, body)| (body.text("step"), samples(body))).collect()
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
