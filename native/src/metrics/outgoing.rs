//! What waits to be shipped, and what the shipping thread remembers.

use std::collections::{HashMap, VecDeque};
use std::mem::take;
use std::sync::Arc;

use super::gate::Verdict;
use super::judged::Judged;
use super::lines::Lines;
use super::record::Event;
use super::revision::Shipped;
use super::ship::Draft;
use crate::clock::unix_ms;
use crate::event::{id, ApplicationBody, LogLineBody, VerdictBody};

/// Events that are complete on arrival and wait to be shipped.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) drafts: Vec<Draft>,
    pub(super) lines: Lines,
    pub(super) verdicts: HashMap<String, u64>,
    pub(super) judged: Judged,
}

impl Pending {
    pub(super) fn log_line(&mut self, line: &LogLineBody) {
        self.drafts.extend(self.lines.add(line));
    }

    pub(super) fn take(&mut self) -> Vec<Draft> {
        let mut drafts = take(&mut self.drafts);
        drafts.extend(self.lines.drafts());
        drafts
    }

    pub(super) fn verdict(&mut self, verdict: &Verdict, logged: bool) {
        self.judged.note(verdict);
        if !logged {
            return;
        }
        let number = self.verdicts.entry(verdict.step.clone()).or_insert(0);
        *number += 1;
        let body = VerdictBody { at_ms: Some(unix_ms()), ..verdict.body() };
        self.drafts.push(Draft::of(id::verdict(&verdict.step, *number), 1, &body));
    }
}

/// State that only the shipping thread uses.
#[derive(Debug)]
pub(super) struct Shipping {
    pub(super) facts: ApplicationBody,
    pub(super) application: Shipped,
    pub(super) health: Shipped,
    /// The number of losses when they were last shipped.
    pub(super) trouble: u64,
    pub(super) summaries: HashMap<Arc<str>, Shipped>,
    pub(super) refused: VecDeque<(Event, u8)>,
}

impl Shipping {
    pub(super) fn new(facts: ApplicationBody) -> Shipping {
        Shipping {
            facts,
            application: Shipped::default(),
            health: Shipped::default(),
            trouble: 0,
            summaries: HashMap::new(),
            refused: VecDeque::new(),
        }
    }

    /// The known facts of the application.
    pub(super) fn facts(&self) -> &ApplicationBody {
        &self.facts
    }

    /// Notes that the application has ended; `json` has further facts.
    pub(super) fn ended(&mut self, end: ApplicationBody) {
        let ended_ms = end.ended_ms.or(self.facts.ended_ms).or_else(|| Some(unix_ms()));
        let exit_code = end.exit_code.or(self.facts.exit_code);
        let ended_at_gate = end.ended_at_gate;
        self.facts = ApplicationBody { ended_ms, exit_code, ended_at_gate, ..take(&mut self.facts) };
    }
}
