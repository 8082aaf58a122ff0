//! The line protocol of spectatord, Atlas' agent on the host, over UDP or a Unix datagram socket.

use std::fmt::Write;
use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use super::book::{Point, SeriesKind};

/// The limit of a UDP datagram in bytes: below the smallest common MTU.
const MOST_UDP: usize = 1400;
/// The limit of a datagram in bytes on a Unix socket.
const MOST_UNIX: usize = 8 << 10;
/// The agent forgets a gauge that was not set for this number of steps.
const STEPS_TO_LIVE: u32 = 3;

/// A connection to one agent. It is opened on first use, and again after each error.
pub(super) struct Agent {
    to: To,
    open: Option<Socket>,
}

enum To {
    Udp(String),
    Unix(PathBuf),
}

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Agent {
    pub(super) fn udp(address: String) -> Agent {
        Agent { to: To::Udp(address), open: None }
    }

    pub(super) fn unix(path: PathBuf) -> Agent {
        Agent { to: To::Unix(path), open: None }
    }

    /// The limit of a datagram in bytes.
    pub(super) fn most_bytes(&self) -> usize {
        match self.to {
            To::Udp(_) => MOST_UDP,
            To::Unix(_) => MOST_UNIX,
        }
    }

    /// Sends a datagram without waiting. Over UDP an error may be that of the previous datagram.
    pub(super) fn send(&mut self, datagram: &str) -> Result<(), String> {
        let sent = self.try_send(datagram.as_bytes());
        if sent.is_err() {
            self.open = None;
        }
        sent.map_err(|error| match &self.to {
            To::Udp(address) => format!("udp://{address}: {error}"),
            To::Unix(path) => format!("unix:{}: {error}", path.display()),
        })
    }

    fn try_send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let open = match self.open.take() {
            Some(open) => open,
            None => connect(&self.to)?,
        };
        match self.open.insert(open) {
            Socket::Udp(socket) => socket.send(datagram)?,
            Socket::Unix(socket) => socket.send(datagram)?,
        };
        Ok(())
    }
}

fn connect(to: &To) -> io::Result<Socket> {
    match to {
        To::Udp(address) => {
            let address = address
                .to_socket_addrs()?
                .next()
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))?;
            let socket = UdpSocket::bind(if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.connect(address)?;
            socket.set_nonblocking(true)?;
            Ok(Socket::Udp(socket))
        }
        To::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_nonblocking(true)?;
            Ok(Socket::Unix(socket))
        }
    }
}

/// The lines of `points` as datagrams of at most `most_bytes`, each with its number of points. A counter that has not
/// risen has no line.
pub(super) fn datagrams(points: &[Point], step: Duration, most_bytes: usize) -> Vec<(String, u64)> {
    let ttl = (step * STEPS_TO_LIVE).as_secs().max(5);
    let mut datagrams: Vec<(String, u64)> = Vec::new();
    let mut line = String::new();
    for point in points {
        if point.kind == SeriesKind::Counter && point.value == 0.0 {
            continue;
        }
        line.clear();
        // Writing to a string never fails.
        let _ = match point.kind {
            SeriesKind::Gauge => write!(line, "g,{ttl}:"),
            SeriesKind::Counter => write!(line, "c:"),
        };
        line.push_str(point.tags.iter().find(|(key, _)| key == "name").map_or("_", |(_, name)| name));
        for (key, value) in point.tags.iter().filter(|(key, _)| key != "name") {
            let _ = write!(line, ",{key}={value}");
        }
        let _ = write!(line, ":{}", point.value);
        match datagrams.last_mut() {
            Some((text, points)) if text.len() + 1 + line.len() <= most_bytes => {
                text.push('\n');
                text.push_str(&line);
                *points += 1;
            }
            _ => datagrams.push((line.clone(), 1)),
        }
    }
    datagrams
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauges::book::Book;
    use crate::gauges::Reading;

    #[test]
    fn lines_are_what_the_agent_reads() {
        let mut book = Book::new(vec![("job".to_string(), "nightly".to_string())], 10);
        let points = book.points(vec![
            Reading::gauge("andiron.step.dropRatio", 0.25).tag("step", "a b"),
            Reading::counter("andiron.cache.hits", 30.0),
            Reading::counter("andiron.cache.evictions", 0.0),
        ]);
        let sent = datagrams(&points, Duration::from_secs(60), 1400);
        let text =
            "g,180:andiron.step.dropRatio,job=nightly,step=a_b:0.25\nc:andiron.cache.hits,job=nightly:30";
        assert_eq!(sent, [(text.to_string(), 2)]);
    }

    #[test]
    fn datagrams_are_bounded() {
        let mut book = Book::new(Vec::new(), 1000);
        let readings = (0..500).map(|step| Reading::gauge("s", 1.0).tag("step", format!("step-{step}")));
        let points = book.points(readings.collect());
        let sent = datagrams(&points, Duration::from_secs(1), 1400);
        assert!(sent.len() > 1 && sent.iter().all(|(text, _)| text.len() <= 1400));
        assert_eq!(sent.iter().map(|(_, points)| points).sum::<u64>(), 500);
        assert_eq!(sent.iter().flat_map(|(text, _)| text.split('\n')).count(), 500);
    }
}
