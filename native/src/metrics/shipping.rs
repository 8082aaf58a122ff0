//! Ships changes: one figure at a time under the locks, all other work outside of them.

use std::mem::take;
use std::sync::Arc;

use super::outgoing::Shipping;
use super::record::{Event, Record, Sequence};
use super::ship::{self, Draft, Identity};
use super::Application;
use crate::clock::unix_ms;
use crate::event::{id, CallbackHealth, HealthBody};
use crate::sync::lock;

/// The limit of events that the log refused and that are offered again.
const MOST_REFUSED: usize = 10_000;
/// How often a refused event is offered.
const MOST_TRIES: u8 = 3;
/// The limit of a step's samples in one round of shipping.
const MOST_SAMPLES: usize = 10_000;

/// The destination of drafts.
struct Outbox<'a> {
    log: &'a dyn Record,
    identity: &'a Identity,
    now_ms: u64,
    sent: usize,
    refused: Vec<(Event, u8)>,
}

impl Outbox<'_> {
    fn send(&mut self, draft: Draft) {
        self.offer(self.identity.event(draft, self.now_ms), 1);
    }

    fn send_all(&mut self, drafts: impl IntoIterator<Item = Draft>) {
        drafts.into_iter().for_each(|draft| self.send(draft));
    }

    fn offer(&mut self, event: Event, tries: u8) {
        // The log takes ownership of the event, so a copy is kept for another try.
        let again = (tries < MOST_TRIES).then(|| event.clone());
        if self.log.append(event) != Sequence::NONE {
            self.sent += 1;
        } else if let Some(event) = again {
            self.refused.push((event, tries + 1));
        }
    }
}

impl Application {
    /// Appends an event for every figure that has changed since it was last shipped; gives the number of appended
    /// events. The shipping thread calls this at stage ends and at least every second; one caller at a time.
    pub fn ship_changes(&self) -> usize {
        self.ship(false)
    }

    /// Ships all changes, and also the coverage of figures of running stages.
    pub(super) fn ship_all(&self) -> usize {
        self.ship(true)
    }

    fn ship(&self, at_once: bool) -> usize {
        let Some(log) = self.log.clone() else { return 0 };
        let mut shipping = lock(&self.shipping);
        let mut out =
            Outbox { log: &*log, identity: &self.identity, now_ms: unix_ms(), sent: 0, refused: Vec::new() };
        for (event, tries) in take(&mut shipping.refused) {
            out.offer(event, tries);
        }
        self.ship_application(&mut shipping, &mut out);
        let pending = lock(&self.pending).take();
        out.send_all(pending);
        let gates = lock(&self.gates).drafts();
        out.send_all(gates);
        let jobs = ship::jobs_and_executions(&mut lock(&self.listener).stages);
        out.send_all(jobs);
        self.ship_accumulators(&mut out, at_once);
        self.ship_steps(&mut shipping, &mut out, at_once);
        self.ship_stages(&mut out);
        let sent = out.sent;
        shipping.refused.extend(out.refused);
        shipping.refused.truncate(MOST_REFUSED);
        sent
    }

    /// Appends a Health event if the number of losses has grown.
    pub(super) fn ship_trouble(&self) {
        let cells = lock(&self.steps).refused();
        let lines = lock(&self.pending).lines.left_out();
        let lost = {
            let listener = lock(&self.listener);
            (listener.dropped + listener.late + listener.unreadable + listener.callback_errors + cells)
                .saturating_add(lines)
        };
        if std::mem::replace(&mut lock(&self.shipping).trouble, lost) != lost {
            self.ship_health();
        }
    }

    /// Appends a Health event if anything in it differs from the last one.
    pub(super) fn ship_health(&self) {
        let Some(log) = self.log.clone() else { return };
        let mut shipping = lock(&self.shipping);
        let body = self.health(&*log);
        if let Some(draft) = Draft::revised(id::health(), &body, &mut shipping.health) {
            log.append(self.identity.event(draft, unix_ms()));
        }
    }

