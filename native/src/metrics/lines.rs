//! Log lines: the choice of lines to ship, and the counts of the others.
//!
//! Each stage has its own bound, so that a noisy stage takes no room from later ones. Lines without a stage have two
//! bounds that grow with time, one for the driver and one for all executors. Lines that a bound leaves out, here or
//! in the process that logged them, are counted by executor, stage and level, and shipped as a LogLine event with
//! `left_out`.

use std::collections::HashMap;

use super::ship::{self, Draft};
use crate::clock::Clock;
use crate::event::{id, Level, LogLineBody};

/// The limit of error lines, and of warning lines, of a stage.
const MOST_OF_STAGE: u64 = 50;
/// The limit of error lines, and of warning lines, without a stage: of the driver, and of all executors.
const MOST_OF_NONE: u64 = 2_000;
/// The growth of that limit for each minute that the application has run.
const MORE_A_MINUTE: u64 = 10;
/// The limit of counts by executor and stage. Beyond it there is one count for each stage.
const MOST_COUNTS: usize = 20_000;
/// The executor of the counts beyond that limit.
const OTHERS: &str = "others";

/// The places with a bound of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum LinePlace {
    Stage(u64),
    Driver,
    Executors,
}

/// The executor, stage and level of a count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LineOrigin {
    executor: String,
    stage: Option<u64>,
    error: bool,
}

#[derive(Debug, Default)]
struct LeftOut {
    lines: u64,
    revision: u64,
    is_shipped: bool,
}

/// The lines of an application.
#[derive(Debug)]
pub(super) struct Lines {
    clock: Clock,
    /// The number of shipped lines by executor.
    numbers: HashMap<String, u64>,
    shipped: HashMap<(LinePlace, bool), u64>,
    left_out: HashMap<LineOrigin, LeftOut>,
    changed: Vec<LineOrigin>,
    all_left_out: u64,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines::new(Clock::system())
    }
}

impl Lines {
    fn new(clock: Clock) -> Lines {
        Lines {
            clock,
            numbers: HashMap::new(),
            shipped: HashMap::new(),
            left_out: HashMap::new(),
            changed: Vec::new(),
            all_left_out: 0,
        }
    }

    /// Takes a line, or with `left_out` a number of lines that the process has left out. Gives the event to ship, if
    /// any.
    pub(super) fn add(&mut self, line: &LogLineBody) -> Option<Draft> {
        let (executor, stage, error) = (line.executor.as_str(), line.stage, line.is_error());
        if let Some(lines) = line.left_out {
            self.leave_out(executor, stage, error, lines);
            return None;
        }
        let place = match stage {
            Some(stage) => LinePlace::Stage(stage),
            None if executor == "driver" => LinePlace::Driver,
            None => LinePlace::Executors,
        };
        let most = self.most(place);
        let shipped = self.shipped.entry((place, error)).or_insert(0);
        if *shipped >= most {
            self.leave_out(executor, stage, error, 1);
            return None;
        }
        *shipped += 1;
        let number = self.numbers.entry(executor.to_string()).or_insert(0);
        *number += 1;
        let number = *number;
        Some(ship::log_line(line, number))
    }

    /// Events for the counts that have changed.
    pub(super) fn drafts(&mut self) -> Vec<Draft> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|whose| Some(draft(&whose, self.left_out.get_mut(&whose)?))).collect()
    }

    /// The number of all lines left out.
    pub(super) fn left_out(&self) -> u64 {
        self.all_left_out
    }

    fn most(&self, place: LinePlace) -> u64 {
        match place {
            LinePlace::Stage(_) => MOST_OF_STAGE,
            LinePlace::Driver | LinePlace::Executors => {
                MOST_OF_NONE + self.clock.now().as_secs() / 60 * MORE_A_MINUTE
            }
        }
    }

    fn leave_out(&mut self, executor: &str, stage: Option<u64>, error: bool, lines: u64) {
        if lines == 0 {
            return;
        }
        self.all_left_out = self.all_left_out.saturating_add(lines);
        let mut whose = LineOrigin { executor: executor.to_string(), stage, error };
        if self.left_out.len() >= MOST_COUNTS && !self.left_out.contains_key(&whose) {
            whose.executor = OTHERS.to_string();
        }
        let count =
            self.left_out.entry(whose.clone()).or_insert(LeftOut { is_shipped: true, ..LeftOut::default() });
        count.lines = count.lines.saturating_add(lines);
        if std::mem::take(&mut count.is_shipped) {
            self.changed.push(whose);
        }
    }
}

