//! Prints circles of imports, type names of the core, and vague words of the prose of a checkout, as JSON, for
//! `ci/house.py`.
//!
//! `cargo run -p andiron-tests --example house -- FOLDER`.

#[allow(dead_code, unused_imports)]
mod documents;
#[allow(dead_code)]
mod imports;
#[allow(dead_code, unused_imports)]
mod prose;
#[allow(dead_code)]
mod tree;

fn main() {
    let root = std::env::args().nth(1).unwrap_or_else(|| ".".to_string());
    let files = tree::files_below(root.as_ref());
    let circles = imports::circles(&imports::arrows(&files, "native/src/"));
    let inside: std::collections::BTreeSet<&String> =
        circles.iter().flatten().flat_map(|(from, to)| [from, to]).collect();
    let types = imports::types(&files, "native/src/");
    let twice = types.values().filter(|files| files.len() > 1).count();
    let mut prose: Vec<String> = prose::groups(&files)
        .iter()
        .map(|group| format!(r#""{}": {:.1}"#, group.name.trim_end_matches(" comments"), group.all.rate()))
        .collect();
    prose.sort();
    println!(
        r#"{{"circles": {}, "files_in_circles": {}, "type_names_twice": {twice}, "prose": {{{}}}}}"#,
        circles.len(),
        inside.len(),
        prose.join(", ")
    );
}
