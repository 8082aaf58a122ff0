//! A figure of the process.

use std::borrow::Cow;

/// The value of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A current value.
    Gauge(f64),
    /// A total since the process began to count. A value that has fallen has restarted.
    Counter(f64),
}

impl Value {
    /// The number of either kind.
    pub fn number(self) -> f64 {
        match self {
            Value::Gauge(number) | Value::Counter(number) => number,
        }
    }
}

/// A figure with its name and tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name, such as `andiron.cache.hits`.
    pub name: Cow<'static, str>,
    /// Keys and values, in addition to the tags of all series of the process.
    pub tags: Vec<(&'static str, String)>,
    /// The value.
    pub value: Value,
}

impl Sample {
    /// A gauge without tags.
    pub fn gauge(name: &'static str, value: f64) -> Sample {
        Sample { name: name.into(), tags: Vec::new(), value: Value::Gauge(value) }
    }

    /// A counter without tags.
    pub fn counter(name: &'static str, value: f64) -> Sample {
        Sample { name: name.into(), tags: Vec::new(), value: Value::Counter(value) }
    }

    /// A figure of the family `prefix` under its own name. Milliseconds become seconds, Atlas' unit: `loadMillis` is
    /// published as `loadSeconds`.
    pub fn figure(prefix: &str, name: &str, value: Value) -> Sample {
        let (name, value) = match name.strip_suffix("Millis") {
            Some(start) => (
                format!("{prefix}.{start}Seconds"),
                match value {
                    Value::Gauge(millis) => Value::Gauge(millis / 1000.0),
                    Value::Counter(millis) => Value::Counter(millis / 1000.0),
                },
            ),
            None => (format!("{prefix}.{name}"), value),
        };
        Sample { name: name.into(), tags: Vec::new(), value }
    }

    /// Adds a tag.
    pub fn tag(mut self, key: &'static str, value: impl Into<String>) -> Sample {
        self.tags.push((key, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_seconds() {
        let sample = Sample::figure("andiron.cache", "loadMillis", Value::Counter(1500.0));
        assert_eq!((&*sample.name, sample.value), ("andiron.cache.loadSeconds", Value::Counter(1.5)));
        let sample = Sample::figure("andiron.cache", "hits", Value::Counter(3.0));
        assert_eq!((&*sample.name, sample.value), ("andiron.cache.hits", Value::Counter(3.0)));
    }
}
