//! Imports between the files of one crate, and the circles that they form.
//!
//! A node is a file. An arrow leads from a file to the file that defines an item named by a path in the first
//! one. `mod x;` and a re-export are no arrows: a path through a re-export leads to the file that defines the
//! item. Test code is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::Source;

/// The arrows of one crate, by file.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

/// A module of the crate, which is one file.
struct Module {
    file: String,
    code: String,
    items: BTreeSet<String>,
    /// The imports of `use`, by their local names; glob imports have the name `*`.
    uses: Vec<Import>,
}

struct Import {
    name: String,
    path: Vec<String>,
    is_public: bool,
}

/// The modules of a crate by their paths, without test modules.
struct Crate(BTreeMap<Vec<String>, Module>);

/// The arrows between the files below `root`, which ends with a slash.
pub fn arrows(files: &[Source], root: &str) -> Arrows {
    let modules = Crate::of(files, root);
    modules.0.iter().map(|(path, module)| (module.file.clone(), modules.arrows_of(path, module))).collect()
}

/// The sets of files that reach each other, each with the arrows inside it.
pub fn circles(arrows: &Arrows) -> Vec<Vec<(String, String)>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        arrows.keys().map(|from| (from, reachable(arrows, from))).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for from in arrows.keys().filter(|from| reached[from].contains(from)) {
        let members: BTreeSet<&String> =
            reached[from].iter().copied().filter(|to| reached[to].contains(from)).collect();
        if seen.insert(members.clone()) {
            let inside = members.iter().flat_map(|&from| {
                let members = &members;
                arrows[from]
                    .iter()
                    .filter(move |to| members.contains(to))
                    .map(|to| (from.clone(), to.clone()))
            });
            found.push(inside.collect());
        }
    }
    found
}

fn reachable<'a>(arrows: &'a Arrows, from: &String) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&String> = arrows[from].iter().collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(&arrows[next]);
        }
    }
    found
}

impl Crate {
    fn of(files: &[Source], root: &str) -> Crate {
        let of_crate =
            files.iter().filter(|file| file.is(root, ".rs") && !file.path[root.len()..].starts_with("bin/"));
        let all: Vec<(Vec<String>, &Source)> =
            of_crate.map(|file| (module_path(&file.path[root.len()..]), file)).collect();
        let tests: Vec<Vec<String>> = all
            .iter()
            .flat_map(|(path, file)| {
                test_modules(&file.text).into_iter().map(|name| [&path[..], &[name]].concat())
            })
            .collect();
        let product = all.into_iter().filter(|(path, _)| !tests.iter().any(|test| path.starts_with(test)));
        Crate(product.map(|(path, file)| (path, Module::of(file))).collect())
    }

    fn arrows_of(&self, path: &[String], module: &Module) -> BTreeSet<String> {
        let imported =
            module.uses.iter().filter(|import| !import.is_public).map(|import| import.path.clone());
        let named = paths(&module.code).filter(|found| found.len() > 1);
        let all = imported.chain(named).filter_map(|found| self.file_of(path, &found, 0));
        all.filter(|to| *to != module.file).collect()
    }

    /// The file that defines the item `named`, seen from the module `here`.
    fn file_of(&self, here: &[String], named: &[String], depth: usize) -> Option<String> {
        let (mut at, mut rest) = self.start(here, named, depth)?;
        while let Some(next) = rest.first() {
            at.push(next.clone());
            if !self.0.contains_key(&at) {
                at.pop();
                break;
            }
            rest = &rest[1..];
        }
        let module = self.0.get(&at)?;
        let Some(item) = rest.first() else { return Some(module.file.clone()) };
        if depth < 8 && !module.items.contains(item) {
            let by_name = module.uses.iter().find(|import| import.name == *item);
            let globs = module.uses.iter().filter(|import| import.name == "*");
            if let Some(import) = by_name {
                let more = [&import.path[..], &rest[1..]].concat();
                return self.file_of(&at, &more, depth + 1);
            }
            for import in globs {
                let of_glob = [&import.path[..import.path.len() - 1], rest].concat();
                let found = self.file_of(&at, &of_glob, depth + 1);
                if found.as_ref().is_some_and(|file| *file != module.file) {
                    return found;
                }
            }
        }
        Some(module.file.clone())
    }

