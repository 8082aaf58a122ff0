//! A sink that remembers what it was given and fails as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{ShipError, Sink};
use crate::shiplog::Event;

/// What the next call does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Says that the sink is down.
    Retry,
    /// Takes the batch, then says that the sink is down.
    RetryAfterTaking,
    /// Refuses the batch.
    Refuse,
    /// Panics.
    Panic,
    /// Does not return before [`Faults::open`].
    Block,
}

/// What a sink is told and what it has taken, shared with the test.
#[derive(Clone, Default)]
pub struct Faults {
    inner: Arc<(Mutex<Inner>, Condvar)>,
}

#[derive(Default)]
struct Inner {
    faults: VecDeque<Fault>,
    always: Option<Fault>,
    poison: Option<(String, Fault)>,
    taken: Vec<Event>,
    calls: u64,
    opened: bool,
}

impl Faults {
    /// A sink of this name that these faults command.
    pub fn sink(&self, name: &str) -> Box<dyn Sink> {
        Box::new(Faulty { name: name.to_string(), faults: self.clone() })
    }

    /// The next call does this; more than one are done in order.
    pub fn next(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Every call without a fault of its own does this; `None` is to work.
    pub fn always(&self, fault: Option<Fault>) {
        self.lock().always = fault;
    }

    /// Every call with an event of this id does this.
    pub fn poison(&self, id: &str, fault: Fault) {
        self.lock().poison = Some((id.to_string(), fault));
    }

    /// Lets calls that block, now or later, return.
    pub fn open(&self) {
        self.lock().opened = true;
        self.inner.1.notify_all();
    }

    /// Every event that was taken, in order.
    pub fn taken(&self) -> Vec<Event> {
        self.lock().taken.clone()
    }

    /// How often the sink was called.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Faulty {
    name: String,
    faults: Faults,
}

impl Sink for Faulty {
    fn name(&self) -> &str {
        &self.name
    }

    fn ship(&mut self, events: &[Event]) -> Result<(), ShipError> {
        let mut inner = self.faults.lock();
        inner.calls += 1;
        let poisoned = |(id, _): &&(String, Fault)| events.iter().any(|event| event.id == *id);
        let poison = inner.poison.as_ref().filter(poisoned).map(|(_, fault)| fault.clone());
        match inner.faults.pop_front().or(poison).or_else(|| inner.always.clone()) {
            Some(Fault::Retry) => {
                return Err(ShipError::Retry { cause: "told", why: "the sink is down".to_string() })
            }
            Some(Fault::RetryAfterTaking) => {
                inner.taken.extend_from_slice(events);
                return Err(ShipError::Retry { cause: "told", why: "the answer was lost".to_string() });
            }
            Some(Fault::Refuse) => return Err(ShipError::Refused("too large".to_string())),
            Some(Fault::Panic) => {
                drop(inner);
                panic!("the sink panics as it was told");
            }
            Some(Fault::Block) => {
                inner = self
                    .faults
                    .inner
                    .1
                    .wait_while(inner, |inner| !inner.opened)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            None => {}
        }
        inner.taken.extend_from_slice(events);
        Ok(())
    }
}
