//! The reasons for which a step's figure is not exact, from the stages that reported it.

use super::site::SiteFigure;
use crate::metrics::stages::Stages;

/// Whether the figure may still grow: a stage that has reported cells of it is running.
pub(in crate::metrics) fn is_running(figure: &SiteFigure, stages: &Stages) -> bool {
    figure.stages.iter().any(|(id, _)| stages.runs(*id))
}

/// Why the user's own counters are not exact though the row counts are; empty if they are.
pub(in crate::metrics) fn of_outside(adds: u64) -> String {
    match adds {
        0 => String::new(),
        1 => "an addition to a counter came from outside the step's functions".to_string(),
        n => format!("{n} additions to counters came from outside the step's functions"),
    }
}

/// How many instances of the figure's operator the query has, as in a union with itself; they are not summed.
pub(in crate::metrics) fn in_query(figure: &SiteFigure, stages: &Stages) -> usize {
    let execution = |ids: &[(u32, u32)]| ids.iter().rev().find_map(|(stage, _)| stages.execution_of(*stage));
    let Some(here) = execution(&figure.here) else { return 1 };
    1 + figure.elsewhere.iter().filter(|ids| execution(ids) == Some(here)).count()
}

/// Why the figure is not exact; empty if it is. For a partial figure the reason says whether a stage is still
/// reading.
pub(in crate::metrics) fn of(figure: &SiteFigure, stages: &Stages) -> String {
    let reason = of_instance(figure, stages);
    let several = match in_query(figure, stages) {
        1 => return reason,
        n => format!("its query has {n} instances of this operator, and this is one of them"),
    };
    if reason.is_empty() {
        several
    } else {
        format!("{reason}; {several}")
    }
}

fn of_instance(figure: &SiteFigure, stages: &Stages) -> String {
    if !figure.is_part {
        return figure.reason.clone();
    }
    let why = if figure.here.iter().any(|id| stages.runs(*id)) {
        "a stage that reads them still runs"
    } else if figure.here.last().is_some_and(|(stage, _)| stages.has_failed(*stage)) {
        "the stage that read them failed"
    } else {
        "an action read a part of them (take, limit)"
    };
    format!("{}: {why}", figure.reason)
}
