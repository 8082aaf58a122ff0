//! The table of crates in docs/internals/decisions.md against the manifests.

use std::collections::BTreeSet;

use crate::tree::{files, none, Source};

const TABLE: &str = "docs/internals/decisions.md";
const HEADING: &str = "### Rust crates";

/// The direct dependencies of a manifest, without the workspace's own crates.
fn dependencies(manifest: &Source) -> BTreeSet<&str> {
    let (mut inside, mut found) = (false, BTreeSet::new());
    for line in manifest.text.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.ends_with("dependencies]") && section != "workspace.dependencies]";
        } else if let (true, Some((name, value))) = (inside, line.split_once('=')) {
            if !line.starts_with('#') && !value.contains("path =") {
                found.insert(name.trim());
            }
        }
    }
    found
}

/// The crates in the first column of the table.
fn explained(document: &Source) -> BTreeSet<&str> {
    let (_, section) = document.text.split_once(HEADING).expect("the section of the table");
    let rows = section.lines().skip(1).take_while(|line| !line.starts_with('#'));
    let cells = rows.filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_direct_dependency_has_a_reason() {
    let all = files();
    let manifests = all.iter().filter(|s| s.path.ends_with("Cargo.toml"));
    let used: BTreeSet<&str> = manifests.flat_map(dependencies).collect();
    let document = all.iter().find(|s| s.path == TABLE).expect("the document");
    let explained = explained(document);
    let difference =
        |a: &BTreeSet<&str>, b: &BTreeSet<&str>| a.difference(b).map(|s| s.to_string()).collect();
    assert!(used.len() > 15, "only {used:?}");
    none("crates without a reason in docs/internals/decisions.md", difference(&used, &explained));
    none("reasons for crates that no manifest names", difference(&explained, &used));
}
