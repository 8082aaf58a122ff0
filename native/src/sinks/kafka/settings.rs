//! The settings of Kafka: `spark.andiron.kafka.*` pairs, checked; an error names the setting.
//!
//! Settings are shown in reports, so the value of a secret is never taken from a setting. It is read from the place
//! that `<setting>.file` or `<setting>.env` names, and stays inside the client.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Code, Error, Result};
use crate::event::Kind;
use crate::settings_text::default_of;
use crate::sinks::sink::Properties;

pub(super) const KAFKA: &str = "spark.andiron.kafka.";

/// Properties that Andiron sets itself, each with the consequence of another value.
const OURS: &[(&str, &str)] = &[
    ("acks", "Andiron waits for all replicas, or events could be lost"),
    ("request.required.acks", "Andiron waits for all replicas, or events could be lost"),
    ("enable.idempotence", "without it a lost answer causes duplicates"),
    ("enable.gapless.guarantee", "the ship log already keeps every event in order"),
    ("transactional.id", "Andiron ships without transactions"),
    ("message.timeout.ms", "an event waits as long as its broker is away"),
    ("delivery.timeout.ms", "an event waits as long as its broker is away"),
    ("retries", "a message that the client gives up and Andiron produces again could arrive twice"),
    (
        "message.send.max.retries",
        "a message that the client gives up and Andiron produces again could arrive twice",
    ),
    ("delivery.report.only.error", "an event counts as shipped only when its broker says so"),
    ("plugin.library.paths", "a setting must not load code into the driver"),
    ("metadata.broker.list", "name the brokers in spark.andiron.kafka.bootstrap.servers"),
];

/// The client's two names of the SASL mechanism.
const MECHANISM: &[&str] = &["sasl.mechanism", "sasl.mechanisms"];

/// Properties of the client that end like pointers to secrets.
const FILES: &[&str] =
    &["sasl.oauthbearer.assertion.private.key.file", "sasl.oauthbearer.assertion.jwt.template.file"];

/// The source of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Secret {
    /// A file; a line break at its end is ignored.
    File(PathBuf),
    /// A variable of the process's environment.
    Variable(String),
}

/// The settings of the Kafka client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KafkaSettings {
    metrics: String,
    failures: String,
    /// The client's own properties, by their names.
    pub(super) properties: BTreeMap<String, String>,
    /// The sources of the secret properties.
    pub(super) secrets: BTreeMap<String, Secret>,
}

