//! Tasks that walk, hold, are killed and try again.

use crate::ledger::{AttemptNumber, Lease, Mark};
use crate::plan::{below, chance, dawdle, draw};
use crate::world::{expected, Target, World};
use andiron::cache::{AttemptId, CursorId, SlotId};
use andiron::error::{Code, Error};
use shuttle::thread;
use std::sync::Arc;
use std::time::Duration;

/// Like Spark: a failed attempt is repeated up to this number of tries.
const TRIES: usize = 4;

const SLICE: Duration = Duration::from_millis(100);

/// The reason why an attempt ended early.
enum End {
    /// It was killed, or another thread released its cursor.
    Disturbed,
    /// It failed with an error that the scenario allows.
    Failed,
}

/// Runs one task to its last attempt.
pub fn run(world: &Arc<World>) {
    for _ in 0..TRIES {
        let number = world.ledger.begin_attempt();
        let attempt = if world.barrier {
            world.cache.begin_barrier_attempt("task")
        } else {
            world.cache.begin_attempt("task")
        };
        let taken_back = chance(world.plan.taken_back);
        let ended = Attempt { world, attempt, number, taken_back, cursors: Vec::new() }.walk();
        world.ledger.end_attempt(number);
        world.cache.end_attempt(attempt);
        assert_eq!(world.cache.end_attempt(attempt), 0, "an attempt ends once");
        world.check();
        if ended.is_ok() {
            return;
        }
    }
}

struct Attempt<'a> {
    world: &'a Arc<World>,
    attempt: AttemptId,
    number: AttemptNumber,
    /// Whether a wait takes back the leases of the other cursors.
    taken_back: bool,
    cursors: Vec<CursorId>,
}

impl Attempt<'_> {
    fn walk(&mut self) -> Result<(), End> {
        let plan = &self.world.plan;
        let sorted = chance(plan.sorted);
        let count = if chance(plan.two_cursors) { 2 } else { 1 };
        let cursors: Vec<CursorId> =
            (0..count).map(|_| self.world.cache.open_cursor(self.attempt, sorted).unwrap()).collect();
        self.cursors.clone_from(&cursors);
        let target = Target { attempt: self.attempt, number: self.number, cursors: cursors.clone() };
        self.world.expose(target);
        let versions = self.world.sizes.len();
        let steps = draw(&plan.steps);
        let mut visits: Vec<usize> = (0..steps).map(|_| below(versions)).collect();
        if sorted {
            visits.sort_unstable();
        }
        for version in visits {
            let cursor = cursors[below(cursors.len())];
            let moved = if chance(plan.releases) {
                self.world.ledger.leave(cursor, self.number);
                self.world.cache.release(cursor);
                Ok(())
            } else if chance(plan.sets) {
                let set: Vec<usize> = (0..2 + below(2)).map(|_| below(versions)).collect();
                self.acquire(cursor, &set, true)
            } else {
                self.acquire(cursor, &[version], chance(20))
            };
            self.world.check();
            match moved {
                // A reopened catalog serves the next step; a release by another thread ends only the current
                // step.
                Err(End::Disturbed) if !self.world.ledger.ended(self.number) => {}
                moved => moved?,
            }
        }
        if chance(30) {
            let cursor = cursors[below(cursors.len())];
            self.world.ledger.leave(cursor, self.number);
            self.world.cache.close_cursor(cursor);
            self.world.cache.close_cursor(cursor);
        }
        Ok(())
    }

    /// Moves a cursor, holds the leases for a while, and checks that they stay.
    fn acquire(&self, cursor: CursorId, versions: &[usize], as_set: bool) -> Result<(), End> {
        let cache = &self.world.cache;
        let listed = self.world.listed();
        let slots: Vec<SlotId> = versions.iter().map(|version| listed[*version]).collect();
        let mark = self.world.ledger.leave(cursor, self.number);
        let mut outcome =
            if as_set { cache.advance_all(cursor, &slots) } else { cache.advance(cursor, slots[0]) };
        let residency = loop {
            match outcome {
                Ok(Some(residency)) => break residency,
                Ok(None) => {
                    if self.taken_back && cache.waits_on_its_own(cursor) {
                        self.take_back(cursor);
                    }
                    outcome = cache.wait(cursor, SLICE);
                }
                Err(error) => return Err(self.ended(mark, &error)),
            }
        };
        let leases = self.leases(mark, versions)?;
        if leases[0].1 != residency {
            return Err(self.ended(mark, &Error::new(Code::Released, "another residency than was granted")));
        }
        self.world.ledger.hold(mark, &leases);
        if chance(self.world.plan.late_readers) {
            self.read_late(&leases);
        }
        dawdle(4);
        let again = self.leases(mark, versions)?;
        let same = again.iter().zip(&leases).all(|(a, b)| a.1 == b.1 && Arc::ptr_eq(&a.2, &b.2));
        if !same {
            return Err(self.ended(mark, &Error::new(Code::Released, "a held payload was replaced")));
        }
        self.world.ledger.hold(mark, &again);
        Ok(())
    }

    /// Releases the leases of another cursor of this task that no function of the task uses now.
    fn take_back(&self, waiting: CursorId) {
        let idle: Vec<CursorId> = self.cursors.iter().copied().filter(|other| *other != waiting).collect();
        if idle.is_empty() {
            return;
        }
        let idle = idle[below(idle.len())];
        self.world.ledger.leave(idle, self.number);
        self.world.cache.release(idle);
    }

    fn leases(&self, mark: Mark, versions: &[usize]) -> Result<Vec<Lease>, End> {
        let mut leases = Vec::new();
        for (index, version) in versions.iter().enumerate() {
            match self.world.cache.leased(mark.cursor(), index) {
                Ok((residency, payload)) => leases.push((*version, residency, payload)),
                Err(error) => return Err(self.ended(mark, &error)),
            }
        }
        Ok(leases)
    }

    /// Checks an error: an undisturbed run sees only errors that its plan can cause.
    fn ended(&self, mark: Mark, error: &Error) -> End {
        if self.world.ledger.disturbed(mark) {
            return End::Disturbed;
        }
        let expected = expected(self.world, error.code());
        assert!(expected, "an unexplained error: {error:?}");
        End::Failed
    }

    /// Leaves a thread behind that continues to read.
    fn read_late(&self, leases: &[Lease]) {
        let payload = Arc::clone(&leases[below(leases.len())].2);
        self.world.await_reader(thread::spawn(move || {
            dawdle(20);
            drop(payload);
        }));
    }
}
