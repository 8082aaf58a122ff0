//! The page: one file, no script, nothing from outside.

mod failures;
mod head;
mod markup;
mod rest;
mod stages;
mod steps;
mod verdict;

use super::model::View;
use super::pick;
use markup::Page;

/// How much of a view a page holds. What is beyond is counted, and the page says so.
mod most {
    pub(super) const VERDICTS: usize = 200;
    pub(super) const CAUSES: usize = 10;
    pub(super) const STEPS: usize = 400;
    pub(super) const COUNTERS: usize = 200;
    pub(super) const ACCUMULATORS: usize = 400;
    pub(super) const SCOPES: usize = 200;
    pub(super) const LINKS: usize = 24;
    pub(super) const GROUPS: usize = 100;
    pub(super) const SAMPLES_PER_GROUP: usize = 500;
    pub(super) const SAMPLES: usize = 2_000;
    pub(super) const STAGES: usize = 1_000;
    pub(super) const BARS: usize = 400;
    pub(super) const EXECUTIONS: usize = 50;
    pub(super) const LOG_STAGES: usize = 200;
    pub(super) const LOG_LINES: usize = 1_000;
    pub(super) const NOTES: usize = 20;
    pub(super) const SETTINGS: usize = 200;
}

/// The page of `view`. Any text of the view is safe in it.
pub fn render(view: &View) -> String {
    let shown = pick::stages(view, most::STAGES);
    let mut page = Page::with_stages(&shown.shown);
    head::open(&mut page, view);
    verdict::section(&mut page, view);
    steps::section(&mut page, view);
    failures::section(&mut page, view);
    stages::section(&mut page, view, &shown);
    rest::accumulators(&mut page, view);
    rest::logs(&mut page, view);
    rest::executions(&mut page, view);
    rest::health(&mut page, view);
    rest::foot(&mut page, view);
    page.finish()
}
