//! The target, step and tags of published figures. The text form has one `key=value` in each line; Scala has already
//! parsed units and set defaults.

use std::path::PathBuf;
use std::time::Duration;

use super::tags;
use crate::error::{Code, Error, Result};
use crate::settings_text::SettingsText;

/// The receiver of points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The publish API at this address, without a trailing slash.
    Api(String),
    /// The agent's UDP port.
    Udp(String),
    /// The agent's datagram socket.
    Unix(PathBuf),
}

/// The settings of a publisher. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtlasSettings {
    /// The receiver of points.
    pub target: Target,
    /// The interval of publishing; must be the step of the receiving Atlas.
    pub step: Duration,
    /// The limit of series of this process.
    pub most_series: usize,
    /// The tags of every series, mapped to Atlas' rules.
    pub common: Vec<(String, String)>,
}

impl AtlasSettings {
    /// Reads the settings `spark.andiron.atlas.*`: `uri` or `spectatord`, `step`, `maxSeries`, `tags` (`key=value,...`: the user's, which override
    /// the others), `job`, `role` and `executor`. Every error is a [`Code::BadSetting`] that names the setting.
    pub fn parse(text: &str) -> Result<AtlasSettings> {
        let mut text = SettingsText::of(text)?;
        let (uri, spectatord) = (text.optional(&full("uri")), text.optional(&full("spectatord")));
        let (step, most_series) = (text.number(&full("step"))?, text.number(&full("maxSeries"))?);
        let own = text.optional(&full("tags")).unwrap_or_default();
        let mut common = Vec::new();
        for key in ["job", "role", "executor"] {
            common.extend(text.optional(key).map(|value| (key.to_string(), tags::value(&value))));
        }
        text.end(|_| false)?;
        let target = match (uri, spectatord) {
            (Some(uri), None) => api(&uri)?,
            (None, Some(address)) => agent(&address)?,
            (Some(_), Some(_)) => {
                return Err(bad("uri", "it and spark.andiron.atlas.spectatord are both set: leave one out"));
            }
            (None, None) => return Err(bad("uri", "neither it nor spectatord is set")),
        };
        let step = Duration::from_millis(at_least("step", step, 100)?);
        let most_series = at_least("maxSeries", most_series, 1)?;
        let own = pairs(&own)?;
        common.retain(|(key, _)| !own.iter().any(|(known, _)| known == key));
        common.extend(own);
        let most_series = usize::try_from(most_series).unwrap_or(usize::MAX);
        Ok(AtlasSettings { target, step, most_series, common })
    }
}

fn full(key: &str) -> String {
    format!("spark.andiron.atlas.{key}")
}

fn bad(key: &str, why: &str) -> Error {
    Error::new(Code::BadSetting, format!("{}: {why}", full(key)))
}

fn at_least(key: &str, number: u64, least: u64) -> Result<u64> {
    if number < least {
        return Err(bad(key, &format!("{number} is not a whole number of at least {least}")));
    }
    Ok(number)
}

/// The publish API of an address from the user, with or without its path.
fn api(value: &str) -> Result<Target> {
    let base = value.trim().trim_end_matches('/').trim_end_matches("/api/v1/publish").trim_end_matches('/');
    let is_plain = base.strip_prefix("http://").is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', ':'])
            && !rest.contains(['?', '#', '@'])
            && !rest.contains(char::is_whitespace)
    });
    if !is_plain {
        // The part before an @ may be a password, so the message does not repeat the value.
        return Err(bad(
            "uri",
            "it is not of the form http://host:port. For an Atlas behind https or a password, run spectatord or a \
             proxy on each host and name that",
        ));
    }
    Ok(Target::Api(base.to_string()))
}

fn agent(value: &str) -> Result<Target> {
    let value = value.trim();
    if let Some(address) = value.strip_prefix("udp://") {
        let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Ok(Target::Udp(address.to_string()));
        }
    }
    if let Some(path) = value.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.starts_with('/') {
            return Ok(Target::Unix(PathBuf::from(path)));
        }
    }
    Err(bad("spectatord", &format!("{value:?} is neither udp://host:port nor unix:/path/of/its/socket")))
}

