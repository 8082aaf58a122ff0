//! The destinations of events, and the threads that ship to them.
//!
//! Each [`Sink`] has a thread of its own, which reads the log behind its writer, ships durable events and keeps its
//! position in a small file. A sink that is down, refuses, panics or never returns delays no other sink: its events
//! stay in the log, and the next start, or `andiron ship`, ships them. An event may be shipped more than once, always
//! with the same id and revision.
//!
//! To add a sink: write its module, with a constant of type [`SinkKind`], and list that in [`KINDS`].
//!
//! | module | contents |
//! |---|---|
//! | `delivery` | delivery of one batch to one sink, with back-off |
//! | `shipper` | the threads of a running application |
//! | `replay` | the logs of earlier applications |
//! | `embedded` | the log itself as a sink |
//! | `kafka` | events as Kafka messages |
//! | `sink` | the trait, its errors, and a kind of sink in the list of kinds |
//! | `value` | an event as one JSON object |
//! | `faulty`, `watched` | sinks that fail on command, within the process and from outside |

mod delivery;
mod embedded;
#[cfg(any(test, feature = "test-hooks"))]
pub mod faulty;
mod kafka;
mod replay;
mod shipper;
mod sink;
#[cfg(test)]
mod tests;
pub(crate) mod value;
#[cfg(feature = "test-hooks")]
mod watched;

pub use crate::event::SinkHealth;
pub use embedded::Embedded;
pub use replay::{ship, Replay};
pub use shipper::Shipper;
pub use sink::{Rejected, ShipError, Sink};

use std::fmt;

use sink::{Properties, SinkKind};

use crate::error::{Code, Error, Result};

/// All kinds of sinks.
const KINDS: &[SinkKind] = &[kafka::KIND];

/// The settings of one application's sinks. Holds no secret.
#[derive(Clone, Default)]
pub struct SinkSettings {
    /// The kinds that have settings, with these.
    sinks: Vec<(&'static SinkKind, Properties)>,
}

impl SinkSettings {
    /// Reads the settings of sinks among settings of any kind; of two with one key the later one holds.
    ///
    /// # Errors
    /// [`Code::BadSetting`], which names the key and never contains a secret.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<SinkSettings> {
        let pairs: Vec<(&str, &str)> =
            pairs.into_iter().map(|(key, value)| (key.trim(), value.trim())).collect();
        let mut sinks = Vec::new();
        for kind in KINDS {
            let own = pairs.iter().filter_map(|(key, value)| {
                Some((key.strip_prefix(kind.prefix)?.to_string(), (*value).to_string()))
            });
            let own: Properties = own.collect();
            if !own.is_empty() {
                (kind.parse)(&own)?;
                sinks.push((kind, own));
            }
        }
        Ok(SinkSettings { sinks })
    }

    /// Whether `key` is a setting of a sink.
    pub fn has(key: &str) -> bool {
        let property = |kind: &SinkKind| key.trim().strip_prefix(kind.prefix).map(str::to_string);
        KINDS.iter().filter_map(property).any(|property| !property.is_empty())
    }

    /// The error for a key that is none.
    pub fn unknown(key: &str) -> Error {
        let prefixes: Vec<&str> = KINDS.iter().map(|kind| kind.prefix).collect();
        let prefixes = prefixes.join(" or ");
        Error::new(
            Code::BadSetting,
            format!(
                "{key} is no setting of a sink: those begin with {prefixes} and name a property of the client"
            ),
        )
    }

    /// Reads them from `key=value` lines, in which `\n` stands for a line break and `\\` for a backslash.
    pub fn parse(lines: &str) -> Result<SinkSettings> {
        let pairs: Vec<(String, String)> = lines
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_string(), unescape(value)))
            .collect();
        SinkSettings::of(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    fn by_prefix(&self) -> impl Iterator<Item = (&'static str, &Properties)> {
        self.sinks.iter().map(|(kind, own)| (kind.prefix, own))
    }
}

impl PartialEq for SinkSettings {
    fn eq(&self, other: &SinkSettings) -> bool {
        self.by_prefix().eq(other.by_prefix())
    }
}

impl Eq for SinkSettings {}

impl fmt::Debug for SinkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.by_prefix()).finish()
    }
}

fn unescape(value: &str) -> String {
    let mut characters = value.chars();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

/// The sinks that the settings name, without the log itself; in the library built for tests also the sink that the
/// environment names.
///
/// # Errors
/// [`Code::BadSetting`] for a sink that this build lacks.
pub fn of(settings: &SinkSettings) -> Result<Vec<Box<dyn Sink>>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    #[cfg(feature = "test-hooks")]
    sinks.extend(watched::sink());
    for (kind, own) in &settings.sinks {
        sinks.push((kind.open)(own)?);
    }
    Ok(sinks)
}

/// Checks that sinks can be created from these settings: that secrets can be read, and that clients accept their
/// properties. Contacts no service.
///
/// # Errors
/// [`Code::BadSetting`], which names the key.
pub fn check(settings: &SinkSettings) -> Result<()> {
    settings.sinks.iter().try_for_each(|(kind, own)| (kind.check)(own))
}
