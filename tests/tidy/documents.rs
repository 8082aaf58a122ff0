//! The rules of the documents: links that lead somewhere, lines that a terminal shows, an entry for each error code.

use std::collections::{BTreeSet, HashMap};

use crate::tree::{files, none, Source};

/// The longest line of prose, in characters.
const WIDTH: usize = 120;

/// A line of Markdown: its number from 1, its text, and whether it is code.
pub struct Line<'a> {
    pub number: usize,
    pub text: &'a str,
    pub is_code: bool,
}

/// The lines of a document; fenced and indented blocks are code.
pub fn lines(text: &str) -> Vec<Line<'_>> {
    let (mut in_fence, mut in_list, mut after_blank) = (false, false, true);
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let fence = start.starts_with("```");
        let indented = line.starts_with("    ") && !in_list && (after_blank || found_code(&found));
        let is_code = in_fence || fence || indented;
        if fence {
            in_fence = !in_fence;
        }
        if !is_code && !start.is_empty() {
            let item = ["- ", "* "].iter().any(|mark| start.starts_with(mark)) || is_numbered(start);
            in_list = item || (in_list && line.starts_with(' '));
        }
        after_blank = start.is_empty();
        found.push(Line { number: at + 1, text: line, is_code });
    }
    found
}

fn found_code(lines: &[Line]) -> bool {
    lines.last().is_some_and(|line| line.is_code)
}

fn is_numbered(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < line.len() && rest.starts_with(". ")
}

/// `line` with blanks in place of its code spans.
pub fn without_code(line: &str) -> String {
    let mut parts: Vec<String> = line.split('`').map(String::from).collect();
    let closed = if parts.len() % 2 == 1 { parts.len() } else { parts.len() - 1 };
    for part in parts[..closed].iter_mut().skip(1).step_by(2) {
        *part = " ".repeat(part.chars().count());
    }
    parts.join(" ")
}

/// The targets of the links and pictures of `line`.
fn targets(line: &str) -> Vec<String> {
    let line = without_code(line);
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(String::from).collect()
}

/// `line` without the targets of its links and pictures.
pub fn without_targets(line: &str) -> String {
    let mut parts = line.split("](");
    let mut kept = parts.next().unwrap_or_default().to_string();
    for part in parts {
        kept.push(']');
        kept.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
    }
    kept
}

/// The anchors of a document, as GitHub makes them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut times: HashMap<String, usize> = HashMap::new();
    let mut found = BTreeSet::new();
    for line in lines(text).iter().filter(|line| !line.is_code && line.text.starts_with('#')) {
        let heading = without_targets(line.text.trim_start_matches('#').trim()).to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let before = times.entry(name.clone()).or_insert(0);
        found.insert(if *before == 0 { name } else { format!("{name}-{before}") });
        *before += 1;
    }
    found
}

