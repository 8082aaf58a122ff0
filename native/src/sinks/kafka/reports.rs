//! The client's reports on each message of a batch, and on itself.

use std::sync::{Mutex, MutexGuard};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::cause::{self, FailureReason};

use crate::sync::held;

/// The state of an event of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageState {
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
    inner: Mutex<Batch>,
}

#[derive(Default)]
struct Batch {
    batch: usize,
    states: Vec<MessageState>,
    /// The number of events in [`MessageState::Pending`].
    pending: usize,
    arrived: u64,
    /// Whether the pending message was sent without neighbours.
    alone: bool,
    /// The client's report about itself since the last success.
    refusal: Option<FailureReason>,
}

/// The number of low bits of a message's token that hold its index; the others hold its batch.
const PLACE: u32 = 24;

impl Reports {
    /// Begins a batch of this number of events, none of which the client has.
    pub(super) fn begin(&self, events: usize) {
        let mut inner = self.lock();
        inner.batch = inner.batch.wrapping_add(1);
        inner.states = vec![MessageState::Waiting; events];
        inner.pending = 0;
        inner.alone = false;
    }

    /// Repeats the batch: failed events are waiting again.
    pub(super) fn again(&self) {
        for state in &mut self.lock().states {
            if let MessageState::Failed(_) = state {
                *state = MessageState::Waiting;
            }
        }
    }

    /// An event to be produced while nothing else is pending, so that it is known whether it is too large.
    pub(super) fn suspect(&self) -> Option<usize> {
        let mut inner = self.lock();
        inner.alone = true;
        inner.states.iter().position(|state| *state == MessageState::Suspect)
    }

    pub(super) fn token(&self, at: usize) -> usize {
        self.lock().batch << PLACE | at
    }

    pub(super) fn set(&self, at: usize, state: MessageState) {
        self.lock().set(at, state);
    }

    /// Notes that the client has not taken an event, and why.
    pub(super) fn settle(&self, at: usize, code: RDKafkaErrorCode) {
        self.lock().set(at, of(code));
    }

    /// Indices of the events that the client is to be given together, the first one last.
    pub(super) fn waiting(&self) -> Vec<usize> {
        self.lock().alone = false;
        self.places(|state| state == MessageState::Waiting).into_iter().rev().collect()
    }

    pub(super) fn pending(&self) -> usize {
        self.lock().pending
    }

    pub(super) fn first_pending(&self) -> Option<usize> {
        self.places(|state| state == MessageState::Pending).first().copied()
    }

    pub(super) fn refused(&self) -> Vec<usize> {
        self.places(|state| state == MessageState::Refused)
    }

    /// The first failed event.
    pub(super) fn failure(&self) -> Option<(usize, RDKafkaErrorCode)> {
        self.lock().states.iter().enumerate().find_map(|(at, state)| match state {
            MessageState::Failed(code) => Some((at, *code)),
            _ => None,
        })
    }

    /// Whether each event is shipped or refused.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().states.iter().all(|state| matches!(state, MessageState::Shipped | MessageState::Refused))
    }

    /// The number of reports.
    pub(super) fn arrived(&self) -> u64 {
        self.lock().arrived
    }

    /// The client's report about itself since a broker last accepted a message, unless it is only that none is
    /// reachable.
    pub(super) fn refusal(&self) -> Option<FailureReason> {
        self.lock().refusal.clone()
    }

    fn places(&self, wanted: impl Fn(MessageState) -> bool) -> Vec<usize> {
        let inner = self.lock();
        inner.states.iter().enumerate().filter(|(_, state)| wanted(**state)).map(|(at, _)| at).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        held(self.inner.lock())
    }
}

impl Batch {
    fn set(&mut self, at: usize, state: MessageState) {
        let Some(old) = self.states.get_mut(at) else { return };
        self.pending -= usize::from(*old == MessageState::Pending);
        self.pending += usize::from(state == MessageState::Pending);
        *old = state;
    }
}

/// The state of an event after the client returns its message.
fn of(code: RDKafkaErrorCode) -> MessageState {
    match code {
        RDKafkaErrorCode::MessageSizeTooLarge
        | RDKafkaErrorCode::MessageBatchTooLarge
        | RDKafkaErrorCode::InvalidRecord => MessageState::Refused,
        other => MessageState::Failed(other),
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
        if let Some(told) = error.rdkafka_error_code().and_then(|code| cause::refusal(code, reason)) {
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
                MessageState::Shipped
            }
            Err((error, _)) => match of(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)) {
                MessageState::Refused if !inner.alone => MessageState::Suspect,
                state => state,
            },
        };
        inner.set(token & ((1 << PLACE) - 1), state);
    }
}