fn pairs(value: &str) -> Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, text) =
            part.split_once('=').ok_or_else(|| bad("tags", &format!("{part:?} does not read key=value")))?;
        let key = key.trim();
        if let Some(why) = tags::refused_key(key) {
            return Err(bad("tags", &why));
        }
        if pairs.iter().any(|(known, _)| known == key) {
            return Err(bad("tags", &format!("the key {key:?} is set twice")));
        }
        pairs.push((key.to_string(), tags::value(text.trim())));
    }
    if pairs.len() > tags::MOST_OWN {
        return Err(bad("tags", &format!("there are {}, more than {}", pairs.len(), tags::MOST_OWN)));
    }
    Ok(pairs)
}

/// A text of tests with short keys, as a complete text.
#[cfg(test)]
pub(super) fn complete(text: &str) -> String {
    let short = ["uri=", "spectatord=", "step=", "maxSeries=", "tags="];
    let line = |line: &str| match short.iter().any(|key| line.starts_with(key)) {
        true => format!("{}\n", full(line)),
        false => format!("{line}\n"),
    };
    format!("step=60000\nmaxSeries=200\n{text}").lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> (String, String) {
        (key.to_string(), value.to_string())
    }

    fn parse(text: &str) -> Result<AtlasSettings> {
        AtlasSettings::parse(&complete(text))
    }

    #[test]
    fn every_key_is_read() {
        let text = "uri=http://atlas:7101/api/v1/publish\nstep=10000\nmaxSeries=7\njob=my job\nrole=executor\nexecutor=3\n\
                    tags=team=rec sys, job=nightly\n";
        let expected = AtlasSettings {
            target: Target::Api("http://atlas:7101".to_string()),
            step: Duration::from_secs(10),
            most_series: 7,
            common: vec![
                tag("role", "executor"),
                tag("executor", "3"),
                tag("team", "rec_sys"),
                tag("job", "nightly"),
            ],
        };
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn targets_are_read() {
        for (line, target) in [
            ("uri=http://h:1/", Target::Api("http://h:1".to_string())),
            ("uri=http://h/atlas", Target::Api("http://h/atlas".to_string())),
            ("spectatord=udp://127.0.0.1:1234", Target::Udp("127.0.0.1:1234".to_string())),
            ("spectatord=udp://[::1]:1234", Target::Udp("[::1]:1234".to_string())),
            ("spectatord=unix:/run/s.unix", Target::Unix("/run/s.unix".into())),
            ("spectatord=unix:///run/s.unix", Target::Unix("/run/s.unix".into())),
        ] {
            assert_eq!(parse(line).unwrap().target, target);
        }
    }

    #[test]
    fn bad_text_names_the_setting() {
        for (text, part) in [
            ("", "atlas.uri"),
            ("uri=https://atlas", "atlas.uri"),
            ("uri=http://user:secret@atlas", "atlas.uri"),
            ("uri=http://", "atlas.uri"),
            ("uri=atlas:7101", "atlas.uri"),
            ("spectatord=udp://1234", "atlas.spectatord"),
            ("spectatord=udp://host:0", "atlas.spectatord"),
            ("spectatord=unix:relative", "atlas.spectatord"),
            ("uri=http://a\nspectatord=udp://a:1", "both set"),
            ("uri=http://a\nstep=soon", "atlas.step"),
            ("uri=http://a\nmaxSeries=0", "atlas.maxSeries"),
            ("uri=http://a\ntags=team", "\"team\" does not read"),
            ("uri=http://a\ntags=a=1,a=2", "twice"),
            ("uri=http://a\ntags=nf.app=x", "Atlas' own"),
            ("uri=http://a\ntags=a=,b=,c=,d=,e=,f=,g=,h=,i=,j=,k=", "more than 10"),
            ("colour=red", "colour"),
            ("nonsense", "nonsense"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.code(), Code::BadSetting);
            assert!(error.message().contains(part), "{text:?}: {error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }
}
