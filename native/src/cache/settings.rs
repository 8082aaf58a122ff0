//! The settings of one application's cache, as the JVM passes them.
//!
//! The text form is one `key=value` a line. Scala has already parsed units and defaults (`AndironConf`); this
//! decoder checks the rest: known keys, ranges, and contradictions.

#[cfg(test)]
use crate::error::Code;
use crate::error::Result;
use crate::settings_text::{bad, SettingsText};
use std::path::PathBuf;
use std::time::Duration;

/// Limits and times of the cache. Immutable once an application has configured the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// The Spark application that these settings belong to.
    pub application: String,
    /// The directory for payload files; each application has a folder below it.
    pub cache_dir: PathBuf,
    /// The most bytes that published files may take on the local disk.
    pub disk_bytes: u64,
    /// The most bytes that may be admitted at once.
    pub budget_bytes: u64,
    /// The most versions that may be admitted at once; `None` is unlimited.
    pub budget_versions: Option<u64>,
    /// The limit that overdrafts never exceed.
    pub hard_limit_bytes: u64,
    /// Whether a version without a lease stays resident until its bytes are needed.
    pub keep_warm: bool,
    /// The time that a task holding a version waits for another before that is admitted over the budget.
    pub overdraft_after: Duration,
    /// The time that such a task waits at the hard limit before it is told to release its versions.
    pub deadlock_after: Duration,
    /// The time for which a failed load is the answer to requests for its version, before the next request
    /// tries again.
    pub failure_memory: Duration,
    /// The longest time of one load, measured from its start on a loader thread.
    pub load_timeout: Duration,
    /// The longest time that one task waits for the budget and for loads, including loads that no loader
    /// thread has started.
    pub wait_timeout: Duration,
    /// The age from which no other group may overtake a waiting group.
    pub queue_age: Duration,
}

impl CacheSettings {
    /// Reads the text form. Every error is a [`Code::BadSetting`] that names the key.
    pub fn parse(text: &str) -> Result<CacheSettings> {
        let mut text = SettingsText::of(text)?;
        let settings = CacheSettings {
            application: text.text("application")?,
            cache_dir: text.text("cacheDir")?.into(),
            disk_bytes: text.number("spark.andiron.cache.diskBytes")?,
            budget_bytes: text.number("spark.andiron.cache.budgetBytes")?,
            budget_versions: Some(text.number("spark.andiron.cache.budgetVersions")?).filter(|n| *n > 0),
            hard_limit_bytes: text.number("spark.andiron.cache.hardLimitBytes")?,
            keep_warm: text.truth("spark.andiron.cache.keepWarm")?,
            overdraft_after: text.millis("spark.andiron.cache.overdraftAfter")?,
            deadlock_after: text.millis("spark.andiron.cache.deadlockAfter")?,
            failure_memory: text.millis("spark.andiron.cache.failureMemory")?,
            load_timeout: text.millis("spark.andiron.cache.loadTimeout")?,
            wait_timeout: text.millis("spark.andiron.cache.waitTimeout")?,
            queue_age: text.millis("spark.andiron.cache.queueAge")?,
        };
        text.end(|_| false)?;
        settings.check()?;
        Ok(settings)
    }

    /// The settings of a process that no application has configured: nothing is admitted.
    pub(super) fn unconfigured() -> CacheSettings {
        CacheSettings {
            application: String::new(),
            cache_dir: PathBuf::new(),
            disk_bytes: 0,
            budget_bytes: 0,
            budget_versions: None,
            hard_limit_bytes: 0,
            keep_warm: false,
            overdraft_after: Duration::ZERO,
            deadlock_after: Duration::ZERO,
            failure_memory: Duration::ZERO,
            load_timeout: Duration::ZERO,
            wait_timeout: Duration::ZERO,
            queue_age: Duration::ZERO,
        }
    }

