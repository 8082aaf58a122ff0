//! The settings of one application's metrics, from the JVM: `key=value` lines with units and defaults resolved.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::sinks::SinkSettings;

/// Limits and directories. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsSettings {
    /// The application's id.
    pub application: String,
    /// The application's attempt; may be empty.
    pub attempt: String,
    /// The id that joins applications to one run; may be empty.
    pub run_id: String,
    /// The directory of ship logs. `None`: there is no log, and figures are kept only in memory.
    pub log_dir: Option<PathBuf>,
    /// The maximal size of a segment of the log.
    pub segment_bytes: u64,
    /// How long logs of earlier applications are kept.
    pub retention: Duration,
    /// The limit of the bytes of all logs.
    pub most_bytes: u64,
    /// Failed rows that are kept for each step.
    pub samples: usize,
    /// Bytes of a failed row that are kept.
    pub record_bytes: usize,
    /// The interval at which changes are shipped. `None`: only on request.
    pub ship_every: Option<Duration>,
    /// The sinks that events are shipped to.
    pub sinks: SinkSettings,
}

impl Default for MetricsSettings {
    fn default() -> MetricsSettings {
        MetricsSettings {
            application: String::new(),
            attempt: String::new(),
            run_id: String::new(),
            log_dir: None,
            segment_bytes: 64 << 20,
            retention: Duration::from_secs(7 * 24 * 3600),
            most_bytes: 4 << 30,
            samples: 500,
            record_bytes: 2048,
            ship_every: Some(Duration::from_secs(1)),
            sinks: SinkSettings::default(),
        }
    }
}

impl MetricsSettings {
    /// Reads the text form. Every error is a [`Code::BadSetting`] that names the key.
    pub fn parse(text: &str) -> Result<MetricsSettings> {
        let mut settings =
            MetricsSettings { sinks: SinkSettings::parse(text)?, ..MetricsSettings::default() };
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (key, value) =
                line.split_once('=').ok_or_else(|| bad(line, "a line of settings must read key=value"))?;
            settings.set(key.trim(), value)?;
        }
        if settings.application.is_empty() {
            return Err(bad("application", "an application id is needed"));
        }
        Ok(settings)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "application" => self.application = value.to_string(),
            "attempt" => self.attempt = value.to_string(),
            "runId" => self.run_id = value.to_string(),
            "logDir" => {
                self.log_dir =
                    Some(crate::shiplog::local(value.as_ref())?).filter(|path| !path.as_os_str().is_empty());
            }
            "segmentBytes" => self.segment_bytes = number(key, value)?,
            "retentionDays" => {
                self.retention = Duration::from_secs(number(key, value)?.saturating_mul(24 * 3600));
            }
            "maxBytes" => self.most_bytes = number(key, value)?,
            "samples" => self.samples = small(key, value, 100_000)?,
            "recordBytes" => self.record_bytes = small(key, value, 1 << 20)?,
            "shipEveryMillis" => {
                self.ship_every =
                    Some(Duration::from_millis(number(key, value)?)).filter(|every| !every.is_zero());
            }
            // Settings of the sinks.
            _ if key.starts_with("spark.andiron.") => {}
            _ => return Err(bad(key, "no such setting: the jar and its native library differ in version")),
        }
        Ok(())
    }
}

fn bad(key: &str, why: &str) -> Error {
    Error::new(Code::BadSetting, format!("setting {key:?}: {why}"))
}

fn number(key: &str, value: &str) -> Result<u64> {
    value.parse().map_err(|_| bad(key, &format!("{value:?} is not a whole number from 0 to 2^64-1")))
}

fn small(key: &str, value: &str, most: u64) -> Result<usize> {
    match number(key, value)? {
        n if n <= most => Ok(n as usize),
        n => Err(bad(key, &format!("{n} is more than {most}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let text = "application=app-1\nattempt=2\nrunId=nightly\nlogDir=/somewhere\nsegmentBytes=5\nretentionDays=3\n\
                    maxBytes=6\nsamples=7\nrecordBytes=8\nshipEveryMillis=9\nspark.andiron.kafka.bootstrap.servers=a:1\n";
        let expected = MetricsSettings {
            application: "app-1".into(),
            attempt: "2".into(),
            run_id: "nightly".into(),
            log_dir: Some("/somewhere".into()),
            segment_bytes: 5,
            retention: Duration::from_secs(3 * 24 * 3600),
            most_bytes: 6,
            samples: 7,
            record_bytes: 8,
            ship_every: Some(Duration::from_millis(9)),
            sinks: SinkSettings::of([("spark.andiron.kafka.bootstrap.servers", "a:1")]).unwrap(),
        };
        assert_eq!(MetricsSettings::parse(text).unwrap(), expected);
    }

    #[test]
    fn bad_text_names_the_key() {
        for (text, key) in [
            ("", "application"),
            ("application=", "application"),
            ("application=a\nsamples=lots", "samples"),
            ("application=a\nsamples=100001", "samples"),
            ("application=a\ncolour=red", "colour"),
            ("nonsense", "nonsense"),
            ("application=a\nlogDir=hdfs:///logs", "spark.andiron.log.archive"),
            ("application=a\nspark.andiron.kafka.acks=1", "spark.andiron.kafka.acks"),
        ] {
            let error = MetricsSettings::parse(text).unwrap_err();
            assert_eq!(error.code(), Code::BadSetting);
            assert!(error.message().contains(key), "{error}");
        }
    }
}
