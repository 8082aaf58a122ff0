//! The sink against a mock cluster; `checks/services` checks a real one.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

use super::client;
use super::settings::{KafkaSettings, KAFKA};
use super::sink::{ASK, QUIET};
use crate::event::Event;
use crate::event::Kind;
use crate::sinks::{of, SinkSettings};
use crate::sinks::{Rejected, ShipError, Sink};

const METRICS: &str = "andiron.metrics.v1";
const FAILURES: &str = "andiron.failures.v1";

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(METRICS, 1, 1).unwrap();
    cluster.create_topic(FAILURES, 1, 1).unwrap();
    cluster
}

fn sink(servers: &str, more: &[(&str, &str)]) -> Box<dyn Sink> {
    let prefixed = |key: &str| format!("spark.andiron.kafka.{key}");
    let mut pairs = vec![(prefixed("bootstrap.servers"), servers.to_string())];
    pairs.extend(more.iter().map(|(key, value)| (prefixed(key), value.to_string())));
    let settings = SinkSettings::of(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))).unwrap();
    crate::sinks::check(&settings).unwrap();
    of(&settings).unwrap().pop().unwrap()
}

fn event(kind: Kind, n: u64) -> Event {
    Event { kind, id: format!("app-1|2|thing:{n}"), revision: n, body: format!(r#"{{"v":1,"n":{n}}}"#) }
}

fn consume(
    cluster: &MockCluster<'_, DefaultProducerContext>,
    topic: &str,
    count: usize,
) -> Vec<OwnedMessage> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "tests")
        .set("check.crcs", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    let mut read = Vec::new();
    while read.len() < count && Instant::now() < end {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            read.push(message.unwrap().detach());
        }
    }
    if let Some(message) = consumer.poll(Duration::from_millis(300)) {
        read.push(message.unwrap().detach());
    }
    read
}

/// Ships until the sink has taken the batch, as the shipper does.
fn ship(sink: &mut dyn Sink, events: &[Event]) -> Vec<ShipError> {
    let end = Instant::now() + Duration::from_secs(60);
    let mut failures = Vec::new();
    while let Err(failure) = sink.ship(events) {
        failures.push(failure);
        assert!(Instant::now() < end, "{failures:?}");
    }
    failures
}

/// Ships until the client has an answer for each event, and gives the events that no broker accepts.
fn left_out(sink: &mut dyn Sink, events: &[Event]) -> Vec<Rejected> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match sink.ship(events) {
            Err(ShipError::Without(left)) => return left,
            Err(ShipError::Retry { .. }) if Instant::now() < end => {}
            other => panic!("none is left out: {other:?}"),
        }
    }
}

#[test]
fn an_event_is_a_message_with_key_value_and_headers() {
    let cluster = cluster();
    let mut sink = sink(&cluster.bootstrap_servers(), &[]);
    let application = Event {
        kind: Kind::Application,
        id: "app-1|2".to_string(),
        revision: 3,
        body: r#"{"v":1,"app_attempt":"2"}"#.to_string(),
    };
    let events = [event(Kind::Metric, 1), event(Kind::Failure, 2), application.clone()];
    ship(sink.as_mut(), &events);
    let failures = consume(&cluster, FAILURES, 1);
    let metrics = consume(&cluster, METRICS, 2);
    assert_eq!((failures.len(), metrics.len()), (1, 2));
    assert_eq!(failures[0].key(), Some("app-1|2|thing:2".as_bytes()));
    let value: Value = serde_json::from_slice(failures[0].payload().unwrap()).unwrap();
    let expected =
        serde_json::json!({"v": 1, "n": 2, "event_id": "app-1|2|thing:2", "kind": "Failure", "revision": 2});
    assert_eq!(value, expected);
    let headers: Vec<(String, String)> = metrics[1]
        .headers()
        .unwrap()
        .iter()
        .map(|header| (header.key.to_string(), String::from_utf8(header.value.unwrap().to_vec()).unwrap()))
        .collect();
    let expected = [
        ("schema", "andiron.event/1"),
        ("kind", "Application"),
        ("app_id", "app-1"),
        ("app_attempt", "2"),
        ("revision", "3"),
        ("content-type", "application/json"),
    ];
    assert_eq!(headers, expected.map(|(key, value)| (key.to_string(), value.to_string())));
}