impl KafkaSettings {
    /// The brokers are required.
    pub(super) fn of(pairs: &Properties) -> Result<KafkaSettings> {
        let mut settings = KafkaSettings {
            metrics: default_of("spark.andiron.kafka.topic.metrics").to_string(),
            failures: default_of("spark.andiron.kafka.topic.failures").to_string(),
            properties: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        for (key, value) in pairs {
            settings.set(key, value)?;
        }
        match settings.properties.get("bootstrap.servers") {
            None => Err(bad(
                "bootstrap.servers",
                "is missing: name the brokers, or leave out all settings of Kafka",
            )),
            Some(servers) if servers.is_empty() => {
                Err(bad("bootstrap.servers", "is empty: name the brokers"))
            }
            Some(_) => Ok(settings),
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if let Some((_, why)) = OURS.iter().find(|(ours, _)| *ours == key) {
            return Err(bad(key, &format!("cannot be set: {why}")));
        }
        if is_secret(key) {
            return Err(bad(
                key,
                &format!(
                    "is a secret, and settings are shown in reports: name the file that has it with \
                     {KAFKA}{key}.file, or the environment variable with {KAFKA}{key}.env"
                ),
            ));
        }
        if MECHANISM.contains(&key) && value.eq_ignore_ascii_case("OAUTHBEARER") {
            return Err(bad(
                key,
                "is OAUTHBEARER, whose token Andiron does not renew: use SCRAM-SHA-512, PLAIN or certificates",
            ));
        }
        match key {
            "topic.metrics" => self.metrics = topic(key, value)?,
            "topic.failures" => self.failures = topic(key, value)?,
            _ => match (key.strip_suffix(".file"), key.strip_suffix(".env")) {
                (Some(of), _) if !FILES.contains(&key) => {
                    self.point(of, value, Secret::File(value.into()))?
                }
                (_, Some(of)) => self.point(of, value, Secret::Variable(value.to_string()))?,
                _ => drop(self.properties.insert(key.to_string(), value.to_string())),
            },
        }
        Ok(())
    }

    fn point(&mut self, of: &str, value: &str, secret: Secret) -> Result<()> {
        if value.is_empty() {
            return Err(bad(of, "has an empty .file or .env"));
        }
        if OURS.iter().any(|(ours, _)| *ours == of) {
            return Err(bad(of, "cannot be set"));
        }
        if MECHANISM.contains(&of) {
            return Err(bad(of, "is not a secret: set its value directly"));
        }
        match self.secrets.insert(of.to_string(), secret) {
            Some(_) => Err(bad(of, "has both a .file and an .env: leave one of them out")),
            None => Ok(()),
        }
    }

    /// The topic of an event.
    pub(super) fn topic(&self, kind: Kind) -> &str {
        match kind {
            Kind::Failure | Kind::LogLine => &self.failures,
            _ => &self.metrics,
        }
    }

    /// The setting that names the topic `topic`.
    pub(super) fn names(&self, topic: &str) -> String {
        let which = if topic == self.metrics { "metrics" } else { "failures" };
        format!("{KAFKA}topic.{which}")
    }

    /// Reads the secrets.
    pub(super) fn secrets(&self) -> Result<Vec<(&str, String)>> {
        self.secrets.iter().map(|(key, secret)| Ok((key.as_str(), secret.read(key)?))).collect()
    }
}

impl Secret {
    fn read(&self, of: &str) -> Result<String> {
        match self {
            Secret::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    bad(&format!("{of}.file"), &format!("names {}: {error}", path.display()))
                })?;
                Ok(text
                    .strip_suffix('\n')
                    .map(|text| text.strip_suffix('\r').unwrap_or(text))
                    .unwrap_or(&text)
                    .to_string())
            }
            Secret::Variable(name) => std::env::var(name).map_err(|_| {
                bad(&format!("{of}.env"), &format!("names {name}, which this process's environment lacks"))
            }),
        }
    }
}

/// Whether the value of this property of the client must not be shown.
pub(super) fn is_secret(key: &str) -> bool {
    let shown = [".location", ".url", ".file", ".env", ".path", ".ms", ".scope", ".name", ".username"];
    if shown.iter().any(|end| key.ends_with(end)) {
        return false;
    }
    let key = key.to_ascii_lowercase();
    let words = ["password", "passphrase", "secret", "jaas", "token", "credential", "private", "ssl.key.pem"];
    words.iter().any(|word| key.contains(word))
        || ["ssl_key", "sasl.oauthbearer.config"].contains(&key.as_str())
}

pub(super) fn bad(key: &str, why: &str) -> Error {
    Error::new(Code::BadSetting, format!("{KAFKA}{key} {why}"))
}