/// `target` as a path of the project, seen from the document `from`; None if it leads out of the project.
fn resolved(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn documents(all: &[Source]) -> impl Iterator<Item = &Source> {
    all.iter().filter(|source| source.path.ends_with(".md"))
}

#[test]
fn links_lead_somewhere() {
    let all = files();
    let texts: HashMap<&str, &str> =
        all.iter().map(|source| (source.path.as_str(), source.text.as_str())).collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in documents(&all) {
        for line in lines(&source.text).iter().filter(|line| !line.is_code) {
            for target in targets(line.text) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                seen += 1;
                let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
                let file =
                    if path.is_empty() { Some(source.path.clone()) } else { resolved(&source.path, path) };
                let text = file.as_ref().and_then(|file| texts.get(file.as_str()));
                let exists = text.is_some() || file.as_ref().is_some_and(|file| root.join(file).exists());
                let has = |text: &&str| anchor.is_empty() || anchors(text).contains(anchor);
                if !exists || !text.is_none_or(has) {
                    wrong.push(format!("{}:{}: {target}", source.path, line.number));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} links");
    none("links that lead nowhere", wrong);
}

#[test]
fn documents_that_code_names_exist() {
    // Records of runs, and the table of old names.
    const OTHER: [&str; 3] = ["docs/data/", "docs/internals/renames.md", "docs/evidence/demo.md"];
    let all = files();
    let paths: BTreeSet<&str> = all.iter().map(|source| source.path.as_str()).collect();
    let mut wrong = Vec::new();
    for source in all.iter().filter(|source| !OTHER.iter().any(|other| source.path.starts_with(other))) {
        for (at, line) in source.text.lines().enumerate() {
            for (start, _) in line.match_indices("docs/") {
                if line[..start].ends_with(|c: char| c.is_alphanumeric() || "/.-_:".contains(c)) {
                    continue;
                }
                let is_part = |c: &char| c.is_ascii_alphanumeric() || "/.-_".contains(*c);
                let name: String = line[start..].chars().take_while(is_part).collect();
                let name = name.trim_end_matches('.');
                if (name.ends_with(".md") || name.ends_with(".sql")) && !paths.contains(name) {
                    wrong.push(format!("{}:{}: {name}", source.path, at + 1));
                }
            }
        }
    }
    none("documents that are named and do not exist", wrong);
}

#[test]
fn paths_that_documents_name_exist() {
    // Folders at the top, and the documents that name paths of earlier days.
    const TOP: [&str; 9] = ["bench", "checks", "ci", "demo", "docs", "harness", "jvm", "native", "tests"];
    const OTHER: [&str; 3] = ["docs/internals/renames.md", "docs/evidence/runs.md", "CHANGELOG.md"];
    let all = files();
    let mut paths: BTreeSet<&str> = BTreeSet::new();
    for source in &all {
        let folders = source.path.match_indices('/').map(|(at, _)| &source.path[..at]);
        paths.extend(folders.chain([source.path.as_str()]));
    }
    let mut wrong = Vec::new();
    for source in documents(&all).filter(|source| !OTHER.iter().any(|other| source.path.starts_with(other))) {
        for line in lines(&source.text).iter().filter(|line| !line.is_code) {
            for span in line.text.split('`').skip(1).step_by(2) {
                let name = span.split([' ', ':', ',']).next().unwrap_or_default().trim_end_matches('/');
                let is_path = name.split_once('/').is_some_and(|(first, _)| TOP.contains(&first));
                let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "/.-_".contains(c));
                if is_path && is_plain && !paths.contains(name) {
                    wrong.push(format!("{}:{}: {name}", source.path, line.number));
                }
            }
        }
    }
    none("paths that documents name and the tree does not have", wrong);
}

#[test]
fn prose_fits_a_terminal() {
    let all = files();
    let mut wrong = Vec::new();
    for source in documents(&all) {
        let mut is_generated = false;
        for line in lines(&source.text).iter().filter(|line| !line.is_code) {
            // Parts that a program writes stand between two comments.
            if line.text.starts_with("<!-- ") {
                is_generated = !line.text.starts_with("<!-- end ") && source.text.contains("<!-- end ");
            }
            let is_table = line.text.trim_start().starts_with('|');
            let shown = without_targets(line.text);
            let words = without_code(shown.trim_start().trim_start_matches("- "));
            // A word, link or code span alone on its line cannot be broken.
            let is_long = shown.chars().count() > WIDTH && words.trim().contains(' ');
            if is_long && !is_table && !is_generated {
                wrong.push(format!("{}:{}: {} characters", source.path, line.number, shown.chars().count()));
            }
        }
    }
    none("lines of prose longer than 120 characters", wrong);
}

#[test]
fn every_error_code_has_a_remedy() {
    const PAGE: &str = "docs/guide/troubleshooting.md";
    // Raised by Java and Scala before the native library is there.
    const OTHERS: [&str; 2] = ["404 Unavailable", "405 Environment"];
    let all = files();
    let text = |path: &str| {
        let source = all.iter().find(|source| source.path.ends_with(path));
        source.unwrap_or_else(|| panic!("{path} is not in the tree")).text.as_str()
    };
    let rust = text("native/src/error.rs").lines().filter_map(|line| {
        let (name, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        number.parse::<u32>().ok().map(|number| format!("{number} {name}"))
    });
    let scala = text("/AndironException.scala").lines().filter_map(|line| {
        let (name, number) = line.trim().strip_prefix("val ")?.split_once(" = ")?;
        number.parse::<u32>().ok().map(|number| format!("{number} {name}"))
    });
    let mut codes: BTreeSet<String> = rust.chain(scala).collect();
    assert!(codes.len() >= 34, "only {} codes: {codes:?}", codes.len());
    codes.extend(OTHERS.map(String::from));
    let page = text(PAGE);
    let mut entries = BTreeSet::new();
    let mut without = Vec::new();
    for part in page.split("\n### ").skip(1) {
        let (heading, rest) = part.split_once('\n').unwrap_or((part, ""));
        let own = rest.split("\n## ").next().unwrap_or_default();
        if own.split_whitespace().count() < 10 {
            without.push(format!("{heading} has no cause and remedy"));
        }
        entries.insert(heading.trim().to_string());
    }
    without.extend(codes.difference(&entries).map(|code| format!("{code} has no entry")));
    without.extend(entries.difference(&codes).map(|entry| format!("{entry} is no code")));
    none(PAGE, without);
}

#[test]
fn markdown_is_read_as_it_is_shown() {
    let text = "# A `b` (c)\n\n    code\n\n- item\n\n      [in](list)\n\n```\n[no](link)\n```\n# A b c\n";
    let code: Vec<usize> = lines(text).iter().filter(|line| line.is_code).map(|line| line.number).collect();
    assert_eq!(code, [3, 9, 10, 11]);
    assert_eq!(anchors(text).into_iter().collect::<Vec<_>>(), ["a-b-c", "a-b-c-1"]);
    assert_eq!(targets("a [b](c#d) `[e](f)` ![g](h)"), ["c#d", "h"]);
    assert_eq!(without_targets("a [b](c) d"), "a [b] d");
    assert_eq!(resolved("x/y/a.md", "../b.md"), Some("x/b.md".to_string()));
    assert_eq!(resolved("a.md", "../b.md"), None);
}
