//! Events as Kafka messages.
//!
//! A batch is given to the client, and the call ends when the broker has answered for each message, or has been
//! silent for [`QUIET`]. Messages without an answer stay with the client, which continues by itself: when the batch
//! is shipped again, only failed messages are produced again. So one producer never writes a message twice, even if
//! answers are lost, as idempotence guarantees.

use std::time::{Duration, Instant};

use super::cause::{self, FailureReason};
use super::client;
use super::reports::{MessageState, Reports};
use super::settings::KafkaSettings;
use crate::error::Result;
use crate::event::{id, Event};
use crate::sinks::sink::{Rejected, ShipError, Sink};
use crate::sinks::value::value;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// A broker that has been silent for this long is down or slow. Far below the timeout of an application's end.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// The limit of one call while the broker answers.
const LONGEST: Duration = Duration::from_secs(30);
/// The timeout of a question to a broker.
pub(super) const ASK: Duration = Duration::from_millis(500);
/// The duration of a poll: the minimum while answers arrive, else twice the previous one. A poll always uses its
/// whole duration.
const SLICES: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(50));

/// The sink of one application, with one idempotent producer.
pub(super) struct Kafka {
    settings: KafkaSettings,
    producer: Option<BaseProducer<Reports>>,
    /// The batch with missing answers, as ids and revisions.
    batch: Vec<(String, u64)>,
}

impl Kafka {
    /// Creates the sink. No broker is contacted before the first batch.
    pub(super) fn new(settings: KafkaSettings) -> Kafka {
        Kafka { settings, producer: None, batch: Vec::new() }
    }

    /// Checks that the client accepts the settings, without contacting a broker.
    pub(super) fn check(settings: &KafkaSettings) -> Result<()> {
        client::check(settings)
    }

    /// Gives the client the messages that it does not have, as far as its queue has room. Waits for reports until all
    /// have arrived, the broker has been silent for [`QUIET`], or the call has taken [`LONGEST`].
    fn deliver(&self, producer: &BaseProducer<Reports>, events: &[Event]) {
        let reports = producer.context();
        let end = Instant::now() + LONGEST;
        let mut heard = (reports.arrived(), Instant::now());
        let mut waiting = reports.waiting();
        let mut slice = SLICES.0;
        loop {
            while let Some(at) = waiting.last().copied() {
                match self.produce(producer, &events[at], reports.token(at)) {
                    Ok(()) => reports.set(at, MessageState::Pending),
                    Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => break,
                    Err(error) => {
                        reports.settle(at, error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))
                    }
                }
                waiting.pop();
            }
            if waiting.is_empty() && reports.pending() == 0 {
                match reports.suspect() {
                    Some(at) => waiting.push(at),
                    None => return,
                }
                continue;
            }
            producer.poll(Duration::ZERO);
            if reports.arrived() == heard.0 {
                producer.poll(slice);
                slice = (slice * 2).min(SLICES.1);
            }
            let now = Instant::now();
            if reports.arrived() != heard.0 {
                heard = (reports.arrived(), now);
                slice = SLICES.0;
            }
            if now >= end || now - heard.1 >= QUIET {
                return;
            }
        }
    }

    fn produce(
        &self,
        producer: &BaseProducer<Reports>,
        event: &Event,
        token: usize,
    ) -> std::result::Result<(), KafkaError> {
        let value = value(event);
        let revision = event.revision.to_string();
        let kind = format!("{:?}", event.kind);
        let (application, attempt) = id::application(&event.id);
        let header = |key, value| Header { key, value: Some(value) };
        let headers = OwnedHeaders::new_with_capacity(6)
            .insert(header("schema", "andiron.event/1"))
            .insert(header("kind", &kind))
            .insert(header("app_id", &application))
            .insert(header("app_attempt", &attempt))
            .insert(header("revision", &revision))
            .insert(header("content-type", "application/json"));
        let record = BaseRecord::with_opaque_to(self.settings.topic(event.kind), token)
            .key(event.id.as_str())
            .payload(value.as_str())
            .headers(headers);
        producer.send(record).map_err(|(error, _)| error)
    }

    /// Why the batch is not shipped whole: the client's last report, or else a broker's answer about the topic.
    fn failure(&self, producer: &BaseProducer<Reports>, events: &[Event]) -> FailureReason {
        let reports = producer.context();
        if let Some((at, code)) = reports.failure() {
            return cause::of_message(code, self.settings.topic(events[at].kind), &self.settings);
        }
        // A report that no broker is reachable may be out of date.
        if let Some(reason) = reports.refusal().filter(|reason| reason.cause != cause::UNREACHABLE) {
            return reason;
        }
        let Some(topic) = reports.first_pending().map(|at| self.settings.topic(events[at].kind)) else {
            return cause::slow();
        };
        client::ask(producer, topic, &self.settings, ASK)
    }
}

impl Sink for Kafka {
    fn name(&self) -> &str {
        "kafka"
    }

    fn most(&self) -> (usize, usize) {
        (10_000, 4 << 20)
    }

    fn ship(&mut self, events: &[Event]) -> std::result::Result<(), ShipError> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                self.batch.clear();
                client::open(&self.settings).map_err(|error| ShipError::Retry {
                    cause: "settings",
                    why: error.message().to_string(),
                })?
            }
        };
        let known = self.batch.len() == events.len()
            && self
                .batch
                .iter()
                .zip(events)
                .all(|((id, revision), event)| *id == event.id && *revision == event.revision);
        if known {
            producer.context().again();
        } else {
            self.batch = events.iter().map(|event| (event.id.clone(), event.revision)).collect();
            producer.context().begin(events.len());
        }
        self.deliver(&producer, events);
        let reports = producer.context();
        if reports.is_settled() {
            self.batch.clear();
            let left: Vec<Rejected> =
                reports.refused().into_iter().map(|at| client::too_large(at, &events[at])).collect();
            self.producer = Some(producer);
            return if left.is_empty() { Ok(()) } else { Err(ShipError::Without(left)) };
        }
        let FailureReason { cause, why } = self.failure(&producer, events);
        match producer.client().fatal_error() {
            // The client no longer works: the next call starts with a new one and the whole batch.
            Some((_, fatal)) => {
                Err(ShipError::Retry { cause: "fatal", why: format!("the client has given up: {fatal}") })
            }
            None => {
                self.producer = Some(producer);
                Err(ShipError::Retry { cause, why })
            }
        }
    }
}
