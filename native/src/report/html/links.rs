//! Links to the rows of stages.

use std::collections::HashSet;

use maud::{html, Markup};

use super::most;
use super::parts::more;
use crate::report::model::{Stage, StageId};
use crate::report::pick::last;

/// The stages with a row in the page.
pub(super) struct Rows(HashSet<StageId>);

impl Rows {
    pub(super) fn of(stages: &[&Stage]) -> Rows {
        Rows(stages.iter().map(|stage| stage.id()).collect())
    }

    pub(super) fn has(&self, id: StageId) -> bool {
        self.0.contains(&id)
    }

    /// A link to a stage's row; only its number if the page has none.
    pub(super) fn link(&self, id: StageId) -> Markup {
        html! {
            @if self.has(id) {
                a href={ "#" (anchor(id)) } { (id.to_string()) }
            } @else {
                (id.to_string())
            }
        }
    }

    /// Links to the last of these stages.
    pub(super) fn links(&self, ids: &[StageId]) -> Markup {
        let (left, ids) = last(ids, most::LINKS);
        html! {
            @if left > 0 { (more(left, "stage", "stages")) ", " }
            @for (at, id) in ids.iter().enumerate() {
                @if at > 0 { ", " }
                (self.link(*id))
            }
        }
    }
}

/// The id of a stage's row.
pub(super) fn anchor(id: StageId) -> String {
    format!("s{}.{}", id.stage, id.attempt)
}
