//! Kafka as a sink: the client librdkafka, its settings, and the causes of its failures.

#[cfg(feature = "kafka")]
mod cause;
#[cfg(feature = "kafka")]
mod client;
#[cfg(feature = "kafka")]
mod reports;
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "only the client reads all of it"))]
mod settings;
#[cfg(feature = "kafka")]
mod sink;
#[cfg(test)]
#[cfg(feature = "kafka")]
mod tests;

use settings::KafkaSettings;

use super::sink::SinkKind;

/// Kafka in the list of sinks.
#[cfg(feature = "kafka")]
pub(super) const KIND: SinkKind = SinkKind {
    prefix: settings::KAFKA,
    parse: |properties| KafkaSettings::of(properties).map(drop),
    check: |properties| sink::Kafka::check(&KafkaSettings::of(properties)?),
    open: |properties| Ok(Box::new(sink::Kafka::new(KafkaSettings::of(properties)?))),
};

/// Kafka in the list of sinks of a build without its client.
#[cfg(not(feature = "kafka"))]
pub(super) const KIND: SinkKind = SinkKind {
    prefix: settings::KAFKA,
    parse: |properties| KafkaSettings::of(properties).map(drop),
    check: |_| Err(no_client()),
    open: |_| Err(no_client()),
};

#[cfg(not(feature = "kafka"))]
fn no_client() -> crate::error::Error {
    settings::bad("bootstrap.servers", "is set, and this build of Andiron has no Kafka client")
}
