//! The threads that ship the events of a running application.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::delivery::{Delivery, Line, Outcome, SinkHealth, SAVE_EVERY};
use super::replay::Earlier;
use super::Sink;
use crate::error::{Error, Result};
use crate::shiplog::{position, set_position, Event, Following, Sequence, ShipLog, Tail};

/// How often a thread that has nothing to ship looks at what earlier applications owe.
const IDLE: Duration = Duration::from_millis(200);

/// One thread for each sink. Dropping it asks them to end and does not wait.
pub struct Shipper {
    lines: BTreeMap<String, Arc<Line>>,
    /// The sinks whose store is the log.
    stored: Vec<String>,
    following: Following,
}

impl Shipper {
    /// Starts the threads; to be called before the first event is appended. Each sink gets what follows in `log`, and,
    /// when it has that, what earlier applications of `root` still owe it.
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
                        "if this process is killed, nobody knows what sink {} misses: {error}",
                        sink.name()
                    );
                }
            }
            let begin = found.unwrap_or_default();
            let delivery = Delivery::new(sink);
            delivery.line.reach(begin);
            shipper.lines.insert(delivery.name.clone(), Arc::clone(&delivery.line));
            let earlier = Earlier::than(following.folder());
            let courier = Courier {
                tail: Tail::after(following.folder(), begin),
                following,
                delivery,
                earlier,
                saved: begin,
            };
            let name = "andiron-sink".to_string();
            let spawned = std::thread::Builder::new().name(name).spawn(move || courier.run());
            spawned.map_err(|error| Error::io("start a sink's thread", &error))?;
        }
        Ok(shipper)
    }

    /// The figures of each sink by its name.
    pub fn health(&self) -> BTreeMap<String, SinkHealth> {
        let durable = self.following.acknowledged().0;
        let of =
            |line: &Line| SinkHealth { behind: durable.saturating_sub(line.reached().0), ..line.health() };
        let mut health: BTreeMap<_, _> =
            self.lines.iter().map(|(name, line)| (name.clone(), of(line))).collect();
        for name in &self.stored {
            let sent = durable;
            health.insert(name.clone(), SinkHealth { sent, ..SinkHealth::default() });
        }
        health
    }

    /// Ships what is durable by now and ends the threads, within `timeout`. A sink that fails gets one more try, and
    /// a call that has not returned is waited for until `timeout` after its own beginning: a sink that is down or
    /// hangs costs nothing here, and what it misses stays owed. The names of the sinks that have not had all of it.
    pub fn stop(&self, timeout: Duration) -> Vec<String> {
        let end = Instant::now() + timeout;
        self.ask_to_stop();
        let missing = |(name, line): (&String, &Arc<Line>)| {
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

/// What one sink's thread works with.
struct Courier {
    delivery: Delivery,
    following: Following,
    tail: Tail,
    earlier: Earlier,
    /// The position in the sink's file.
    saved: Sequence,
}

impl Courier {
    fn run(mut self) {
        let mut batch: Vec<Event> = Vec::new();
        let mut last_save = Instant::now();
        loop {
            // Asked first: what was durable when it was time to stop is still shipped.
            let stopping = self.delivery.line.stopping();
            let durable = self.following.acknowledged();
            let before = self.tail.position();
            let (events, bytes) = self.delivery.sink.most();
            let read = self.tail.read(durable, events, bytes, &mut batch);
            if let Err(error) = &read {
                self.delivery.line.note(error.to_string());
            }
            if !batch.is_empty() && self.delivery.deliver(&batch) == Outcome::Stopped {
                // The tail is ahead of the sink now, and the thread ends: the file says how far the sink is.
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
        // What the sink has of its own, threads too, goes before anybody hears that it has ended.
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
