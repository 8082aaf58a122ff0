//! A figure of the process.

use std::borrow::Cow;

/// The value of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// A current value.
    Gauge(f64),
    /// A total since the process began to count. A value that has fallen has restarted.
    Counter(f64),
}

impl Figure {
    /// The number of either kind.
    pub fn number(self) -> f64 {
        match self {
            Figure::Gauge(number) | Figure::Counter(number) => number,
        }
    }
}

/// A figure with its name and tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The name, such as `andiron.cache.hits`.
    pub name: Cow<'static, str>,
    /// Keys and values, in addition to the tags of all series of the process.
    pub tags: Vec<(&'static str, String)>,
    /// The value.
    pub value: Figure,
}

impl Reading {
    /// A gauge without tags.
    pub fn gauge(name: &'static str, value: f64) -> Reading {
        Reading { name: name.into(), tags: Vec::new(), value: Figure::Gauge(value) }
    }

    /// A counter without tags.
    pub fn counter(name: &'static str, value: f64) -> Reading {
        Reading { name: name.into(), tags: Vec::new(), value: Figure::Counter(value) }
    }

    /// A figure of the family `prefix` under its own name. Milliseconds become seconds, Atlas' unit: `loadMillis` is
    /// published as `loadSeconds`.
    pub fn figure(prefix: &str, name: &str, value: Figure) -> Reading {
        let (name, value) = match name.strip_suffix("Millis") {
            Some(start) => (
                format!("{prefix}.{start}Seconds"),
                match value {
                    Figure::Gauge(millis) => Figure::Gauge(millis / 1000.0),
                    Figure::Counter(millis) => Figure::Counter(millis / 1000.0),
                },
            ),
            None => (format!("{prefix}.{name}"), value),
        };
        Reading { name: name.into(), tags: Vec::new(), value }
    }

    /// Adds a tag.
    pub fn tag(mut self, key: &'static str, value: impl Into<String>) -> Reading {
        self.tags.push((key, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_seconds() {
        let reading = Reading::figure("andiron.cache", "loadMillis", Figure::Counter(1500.0));
        assert_eq!((&*reading.name, reading.value), ("andiron.cache.loadSeconds", Figure::Counter(1.5)));
        let reading = Reading::figure("andiron.cache", "hits", Figure::Counter(3.0));
        assert_eq!((&*reading.name, reading.value), ("andiron.cache.hits", Figure::Counter(3.0)));
    }
}
