//! The publisher against servers with prepared answers.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A server on a free loopback port that gives each request the next of `answers`, and repeats the last one. An
/// answer is a status and a body; status 0 is no answer.
struct Server {
    port: u16,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    fn start(answers: &'static [(u16, &'static str)]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server { port: listener.local_addr().unwrap().port(), bodies: Arc::default() };
        let (bodies, given) = (Arc::clone(&server.bodies), Arc::new(AtomicU64::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (bodies, given) = (Arc::clone(&bodies), Arc::clone(&given));
                std::thread::spawn(move || serve(&mut stream.unwrap(), answers, &bodies, &given));
            }
        });
        server
    }

    fn settings(&self, more: &str) -> AtlasSettings {
        let text = format!("uri=http://127.0.0.1:{}\nstep=1000\njob=test\n{more}", self.port);
        AtlasSettings::parse(&settings::complete(&text)).unwrap()
    }

    fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().unwrap().clone()
    }
}

fn serve(
    stream: &mut TcpStream,
    answers: &[(u16, &str)],
    bodies: &Mutex<Vec<Value>>,
    given: &AtomicU64,
) -> Option<()> {
    loop {
        let body = request(stream)?;
        bodies.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        let next = given.fetch_add(1, Ordering::SeqCst) as usize;
        let (status, text) = answers[next.min(answers.len() - 1)];
        if status == 0 {
            std::thread::sleep(Duration::from_secs(60));
            return None;
        }
        let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).ok()?;
    }
}

/// The body of the next request.
fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        read.push(byte[0]);
    }
    let head = String::from_utf8(read).ok()?.to_ascii_lowercase();
    assert!(head.starts_with("post /api/v1/publish "), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "not so after 30 s: {what}");
        std::thread::sleep(MS(5));
    }
}

/// A source with one gauge and one counter that rises by 10 each time.
fn source() -> ReadingSource {
    let mut told = 0.0;
    Box::new(move || {
        told += 10.0;
        vec![Reading::gauge("g", 7.0), Reading::counter("c", told)]
    })
}

/// The values of a series in all bodies, by their timestamps.
fn series(bodies: &[Value], name: &str) -> Vec<(u64, f64)> {
    let metrics = bodies.iter().flat_map(|body| body["metrics"].as_array().unwrap());
    let of_name = metrics.filter(|metric| metric["tags"]["name"] == name);
    of_name.map(|m| (m["timestamp"].as_u64().unwrap(), m["value"].as_f64().unwrap())).collect()
}

/// The number of series that the publisher adds.
const OWN: u64 = 5;

#[test]
fn each_step_is_published_once_at_its_beginning() {
    // A machine that pauses for a part of a step makes points late; another test covers that.
    let (bodies, health) = (0..10)
        .find_map(|_| {
            let server = Server::start(&[(200, "{}")]);
            let publisher = Publisher::start(server.settings("maxSeries=50\n"), source()).unwrap();
            eventually("three steps", || server.bodies().len() >= 3);
            assert!(publisher.stop(Duration::from_secs(10)));
            let health = publisher.health();
            (health.late == 0 && health.unanswered == 0).then(|| (server.bodies(), health))
        })
        .expect("three steps without a late point");
    assert_eq!(bodies[0]["tags"]["job"], "test");
    let gauge = series(&bodies, "g");
    assert!(gauge.iter().all(|(at, value)| at % 1000 == 0 && *value == 7.0), "{gauge:?}");
    assert!(gauge.windows(2).all(|two| two[0].0 < two[1].0), "{gauge:?}");
    // 10 in each step, including steps after a missed one.
    let (mut before, mut risen) = (gauge[0].0 - 1000, 0.0);
    for (at, rate) in series(&bodies, "c") {
        risen += rate * (at - before) as f64 / 1000.0;
        before = at;
    }
    assert!((risen - 10.0 * bodies.len() as f64).abs() < 1e-6, "{risen} in {} steps", bodies.len());
    assert_eq!(health.sent, (2 + OWN) * bodies.len() as u64);
    assert_eq!((health.refused, health.left_out), (0, 0));
}

#[test]
fn what_is_there_when_it_stops_is_published_once_more() {
    let server = Server::start(&[(200, "{}")]);
    let mut settings = server.settings("");
    settings.step = Duration::from_secs(3600);
    let publisher = Publisher::start(settings, source()).unwrap();
    assert!(publisher.stop(Duration::from_secs(10)));
    let rates = series(&server.bodies(), "c");
    assert_eq!(rates.iter().map(|(_, rate)| rate * 3600.0).collect::<Vec<_>>(), [10.0]);
    assert!(publisher.stop(Duration::from_secs(10)), "stopping twice is harmless");
}

#[test]
fn a_partial_answer_counts_what_was_refused() {
    let server = Server::start(&[(202, "{\"type\":\"partial\",\"errorCount\":2,\"message\":[\"x\"]}")]);
    let publisher = Publisher::start(server.settings(""), source()).unwrap();
    eventually("an answer", || publisher.health().refused >= 2);
    assert!(publisher.stop(Duration::from_secs(10)));
    let health = publisher.health();
    assert_eq!((health.refused, health.sent), (health.refused, health.refused / 2 * OWN));
    assert!(health.last_failure.unwrap().contains("202"));
}

#[test]
fn a_refused_batch_is_not_offered_again() {
    let server = Server::start(&[(400, "{\"type\":\"error\"}"), (200, "{}")]);
    let publisher = Publisher::start(server.settings(""), source()).unwrap();
    eventually("a step after it", || publisher.health().sent > 0);
    publisher.stop(Duration::from_secs(10));
    let health = publisher.health();
    assert_eq!((health.refused, health.retried), (2 + OWN, 0));
    assert!(health.last_failure.unwrap().contains("400"));
}

