//! The queue between the threads that append and the thread that writes.
//!
//! One lock, held for a push or for moving one group out, never during file operations. The writer is woken
//! by the first record, a full group, or a thread that waits for durability.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::health::{Health, LossCause};
use super::record::{length, MOST_BODY, MOST_ID};
use crate::event::{Event, Sequence};
use crate::sync::held;

/// The most records that one sync makes durable.
pub(super) const GROUP: usize = 64;
/// The longest time that a record waits for others before its sync begins.
pub(super) const LINGER: Duration = Duration::from_millis(20);

/// The queue of one log.
pub(super) struct Queue {
    most_bytes: usize,
    state: Mutex<QueueState>,
    /// The condition of the writer.
    work: Condvar,
    /// The condition of all other threads.
    progress: Condvar,
}

struct QueueState {
    events: VecDeque<Event>,
    bytes: usize,
    /// The arrival of the oldest event.
    since: Instant,
    /// The sequence of the next accepted event.
    next: u64,
    durable: Sequence,
    /// Threads that wait for durability.
    waiters: usize,
    /// The writer is woken when the queue has this length.
    wake_at: usize,
    seals_wanted: u64,
    seals_done: u64,
    failing: Option<LossCause>,
    /// The deadline of closing, after which no write is tried.
    closing: Option<Instant>,
    /// The log has the mark of an orderly close.
    closed: bool,
    /// The writer has ended; no further event becomes durable.
    ended: bool,
    health: Health,
}

/// The writer's next task.
pub(super) enum Work {
    /// Make the group durable.
    Group,
    /// End the segment.
    Seal,
    /// Write the mark of an orderly close, at this sequence.
    Close,
}

impl Queue {
    pub(super) fn new(most_bytes: usize, first: u64) -> Queue {
        let state = QueueState {
            events: VecDeque::new(),
            bytes: 0,
            since: Instant::now(),
            next: first,
            durable: Sequence(first - 1),
            waiters: 0,
            wake_at: usize::MAX,
            seals_wanted: 0,
            seals_done: 0,
            failing: None,
            closing: None,
            closed: false,
            ended: false,
            health: Health::default(),
        };
        Queue { most_bytes, state: Mutex::new(state), work: Condvar::new(), progress: Condvar::new() }
    }

    /// Accepts an event if it is valid and there is room, else counts it as lost.
    pub(super) fn push(&self, event: Event) -> Sequence {
        let cause = unfit(&event);
        let bytes = length(&event);
        let mut state = self.lock();
        let cause = match cause {
            Some(cause) => Some(cause),
            None if state.closing.is_some() || state.ended => Some(LossCause::Closed),
            None if state.bytes + bytes > self.most_bytes => {
                Some(state.failing.unwrap_or(LossCause::QueueFull))
            }
            None => None,
        };
        if let Some(cause) = cause {
            state.health.lost[cause as usize] += 1;
            return Sequence::NONE;
        }
        if state.events.is_empty() {
            state.since = Instant::now();
        }
        state.events.push_back(event);
        state.bytes += bytes;
        state.health.appended += 1;
        let sequence = Sequence(state.next);
        state.next += 1;
        if state.events.len() >= state.wake_at {
            state.wake_at = usize::MAX;
            self.work.notify_one();
        }
        sequence
    }

    /// For the writer: waits for work and moves a group into `group`, which must be empty. Also returns the
    /// sequence of the next record.
    pub(super) fn take(&self, group: &mut Vec<Event>) -> (u64, Work) {
        let mut state = self.lock();
        loop {
            let first = state.next - state.events.len() as u64;
            let count = state.events.len();
            let age = state.since.elapsed();
            let hurry = state.waiters > 0 || state.closing.is_some() || state.seals_done < state.seals_wanted;
            if count >= GROUP || count > 0 && (hurry || age >= LINGER) {
                let taken = count.min(GROUP);
                group.extend(state.events.drain(..taken));
                state.bytes -= group.iter().map(length).sum::<usize>();
                state.wake_at = usize::MAX;
                return (first, Work::Group);
            }
            if count == 0 && state.seals_done < state.seals_wanted {
                return (first, Work::Seal);
            }
            if count == 0 && state.closing.is_some() {
                return (first, Work::Close);
            }
            state.wake_at = if count == 0 { 1 } else { GROUP };
            state = match count {
                0 => held(self.work.wait(state)),
                _ => held(self.work.wait_timeout(state, LINGER - age)).0,
            };
        }
    }

    /// For the writer: the next `events` events are durable; with 0, the mark of an orderly close is.
    pub(super) fn done(&self, events: u64, bytes: u64) {
        let mut state = self.lock();
        state.durable.0 += events;
        state.closed = events == 0;
        state.failing = None;
        state.health.durable += events;
        state.health.bytes += bytes;
        state.health.syncs += 1;
        self.progress.notify_all();
    }

