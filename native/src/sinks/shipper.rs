//! The threads that ship the events of a running application.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::delivery::{Delivered, Delivery, SinkState, SAVE_EVERY};
use super::replay::Earlier;
use super::sink::Sink;
use crate::error::{Error, Result};
use crate::event::{Event, Sequence, SinkHealth};
use crate::shiplog::{position, set_position, Following, ShipLog, Tail};

/// The interval at which an idle thread looks at the logs of earlier applications.
const IDLE: Duration = Duration::from_millis(200);

/// One thread for each sink. Dropping it asks them to end without waiting.
pub struct Shipper {
    lines: BTreeMap<String, Arc<SinkState>>,
    /// The sinks whose store is the log.
    stored: Vec<String>,
    following: Following,
}

impl Shipper {
    /// Starts the threads; to be called before the first event is appended. Each sink gets the events that follow in
    /// `log`, and once it has taken those, the remaining events of earlier applications of `root`.
    pub fn start(log: &ShipLog, sinks: Vec<Box<dyn Sink>>) -> Result<Shipper> {
        let mut shipper = Shipper { lines: BTreeMap::new(), stored: Vec::new(), following: log.follow() };
        for sink in sinks {
            if sink.is_the_log() {
                shipper.stored.push(sink.name().to_string());
                continue;
            }
            let following = log.follow();
            let found = position(following.folder(), sink.name());
            if found.is_none() {
                if let Err(error) = set_position(following.folder(), sink.name(), Sequence::NONE) {
                    log::warn!(
                        "if this process is killed, the position of sink {} is lost: {error}",
                        sink.name()
                    );
                }
            }
            let begin = found.unwrap_or_default();
            let delivery = Delivery::new(sink);
            delivery.line.reach(begin);
            shipper.lines.insert(delivery.name.clone(), Arc::clone(&delivery.line));
            let earlier = Earlier::than(following.folder());
            let worker = SinkWorker {
                tail: Tail::after(following.folder(), begin),
                following,
                delivery,
                earlier,
                saved: begin,
            };
            let name = "andiron-sink".to_string();
            let spawned = std::thread::Builder::new().name(name).spawn(move || worker.run());
            spawned.map_err(|error| Error::io("start a sink's thread", &error))?;
        }
        Ok(shipper)
    }

    /// The counters of each sink by name.
    pub fn health(&self) -> BTreeMap<String, SinkHealth> {
        let durable = self.following.acknowledged().0;
        let of = |line: &SinkState| SinkHealth {
            behind: durable.saturating_sub(line.reached().0),
            ..line.health()
        };
        let mut health: BTreeMap<_, _> =
            self.lines.iter().map(|(name, line)| (name.clone(), of(line))).collect();
        for name in &self.stored {
            let sent = durable;
            health.insert(name.clone(), SinkHealth { sent, ..SinkHealth::default() });
        }
        health
    }

    /// Ships the events that are durable now and ends the threads, within `timeout`. A failing sink gets one more
    /// try, and a running call is waited for until `timeout` after its start: a sink that is down or hangs costs no
    /// further time, and its events stay in the log. Returns the names of the sinks that have not taken all events.
    pub fn stop(&self, timeout: Duration) -> Vec<String> {
        let end = Instant::now() + timeout;
        self.ask_to_stop();
        let missing = |(name, line): (&String, &Arc<SinkState>)| {
            let ended = line.wait_ended(end, timeout);
            (!ended || line.reached() < self.following.acknowledged()).then(|| name.clone())
        };
        self.lines.iter().filter_map(missing).collect()
    }
}

impl Shipper {
    fn ask_to_stop(&self) {
        self.lines.values().for_each(|line| line.ask_to_stop());
        self.following.poke();
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.ask_to_stop();
    }
}

/// The state of one sink's thread.
struct SinkWorker {
    delivery: Delivery,
    following: Following,
    tail: Tail,
    earlier: Earlier,
    /// The position in the sink's file.
    saved: Sequence,
}

impl SinkWorker {
    fn run(mut self) {
        let mut batch: Vec<Event> = Vec::new();
        let mut last_save = Instant::now();
        loop {
            // Read before the durable position, so that events that were durable at the request to stop are still
            // shipped.
            let stopping = self.delivery.line.stopping();
            let durable = self.following.acknowledged();
            let before = self.tail.position();
            let (events, bytes) = self.delivery.sink.most();
            let read = self.tail.read(durable, events, bytes, &mut batch);
            if let Err(error) = &read {
                self.delivery.line.note(error.to_string());
            }
            if !batch.is_empty() && self.delivery.deliver(&batch) == Delivered::Stopped {
                // The tail is ahead of the sink, and the thread ends: the file holds the sink's position.
                self.save(before);
                break;
            }
            batch.clear();
            self.delivery.pass_over(self.tail.take_gone(), self.following.folder());
            let reached = self.tail.position();
            self.delivery.line.reach(reached);
            let moved = reached > before;
            if !moved || last_save.elapsed() >= SAVE_EVERY {
                self.save(reached);
                last_save = Instant::now();
            }
            if self.delivery.line.abandoned() {
                break;
            }
            if moved && read.is_ok() {
                continue;
            }
            if stopping {
                break;
            }
            if read.is_ok() && self.earlier.ship_some(&mut self.delivery) {
                continue;
            }
            if read.is_ok() && reached >= durable && !self.following.ended() {
                let line = &self.delivery.line;
                self.following.wait_beyond(reached, IDLE, || line.stopping());
            } else {
                self.delivery.line.sleep(IDLE);
            }
        }
        // The sink's resources, including its threads, are released before its end is announced.
        let line = Arc::clone(&self.delivery.line);
        drop(self);
        line.end();
    }

    fn save(&mut self, reached: Sequence) {
        if reached == self.saved || self.delivery.line.abandoned() {
            return;
        }
        match set_position(self.following.folder(), &self.delivery.name, reached) {
            Ok(()) => self.saved = reached,
            Err(error) => self.delivery.line.note(error.to_string()),
        }
    }
}
