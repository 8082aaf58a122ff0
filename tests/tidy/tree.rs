//! The project's text files: those that git tracks or would track.

use std::path::Path;
use std::process::Command;

/// One text file.
pub struct Source {
    /// The path relative to the project, with `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl Source {
    /// Whether the path begins with `start` and ends with `end`.
    pub fn is(&self, start: &str, end: &str) -> bool {
        self.path.starts_with(start) && self.path.ends_with(end)
    }
}

/// All text files of this checkout that are not ignored.
pub fn files() -> Vec<Source> {
    files_below(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project"))
}

/// All text files of the checkout in `root` that are not ignored.
pub fn files_below(root: &Path) -> Vec<Source> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root)
        .output()
        .expect("git");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("UTF-8 names");
    let mut found: Vec<Source> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            // A tracked file may be missing from the tree, and a picture is not text.
            let text = std::fs::read_to_string(root.join(name)).ok()?;
            Some(Source { path: name.to_string(), text })
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 40, "only {} files: is this the project's checkout?", found.len());
    found
}

/// Numbered lines without those that are only comments.
pub fn code_lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source.text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| {
        let start = line.trim_start();
        !["//", "*", "/*", "#!", "# "].iter().any(|comment| start.starts_with(comment))
    })
}

/// Fails with all findings, one a line.
pub fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}