    /// Settings for tests and benchmarks. Those of applications come from the JVM, complete.
    #[doc(hidden)]
    pub fn for_tests() -> CacheSettings {
        CacheSettings {
            application: "application".to_string(),
            cache_dir: std::env::temp_dir(),
            disk_bytes: u64::MAX,
            budget_bytes: 1 << 30,
            budget_versions: None,
            hard_limit_bytes: 2 << 30,
            keep_warm: true,
            overdraft_after: Duration::from_secs(1),
            deadlock_after: Duration::from_secs(10),
            failure_memory: Duration::from_secs(5),
            load_timeout: Duration::from_secs(1800),
            wait_timeout: Duration::from_secs(3600),
            queue_age: Duration::from_secs(1),
        }
    }

    fn check(&self) -> Result<()> {
        if self.application.is_empty() {
            return Err(bad("application", "an application id is needed"));
        }
        if self.budget_bytes == 0 {
            return Err(bad(
                "budgetBytes",
                "a budget of 0 bytes admits nothing; set spark.andiron.cache.budgetBytes to at least the \
                 largest version, or spark.andiron.enabled=false",
            ));
        }
        if self.hard_limit_bytes < self.budget_bytes {
            return Err(bad(
                "hardLimitBytes",
                "spark.andiron.cache.hardLimitBytes must not be below spark.andiron.cache.budgetBytes",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "application=app-1\ncacheDir=/somewhere\nspark.andiron.cache.diskBytes=9\n\
                        spark.andiron.cache.budgetBytes=5\nspark.andiron.cache.budgetVersions=2\n\
                        spark.andiron.cache.hardLimitBytes=8\nspark.andiron.cache.keepWarm=false\n\
                        spark.andiron.cache.overdraftAfter=1\nspark.andiron.cache.deadlockAfter=2\n\
                        spark.andiron.cache.failureMemory=3\nspark.andiron.cache.loadTimeout=4\n\
                        spark.andiron.cache.waitTimeout=5\nspark.andiron.cache.queueAge=6\n";

    fn with(line: &str) -> Result<CacheSettings> {
        CacheSettings::parse(&format!("{TEXT}{line}"))
    }

    #[test]
    fn every_key_is_read() {
        let expected = CacheSettings {
            application: "app-1".into(),
            cache_dir: "/somewhere".into(),
            disk_bytes: 9,
            budget_bytes: 5,
            budget_versions: Some(2),
            hard_limit_bytes: 8,
            keep_warm: false,
            overdraft_after: Duration::from_millis(1),
            deadlock_after: Duration::from_millis(2),
            failure_memory: Duration::from_millis(3),
            load_timeout: Duration::from_millis(4),
            wait_timeout: Duration::from_millis(5),
            queue_age: Duration::from_millis(6),
        };
        assert_eq!(CacheSettings::parse(TEXT).unwrap(), expected);
    }

    #[test]
    fn a_count_of_zero_is_unlimited() {
        assert_eq!(with("spark.andiron.cache.budgetVersions=0").unwrap().budget_versions, None);
    }

    #[test]
    fn no_key_has_a_default() {
        for line in TEXT.lines() {
            let error = CacheSettings::parse(&TEXT.replace(line, "")).unwrap_err();
            assert_eq!(error.code(), Code::BadSetting);
            assert!(error.message().contains(line.split('=').next().unwrap()), "{error}");
        }
    }

    #[test]
    fn bad_text_names_the_key() {
        for (line, key) in [
            ("spark.andiron.cache.budgetBytes=lots", "budgetBytes"),
            ("spark.andiron.cache.budgetBytes=-1", "budgetBytes"),
            ("spark.andiron.cache.budgetBytes=0", "spark.andiron.cache.budgetBytes"),
            ("spark.andiron.cache.keepWarm=perhaps", "keepWarm"),
            ("colour=red", "colour"),
            ("nonsense", "nonsense"),
            ("application=", "application"),
            ("spark.andiron.cache.budgetBytes=10\nspark.andiron.cache.hardLimitBytes=9", "hardLimitBytes"),
        ] {
            let error = with(line).unwrap_err();
            assert_eq!(error.code(), Code::BadSetting);
            assert!(error.message().contains(key), "{error}");
        }
    }
}
