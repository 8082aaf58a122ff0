//! The client's reports on each message of a batch, and on itself.

use std::sync::{Mutex, MutexGuard};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::client::{self, Told};

use crate::sync::held;

/// The state of an event of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The client does not have its message.
    Waiting,
    /// The client has its message, without an answer.
    Pending,
    /// The broker has its message.
    Shipped,
    /// The client has given up its message.
    Failed(RDKafkaErrorCode),
    /// The broker found its message too large together with its neighbours.
    Suspect,
    /// No broker will ever accept its message.
    Refused,
}

/// The states of one batch. Reports on earlier batches change nothing.
#[derive(Default)]
pub(super) struct Reports {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    batch: usize,
    states: Vec<State>,
    /// The number of events in [`State::Pending`].
    pending: usize,
    arrived: u64,
    /// Whether the pending message was sent without neighbours.
    alone: bool,
    /// The client's report about itself since the last success.
    refusal: Option<Told>,
}

/// The number of low bits of a message's token that hold its index; the others hold its batch.
const PLACE: u32 = 24;

impl Reports {
    /// Begins a batch of this number of events, none of which the client has.
    pub(super) fn begin(&self, events: usize) {
        let mut inner = self.lock();
        inner.batch = inner.batch.wrapping_add(1);
        inner.states = vec![State::Waiting; events];
        inner.pending = 0;
        inner.alone = false;
    }

    /// Repeats the batch: failed events are waiting again.
    pub(super) fn again(&self) {
        for state in &mut self.lock().states {
            if let State::Failed(_) = state {
                *state = State::Waiting;
            }
        }
    }

    /// An event to be produced while nothing else is pending, so that it is known whether it is too large.
    pub(super) fn suspect(&self) -> Option<usize> {
        let mut inner = self.lock();
        inner.alone = true;
        inner.states.iter().position(|state| *state == State::Suspect)
    }

    pub(super) fn token(&self, at: usize) -> usize {
        self.lock().batch << PLACE | at
    }

    pub(super) fn set(&self, at: usize, state: State) {
        self.lock().set(at, state);
    }

    /// Notes that the client has not taken an event, and why.
    pub(super) fn settle(&self, at: usize, code: RDKafkaErrorCode) {
        self.lock().set(at, of(code));
    }

    /// Indices of the events that the client is to be given together, the first one last.
    pub(super) fn waiting(&self) -> Vec<usize> {
        self.lock().alone = false;
        self.places(|state| state == State::Waiting).into_iter().rev().collect()
    }

    pub(super) fn pending(&self) -> usize {
        self.lock().pending
    }

    pub(super) fn first_pending(&self) -> Option<usize> {
        self.places(|state| state == State::Pending).first().copied()
    }

    pub(super) fn refused(&self) -> Vec<usize> {
        self.places(|state| state == State::Refused)
    }

    /// The first failed event.
    pub(super) fn failure(&self) -> Option<(usize, RDKafkaErrorCode)> {
        self.lock().states.iter().enumerate().find_map(|(at, state)| match state {
            State::Failed(code) => Some((at, *code)),
            _ => None,
        })
    }

    /// Whether each event is shipped or refused.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().states.iter().all(|state| matches!(state, State::Shipped | State::Refused))
    }

    /// The number of reports.
    pub(super) fn arrived(&self) -> u64 {
        self.lock().arrived
    }

    /// The client's report about itself since a broker last accepted a message, unless it is only that none is
    /// reachable.
    pub(super) fn refusal(&self) -> Option<Told> {
        self.lock().refusal.clone()
    }

    fn places(&self, wanted: impl Fn(State) -> bool) -> Vec<usize> {
        let inner = self.lock();
        inner.states.iter().enumerate().filter(|(_, state)| wanted(**state)).map(|(at, _)| at).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        held(self.inner.lock())
    }
}

impl Inner {
    fn set(&mut self, at: usize, state: State) {
        let Some(old) = self.states.get_mut(at) else { return };
        self.pending -= usize::from(*old == State::Pending);
        self.pending += usize::from(state == State::Pending);
        *old = state;
    }
}

/// The state of an event after the client returns its message.
fn of(code: RDKafkaErrorCode) -> State {
    match code {
        RDKafkaErrorCode::MessageSizeTooLarge
        | RDKafkaErrorCode::MessageBatchTooLarge
        | RDKafkaErrorCode::InvalidRecord => State::Refused,
        other => State::Failed(other),
    }
}

impl ClientContext for Reports {
    /// The sink logs a failure once; the client would repeat it.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "CONFWARN" {
            log::warn!("sink kafka: {message}");
        } else {
            log::debug!("sink kafka: {level:?} {facility}: {message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(told) = error.rdkafka_error_code().and_then(|code| client::refusal(code, reason)) {
            self.lock().refusal = Some(told);
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, token: usize) {
        let mut inner = self.lock();
        inner.arrived += 1;
        if token >> PLACE != (inner.batch << PLACE) >> PLACE {
            return;
        }
        let state = match result {
            Ok(_) => {
                inner.refusal = None;
                State::Shipped
            }
            Err((error, _)) => match of(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)) {
                State::Refused if !inner.alone => State::Suspect,
                state => state,
            },
        };
        inner.set(token & ((1 << PLACE) - 1), state);
    }
}
