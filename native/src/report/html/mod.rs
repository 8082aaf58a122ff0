//! The page: one file without scripts and without external resources. Each section has a file.

mod accumulators;
mod executions;
mod failures;
mod gates;
mod links;
mod logs;
mod most;
mod parts;
mod shipping;
mod stages;
mod steps;
mod timeline;
mod top;

use maud::{html, Markup, PreEscaped};

use super::model::View;
use super::{format, pick};
use links::Rows;
use parts::line;

/// The page of `view`. Any text of the view is safe in it.
pub fn render(view: &View) -> String {
    let shown = pick::stages(view, most::STAGES);
    let rows = Rows::of(&shown.shown);
    let page = html! {
        (PreEscaped("<!doctype html>\n"))
        html lang="en" {
            (top::head(view))
            body {
                (top::bar(view))
                main {
                    (top::title(view))
                    (gates::section(view))
                    (steps::section(view, &rows))
                    (failures::section(view, &rows))
                    (stages::section(view, &shown, &rows))
                    (accumulators::section(view, &rows))
                    (logs::section(view))
                    (executions::section(view))
                    (shipping::section(view))
                    (settings(view))
                }
                footer {
                    "Andiron " (env!("CARGO_PKG_VERSION")) " · " (format::some(view.events, "event", "events"))
                    " of the ship log · times are UTC"
                }
            }
        }
        (PreEscaped("\n"))
    };
    page.into_string()
}

fn settings(view: &View) -> Markup {
    let settings = &view.application.settings;
    html! {
        @if !settings.is_empty() {
            details.log {
                summary {
                    span.message { "Settings of Andiron" }
                    span.at.quiet { (settings.len()) }
                }
                dl.pairs {
                    @for (key, value) in settings.iter().take(most::SETTINGS) {
                        div { dt.mono { (line(key)) } dd { (line(value)) } }
                    }
                }
            }
        }
    }
}
