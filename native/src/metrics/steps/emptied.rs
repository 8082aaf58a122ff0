//! Whether an instance has dropped all of its rows: the rule R6 of docs/internals/gates.md.

use super::cell::{CellAttempt, TaskOutcome, DROPPED, IN};
use super::instance::Instance;
use super::select::{candidates, Reached, Scope};
use super::site::Site;

/// The evaluations that are considered.
#[derive(Debug, Clone, Copy)]
pub(in crate::metrics) enum Whose<'a> {
    /// Those of all attempts of one stage.
    Stage(u32),
    /// Those that a gate would judge.
    Scope(Option<Scope>, Option<&'a [u32]>),
}

/// The fate of an instance's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::metrics) enum Emptied {
    /// At least one row was not dropped.
    Survived,
    /// Some partitions may not have been read to their end, or there was no row.
    Open,
    /// Every partition was read to its end, and each of this number of rows was dropped.
    All(i128),
}

impl Site {
    /// The fate of an instance's rows.
    pub(in crate::metrics) fn emptied(&self, reached: Reached, whose: Whose<'_>) -> Emptied {
        let Some(instance) = self.instances.get(&reached.instance).filter(|_| !self.refused) else {
            return Emptied::Open;
        };
        if let Whose::Stage(stage) = whose {
            if instance.has_given(stage) {
                return Emptied::Survived;
            }
        }
        if instance.is_settled() {
            return settled(instance, whose);
        }
        let total = reached.partitions.unwrap_or(0).max(instance.total);
        if instance.cells() < total as usize {
            return Emptied::Open;
        }
        let (mut rows, mut is_open) = (0, false);
        for partition in 0..total {
            let attempts = instance.attempts(partition);
            let chosen: Vec<&CellAttempt> = match whose {
                Whose::Stage(stage) => {
                    let of = |attempt: &&CellAttempt| {
                        attempt.stage.0 == stage && attempt.outcome != TaskOutcome::Failed
                    };
                    attempts.iter().filter(of).collect()
                }
                Whose::Scope(scope, kept_by) => candidates(attempts, scope, reached.behind, kept_by).0,
            };
            if chosen.iter().any(|attempt| attempt.of_counter(DROPPED) != attempt.of_counter(IN)) {
                return Emptied::Survived;
            }
            is_open |= !chosen.iter().any(|attempt| attempt.complete);
            rows += chosen.iter().map(|attempt| i128::from(attempt.of_counter(IN))).max().unwrap_or(0);
        }
        if is_open || rows == 0 {
            Emptied::Open
        } else {
            Emptied::All(rows)
        }
    }
}

/// Of released cells only the sums are known, and these belong to no stage.
fn settled(instance: &Instance, whose: Whose<'_>) -> Emptied {
    let (rows, dropped) = (instance.committed.of(IN), instance.committed.of(DROPPED));
    match whose {
        Whose::Stage(_) => Emptied::Open,
        Whose::Scope(..) if rows != dropped => Emptied::Survived,
        Whose::Scope(..) if rows > 0 && instance.is_whole() => Emptied::All(rows),
        Whose::Scope(..) => Emptied::Open,
    }
}
