//! Writes the pages that the browser tests open: `report_pages DIRECTORY`.

use andiron::report::{html, View};

#[path = "../tests/report/fixtures.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod fixtures;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_string());
    std::fs::create_dir_all(&folder)?;
    let pages = [
        ("passing", fixtures::small()),
        ("failing", fixtures::failing()),
        ("wide", fixtures::wide()),
        ("hostile", fixtures::hostile()),
        ("empty", Vec::new()),
    ];
    for (name, events) in pages {
        let page = html::render(&View::build(events, Vec::new()));
        std::fs::write(format!("{folder}/{name}.html"), page)?;
    }
    Ok(())
}
