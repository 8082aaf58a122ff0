//! The head of the document, the bar at the top, and the application's title with its facts.

use maud::{html, Markup, PreEscaped};
use sha2::{Digest, Sha256};

use super::parts::line;
use crate::report::format;
use crate::report::model::{Outcome, View};

const STYLE: &str = include_str!("page.css");

/// The `head` of the document.
pub(super) fn head(view: &View) -> Markup {
    // The second line of defence behind the escapes: no script runs, nothing is fetched, no other style applies.
    let policy =
        format!("default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'", hash(STYLE));
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="referrer" content="no-referrer";
            title { (line(name(view))) " · " (line(&view.application.id)) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn name(view: &View) -> &str {
    if view.application.name.is_empty() {
        "Application"
    } else {
        &view.application.name
    }
}

/// The bar with links to the sections.
pub(super) fn bar(view: &View) -> Markup {
    let lines: u64 = view.logs.iter().map(|log| log.errors + log.warnings).sum();
    let places = [
        ("#gates", "Gates", view.verdicts.len() as u64),
        ("#steps", "Steps", view.steps.len() as u64),
        ("#failures", "Failures", view.sample_count() as u64),
        ("#stages", "Stages", view.stages.len() as u64),
        ("#accumulators", "Accumulators", view.accumulators.len() as u64),
        ("#logs", "Log", lines),
        ("#shipping", "Shipping", 0),
    ];
    html! {
        header.top {
            a.brand href="#top" {
                svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
                    path d="M4 2.5v11M12 2.5v11M1.8 13.5h4.4M9.8 13.5h4.4M4 9.5h8" fill="none"
                        stroke="currentColor" stroke-width="1.5" stroke-linecap="round" {}
                    path.flame d="M8 7.6c1.2 0 1.9-.8 1.9-1.8C9.9 4.5 8.6 4 8.4 2.4 7.4 3.2 6.1 4.4 6.1 5.9c0 1 .8 1.7 1.9 1.7z" {}
                }
                span { "Andiron" }
            }
            nav aria-label="Sections" {
                @for (link, name, count) in places {
                    a href=(link) { (name) @if count > 0 { " " span { (format::count(count)) } } }
                }
            }
        }
    }
}

/// The application's name, its outcome, and its facts.
pub(super) fn title(view: &View) -> Markup {
    let (kind, outcome) = match view.outcome {
        Outcome::EndedAtGate => ("bad", "Ended at its gate"),
        Outcome::GateFailed => ("bad", "Failed at the gate"),
        Outcome::Failed(_) => ("bad", "Failed"),
        Outcome::Ungated => ("warn", "Ended, ungated"),
        Outcome::Passed => ("good", "Passed"),
        Outcome::Ended => ("calm", "Ended"),
        Outcome::Running => ("calm", "Running"),
        Outcome::Killed => ("warn", "Never ended"),
        Outcome::Open => ("warn", "Not ended"),
    };
    html! {
        div.title {
            h1 { (line(name(view))) }
            span.pill.(kind) { (outcome) }
            @if let Some(code) = view.application.exit_code.filter(|code| *code != 0) {
                span.pill { "exit code " (code) }
            }
        }
        (facts(view))
    }
}

fn facts(view: &View) -> Markup {
    let application = &view.application;
    let scala =
        if application.scala.is_empty() { String::new() } else { format!(", Scala {}", application.scala) };
    let spark = if application.spark.is_empty() { String::new() } else { application.spark.clone() + &scala };
    let fact = |name: &str, value: &str| {
        html! { @if !value.is_empty() { div { dt { (name) } dd { (line(value)) } } } }
    };
    html! {
        dl.facts {
            @if !application.id.is_empty() { div { dt { "Application" } dd.mono { (line(&application.id)) } } }
            (fact("Attempt", &application.attempt))
            (fact("Run", &application.run))
            @if let Some(started) = application.started_ms {
                @let took = format::duration(view.until_ms().saturating_sub(started));
                (fact("Started", &format!("{} UTC", format::instant(started))))
                @if application.ended_ms.is_some() {
                    (fact("Took", &took))
                } @else {
                    (fact("Last heard of", &format!("{took} after its start")))
                }
            }
            (fact("User", &application.user))
            (fact("Spark", &spark))
            (fact("Master", &application.master))
        }
    }
}

/// The hash by which a content security policy allows `style`.
fn hash(style: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = "sha256-".to_string();
    for group in Sha256::digest(style).chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(*group.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63] as char;
            out.push(if at <= group.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_hash_is_that_of_the_policy() {
        // printf '' | openssl sha256 -binary | base64
        assert_eq!(super::hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
