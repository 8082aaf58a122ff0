//! The top of the page: what application this is.

use sha2::{Digest, Sha256};

use super::markup::Page;
use crate::report::format;
use crate::report::model::{Outcome, View};

const STYLE: &str = include_str!("page.css");

/// The document up to its first section.
pub(super) fn open(page: &mut Page, view: &View) {
    let application = &view.application;
    page.raw("<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n");
    page.raw("<meta name=viewport content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=color-scheme content=\"light dark\">\n");
    // Were an escape ever missing: no script runs, nothing is fetched, no other style applies.
    page.raw("<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src '");
    page.say(&hash(STYLE)).raw("'; base-uri 'none'; form-action 'none'\">\n");
    page.raw("<meta name=referrer content=no-referrer>\n<title>");
    page.line(title(view)).raw(" · ").line(&application.id).raw("</title>\n<style>");
    page.raw(STYLE).raw("</style>\n</head>\n<body>\n<header class=top>\n");
    brand(page);
    nav(page, view);
    page.raw("</header>\n<main>\n<div class=title>\n<h1>").line(title(view)).raw("</h1>\n");
    pill(page, view);
    page.raw("</div>\n<dl class=facts>\n");
    facts(page, view);
    page.raw("</dl>\n");
}

fn title(view: &View) -> &str {
    if view.application.name.is_empty() {
        "Application"
    } else {
        &view.application.name
    }
}

fn brand(page: &mut Page) {
    page.raw("<a class=brand href=\"#top\"><svg viewBox=\"0 0 16 16\" width=16 height=16 aria-hidden=true>");
    page.raw(
        "<path d=\"M4 2.5v11M12 2.5v11M1.8 13.5h4.4M9.8 13.5h4.4M4 9.5h8\" fill=none stroke=currentColor ",
    );
    page.raw("stroke-width=1.5 stroke-linecap=round /><path d=\"M8 7.6c1.2 0 1.9-.8 1.9-1.8C9.9 4.5 8.6 4 8.4 2.4 ");
    page.raw("7.4 3.2 6.1 4.4 6.1 5.9c0 1 .8 1.7 1.9 1.7z\" class=flame /></svg><span>Andiron</span></a>\n");
}

fn nav(page: &mut Page, view: &View) {
    let lines: u64 = view.logs.iter().map(|log| log.errors + log.warnings).sum();
    let places: [(&'static str, &'static str, u64); 7] = [
        ("#gates", "Gates", view.verdicts.len() as u64),
        ("#steps", "Steps", view.steps.len() as u64),
        ("#failures", "Failures", view.sample_count() as u64),
        ("#stages", "Stages", view.stages.len() as u64),
        ("#accumulators", "Accumulators", view.accumulators.len() as u64),
        ("#logs", "Log", lines),
        ("#shipping", "Shipping", 0),
    ];
    page.raw("<nav aria-label=Sections>");
    for (link, name, count) in places {
        page.raw("<a href=\"").raw(link).raw("\">").raw(name);
        if count > 0 {
            page.raw(" <span>").say(&format::count(count)).raw("</span>");
        }
        page.raw("</a>");
    }
    page.raw("</nav>\n");
}

fn pill(page: &mut Page, view: &View) {
    match view.outcome {
        Outcome::EndedAtGate => page.raw("<span class=\"pill bad\">Ended at its gate"),
        Outcome::GateFailed => page.raw("<span class=\"pill bad\">Failed at the gate"),
        Outcome::Failed(_) => page.raw("<span class=\"pill bad\">Failed"),
        Outcome::Ungated => page.raw("<span class=\"pill warn\">Ended, ungated"),
        Outcome::Passed => page.raw("<span class=\"pill good\">Passed"),
        Outcome::Ended => page.raw("<span class=\"pill calm\">Ended"),
        Outcome::Running => page.raw("<span class=\"pill calm\">Running"),
        Outcome::Killed => page.raw("<span class=\"pill warn\">Never ended"),
        Outcome::Open => page.raw("<span class=\"pill warn\">Not ended"),
    };
    page.raw("</span>\n");
    if let Some(code) = view.application.exit_code.filter(|code| *code != 0) {
        page.raw("<span class=\"pill\">exit code ").say(&code.to_string()).raw("</span>\n");
    }
}

fn facts(page: &mut Page, view: &View) {
    let application = &view.application;
    fact(page, "<dt>Application</dt><dd class=mono>", &application.id);
    fact(page, "<dt>Attempt</dt><dd>", &application.attempt);
    fact(page, "<dt>Run</dt><dd>", &application.run);
    if let Some(started) = application.started_ms {
        fact(page, "<dt>Started</dt><dd>", &format!("{} UTC", format::instant(started)));
        let took = format::duration(view.until_ms().saturating_sub(started));
        match application.ended_ms {
            Some(_) => fact(page, "<dt>Took</dt><dd>", &took),
            None => fact(page, "<dt>Last heard of</dt><dd>", &format!("{took} after its start")),
        }
    }
    fact(page, "<dt>User</dt><dd>", &application.user);
    let scala =
        if application.scala.is_empty() { String::new() } else { format!(", Scala {}", application.scala) };
    if !application.spark.is_empty() {
        fact(page, "<dt>Spark</dt><dd>", &format!("{}{scala}", application.spark));
    }
    fact(page, "<dt>Master</dt><dd>", &application.master);
}

fn fact(page: &mut Page, open: &'static str, value: &str) {
    if !value.is_empty() {
        page.raw("<div>").raw(open).line(value).raw("</dd></div>\n");
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