    fn health(&self, log: &dyn Record) -> HealthBody {
        let lines = lock(&self.pending).lines.left_out();
        let cells = lock(&self.steps).refused();
        let listener = lock(&self.listener);
        let counts = [
            ("events", listener.events),
            ("dropped", listener.dropped),
            ("late", listener.late),
            ("unnamed", listener.foreign.unnamed()),
            ("unreadable", listener.unreadable),
            ("cells_refused", cells),
            ("log_lines_left_out", lines),
        ];
        HealthBody {
            log: log.health(),
            sinks: log.sinks(),
            listener: counts.map(|(name, count)| (name.to_string(), count)).into(),
            callbacks: CallbackHealth {
                errors: listener.callback_errors,
                first: listener.first_error.clone().unwrap_or_default(),
            },
        }
    }

    fn ship_application(&self, shipping: &mut Shipping, out: &mut Outbox<'_>) {
        out.send_all(Draft::revised(String::new(), &shipping.facts, &mut shipping.application));
    }

    fn ship_accumulators(&self, out: &mut Outbox<'_>, at_once: bool) {
        let dirty: Vec<_> = {
            let mut listener = lock(&self.listener);
            let scopes = listener.foreign.scopes();
            scopes
                .filter_map(|(id, scope)| take(&mut scope.dirty).then_some((id, scope.columns.len())))
                .collect()
        };
        for (id, columns) in dirty {
            for at in 0..columns {
                let draft = {
                    let mut guard = lock(&self.listener);
                    let listener = &mut *guard;
                    let dropped = listener.dropped;
                    listener.foreign.scope_and_names(id).and_then(|(scope, names, doubtful)| {
                        let accumulator = names.get(&scope.columns.get(at)?.acc)?;
                        ship::column(
                            id,
                            scope,
                            at,
                            (accumulator, doubtful),
                            &listener.stages,
                            dropped,
                            at_once,
                        )
                    })
                };
                out.send_all(draft);
            }
        }
    }

    fn ship_steps(&self, shipping: &mut Shipping, out: &mut Outbox<'_>, at_once: bool) {
        let dirty: Vec<u64> = {
            let mut book = lock(&self.steps);
            book.sites()
                .filter_map(|(id, site)| {
                    ((take(&mut site.dirty) || site.is_behind) && site.replaced_by.is_none()).then_some(id)
                })
                .collect()
        };
        let mut names: Vec<Arc<str>> = Vec::new();
        for id in dirty {
            let drafts = {
                let mut book = lock(&self.steps);
                let listener = lock(&self.listener);
                let Some(site) = book.site(id) else { continue };
                if !names.contains(&site.name) {
                    names.push(Arc::clone(&site.name));
                }
                let Some(figure) = site.figure() else { continue };
                let outside = book.outside(site.step, &figure);
                let counters = book.counters(site, &figure);
                let Some(site) = book.site_mut(id) else { continue };
                ship::site(site, &figure, &listener.stages, at_once, (&counters, outside))
            };
            out.send_all(drafts);
        }
        for name in names {
            self.ship_samples(&name, shipping, out);
        }
    }

    fn ship_samples(&self, step: &Arc<str>, shipping: &mut Shipping, out: &mut Outbox<'_>) {
        let revised = lock(&self.steps).revise_samples(step, MOST_SAMPLES);
        for (hash, revision, counts) in revised {
            let body = lock(&self.steps).sample(step, hash);
            out.send_all(body.map(|body| ship::failure(step, hash, revision, counts, body)));
        }
        let Some(summary) = lock(&self.steps).summary(step) else { return };
        let shipped = shipping.summaries.entry(Arc::clone(step)).or_default();
        out.send_all(ship::samples_summary(&summary, shipped));
    }

    fn ship_stages(&self, out: &mut Outbox<'_>) {
        let dirty: Vec<(u32, u32)> = {
            let mut listener = lock(&self.listener);
            let stages = listener.stages.attempts.iter_mut();
            stages.filter_map(|(id, stage)| take(&mut stage.dirty).then_some(*id)).collect()
        };
        for id in dirty {
            let mut changed = lock(&self.steps).changed_in(id);
            let draft = {
                let mut guard = lock(&self.listener);
                let listener = &mut *guard;
                if let Some(facts) = listener.stages.facts(id.0) {
                    changed.1.extend(listener.foreign.changed_in(facts.rdd, id));
                }
                ship::stage(id, &mut listener.stages, changed)
            };
            out.send_all(draft);
        }
    }
}
