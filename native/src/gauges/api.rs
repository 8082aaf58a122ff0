//! Atlas' publish API: JSON over HTTP.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use super::book::{Point, SeriesKind};

/// The limit of points in one call.
pub(super) const BATCH: usize = 500;
/// The limit of the bytes of an answer that are read.
const MOST_ANSWER: u64 = 64 << 10;
/// The limit of the characters of an answer that are kept.
const MOST_SAID: usize = 200;

/// Atlas' answer to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// All points are accepted.
    Taken,
    /// This number of points is refused, with the reason; the others are accepted.
    Partly(u64, String),
    /// The batch is refused for good.
    Refused(String),
    /// Atlas is down, slow or busy.
    Unavailable(String),
}

/// A client of one publish API.
pub(super) struct Api {
    agent: Agent,
    url: String,
}

impl Api {
    pub(super) fn new(base: &str) -> Api {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .max_idle_connections(1)
            .user_agent("andiron")
            .build();
        Api { agent: Agent::new_with_config(config), url: format!("{base}/api/v1/publish") }
    }

    /// Publishes a batch, and waits at most `timeout` for the answer.
    pub(super) fn send(&self, body: &str, points: usize, timeout: Duration) -> Answer {
        let request = self.agent.post(&self.url).config().timeout_global(Some(timeout)).build();
        let mut response = match request.header("Content-Type", "application/json").send(body) {
            Ok(response) => response,
            Err(error) => return Answer::Unavailable(format!("{}: {error}", self.url)),
        };
        let status = response.status().as_u16();
        // Reading the whole answer lets the next call reuse the connection.
        let text = response.body_mut().with_config().limit(MOST_ANSWER).read_to_string().unwrap_or_default();
        let said = || format!("{} answered {status}: {}", self.url, cut(&text));
        match status {
            202 => Answer::Partly(errors(&text).unwrap_or(1).min(points as u64), said()),
            200..=299 => Answer::Taken,
            408 | 429 | 500..=599 => Answer::Unavailable(said()),
            _ => Answer::Refused(said()),
        }
    }
}

/// The number of refused points in an answer.
fn errors(text: &str) -> Option<u64> {
    serde_json::from_str::<Value>(text).ok()?.get("errorCount")?.as_u64()
}

fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_SAID).collect()
}

/// The JSON of a batch. Names and tags have no character that JSON would escape. The rise of a counter is multiplied
/// by `rate`.
pub(super) fn body(common: &[(String, String)], points: &[Point], at: Duration, rate: f64) -> String {
    let mut text = String::with_capacity(64 + 160 * points.len());
    text.push_str("{\"tags\":{");
    pairs(&mut text, common.iter());
    text.push_str("},\"metrics\":[");
    for (index, point) in points.iter().enumerate() {
        let (statistic, dstype, value) = match point.kind {
            SeriesKind::Gauge => ("gauge", "gauge", point.value),
            SeriesKind::Counter => ("count", "rate", point.value * rate),
        };
        text.push_str(if index == 0 { "{\"tags\":{" } else { ",{\"tags\":{" });
        pairs(&mut text, point.tags.iter().filter(|tag| !common.contains(tag)));
        // Writing to a string never fails.
        let _ = write!(
            text,
            ",\"statistic\":\"{statistic}\",\"atlas.dstype\":\"{dstype}\"}},\"timestamp\":{},\"value\":{value}}}",
            at.as_millis()
        );
    }
    text.push_str("]}");
    text
}

fn pairs<'a>(text: &mut String, pairs: impl Iterator<Item = &'a (String, String)>) {
    for (index, (key, value)) in pairs.enumerate() {
        let _ = write!(text, "{}\"{key}\":\"{value}\"", if index == 0 { "" } else { "," });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauges::book::Book;
    use crate::gauges::Reading;
    use serde_json::json;

    #[test]
    fn a_batch_is_what_atlas_reads() {
        let common = vec![("job".to_string(), "nightly".to_string())];
        let mut book = Book::new(common.clone(), 10);
        let points = book.points(vec![
            Reading::gauge("andiron.step.dropRatio", 0.25).tag("step", "a \"b\""),
            Reading::counter("andiron.cache.hits", 30.0),
        ]);
        let text = body(&common, &points, Duration::from_millis(1_700_000_000_000), 0.1);
        let read: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({"tags": {"job": "nightly"}, "metrics": [
            {"tags": {"name": "andiron.step.dropRatio", "step": "a__b_", "statistic": "gauge", "atlas.dstype": "gauge"},
             "timestamp": 1_700_000_000_000u64, "value": 0.25},
            {"tags": {"name": "andiron.cache.hits", "statistic": "count", "atlas.dstype": "rate"},
             "timestamp": 1_700_000_000_000u64, "value": 3},
        ]});
        assert_eq!(read, expected);
    }

    #[test]
    fn a_partial_answer_says_how_many() {
        assert_eq!(errors("{\"type\":\"partial\",\"errorCount\":3,\"message\":[\"too old\"]}"), Some(3));
        assert_eq!(errors("{}"), None);
        assert_eq!(errors("no JSON"), None);
    }
}