    /// The module where a path begins, and the rest of the path; `None` for paths of other crates.
    fn start<'a>(
        &self,
        here: &[String],
        named: &'a [String],
        depth: usize,
    ) -> Option<(Vec<String>, &'a [String])> {
        let mut at = here.to_vec();
        match named.first()?.as_str() {
            "crate" => return Some((Vec::new(), &named[1..])),
            "self" => return Some((at, &named[1..])),
            "super" => {
                let ups = named.iter().take_while(|part| *part == "super").count();
                at.truncate(at.len().checked_sub(ups)?);
                return Some((at, &named[ups..]));
            }
            _ => {}
        }
        at.push(named[0].clone());
        if self.0.contains_key(&at) {
            return Some((at, &named[1..]));
        }
        at.pop();
        // A module that was imported by name.
        let import = self.0.get(&at)?.uses.iter().find(|import| import.name == named[0])?;
        if depth > 4 || import.path.first() == Some(&named[0]) {
            return None;
        }
        let (mut module, rest) = self.start(here, &import.path, depth + 1)?;
        module.extend(rest.iter().cloned());
        self.0.contains_key(&module).then_some((module, &named[1..]))
    }
}

impl Module {
    fn of(file: &Source) -> Module {
        let code = product_code(&file.text);
        Module { file: file.path.clone(), items: items(&code), uses: imports(&code), code }
    }
}

/// `a/b.rs` and `a/b/mod.rs` are both the module `a::b`.
fn module_path(file: &str) -> Vec<String> {
    let stem = file.trim_end_matches(".rs");
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if stem == "lib" {
        return Vec::new();
    }
    stem.split('/').map(str::to_string).collect()
}

/// Test modules with their own files.
fn test_modules(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let declared = lines.iter().enumerate().filter_map(|(at, line)| {
        let name = line.trim().strip_suffix(';')?.rsplit_once("mod ")?.1;
        let before = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with("#["));
        before.into_iter().any(|line| is_of_tests(line)).then(|| name.to_string())
    });
    declared.collect()
}

/// Whether an attribute restricts the next item to tests.
pub fn is_of_tests(line: &str) -> bool {
    line.trim_start().starts_with("#[cfg(")
        && line.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').any(|word| word == "test")
}

/// The code without comments and without inline test modules.
pub fn product_code(text: &str) -> String {
    let mut code = String::new();
    let mut inside = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if is_of_tests(line) && !line.starts_with(' ') {
            while lines.peek().is_some_and(|next| next.starts_with("#[")) {
                lines.next();
            }
            // A test item: skipped up to its end, which rustfmt puts at the beginning of a line.
            if lines.next().is_some_and(|first| !first.ends_with(';') && !first.ends_with('}')) {
                lines.by_ref().find(|line| line.starts_with('}') || line.starts_with(')'));
            }
            continue;
        }
        if line.ends_with('{') && !line.starts_with(' ') && line.split(' ').any(|word| word == "mod") {
            inside = true;
        } else if line == "}" {
            inside = false;
        }
        if !line.trim_start().starts_with("//") {
            // An inline module has the file as its parent.
            let line = if inside {
                line.replace("super::super::", "\0").replace("super::", "self::").replace('\0', "super::")
            } else {
                line.to_string()
            };
            code.push_str(&line);
            code.push('\n');
        }
    }
    code
}

