//! The settings of one application's cache, as the JVM passes them.
//!
//! The text form is one `key=value` a line. Scala has already parsed units and defaults (`AndironConf`); this
//! decoder checks the rest: known keys, ranges, and contradictions.

use crate::error::{Code, Error, Result};
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

impl Default for CacheSettings {
    fn default() -> CacheSettings {
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
}

impl CacheSettings {
    /// Reads the text form. Every error is a [`Code::BadSetting`] that names the key.
    pub fn parse(text: &str) -> Result<CacheSettings> {
        let mut settings = CacheSettings::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (key, value) =
                line.split_once('=').ok_or_else(|| bad(line, "a line of settings must read key=value"))?;
            settings.set(key.trim(), value)?;
        }
        settings.check()?;
        Ok(settings)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "application" => self.application = value.to_string(),
            "cacheDir" => self.cache_dir = PathBuf::from(value),
            "diskBytes" => self.disk_bytes = number(key, value)?,
            "budgetBytes" => self.budget_bytes = number(key, value)?,
            "budgetCount" => self.budget_versions = Some(number(key, value)?).filter(|count| *count > 0),
            "hardLimitBytes" => self.hard_limit_bytes = number(key, value)?,
            "keepWarm" => self.keep_warm = truth(key, value)?,
            "overdraftAfterMillis" => self.overdraft_after = millis(key, value)?,
            "deadlockAfterMillis" => self.deadlock_after = millis(key, value)?,
            "failureMemoryMillis" => self.failure_memory = millis(key, value)?,
            "loadTimeoutMillis" => self.load_timeout = millis(key, value)?,
            "waitTimeoutMillis" => self.wait_timeout = millis(key, value)?,
            "queueAgeMillis" => self.queue_age = millis(key, value)?,
            // The JVM owns the pool of loader threads.
            "loaderThreads" => drop(number(key, value)?),
            _ => return Err(bad(key, "no such setting: the jar and its native library differ in version")),
        }
        Ok(())
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

fn bad(key: &str, why: &str) -> Error {
    Error::new(Code::BadSetting, format!("setting {key:?}: {why}"))
}

fn number(key: &str, value: &str) -> Result<u64> {
    value.parse().map_err(|_| bad(key, &format!("{value:?} is not a whole number from 0 to 2^64-1")))
}

fn millis(key: &str, value: &str) -> Result<Duration> {
    Ok(Duration::from_millis(number(key, value)?))
}

fn truth(key: &str, value: &str) -> Result<bool> {
    value.parse().map_err(|_| bad(key, &format!("{value:?} is neither true nor false")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let text = "application=app-1\ncacheDir=/somewhere\ndiskBytes=9\nbudgetBytes=5\nbudgetCount=2\n\
                    hardLimitBytes=8\nkeepWarm=false\noverdraftAfterMillis=1\ndeadlockAfterMillis=2\n\
                    failureMemoryMillis=3\nloadTimeoutMillis=4\nwaitTimeoutMillis=5\nqueueAgeMillis=6\nloaderThreads=4\n";
        let read = CacheSettings::parse(text).unwrap();
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
        assert_eq!(read, expected);
    }

    #[test]
    fn a_count_of_zero_is_unlimited() {
        assert_eq!(CacheSettings::parse("budgetCount=0").unwrap().budget_versions, None);
    }

    #[test]
    fn bad_text_names_the_key() {
        for (text, key) in [
            ("budgetBytes=lots", "budgetBytes"),
            ("budgetBytes=-1", "budgetBytes"),
            ("budgetBytes=0", "spark.andiron.cache.budgetBytes"),
            ("keepWarm=perhaps", "keepWarm"),
            ("colour=red", "colour"),
            ("nonsense", "nonsense"),
            ("application=", "application"),
            ("budgetBytes=10\nhardLimitBytes=9", "hardLimitBytes"),
        ] {
            let error = CacheSettings::parse(text).unwrap_err();
            assert_eq!(error.code(), Code::BadSetting);
            assert!(error.message().contains(key), "{error}");
        }
    }
}