fn topic(key: &str, value: &str) -> Result<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if value.is_empty() || value.len() > 249 || [".", ".."].contains(&value) || !value.bytes().all(fits) {
        return Err(bad(
            key,
            &format!(
                "is {value:?}: a topic's name has 1 to 249 letters, digits, dots, dashes and underscores"
            ),
        ));
    }
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::SinkSettings;

    fn of(pairs: &[(&str, &str)]) -> Result<KafkaSettings> {
        let all: Vec<(String, &str)> =
            pairs.iter().map(|(key, value)| (format!("{KAFKA}{key}"), *value)).collect();
        let read = SinkSettings::of(all.iter().map(|(key, value)| (key.as_str(), *value)))?;
        assert!(read != SinkSettings::default());
        KafkaSettings::of(
            &pairs.iter().map(|(key, value)| (key.to_string(), value.trim().to_string())).collect(),
        )
    }

    #[test]
    fn properties_pass_and_the_topics_have_names() {
        assert_eq!(SinkSettings::of([("spark.app.name", "x")]).unwrap(), SinkSettings::default());
        let kafka = of(&[("bootstrap.servers", " a:1,b:2 "), ("compression.type", "zstd")]).unwrap();
        assert_eq!(kafka.properties["bootstrap.servers"], "a:1,b:2");
        assert_eq!(kafka.properties["compression.type"], "zstd");
        let topics: Vec<&str> = Kind::ALL.iter().map(|kind| kafka.topic(*kind)).collect();
        let (metrics, failures) = ("andiron.metrics.v1", "andiron.failures.v1");
        let expected =
            [metrics, metrics, failures, metrics, metrics, metrics, metrics, failures, metrics, metrics];
        assert_eq!(topics, expected);
        let other = of(&[("bootstrap.servers", "a"), ("topic.metrics", "m"), ("topic.failures", "f")]);
        let other = other.unwrap();
        assert_eq!((other.topic(Kind::Stage), other.topic(Kind::LogLine)), ("m", "f"));
        assert_eq!(other.names("f"), "spark.andiron.kafka.topic.failures");
    }

    #[test]
    fn lines_carry_ends_of_lines() {
        let lines = "application=a\nspark.andiron.kafka.bootstrap.servers=a=b\nspark.andiron.kafka.ssl.ca.pem=1\\n2\\\\n";
        let read = SinkSettings::parse(lines).unwrap();
        let expected =
            [("spark.andiron.kafka.bootstrap.servers", "a=b"), ("spark.andiron.kafka.ssl.ca.pem", "1\n2\\n")];
        assert_eq!(read, SinkSettings::of(expected).unwrap());
    }

    #[test]
    fn what_would_lose_events_or_show_a_secret_is_refused_by_name() {
        for (key, value) in [
            ("acks", "1"),
            ("enable.idempotence", "false"),
            ("message.timeout.ms", "1"),
            ("transactional.id", "x"),
            ("plugin.library.paths", "/x.so"),
            ("sasl.password", "hunter2"),
            ("ssl.key.password", "hunter2"),
            ("ssl.keystore.password", "hunter2"),
            ("ssl.key.pem", "hunter2"),
            ("sasl.oauthbearer.client.secret", "hunter2"),
            ("sasl.oauthbearer.config", "hunter2"),
            ("sasl.jaas.config", "hunter2"),
            ("sasl.oauthbearer.assertion.private.key.passphrase", "hunter2"),
            ("topic.metrics", "a b"),
            ("topic.failures", ".."),
            ("sasl.password.env", ""),
            ("acks.env", "X"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.mechanisms", "oauthbearer"),
            ("sasl.mechanism.env", "X"),
        ] {
            let error = of(&[("bootstrap.servers", "a:1"), (key, value)]).unwrap_err();
            assert_eq!(error.code(), Code::BadSetting);
            let named = key.trim_end_matches(".env");
            assert!(error.message().contains(named) && !error.message().contains("hunter2"), "{error}");
            if value == "hunter2" {
                assert!(error.message().contains(&format!("{KAFKA}{key}.file")), "{error}");
            }
        }
        let shown =
            ["sasl.username", "ssl.key.location", "sasl.oauthbearer.token.endpoint.url", "ssl.ca.pem"];
        shown.iter().for_each(|key| assert!(!is_secret(key), "{key}"));
        let error = of(&[("topic.metrics", "m")]).unwrap_err();
        assert!(error.message().contains("bootstrap.servers"), "{error}");
    }

    #[test]
    fn secrets_come_from_files_and_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let path = file.to_str().unwrap();
        let pairs =
            [("bootstrap.servers", "a"), ("sasl.password.file", path), ("ssl.key.password.env", "PATH")];
        let kafka = of(&pairs).unwrap();
        let read = kafka.secrets().unwrap();
        assert_eq!(read[0], ("sasl.password", "hunter2".to_string()));
        assert_eq!(read[1], ("ssl.key.password", std::env::var("PATH").unwrap()));
        assert!(!format!("{kafka:?}").contains("hunter2"));
        let both = of(&[("bootstrap.servers", "a"), ("x.file", "1"), ("x.env", "1")]).unwrap_err();
        assert!(both.message().contains("both"), "{both}");
        for (key, value, named) in
            [("x.file", "/nowhere/at/all", "/nowhere"), ("x.env", "NO_SUCH_1", "NO_SUCH_1")]
        {
            let error = of(&[("bootstrap.servers", "a"), (key, value)]).unwrap().secrets().unwrap_err();
            assert!(error.message().contains(named) && error.message().contains(key), "{error}");
        }
    }
}