#[test]
fn a_busy_server_is_asked_again_within_the_step() {
    let server = Server::start(&[(503, ""), (503, ""), (200, "{}")]);
    let mut settings = server.settings("");
    settings.step = Duration::from_secs(3);
    let publisher = Publisher::start(settings, source()).unwrap();
    eventually("taken", || publisher.health().sent > 0);
    publisher.stop(Duration::from_secs(10));
    let health = publisher.health();
    assert_eq!((health.retried, health.unanswered), (2, 0));
    let at = series(&server.bodies(), "g");
    assert!(at[0] == at[1] && at[1] == at[2], "the same step each time: {at:?}");
}

#[test]
fn a_server_that_stays_busy_loses_its_step() {
    let server = Server::start(&[(503, "")]);
    let publisher = Publisher::start(server.settings(""), source()).unwrap();
    eventually("two steps dropped", || publisher.health().unanswered >= 2 * (2 + OWN));
    publisher.stop(Duration::from_secs(10));
    let health = publisher.health();
    assert_eq!((health.sent, health.refused), (0, 0));
    assert!(health.last_failure.unwrap().contains("503"));
}

#[test]
fn a_server_that_hangs_or_is_not_there_holds_nobody_up() {
    let hanging = Server::start(&[(0, "")]);
    let absent = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for settings in [hanging.settings(""), Server { port: absent, bodies: Arc::default() }.settings("")] {
        let settings = AtlasSettings { step: MS(200), ..settings };
        let publisher = Publisher::start(settings, source()).unwrap();
        eventually("two steps dropped", || publisher.health().unanswered >= 2 * (2 + OWN));
        let begun = Instant::now();
        publisher.stop(MS(500));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(publisher.health().sent, 0);
    }
}

#[test]
fn a_source_that_panics_ends_nothing() {
    let server = Server::start(&[(200, "{}")]);
    let mut calls = 0;
    let source: ReadingSource = Box::new(move || {
        calls += 1;
        assert!(calls > 1, "injected");
        vec![Reading::gauge("g", 1.0)]
    });
    let publisher = Publisher::start(server.settings(""), source).unwrap();
    eventually("figures after it", || !series(&server.bodies(), "g").is_empty());
    publisher.stop(Duration::from_secs(10));
    assert_eq!(publisher.health().unread, 1);
}

#[test]
fn many_series_go_in_several_batches() {
    let server = Server::start(&[(200, "{}")]);
    let source: ReadingSource =
        Box::new(|| (0..1200).map(|step| Reading::gauge("g", 1.0).tag("step", format!("s{step}"))).collect());
    let publisher = Publisher::start(server.settings("maxSeries=1100\n"), source).unwrap();
    eventually("a step", || publisher.health().sent >= 1100);
    publisher.stop(Duration::from_secs(10));
    let sizes: Vec<usize> =
        server.bodies().iter().map(|body| body["metrics"].as_array().unwrap().len()).collect();
    assert!(sizes.windows(3).any(|step| step == [500, 500, 100]), "{sizes:?}");
    assert_eq!(publisher.health().left_out, 1200 + OWN - 1100);
}

fn received(read: impl Fn(&mut [u8]) -> std::io::Result<usize>) -> Vec<String> {
    let mut buffer = [0; 65536];
    let length = read(&mut buffer).unwrap();
    std::str::from_utf8(&buffer[..length]).unwrap().split('\n').map(str::to_string).collect()
}

#[test]
fn the_agent_gets_lines_by_udp_and_by_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spectatord.unix");
    let (udp, unix) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UnixDatagram::bind(&path).unwrap());
    udp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    unix.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    for (target, by_udp) in
        [(format!("udp://{}", udp.local_addr().unwrap()), true), (format!("unix:{}", path.display()), false)]
    {
        let text = format!("spectatord={target}\nstep=200\njob=test\nrole=executor\nexecutor=1\n");
        let publisher =
            Publisher::start(AtlasSettings::parse(&settings::complete(&text)).unwrap(), source()).unwrap();
        let first = if by_udp { received(|b| udp.recv(b)) } else { received(|b| unix.recv(b)) };
        assert!(first.contains(&"g,5:g,executor=1,job=test,role=executor:7".to_string()), "{first:?}");
        assert!(first.contains(&"c:c,executor=1,job=test,role=executor:10".to_string()), "{first:?}");
        assert!(publisher.stop(Duration::from_secs(10)));
        assert!(publisher.health().sent > 0);
    }
}

#[test]
fn an_agent_that_is_not_there_or_does_not_read_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.unix");
    let _never_read = UnixDatagram::bind(&path).unwrap();
    let text = format!("spectatord=unix:{}\nstep=100\nmaxSeries=5000\n", path.display());
    let many: ReadingSource =
        Box::new(|| (0..4000).map(|step| Reading::gauge("g", 1.0).tag("step", format!("s{step}"))).collect());
    let full = Publisher::start(AtlasSettings::parse(&settings::complete(&text)).unwrap(), many).unwrap();
    let text = format!("spectatord=unix:{}\nstep=100\n", folder.path().join("absent").display());
    let absent =
        Publisher::start(AtlasSettings::parse(&settings::complete(&text)).unwrap(), source()).unwrap();
    for publisher in [full, absent] {
        eventually("points dropped", || publisher.health().unanswered > 0);
        let begun = Instant::now();
        publisher.stop(MS(500));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