/// The items that the code defines at its top level.
fn items(code: &str) -> BTreeSet<String> {
    let kinds = ["struct", "enum", "trait", "type", "fn", "const", "static", "union", "macro_rules!", "mod"];
    let mut found = BTreeSet::new();
    for line in code.lines().filter(|line| !line.starts_with(' ')) {
        let words: Vec<&str> = line.split(' ').collect();
        if let Some(at) = words.iter().position(|word| kinds.contains(word)) {
            // `const fn`, `unsafe extern "C" fn` and the like.
            let at =
                words.iter().rposition(|word| *word == "fn").filter(|_| words.contains(&"fn")).unwrap_or(at);
            let name = words.get(at + 1).copied().unwrap_or_default();
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            if !line.ends_with(';') || words[at] != "mod" {
                found.insert(name[..end].to_string());
            }
        }
    }
    found
}

/// All imports by `use`, at the top level and inside functions.
fn imports(code: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let line = rest[..at].rfind('\n').map_or(0, |end| end + 1);
        let before = rest[line..at].trim();
        let from = &rest[at + 4..];
        rest = from;
        let is_path = from.starts_with(|c: char| c.is_alphabetic())
            && from.split([' ', ';']).next().is_some_and(|first| first.contains("::"));
        if !is_path || !(before.is_empty() || before.starts_with("pub")) {
            continue;
        }
        let Some(end) = from.find(';') else { break };
        let tree: String = from[..end].split_whitespace().collect::<Vec<_>>().join(" ");
        expand(&tree, &[], before.starts_with("pub"), &mut found);
        rest = &from[end..];
    }
    found
}

fn expand(tree: &str, start: &[String], is_public: bool, found: &mut Vec<Import>) {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let mut prefix = start.to_vec();
        prefix.extend(
            tree[..open].split("::").filter(|part| !part.trim().is_empty()).map(|part| part.trim().into()),
        );
        let Some(close) = tree.rfind('}').filter(|close| *close > open) else { return };
        let inside = &tree[open + 1..close];
        for part in split_top(inside) {
            expand(part, &prefix, is_public, found);
        }
        return;
    }
    let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
    let mut parts: Vec<String> = start.to_vec();
    parts.extend(path.split("::").map(|part| part.trim().to_string()).filter(|part| !part.is_empty()));
    if !start.is_empty() && parts.last().is_some_and(|last| last == "self") {
        parts.pop();
    }
    if let Some(last) = parts.last() {
        let name = if name.is_empty() { last.clone() } else { name.trim().to_string() };
        found.push(Import { name, path: parts, is_public });
    }
}

/// Splits at the commas outside braces.
fn split_top(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

/// Every path `a::b::c` in the code outside `use`.
fn paths(code: &str) -> impl Iterator<Item = Vec<String>> + '_ {
    let outside = code.lines().filter(|line| {
        let start = line.trim_start();
        !(start.starts_with("use ") || start.starts_with("pub") && start.contains(" use "))
    });
    outside.flat_map(|line| {
        // The extent of a visibility is no dependency.
        let line = line
            .split_once("pub(in ")
            .map_or(line, |(_, rest)| rest.split_once(')').map_or(rest, |(_, rest)| rest));
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        words.filter(|word| word.contains("::")).map(|word| {
            word.split("::")
                .map(|part| part.trim_matches(':').to_string())
                .filter(|part| !part.is_empty())
                .collect()
        })
    })
}

/// Where each type of a crate is defined, by its name: structs, enums, traits, unions and aliases of the product.
pub fn types(files: &[Source], root: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for module in Crate::of(files, root).0.values() {
        for line in module.code.lines() {
            let words: Vec<&str> =
                line.split([' ', '<', '(', '{', ';', ':']).filter(|word| !word.is_empty()).collect();
            let kinds = ["struct", "enum", "trait", "union", "type"];
            let Some(at) = words.iter().position(|word| kinds.contains(word)) else { continue };
            let is_item = words[..at].iter().all(|word| {
                word.starts_with("pub") || word.ends_with(')') || *word == "unsafe" || *word == "in"
            });
            // An indented alias is an associated type.
            if let Some(name) =
                words.get(at + 1).filter(|_| is_item && (words[at] != "type" || !line.starts_with(' ')))
            {
                found.entry((*name).to_string()).or_default().push(module.file.clone());
            }
        }
    }
    found
}