fn draft(whose: &LineOrigin, count: &mut LeftOut) -> Draft {
    count.is_shipped = true;
    count.revision += 1;
    let level = if whose.error { Level::Error } else { Level::Warn };
    let message = match (count.lines, whose.error) {
        (1, true) => "1 more error is left out".to_string(),
        (1, false) => "1 more warning is left out".to_string(),
        (lines, true) => format!("{lines} more errors are left out"),
        (lines, false) => format!("{lines} more warnings are left out"),
    };
    let body = LogLineBody {
        executor: whose.executor.clone(),
        level,
        logger: "andiron".to_string(),
        message,
        stage: whose.stage,
        left_out: Some(count.lines),
        ..LogLineBody::default()
    };
    Draft::of(id::lines_left_out(&whose.executor, whose.stage, level), count.revision, &body)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{json, Value};

    use crate::event::read;

    use super::*;

    fn line(executor: &str, level: &str, stage: Value) -> LogLineBody {
        let body =
            json!({"executor": executor, "level": level, "logger": "x", "message": "m", "stage": stage});
        read(&body.to_string()).unwrap()
    }

    fn kept(lines: &mut Lines, times: usize, executor: &str, level: &str, stage: Value) -> usize {
        (0..times).filter(|_| lines.add(&line(executor, level, stage.clone())).is_some()).count()
    }

    fn counts(lines: &mut Lines) -> Vec<(String, u64, u64)> {
        let drafts = lines.drafts();
        let mut found: Vec<_> = drafts
            .iter()
            .map(|draft| {
                (
                    draft.id.clone(),
                    draft.revision,
                    read::<LogLineBody>(&draft.body).unwrap().left_out.unwrap(),
                )
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn a_noisy_stage_takes_no_room_from_others_and_warnings_none_from_errors() {
        let mut lines = Lines::default();
        assert_eq!(kept(&mut lines, 20_000, "1", "WARN", json!(0)), 50);
        assert_eq!(kept(&mut lines, 60, "2", "ERROR", json!(0)), 50);
        for stage in 1..500 {
            assert_eq!(kept(&mut lines, 60, "1", "ERROR", json!(stage)), 50);
        }
        assert_eq!(kept(&mut lines, 5, "1", "ERROR", Value::Null), 5);
        assert_eq!(lines.left_out(), 19_950 + 10 + 499 * 10);
        let found = counts(&mut lines);
        assert_eq!(found.len(), 501);
        assert!(found.contains(&("log:1:left out:0:WARN".to_string(), 1, 19_950)));
        assert!(found.contains(&("log:2:left out:0:ERROR".to_string(), 1, 10)));
        assert!(found.contains(&("log:1:left out:499:ERROR".to_string(), 1, 10)));
    }

    #[test]
    fn what_a_process_has_left_out_is_added() {
        let mut lines = Lines::default();
        let told = |n: u64| {
            let mut body = line("7", "ERROR", json!(3));
            body.left_out = Some(n);
            body
        };
        for n in [0, 5, 37] {
            assert!(lines.add(&told(n)).is_none());
        }
        assert_eq!(counts(&mut lines), [("log:7:left out:3:ERROR".to_string(), 1, 42)]);
        assert!(lines.drafts().is_empty(), "nothing has changed");
        lines.add(&told(u64::MAX));
        assert_eq!(counts(&mut lines), [("log:7:left out:3:ERROR".to_string(), 2, u64::MAX)]);
        assert_eq!(lines.left_out(), u64::MAX);
    }

    #[test]
    fn lines_of_no_stage_have_room_again_as_time_passes() {
        let clock = Clock::manual();
        let mut lines = Lines::new(clock.clone());
        assert_eq!(kept(&mut lines, 3_000, "1", "WARN", Value::Null), 2_000);
        assert_eq!(
            kept(&mut lines, 1, "driver", "WARN", Value::Null),
            1,
            "executors do not silence the driver"
        );
        clock.turn(Duration::from_secs(119));
        assert_eq!(kept(&mut lines, 100, "2", "WARN", Value::Null), 10);
        assert_eq!(lines.left_out(), 1_000 + 90);
        let found = counts(&mut lines);
        let of = |executor: &str, n: u64| (format!("log:{executor}:left out::WARN"), 1, n);
        assert_eq!(found, [of("1", 1_000), of("2", 90)]);
    }

    #[test]
    fn counts_of_very_many_executors_are_one_for_each_stage() {
        let mut lines = Lines::default();
        let mut told = line("", "WARN", json!(1));
        told.left_out = Some(2);
        for executor in 0..MOST_COUNTS + 100 {
            told.executor = executor.to_string();
            lines.add(&told);
        }
        told.executor = "5".to_string();
        lines.add(&told);
        let found = counts(&mut lines);
        assert_eq!(found.len(), MOST_COUNTS + 1);
        assert!(found.contains(&("log:others:left out:1:WARN".to_string(), 1, 200)));
        assert!(found.contains(&("log:5:left out:1:WARN".to_string(), 1, 4)));
        assert_eq!(found.iter().map(|(_, _, n)| n).sum::<u64>(), lines.left_out());
    }
}
