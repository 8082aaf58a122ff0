//! A figure as the process tells it.

use std::borrow::Cow;

/// What a figure is now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// What is so now.
    Gauge(f64),
    /// How much there has been since the process began to count. One that has fallen has begun anew.
    Counter(f64),
}

impl Value {
    /// The number, whatever it counts.
    pub fn number(self) -> f64 {
        match self {
            Value::Gauge(number) | Value::Counter(number) => number,
        }
    }
}

/// One figure with its name and tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// As `andiron.cache.hits`.
    pub name: Cow<'static, str>,
    /// Keys and values, beside the tags that all series of the process have.
    pub tags: Vec<(&'static str, String)>,
    /// What it is now.
    pub value: Value,
}

impl Sample {
    /// What is so now.
    pub fn gauge(name: &'static str, value: f64) -> Sample {
        Sample { name: name.into(), tags: Vec::new(), value: Value::Gauge(value) }
    }

    /// What only rises.
    pub fn counter(name: &'static str, value: f64) -> Sample {
        Sample { name: name.into(), tags: Vec::new(), value: Value::Counter(value) }
    }

    /// A figure of the family `prefix` by its own name. Milliseconds become seconds, as Atlas has its times: `loadMillis` is
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

    /// The same with one more tag.
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
