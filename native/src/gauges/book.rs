//! The series of the process, and the points that are published of them.

use std::collections::HashMap;
use std::time::Duration;

use super::reading::{Figure, Reading};
use super::tags::{self, Tags};

/// Atlas' type of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeriesKind {
    /// A current value.
    Gauge,
    /// The rate of a counter.
    Counter,
}

/// The point of one series in one step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) tags: Tags,
    pub(super) kind: SeriesKind,
    /// The value of a gauge; for a counter the rise since its last point.
    pub(super) value: f64,
}

/// The series of the process. An admitted series stays for the life of the book, so that a process with more series
/// than the limit publishes the same ones in every step: the first that it reported.
pub(super) struct Book {
    common: Vec<(String, String)>,
    most: usize,
    /// The last value of a counter, by tags.
    series: HashMap<Tags, f64>,
    left_out: u64,
    told: bool,
}

impl Book {
    pub(super) fn new(common: Vec<(String, String)>, most: usize) -> Book {
        Book { common, most, series: HashMap::new(), left_out: 0, told: false }
    }

    /// Series that the last call left out.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The points to publish for `readings`. A new counter, and one that has fallen, is taken to have started at 0. Of
    /// two readings with the same tags the first one holds, and values that are not finite are left out.
    pub(super) fn points(&mut self, readings: Vec<Reading>) -> Vec<Point> {
        let mut points = Vec::with_capacity(readings.len().min(self.most));
        let mut seen: HashMap<Tags, ()> = HashMap::new();
        self.left_out = 0;
        for reading in readings {
            let number = reading.value.number();
            if !number.is_finite() {
                continue;
            }
            let tags = tags::of_series(&reading.name, &reading.tags, &self.common);
            if seen.insert(tags.clone(), ()).is_some() {
                continue;
            }
            if self.series.len() >= self.most && !self.series.contains_key(&tags) {
                self.left_out += 1;
                continue;
            }
            let last = self.series.insert(tags.clone(), number).unwrap_or(0.0);
            points.push(match reading.value {
                Figure::Gauge(_) => Point { tags, kind: SeriesKind::Gauge, value: number },
                Figure::Counter(_) => {
                    let value = if number < last { number } else { number - last };
                    Point { tags, kind: SeriesKind::Counter, value }
                }
            });
        }
        if self.left_out > 0 && !self.told {
            self.told = true;
            log::warn!(
                "Atlas: {} series are left out, since this process may publish {}: raise spark.andiron.atlas.maxSeries",
                self.left_out,
                self.most
            );
        }
        points
    }
}

/// The start of the step that contains `now`. Both are times since 1970.
pub(super) fn step_of(now: Duration, step: Duration) -> Duration {
    let step = step.as_millis().max(1);
    Duration::from_millis((now.as_millis() / step * step) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(most: usize) -> Book {
        Book::new(vec![("job".to_string(), "j".to_string())], most)
    }

    fn values(points: &[Point]) -> Vec<f64> {
        points.iter().map(|point| point.value).collect()
    }

    #[test]
    fn a_counter_gives_what_it_has_risen() {
        let mut book = book(10);
        for (now, risen) in [(5.0, 5.0), (5.0, 0.0), (7.5, 2.5), (1.0, 1.0), (2.0, 1.0)] {
            assert_eq!(values(&book.points(vec![Reading::counter("c", now)])), [risen], "{now}");
        }
        assert_eq!(values(&book.points(vec![Reading::gauge("g", 3.0)])), [3.0]);
        assert_eq!(values(&book.points(vec![Reading::gauge("g", 3.0)])), [3.0]);
    }

    #[test]
    fn the_same_series_are_left_out_every_time() {
        let mut book = book(2);
        let all = || ["a", "b", "c", "d"].map(|step| Reading::gauge("s", 1.0).tag("step", step));
        let step_of = |points: &[Point]| points.iter().map(|p| p.tags[2].1.clone()).collect::<Vec<_>>();
        assert_eq!(step_of(&book.points(all().to_vec())), ["a", "b"]);
        assert_eq!(book.left_out(), 2);
        let mut turned = all().to_vec();
        turned.reverse();
        assert_eq!(step_of(&book.points(turned)), ["b", "a"]);
        assert_eq!(book.left_out(), 2);
        assert_eq!(step_of(&book.points(vec![Reading::gauge("s", 1.0).tag("step", "a")])), ["a"]);
        assert_eq!(book.left_out(), 0);
    }

    #[test]
    fn what_is_no_number_and_what_is_there_twice_is_left_out() {
        let mut book = book(10);
        let readings = vec![
            Reading::gauge("ratio", f64::NAN),
            Reading::gauge("ratio", f64::INFINITY),
            Reading::gauge("twice", 1.0).tag("step", "a b"),
            Reading::gauge("twice", 2.0).tag("step", "a/b"),
        ];
        assert_eq!(values(&book.points(readings)), [1.0]);
    }

    #[test]
    fn steps_begin_at_whole_multiples() {
        let ms = Duration::from_millis;
        assert_eq!(step_of(ms(60_000), ms(60_000)), ms(60_000));
        assert_eq!(step_of(ms(119_999), ms(60_000)), ms(60_000));
        assert_eq!(step_of(ms(1_700_000_003_217), ms(10_000)), ms(1_700_000_000_000));
    }
}
