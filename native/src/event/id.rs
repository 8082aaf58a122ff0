//! Ids of events: the parts of the subject, joined by `|`. Text from outside is escaped, so that different
//! subjects have different ids under any names.

use std::borrow::Cow;
use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Level;

/// Characters with a meaning in an id, and their escapes.
const MEANT: [(char, &str); 3] = [('%', "%25"), ('|', "%7C"), ('/', "%2F")];

/// Escapes a text as a part of an id.
pub fn part(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| MEANT.iter().any(|(meant, _)| *meant == c)) {
        return Cow::Borrowed(text);
    }
    // The escape character comes first, so that no character is escaped twice.
    Cow::Owned(MEANT.iter().fold(text.to_string(), |text, (meant, code)| text.replace(*meant, code)))
}

/// The text of an escaped part.
fn text(part: &str) -> String {
    MEANT.iter().rev().fold(part.to_string(), |text, (meant, code)| text.replace(code, &meant.to_string()))
}

/// The id of an application, or of a subject in it: `about` is one of the ids below, or empty for the
/// application itself.
pub fn of(application: &str, attempt: &str, about: &str) -> String {
    let (application, attempt) = (part(application), part(attempt));
    match (about, &*attempt) {
        ("", "") => application.into_owned(),
        ("", attempt) => format!("{application}|{attempt}"),
        (about, attempt) => format!("{application}|{attempt}|{about}"),
    }
}

/// Application and attempt of an event's id.
pub fn application(id: &str) -> (String, String) {
    let mut parts = id.split('|').map(text);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// A counter of an operator of a step.
pub fn counter(step: &str, counter: &str, site: &str) -> String {
    format!("{}/{}|step:{}", part(step), part(counter), part(site))
}

/// An accumulator in a scope; the scope contains no text from outside.
pub fn accumulator(name: &str, scope: &str) -> String {
    format!("{}|{scope}", part(name))
}

/// The hash of a failed row. As a text it has 20 digits, so that texts sort like numbers; logs of earlier releases
/// have it without leading zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RowHash(pub u64);

impl fmt::Display for RowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}", self.0)
    }
}

impl Serialize for RowHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RowHash, D::Error> {
        let digits = Cow::<str>::deserialize(deserializer)?;
        digits.parse().map(RowHash).map_err(D::Error::custom)
    }
}

/// A failed row of a step.
pub fn failure(step: &str, hash: RowHash) -> String {
    format!("{}|{hash}", part(step))
}

/// The hash of a failed row; `None` for other events.
pub fn failed_row(id: &str) -> Option<RowHash> {
    id.rsplit('|').next()?.parse().ok().map(RowHash)
}

/// The failed rows of a step.
pub fn failures(step: &str) -> String {
    format!("{}|samples", part(step))
}

/// An attempt of a stage.
pub fn stage(stage: u64, attempt: u64) -> String {
    format!("stage:{stage}.{attempt}")
}

/// A job.
pub fn job(job: u64) -> String {
    format!("job:{job}")
}

/// An execution of a query.
pub fn execution(execution: u64) -> String {
    format!("execution:{execution}")
}

/// The gate with this number in the application.
pub fn gate(number: u64) -> String {
    format!("limits:{number}")
}

/// The health of log, sinks and listener.
pub fn health() -> String {
    "health".to_string()
}

/// The verdict with this number on a step.
pub fn verdict(step: &str, number: u64) -> String {
    format!("gate:{}:{number}", part(step))
}

/// The line with this number in the log of an executor.
pub fn log_line(executor: &str, number: u64) -> String {
    format!("log:{}:{number}", part(executor))
}

/// The number of omitted lines of this executor, stage and level.
pub fn lines_left_out(executor: &str, stage: Option<u64>, level: Level) -> String {
    let stage = stage.map_or(String::new(), |stage| stage.to_string());
    format!("log:{}:left out:{stage}:{}", part(executor), level.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_things_have_different_ids() {
        assert_ne!(counter("etl", "us/rows", "map at A:1"), counter("etl/us", "rows", "map at A:1"));
        assert_ne!(failure("a|b", RowHash(1)), of("a", "b", "00000000000000000001"));
        assert_ne!(of("a|b", "", ""), of("a", "b", ""));
        assert_ne!(counter("a%2Fb", "in", "s"), counter("a/b", "in", "s"));
        assert_ne!(accumulator("a|rdd:1", "rdd:2"), accumulator("a", "rdd:1|rdd:2"));
        assert_eq!(counter("history", "in", "map at Job.scala:12"), "history/in|step:map at Job.scala:12");
    }

    #[test]
    fn an_id_tells_its_application() {
        for (id, attempt) in [("app-1", ""), ("app-1", "2"), ("a|b%7C", "c/d"), ("%25", "")] {
            for about in ["", "job:1", "a%7Cb|x"] {
                let told = application(&of(id, attempt, about));
                assert_eq!(told, (id.to_string(), attempt.to_string()));
            }
        }
        assert_eq!(application("app-1||history/in|step:map at A:1"), ("app-1".to_string(), String::new()));
    }

    #[test]
    fn hashes_are_in_the_order_of_numbers() {
        let mut ids: Vec<String> =
            [u64::MAX, 9, 10, 0, 1 << 40].map(|row| of("app", "", &failure("s", RowHash(row)))).to_vec();
        ids.sort_unstable();
        let rows: Vec<u64> = ids.iter().filter_map(|id| failed_row(id)).map(|hash| hash.0).collect();
        assert_eq!(rows, [0, 9, 10, 1 << 40, u64::MAX]);
        assert_eq!(failed_row("app||s|17"), Some(RowHash(17)));
        assert_eq!(failed_row(&of("app", "", &failures("s"))), None);
    }
}