#[test]
fn nobody_there_is_a_failure_within_the_bound_and_nothing_is_lost() {
    let cluster = cluster();
    let mut sink = sink(&cluster.bootstrap_servers(), &[("reconnect.backoff.max.ms", "200")]);
    cluster.broker_down(1).unwrap();
    let events: Vec<Event> = (0..20).map(|n| event(Kind::Metric, n)).collect();
    let begun = Instant::now();
    let failure = sink.ship(&events).unwrap_err();
    assert!(matches!(failure, ShipError::Retry { cause: super::cause::UNREACHABLE, .. }), "{failure:?}");
    assert!(begun.elapsed() < 10 * (QUIET + ASK), "{:?}", begun.elapsed());
    cluster.broker_up(1).unwrap();
    ship(sink.as_mut(), &events);
    let keys: Vec<String> = consume(&cluster, METRICS, 20)
        .iter()
        .map(|message| String::from_utf8(message.key().unwrap().to_vec()).unwrap())
        .collect();
    assert_eq!(keys, events.iter().map(|event| event.id.clone()).collect::<Vec<_>>());
}

#[test]
fn a_message_that_is_too_large_is_left_out_and_no_other() {
    let cluster = cluster();
    let mut sink = sink(&cluster.bootstrap_servers(), &[("message.max.bytes", "2000")]);
    let mut events: Vec<Event> = (0..5).map(|n| event(Kind::Metric, n)).collect();
    events[2].body = format!(r#"{{"plan":"{}"}}"#, "x".repeat(3000));
    let left = left_out(sink.as_mut(), &events);
    assert_eq!((left.len(), left[0].at, left[0].cause), (1, 2, "too_large"));
    assert!(left[0].why.contains("message.max.bytes"), "{}", left[0].why);
    assert_eq!(consume(&cluster, METRICS, 4).len(), 4);
}

#[test]
fn what_the_broker_finds_too_large_is_found_out_one_by_one() {
    let cluster = cluster();
    // Enough time for the three to be sent together on a busy machine.
    let mut sink = sink(&cluster.bootstrap_servers(), &[("linger.ms", "500")]);
    let events: Vec<Event> = (0..3).map(|n| event(Kind::Metric, n)).collect();
    ship(sink.as_mut(), &events);
    // The batch as it is produced, then two of its events alone.
    let (large, fits) =
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
    cluster.request_errors(RDKafkaApiKey::Produce, &[large, fits, large]);
    let events: Vec<Event> = (3..6).map(|n| event(Kind::Metric, n)).collect();
    let left = left_out(sink.as_mut(), &events);
    assert_eq!(left.iter().map(|left| left.at).collect::<Vec<_>>(), [1]);
    assert_eq!(consume(&cluster, METRICS, 5).len(), 5);
}

#[test]
fn what_the_brokers_refuse_is_told_by_cause_and_produced_again() {
    let cluster = cluster();
    let refusals = [
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "authorization"),
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN, "broker"),
    ];
    for (n, (refusal, expected)) in refusals.into_iter().enumerate() {
        let mut sink = sink(&cluster.bootstrap_servers(), &[]);
        cluster.request_errors(RDKafkaApiKey::Produce, &[refusal]);
        let events = [event(Kind::Metric, n as u64)];
        let failures = ship(sink.as_mut(), &events);
        let told =
            |failure: &ShipError| matches!(failure, ShipError::Retry { cause, .. } if *cause == expected);
        assert!(failures.iter().any(told), "{failures:?}");
    }
    assert_eq!(consume(&cluster, METRICS, 2).len(), 2);
}

#[test]
fn a_setting_by_its_other_name_holds_against_the_default() {
    let of = |key: &str| {
        let pairs = [("spark.andiron.kafka.bootstrap.servers", "a:1"), (key, "zstd")];
        let pairs = pairs.map(|(key, value)| (key.trim_start_matches(KAFKA).to_string(), value.to_string()));
        client::config(&KafkaSettings::of(&pairs.into()).unwrap()).unwrap()
    };
    let alias = of("spark.andiron.kafka.compression.codec");
    assert_eq!((alias.get("compression.codec"), alias.get("compression.type")), (Some("zstd"), None));
    let other = of("spark.andiron.kafka.client.id");
    assert_eq!((other.get("compression.type"), other.get("linger.ms")), (Some("lz4"), Some("1")));
}

#[test]
fn settings_that_the_client_refuses_are_named_and_secrets_are_not_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "hunter2").unwrap();
    let path = file.to_str().unwrap();
    for (key, value, named) in [
        ("no.such.property", "1", "no.such.property"),
        ("compression.type", "stone", "compression.type"),
        ("compression.type.file", path, "compression.type"),
        ("no.such.property.file", path, "no.such.property"),
        ("sasl.password.file", "/nowhere/at/all", "/nowhere/at/all"),
        ("max.in.flight", "1000", "max.in.flight"),
    ] {
        let key = format!("spark.andiron.kafka.{key}");
        let pairs = [("spark.andiron.kafka.bootstrap.servers", "127.0.0.1:1"), (key.as_str(), value)];
        let settings = SinkSettings::of(pairs).unwrap();
        let error = crate::sinks::check(&settings).unwrap_err();
        assert!(error.message().contains(named) && !error.message().contains("hunter2"), "{error}");
    }
}
