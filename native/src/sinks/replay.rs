//! The logs of earlier applications, from each sink's position.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::delivery::{Delivered, Delivery, TO_THE_END};
use super::sink::Sink;
use crate::error::Result;
use crate::event::{Event, SinkHealth};
use crate::shiplog::{applications, position, set_position, Claim, Found, Tail};

/// The result of [`ship`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// The applications whose logs were shipped from, oldest first.
    pub applications: Vec<String>,
    /// Logs with a writer, which ships them itself.
    pub live: u64,
    /// The counters of each sink. `behind` counts the events that it has not taken because it failed or time ran out.
    pub sinks: BTreeMap<String, SinkHealth>,
    /// Logs that could not be read, one message each.
    pub problems: Vec<String>,
}

/// Ships the events below `root` that the sinks have not taken; with `everything` also from logs of applications that
/// did not have these sinks. Live logs are skipped. A sink that fails is tried again until `deadline` is over.
pub fn ship(root: &Path, sinks: Vec<Box<dyn Sink>>, deadline: Duration) -> Result<Replay> {
    let end = Instant::now() + deadline;
    let mut replay = Replay::default();
    let mut deliveries: Vec<Delivery> =
        sinks.into_iter().filter(|sink| !sink.is_the_log()).map(Delivery::new).collect();
    let stop = std::thread::scope(|scope| {
        let lines: Vec<_> = deliveries.iter().map(|delivery| delivery.line.clone()).collect();
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        // Ends the back-off of failing sinks once time is over.
        scope.spawn(move || {
            if is_done.recv_timeout(end.saturating_duration_since(Instant::now())).is_err() {
                lines.iter().for_each(|line| line.ask_to_stop());
            }
        });
        let found = applications(root)?;
        for found in &found {
            ship_one(found, &mut deliveries, &mut replay);
        }
        let _ = done.send(());
        Ok(())
    });
    replay.sinks =
        deliveries.iter().map(|delivery| (delivery.name.clone(), delivery.line.health())).collect();
    stop.map(|()| replay)
}

fn ship_one(found: &Found, deliveries: &mut [Delivery], replay: &mut Replay) {
    let folder = &found.folder;
    let claim = match Claim::of(folder) {
        Ok(Some(claim)) => claim,
        Ok(None) => {
            replay.live += 1;
            return;
        }
        Err(error) => {
            replay.problems.push(error.to_string());
            return;
        }
    };
    let mut shipped = false;
    for delivery in deliveries {
        let Some(begin) = position(folder, &delivery.name) else {
            continue;
        };
        let behind = claim.last().0.saturating_sub(begin.0);
        if behind == 0 {
            continue;
        }
        let mut tail = Tail::of(&claim, begin);
        while !delivery.line.stopping() {
            match ship_batch(folder, &mut tail, delivery) {
                Ok(true) => shipped = true,
                Ok(false) => break,
                Err(error) => {
                    replay.problems.push(error.to_string());
                    break;
                }
            }
        }
        let reached = position(folder, &delivery.name).unwrap_or_default();
        delivery.line.add_behind(claim.last().0.saturating_sub(reached.0));
    }
    if shipped {
        replay.applications.push(found.application.clone());
    }
}

/// Ships the next batch of a log without a writer, and saves the position. False if there is none or it failed.
fn ship_batch(folder: &Path, tail: &mut Tail, delivery: &mut Delivery) -> Result<bool> {
    let before = tail.position();
    let mut batch: Vec<Event> = Vec::new();
    let (events, bytes) = delivery.sink.most();
    tail.read(TO_THE_END, events, bytes, &mut batch)?;
    if tail.position() == before || (!batch.is_empty() && delivery.deliver(&batch) == Delivered::Stopped) {
        return Ok(false);
    }
    delivery.pass_over(tail.take_gone(), folder);
    if !delivery.line.abandoned() {
        set_position(folder, &delivery.name, tail.position())?;
    }
    Ok(true)
}

/// The logs of earlier applications with events that one sink has not taken. They are shipped a batch at a time while
/// the sink's thread is idle.
pub(super) struct Earlier {
    own: PathBuf,
    /// `None` until the folders are listed.
    folders: Option<VecDeque<PathBuf>>,
    current: Option<(Claim, Tail)>,
}

impl Earlier {
    /// All logs except the one in `own`.
    pub(super) fn than(own: &Path) -> Earlier {
        Earlier { own: own.to_path_buf(), folders: None, current: None }
    }

    /// Ships one batch, or opens the next log. False if there is none, or time is over.
    pub(super) fn ship_some(&mut self, delivery: &mut Delivery) -> bool {
        let Some((claim, tail)) = &mut self.current else { return self.claim(delivery) };
        match ship_batch(claim.folder(), tail, delivery) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => delivery.line.note(error.to_string()),
        }
        self.current = None;
        !delivery.line.stopping()
    }

    /// Claims the next log that has events to ship and no writer.
    fn claim(&mut self, delivery: &Delivery) -> bool {
        let own = &self.own;
        let folders = self.folders.get_or_insert_with(|| {
            let found = own.parent().and_then(|root| applications(root).ok()).unwrap_or_default();
            let owes =
                |found: &Found| found.folder != *own && position(&found.folder, &delivery.name).is_some();
            found.into_iter().filter(owes).map(|found| found.folder).collect()
        });
        while let Some(folder) = folders.pop_front() {
            let begin = position(&folder, &delivery.name).unwrap_or_default();
            match Claim::of(&folder) {
                Ok(Some(claim)) if begin < claim.last() => {
                    let tail = Tail::of(&claim, begin);
                    self.current = Some((claim, tail));
                    return true;
                }
                Ok(_) => {}
                Err(error) => delivery.line.note(error.to_string()),
            }
        }
        false
    }
}
