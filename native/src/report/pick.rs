//! The selection from long lists: the worst and the newest entries.

use std::cmp::Reverse;

use super::format;
use super::model::{Execution, Stage, StageLog, Step, Verdict, View};
use crate::event::StageStatus;

/// The shown entries of a list, in this order, and the number of the others.
#[derive(Debug)]
pub(super) struct Picked<'a, T> {
    pub(super) shown: Vec<&'a T>,
    pub(super) left: usize,
}

impl<T> Picked<'_, T> {
    /// A remark on the selection, if entries are left out.
    pub(super) fn order(&self, many: &str) -> Option<String> {
        let shown = self.shown.len();
        (self.left > 0).then(|| {
            let (some, all) = (format::count(shown as u64), format::count((shown + self.left) as u64));
            format!("{some} of {all} {many}: the worst first, then the newest")
        })
    }
}

/// At most `most` of `all`. If all fit, they keep their order. Else the bad ones come first, the worst before the
/// others and at most `worst` of them, and then the newest, the latest first. `older` gives the order of time; an
/// entry that is not bad has the badness 0.
fn pick<'a, T, O: Ord>(
    all: &'a [T],
    most: usize,
    worst: usize,
    older: impl Fn(&T) -> O,
    badness: impl Fn(&T) -> u64,
) -> Picked<'a, T> {
    if all.len() <= most {
        return Picked { shown: all.iter().collect(), left: 0 };
    }
    let mut all: Vec<&T> = all.iter().collect();
    // The sort is stable: entries of the same time keep their order.
    all.sort_by_cached_key(|one| older(one));
    let mut bad: Vec<(u64, usize)> =
        all.iter().enumerate().map(|(at, one)| (badness(one), at)).filter(|(bad, _)| *bad > 0).collect();
    bad.sort_unstable_by_key(|known| Reverse(*known));
    bad.truncate(worst);
    let mut taken = vec![false; all.len()];
    bad.iter().for_each(|(_, at)| taken[*at] = true);
    let newest = (0..all.len()).rev().filter(|at| !taken[*at]).take(most - bad.len());
    let shown: Vec<&T> = bad.iter().map(|(_, at)| *at).chain(newest).map(|at| all[at]).collect();
    Picked { left: all.len() - shown.len(), shown }
}

/// Stages: those that failed, those with failed tasks, and those that have not ended come first.
pub(super) fn stages(view: &View, most: usize) -> Picked<'_, Stage> {
    pick(
        &view.stages,
        most,
        most / 4,
        |_| (),
        |stage| {
            let failed = stage.failed_tasks.unwrap_or(0).min(1 << 30);
            match stage.status {
                StageStatus::Failed => (1 << 40) + failed,
                StageStatus::Succeeded => failed << 1,
                _ => 1 + (failed << 1),
            }
        },
    )
}

/// Steps: those whose gate failed, those with the greatest shares of dropped rows, and those that are not exact come
/// first. The newest are those with the newest stage.
pub(super) fn steps(view: &View, most: usize) -> Picked<'_, Step> {
    let newest = |step: &Step| step.stages.last().copied();
    pick(&view.steps, most, most / 4, newest, |step| {
        let share = step.drop_ratio().unwrap_or(0.0).clamp(0.0, 1.0);
        (u64::from(step.failed) << 60) + (share * 1e9) as u64 * 2 + u64::from(!step.is_exact())
    })
}

/// Verdicts, refusals first.
pub(super) fn verdicts(view: &View, most: usize) -> Picked<'_, Verdict> {
    // They are in this order already: refusals first, and each group in the order of time.
    if view.verdicts.len() <= most {
        return Picked { shown: view.verdicts.iter().collect(), left: 0 };
    }
    let passed = view.verdicts.iter().position(|verdict| verdict.passed).unwrap_or(view.verdicts.len());
    let (refused, passed) = view.verdicts.split_at(passed);
    let half = most - passed.len().min(most / 2);
    let refused: Vec<&Verdict> = refused.iter().rev().take(half).collect();
    let passed = passed.iter().rev().take(most - refused.len());
    let shown: Vec<&Verdict> = refused.iter().copied().chain(passed).collect();
    Picked { left: view.verdicts.len() - shown.len(), shown }
}

/// SQL executions: those that failed come first.
pub(super) fn executions(view: &View, most: usize) -> Picked<'_, Execution> {
    pick(&view.executions, most, most / 4, |_| (), |execution| u64::from(!execution.failure.is_empty()))
}

/// Log lines by stage: lines without a stage, and stages with errors come first.
pub(super) fn logs(view: &View, most: usize) -> Picked<'_, StageLog> {
    pick(
        &view.logs,
        most,
        most / 4,
        |log| log.stage,
        |log| if log.stage.is_none() { u64::MAX } else { log.errors },
    )
}

/// The last `most` entries of a list, and the number of entries before them.
pub(super) fn last<T>(all: &[T], most: usize) -> (usize, &[T]) {
    let left = all.len().saturating_sub(most);
    (left, &all[left..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_come_first_and_then_the_newest() {
        let all = [0u64, 3, 0, 0, 9, 0, 0, 0, 0, 3, 0, 0];
        let picked = pick(&all, 6, 2, |_| (), |bad| *bad);
        let places: Vec<usize> = picked
            .shown
            .iter()
            .filter_map(|one| all.iter().position(|other| std::ptr::eq(*one, other)))
            .collect();
        assert_eq!((places.as_slice(), picked.left), ([4, 9, 11, 10, 8, 7].as_slice(), 6));
        assert_eq!(
            picked.order("stages").as_deref(),
            Some("6 of 12 stages: the worst first, then the newest")
        );
        let oldest = pick(&[3, 1, 2], 2, 0, |at| *at, |_| 0);
        assert_eq!(oldest.shown, [&3, &2]);
        let whole = pick(&all, 12, 2, |_| (), |bad| *bad);
        assert_eq!((whole.shown.len(), whole.left, whole.order("stages")), (12, 0, None));
        assert_eq!(last(&all, 3), (9, &all[9..]));
        assert_eq!(last(&all, 30), (0, &all[..]));
    }
}