    /// For the writer: a segment was begun.
    pub(super) fn began(&self) {
        self.lock().health.segments += 1;
    }

    /// For the writer: the requested end of a segment is done.
    pub(super) fn sealed(&self) {
        let mut state = self.lock();
        state.seals_done = state.seals_wanted;
        self.progress.notify_all();
    }

    /// For the writer: the disk failed. Waits before the next try; false if there must be none.
    pub(super) fn refused(&self, cause: LossCause, message: String, pause: Duration) -> bool {
        let mut state = self.lock();
        state.failing = Some(cause);
        state.health.failures += 1;
        state.health.last_failure = Some(message);
        self.progress.notify_all();
        let until = Instant::now() + pause;
        loop {
            let now = Instant::now();
            if state.closing.is_some_and(|end| now >= end) {
                return false;
            }
            if now >= until {
                return true;
            }
            let end = state.closing.map_or(until, |end| end.min(until));
            state = held(self.work.wait_timeout(state, end - now)).0;
        }
    }

    /// For the writer, as its last call: counts the `lost` events of its group and all waiting events as
    /// lost.
    pub(super) fn end(&self, lost: u64) {
        let mut state = self.lock();
        let lost = lost + state.events.len() as u64;
        let cause = state.failing.unwrap_or(LossCause::Closed);
        state.health.lost[cause as usize] += lost;
        state.events.clear();
        state.bytes = 0;
        state.ended = true;
        self.progress.notify_all();
    }

    /// Waits until `wanted` is durable; false if it is not within `timeout`, or cannot become durable any
    /// more.
    pub(super) fn wait_durable(&self, wanted: Sequence, timeout: Duration) -> bool {
        let mut state = self.lock();
        state.waiters += 1;
        self.wake(&mut state);
        let mut state = self.wait(state, timeout, |state| state.durable >= wanted || state.ended);
        state.waiters -= 1;
        state.durable >= wanted
    }

    /// Waits until more than `seen` is durable, `enough` is true (evaluated again after each
    /// [`Queue::poke`]), the log has ended, or `timeout` is over.
    pub(super) fn wait_beyond(&self, seen: Sequence, timeout: Duration, enough: impl Fn() -> bool) {
        drop(self.wait(self.lock(), timeout, |state| state.durable > seen || state.ended || enough()));
    }

    /// Wakes the threads that wait for progress, so that they evaluate their conditions again.
    pub(super) fn poke(&self) {
        let _state = self.lock();
        self.progress.notify_all();
    }

    pub(super) fn ended(&self) -> bool {
        self.lock().ended
    }

    /// Ends the segment once all events appended so far are in it; false if this takes longer than `timeout`.
    pub(super) fn seal(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        state.seals_wanted += 1;
        let wanted = state.seals_wanted;
        self.wake(&mut state);
        self.wait(state, timeout, |state| state.seals_done >= wanted || state.ended).seals_done >= wanted
    }

    /// Rejects further events and lets the writer end within `timeout` of the first call. False if the writer
    /// has not ended by then, or has lost events.
    pub(super) fn close(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        state.closing.get_or_insert(Instant::now() + timeout);
        self.wake(&mut state);
        self.work.notify_one();
        // Leaves the writer time to report a write that fails at the deadline.
        let state = self.wait(state, timeout + Duration::from_millis(50), |state| state.ended);
        state.ended && state.closed
    }

    /// The last accepted event.
    pub(super) fn last(&self) -> Sequence {
        Sequence(self.lock().next - 1)
    }

    pub(super) fn durable(&self) -> Sequence {
        self.lock().durable
    }

    pub(super) fn health(&self) -> Health {
        let state = self.lock();
        let waiting = state.next - 1 - state.durable.0;
        Health { waiting: if state.ended { 0 } else { waiting }, ..state.health.clone() }
    }

    fn wake(&self, state: &mut QueueState) {
        state.wake_at = usize::MAX;
        self.work.notify_one();
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, QueueState>,
        timeout: Duration,
        enough: impl Fn(&QueueState) -> bool,
    ) -> MutexGuard<'a, QueueState> {
        held(self.progress.wait_timeout_while(state, timeout, |state| !enough(state))).0
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        held(self.state.lock())
    }
}

/// The cause why an event cannot be logged at all.
fn unfit(event: &Event) -> Option<LossCause> {
    if event.id.len() > MOST_ID || event.body.len() > MOST_BODY {
        return Some(LossCause::TooLarge);
    }
    let body = event.body.as_bytes();
    let object = body.first() == Some(&b'{') && body.last() == Some(&b'}');
    (!object || body.contains(&b'\n')).then_some(LossCause::Malformed)
}
