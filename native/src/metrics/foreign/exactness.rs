//! The reasons why the figure of an accumulator is not exact.

use super::accumulator::{NamedAccumulator, Places};
use super::column::Column;
use super::scope::AccumulatorScope;
use crate::metrics::amount::Amount;
use crate::words::some;

/// Why an accumulator's figure is not exact, or nothing. `doubtful`: blocks may have answered that an attempt has filled whose
/// updates never arrived.
pub(in crate::metrics) fn column_reason(
    scope: &AccumulatorScope,
    column: &Column,
    accumulator: &NamedAccumulator,
    doubtful: bool,
    events_dropped: u64,
) -> String {
    let mut reasons: Vec<String> = Vec::new();
    let mut say = |holds: bool, text: &dyn Fn() -> String| {
        if holds {
            reasons.push(text());
        }
    };
    let places = accumulator.places();
    say(events_dropped > 0, &|| "Spark dropped events of the listener's queue".to_string());
    if !accumulator.kind.is_sum() {
        say(true, &|| "it is no sum that Andiron knows, and shown as Spark has merged it".to_string());
        return reasons.join("; ");
    }
    let unshown = column.committed().unshown();
    say(!unshown.is_empty(), &|| unshown.to_string());
    let missing: u64 = scope.missing.values().map(|n| u64::from(*n)).sum();
    say(missing > 0, &|| format!("{} never arrived", some(missing, "end of a task", "ends of tasks")));
    say(accumulator.collected, &|| {
        "the program let go of the accumulator, and Spark drops its updates".to_string()
    });
    say(scope.refused || accumulator.refused, &|| "more partitions than the driver keeps".to_string());
    // Of several scopes each has a part of what was updated.
    let outside =
        column.outside().filter(|_| places == Places::One && events_dropped == 0 && !accumulator.refused);
    say(outside.is_some(), &|| outside.map(outside_reason).unwrap_or_default());
    say(doubtful, &|| {
        "cached rows may be those of an attempt that failed, was killed or was lost: its updates never arrived"
            .to_string()
    });
    say(column.mixed, &|| "a cache may have answered a part of a later attempt".to_string());
    say(column.overtaken, &|| "attempts of one stage that overlapped have counted differently".to_string());
    say(scope.rolled_back, &|| {
        "a stage whose rows come in another order each time was rolled back".to_string()
    });
    say(scope.limited, &|| "a part was read: its plan has a limit".to_string());
    say(scope.pruned, &|| "a part was read: partitions were pruned".to_string());
    say(scope.repeats, &|| {
        "a stage computes the same rows several times (cartesian product, union with itself)".to_string()
    });
    say(scope.unites, &|| "a union has several branches of one plan, and each is counted".to_string());
    say(column.differs, &|| {
        "a later job computed it again with another result (a cache, or other rows)".to_string()
    });
    say(places == Places::Several, &|| {
        "it is counted at several terminal RDDs, whose rows may be the same".to_string()
    });
    say(places == Places::Whole, &|| {
        "it is counted for a union as a whole, and for its branches".to_string()
    });
    let (reported, total) = (scope.reported, scope.total);
    say(reported < total && scope.running, &|| {
        format!("{reported} of {} reported so far", some(total, "partition has", "partitions have"))
    });
    say(reported < total && !scope.running, &|| {
        format!("a part was read: {reported} of {}", some(total, "partition", "partitions"))
    });
    reasons.join("; ")
}

fn outside_reason(outside: Amount) -> String {
    let (amount, verb) = match outside {
        Amount::Long(n) if n < 0 => ((-n).to_string(), "taken off"),
        Amount::Long(n) => (n.to_string(), "added"),
        Amount::Double(x) if x < 0.0 => ((-x).to_string(), "taken off"),
        Amount::Double(x) => (x.to_string(), "added"),
    };
    format!("{amount} were {verb} on the driver, outside tasks")
}
