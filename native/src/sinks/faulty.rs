//! A sink that records its events and fails on command.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::sink::{ShipError, Sink};
use crate::event::Event;
use crate::sync::held;

/// The behaviour of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkFault {
    /// Reports that the sink is down.
    Retry,
    /// Takes the batch, then reports that the sink is down.
    RetryAfterTaking,
    /// Refuses the batch.
    Refuse,
    /// Panics.
    Panic,
    /// Does not return before [`SinkFaults::open`].
    Block,
}

/// The commands for a sink and its recorded events, shared with the test.
#[derive(Clone, Default)]
pub struct SinkFaults {
    inner: Arc<(Mutex<FaultyState>, Condvar)>,
}

#[derive(Default)]
struct FaultyState {
    faults: VecDeque<SinkFault>,
    always: Option<SinkFault>,
    poison: Option<(String, SinkFault)>,
    taken: Vec<Event>,
    calls: u64,
    opened: bool,
}

impl SinkFaults {
    /// A sink of this name under these commands.
    pub fn sink(&self, name: &str) -> Box<dyn Sink> {
        Box::new(FaultySink { name: name.to_string(), faults: self.clone() })
    }

    /// Queues the behaviour of one further call.
    pub fn next(&self, fault: SinkFault) {
        self.lock().faults.push_back(fault);
    }

    /// Sets the behaviour of every call without a queued one; `None` is success.
    pub fn always(&self, fault: Option<SinkFault>) {
        self.lock().always = fault;
    }

    /// Sets the behaviour of every call with an event of this id.
    pub fn poison(&self, id: &str, fault: SinkFault) {
        self.lock().poison = Some((id.to_string(), fault));
    }

    /// Lets blocked calls, present and later, return.
    pub fn open(&self) {
        self.lock().opened = true;
        self.inner.1.notify_all();
    }

    /// All taken events, in order.
    pub fn taken(&self) -> Vec<Event> {
        self.lock().taken.clone()
    }

    /// The number of calls.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, FaultyState> {
        held(self.inner.0.lock())
    }
}

struct FaultySink {
    name: String,
    faults: SinkFaults,
}

impl Sink for FaultySink {
    fn name(&self) -> &str {
        &self.name
    }

    fn ship(&mut self, events: &[Event]) -> Result<(), ShipError> {
        let mut inner = self.faults.lock();
        inner.calls += 1;
        let poisoned = |(id, _): &&(String, SinkFault)| events.iter().any(|event| event.id == *id);
        let poison = inner.poison.as_ref().filter(poisoned).map(|(_, fault)| fault.clone());
        match inner.faults.pop_front().or(poison).or_else(|| inner.always.clone()) {
            Some(SinkFault::Retry) => {
                return Err(ShipError::Retry { cause: "told", why: "the sink is down".to_string() })
            }
            Some(SinkFault::RetryAfterTaking) => {
                inner.taken.extend_from_slice(events);
                return Err(ShipError::Retry { cause: "told", why: "the answer was lost".to_string() });
            }
            Some(SinkFault::Refuse) => return Err(ShipError::Refused("too large".to_string())),
            Some(SinkFault::Panic) => {
                drop(inner);
                panic!("the sink panics as it was told");
            }
            Some(SinkFault::Block) => {
                inner = held(self.faults.inner.1.wait_while(inner, |inner| !inner.opened));
            }
            None => {}
        }
        inner.taken.extend_from_slice(events);
        Ok(())
    }
}
