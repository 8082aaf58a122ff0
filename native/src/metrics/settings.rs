//! The settings of one application's metrics, from the JVM: `key=value` lines with units and defaults resolved.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Result;
use crate::settings_text::{bad, SettingsText};
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

/// The interval at which changes are shipped.
const SHIP_EVERY: Duration = Duration::from_secs(1);

impl MetricsSettings {
    /// Reads the text form. Every error is a [`Code::BadSetting`] that names the key.
    pub fn parse(text: &str) -> Result<MetricsSettings> {
        let sinks = SinkSettings::parse(text)?;
        let mut text = SettingsText::of(text)?;
        let log_dir = crate::shiplog::local(text.text("spark.andiron.log.dir")?.as_ref())?;
        let days = text.number("spark.andiron.log.retentionDays")?;
        let settings = MetricsSettings {
            application: text.text("application")?,
            attempt: text.text("attempt")?,
            run_id: text.optional("spark.andiron.run.id").unwrap_or_default(),
            log_dir: Some(log_dir).filter(|path| !path.as_os_str().is_empty()),
            segment_bytes: text.number("spark.andiron.log.segmentBytes")?,
            retention: Duration::from_secs(days.saturating_mul(24 * 3600)),
            most_bytes: text.number("spark.andiron.log.maxBytes")?,
            samples: text.small("spark.andiron.metrics.samples", 100_000)?,
            record_bytes: text.small("spark.andiron.metrics.recordBytes", 1 << 20)?,
            ship_every: Some(SHIP_EVERY),
            sinks,
        };
        text.end(SinkSettings::has)?;
        if settings.application.is_empty() {
            return Err(bad("application", "an application id is needed"));
        }
        Ok(settings)
    }

    /// Settings for tests and benchmarks. Those of applications come from the JVM, complete.
    #[doc(hidden)]
    pub fn for_tests() -> MetricsSettings {
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
            ship_every: Some(SHIP_EVERY),
            sinks: SinkSettings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    const TEXT: &str =
        "application=app-1\nattempt=2\nspark.andiron.run.id=nightly\nspark.andiron.log.dir=/somewhere\n\
                        spark.andiron.log.segmentBytes=5\nspark.andiron.log.retentionDays=3\n\
                        spark.andiron.log.maxBytes=6\nspark.andiron.metrics.samples=7\n\
                        spark.andiron.metrics.recordBytes=8\nspark.andiron.kafka.bootstrap.servers=a:1\n";

    #[test]
    fn every_key_is_read() {
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
            ship_every: Some(SHIP_EVERY),
            sinks: SinkSettings::of([("spark.andiron.kafka.bootstrap.servers", "a:1")]).unwrap(),
        };
        assert_eq!(MetricsSettings::parse(TEXT).unwrap(), expected);
    }

    #[test]
    fn no_limit_has_a_default() {
        for line in TEXT.lines().filter(|line| !line.contains(".run.id=") && !line.contains(".kafka.")) {
            let error = MetricsSettings::parse(&TEXT.replace(line, "")).unwrap_err();
            assert!(error.message().contains(line.split('=').next().unwrap()), "{error}");
        }
    }

    #[test]
    fn bad_text_names_the_key() {
        for (line, key) in [
            ("application=", "application"),
            ("spark.andiron.metrics.samples=lots", "samples"),
            ("spark.andiron.metrics.samples=100001", "samples"),
            ("colour=red", "colour"),
            ("nonsense", "nonsense"),
            ("spark.andiron.log.dir=hdfs:///logs", "spark.andiron.log.archive"),
            ("spark.andiron.kafka.acks=1", "spark.andiron.kafka.acks"),
        ] {
            let error = MetricsSettings::parse(&format!("{TEXT}{line}")).unwrap_err();
            assert_eq!(error.code(), Code::BadSetting);
            assert!(error.message().contains(key), "{error}");
        }
    }
}
