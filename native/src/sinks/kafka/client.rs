//! The producer: its configuration, and the meaning of its errors.

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

use super::cause::{self, FailureReason};
use super::reports::Reports;
use super::settings::{bad, KafkaSettings};
use crate::error::{Code, Error, Result};
use crate::event::Event;
use crate::sinks::sink::Rejected;

/// Defaults that the user may override. Keys go to the same partitions as with Java's producers, and the client looks
/// for a lost broker each second, as they do: with the client's default of ten seconds a broker that is back would
/// not be found before an application's end.
const DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "andiron"),
    ("compression.type", "lz4"),
    ("linger.ms", "1"),
    ("partitioner", "murmur2_random"),
    ("reconnect.backoff.max.ms", "1000"),
    ("log.connection.close", "false"),
    ("socket.keepalive.enable", "true"),
];

/// Aliases of these properties in the client, by which the user may set them too.
const ALIASES: &[(&str, &str)] =
    &[("compression.codec", "compression.type"), ("queue.buffering.max.ms", "linger.ms")];

/// Properties that the user may not set. Without a timeout a message stays with the client until its broker is back.
const FIXED: &[(&str, &str)] =
    &[("acks", "all"), ("enable.idempotence", "true"), ("message.timeout.ms", "0")];

/// Prevents OpenSSL from freeing its state at process exit: a thread of the client that is still running then would
/// use freed memory.
fn keep_tls() {
    #[cfg(feature = "tls")]
    openssl_sys::init();
}

/// The configuration of the client.
pub(super) fn config(settings: &KafkaSettings) -> Result<ClientConfig> {
    keep_tls();
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Info);
    let is_set = |key: &str| settings.properties.contains_key(key);
    for (key, value) in DEFAULTS {
        if !ALIASES.iter().any(|(alias, name)| name == key && is_set(alias)) {
            config.set(*key, *value);
        }
    }
    for (key, value) in &settings.properties {
        config.set(key, value);
    }
    for (key, secret) in settings.secrets()? {
        config.set(key, secret);
    }
    for (key, value) in FIXED {
        config.set(*key, *value);
    }
    Ok(config)
}

/// The producer of one sink.
pub(super) fn open(settings: &KafkaSettings) -> Result<BaseProducer<Reports>> {
    create(&config(settings)?, settings)
}

/// Checks that a producer can be created. Without brokers it contacts none.
pub(super) fn check(settings: &KafkaSettings) -> Result<()> {
    let mut config = config(settings)?;
    config.create_native_config().map_err(|error| refused(&error, settings))?;
    config.remove("bootstrap.servers");
    create(&config, settings).map(drop)
}

fn create(config: &ClientConfig, settings: &KafkaSettings) -> Result<BaseProducer<Reports>> {
    config.create_with_context(Reports::default()).map_err(|error| refused(&error, settings))
}

/// The client's message about a setting; for a secret only the fact that the client rejects it.
fn refused(error: &KafkaError, settings: &KafkaSettings) -> Error {
    match error {
        KafkaError::ClientConfig(_, said, key, _) if settings.secrets.contains_key(key) => {
            let known = !said.starts_with("No such configuration property");
            let why = if known { "is not accepted by the client" } else { "is not a property of the client" };
            bad(key, why)
        }
        KafkaError::ClientConfig(_, said, key, _) => bad(key, &format!("is refused by the client: {said}")),
        KafkaError::ClientCreation(_) if !settings.secrets.is_empty() => Error::new(
            Code::BadSetting,
            format!(
                "no client can be created from spark.andiron.kafka.*: check keys, certificates and passwords ({})",
                settings.secrets.keys().cloned().collect::<Vec<_>>().join(", ")
            ),
        ),
        other => {
            Error::new(Code::BadSetting, format!("no client can be created from spark.andiron.kafka.*: {other}"))
        }
    }
}

/// Asks a broker why messages for `topic` have no answer.
pub(super) fn ask(
    producer: &BaseProducer<Reports>,
    topic: &str,
    settings: &KafkaSettings,
    patience: Duration,
) -> FailureReason {
    let answer = producer.client().fetch_metadata(Some(topic), patience);
    // Collects the client's reports in the meantime.
    producer.poll(Duration::ZERO);
    match answer {
        Ok(metadata) => {
            let error = metadata.topics().first().and_then(|topic| topic.error());
            error.map_or_else(cause::slow, |code| cause::of_message(code.into(), topic, settings))
        }
        Err(_) => producer.context().refusal().unwrap_or_else(|| FailureReason {
            cause: cause::UNREACHABLE,
            why: "no broker can be reached; check spark.andiron.kafka.bootstrap.servers".to_string(),
        }),
    }
}

/// An event whose message no broker accepts.
pub(super) fn too_large(at: usize, event: &Event) -> Rejected {
    let why = format!(
        "its message of about {} bytes is too large: raise spark.andiron.kafka.message.max.bytes \
         and the topic's max.message.bytes",
        event.body.len()
    );
    Rejected { at, cause: "too_large", why }
}
