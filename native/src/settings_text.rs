//! Settings as the JVM hands them over: `key=value` lines, complete, with units and defaults resolved.
//!
//! The keys are Spark's, and `AndironConf` has the only table of them. A setting that is missing and one that is not read
//! are both errors, since they mean that jar and native library differ in version.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Code, Error, Result};

const DIFFER: &str = "the jar and its native library differ in version";

/// Settings that were not read yet; of two lines with one key the later one holds.
pub(crate) struct SettingsText(BTreeMap<String, String>);

impl SettingsText {
    /// Splits the lines. Every error of this module is a [`Code::BadSetting`] that names the key.
    pub(crate) fn of(text: &str) -> Result<SettingsText> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let pairs = lines.map(|line| {
            let (key, value) =
                line.split_once('=').ok_or_else(|| bad(line, "a line of settings must read key=value"))?;
            Ok((key.trim().to_string(), value.to_string()))
        });
        Ok(SettingsText(pairs.collect::<Result<_>>()?))
    }

    /// Takes a setting that may be absent.
    pub(crate) fn optional(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, key: &str) -> Result<String> {
        self.optional(key).ok_or_else(|| bad(key, &format!("it is missing: {DIFFER}")))
    }

    /// Takes a number.
    pub(crate) fn number(&mut self, key: &str) -> Result<u64> {
        let value = self.text(key)?;
        value.parse().map_err(|_| bad(key, &format!("{value:?} is not a whole number from 0 to 2^64-1")))
    }

    /// Takes a number that is at most `most`.
    pub(crate) fn small(&mut self, key: &str, most: u64) -> Result<usize> {
        match self.number(key)? {
            n if n <= most => Ok(n as usize),
            n => Err(bad(key, &format!("{n} is more than {most}"))),
        }
    }

    /// Takes a duration, in milliseconds.
    pub(crate) fn millis(&mut self, key: &str) -> Result<Duration> {
        Ok(Duration::from_millis(self.number(key)?))
    }

    /// Takes `true` or `false`.
    pub(crate) fn truth(&mut self, key: &str) -> Result<bool> {
        let value = self.text(key)?;
        value.parse().map_err(|_| bad(key, &format!("{value:?} is neither true nor false")))
    }

    /// Fails if a setting is left that was not read and is not `known` elsewhere.
    pub(crate) fn end(self, known: impl Fn(&str) -> bool) -> Result<()> {
        match self.0.keys().find(|key| !known(key)) {
            Some(key) => Err(bad(key, &format!("no such setting: {DIFFER}"))),
            None => Ok(()),
        }
    }
}

/// The error of a setting.
pub(crate) fn bad(key: &str, why: &str) -> Error {
    Error::new(Code::BadSetting, format!("setting {key:?}: {why}"))
}

/// The default of a setting that the command `andiron` reads without a JVM: a row of the table that `AndironConf`
/// writes. Empty for a setting without one.
pub(crate) fn default_of(key: &str) -> &'static str {
    let rows = include_str!("settings_defaults.tsv").lines().filter_map(|row| row.split_once('\t'));
    rows.into_iter().find(|(of, _)| *of == key).map_or("", |(_, default)| default)
}
