//! The throughput of the Kafka sink against a bare producer with the same settings and messages, in turns
//! within one run.
//!
//! | figure | timed operation |
//! |---|---|
//! | `sink` | the sink, with batches as the shipper passes them, until the last is answered |
//! | `bare` | one `BaseProducer` with all messages, prepared beforehand, until the last is answered |
//!
//! `cargo bench -p andiron --bench kafka` needs `BENCH_KAFKA_SERVERS`, a broker with the topic
//! `andiron.metrics.v1`, and prints one JSON object: messages a second of every turn, medians, and their
//! ratio. `BENCH_KAFKA_EVENTS` (100000) and `BENCH_KAFKA_TURNS` (7) set size and turns.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

use std::time::{Duration, Instant};

use andiron::shiplog::{Event, Kind};
use andiron::sinks::{of, ShipError, Sink, SinkSettings};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::ClientConfig;

const TOPIC: &str = "andiron.metrics.v1";
const APPLICATION: &str = "app-20261128-0001";

/// Events of about 250 bytes.
fn events(from: usize, count: usize) -> Vec<Event> {
    let event = |number: usize| {
        let rest = "\"step\":\"historical-data\",\"site\":\"map at Job.scala:12\",\"exact\":true,".repeat(2);
        let body =
            format!(r#"{{"v":1,"app_id":"{APPLICATION}","app_attempt":"",{rest}"committed":{number}}}"#);
        Event { kind: Kind::Metric, id: format!("{APPLICATION}||{number}|step:3"), revision: 1, body }
    };
    (from..from + count).map(event).collect()
}

fn of_sink(servers: &str) -> Box<dyn Sink> {
    let settings = SinkSettings::of([("spark.andiron.kafka.bootstrap.servers", servers)]).unwrap();
    of(&settings).unwrap().pop().unwrap()
}

fn sink(sink: &mut dyn Sink, events: &[Event]) -> Duration {
    let begun = Instant::now();
    let (most, most_bytes) = sink.most();
    let mut rest = events;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |event: &&Event| {
            bytes += event.id.len() + event.body.len();
            bytes <= most_bytes
        };
        let count = rest.iter().take(most).take_while(fits).count().max(1);
        let (batch, left) = rest.split_at(count);
        while let Err(failure) = sink.ship(batch) {
            assert!(matches!(failure, ShipError::Retry { .. }), "{failure:?}");
        }
        rest = left;
    }
    begun.elapsed()
}

fn producer(servers: &str) -> BaseProducer {
    let same = [
        ("bootstrap.servers", servers),
        ("acks", "all"),
        ("enable.idempotence", "true"),
        ("message.timeout.ms", "0"),
        ("compression.type", "lz4"),
        ("linger.ms", "1"),
        ("partitioner", "murmur2_random"),
    ];
    same.iter()
        .fold(&mut ClientConfig::new(), |config, (key, value)| config.set(*key, *value))
        .create()
        .unwrap()
}

/// Sends the same messages with the same headers.
fn bare(producer: &BaseProducer, events: &[Event]) -> Duration {
    let values: Vec<String> = events
        .iter()
        .map(|event| {
            let head = format!(r#"{{"event_id":"{}","kind":"Metric","revision":1,"#, event.id);
            format!("{head}{}", &event.body[1..])
        })
        .collect();
    let header = |key, value| Header { key, value: Some(value) };
    let begun = Instant::now();
    for (event, value) in events.iter().zip(&values) {
        let headers = OwnedHeaders::new_with_capacity(6)
            .insert(header("schema", "andiron.event/1"))
            .insert(header("kind", "Metric"))
            .insert(header("app_id", APPLICATION))
            .insert(header("app_attempt", ""))
            .insert(header("revision", "1"))
            .insert(header("content-type", "application/json"));
        let mut record = BaseRecord::to(TOPIC).key(&event.id).payload(value).headers(headers);
        while let Err((_, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(1));
            record = back;
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(120)).unwrap();
    begun.elapsed()
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn main() {
    let Ok(servers) = std::env::var("BENCH_KAFKA_SERVERS") else {
        println!("BENCH_KAFKA_SERVERS is not set: nothing is measured");
        return;
    };
    let number =
        |name: &str, default: usize| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (count, turns) = (number("BENCH_KAFKA_EVENTS", 100_000), number("BENCH_KAFKA_TURNS", 7));
    let (mut one, other) = (of_sink(&servers), producer(&servers));
    let (mut sinks, mut bares) = (Vec::new(), Vec::new());
    // The first turn warms both up.
    for turn in 0..=turns {
        let events = events(turn * count, count);
        let rates = [sink(one.as_mut(), &events), bare(&other, &events)]
            .map(|time| count as f64 / time.as_secs_f64());
        if turn > 0 {
            sinks.push(rates[0]);
            bares.push(rates[1]);
        }
    }
    let (sink, bare) = (median(&sinks), median(&bares));
    let all = |rates: &[f64]| rates.iter().map(|rate| format!("{rate:.0}")).collect::<Vec<_>>().join(", ");
    println!(
        r#"{{"events": {count}, "sink": [{}], "bare": [{}], "sink_median": {sink:.0}, "bare_median": {bare:.0}, "ratio": {:.3}}}"#,
        all(&sinks),
        all(&bares),
        sink / bare
    );
}
