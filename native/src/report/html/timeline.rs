//! The timeline of stages.

use maud::{html, Markup};

use super::links::{anchor, Rows};
use super::parts::line;
use crate::event::StageStatus;
use crate::report::model::{Stage, View};

/// The time span of the timeline.
pub(super) struct Span {
    start: u64,
    length: f64,
    until: u64,
}

impl Span {
    pub(super) fn of(view: &View, stages: &[Stage]) -> Span {
        let start = stages.iter().filter_map(|s| s.submitted_ms).min().unwrap_or(0);
        let end = stages.iter().filter_map(|s| s.completed_ms.or(s.submitted_ms)).max().unwrap_or(0);
        let running = stages.iter().any(|stage| stage.completed_ms.is_none());
        let until = if running { end.max(view.until_ms()) } else { end };
        Span { start, length: until.saturating_sub(start).max(1) as f64, until }
    }

    /// The beginning and end of a stage as shares of the span; `None` if it completed before the span.
    pub(super) fn place(&self, stage: &Stage) -> Option<(f64, f64)> {
        let at = |time: u64| (time.saturating_sub(self.start) as f64 / self.length).clamp(0.0, 1.0);
        let start = at(stage.submitted_ms?);
        if stage.completed_ms.is_some_and(|completed| completed < self.start) {
            return None;
        }
        Some((start, at(stage.completed_ms.unwrap_or(self.until)).max(start)))
    }
}

/// The height of a lane of the timeline.
const LANE: f64 = 12.0;

/// A stage's place in the timeline: its lane, begin and end.
struct Bar<'a> {
    stage: &'a Stage,
    lane: usize,
    start: f64,
    end: f64,
}

/// The stages in as few lanes as possible, and the number of lanes.
fn lanes<'a>(stages: &'a [Stage], span: &Span) -> (Vec<Bar<'a>>, usize) {
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
        bars.push(Bar { stage, lane, start, end });
    }
    (bars, ends.len())
}

/// The bars of the stages over time.
pub(super) fn timeline(stages: &[Stage], span: &Span, rows: &Rows) -> Markup {
    let (bars, lanes) = lanes(stages, span);
    let height = (lanes as f64 * LANE + 4.0).to_string();
    let (step, ticks) = ticks(span.length);
    html! {
        figure.timeline {
            svg role="img" aria-label="Stages over time" preserveAspectRatio="none" viewBox={ "0 0 1000 " (height) }
                height=(height) {
                @for tick in 1..=ticks {
                    @let x = format!("{:.1}", tick as f64 * step / span.length * 1000.0);
                    line.grid y1="0" vector-effect="non-scaling-stroke" x1=(x) x2=(x) y2=(height) {}
                }
                @for bar in bars {
                    @if rows.has(bar.stage.id()) {
                        a href={ "#" (anchor(bar.stage.id())) } { (bar.rect()) }
                    } @else {
                        (bar.rect())
                    }
                }
            }
            svg.axis width="100%" height="18" aria-hidden="true" {
                @for tick in 0..=ticks {
                    @let left = tick as f64 * step / span.length * 100.0;
                    @if left <= 96.0 {
                        text y="13" x=(format!("{left:.2}%")) { (tick_label(tick as f64 * step)) }
                    }
                }
            }
            figcaption {
                span.key.step {} "ran a step " span.key.plain {} "ran none "
                span.key.failed {} "failed " span.key.running {} "not completed"
            }
        }
    }
}

impl Bar<'_> {
    fn rect(&self) -> Markup {
        html! {
            rect.(class(self.stage)) rx="1"
                x=(format!("{:.2}", self.start * 1000.0))
                width=(format!("{:.2}", (self.end - self.start) * 1000.0 - 0.8))
                y=((self.lane as f64 * LANE + 2.0).to_string())
                height=((LANE - 2.0).to_string()) {
                title { "Stage " (self.stage.id().to_string()) ": " (line(&self.stage.name)) }
            }
        }
    }
}

/// A round number of milliseconds between ticks, and the number of ticks after the first.
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

/// The class of a stage by its outcome.
pub(super) fn class(stage: &Stage) -> &'static str {
    match stage.status {
        StageStatus::Failed => "failed",
        StageStatus::Succeeded if stage.steps.is_empty() => "plain",
        StageStatus::Succeeded => "step",
        StageStatus::Unknown => "plain",
        _ => "running",
    }
}
