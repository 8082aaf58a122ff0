//! Counts free relatives and vague pronouns (`what`, `whoever`, …) in documents and in comments.
//!
//! Well-kept projects have 0.1 to 3 of them per 1,000 words. More of them make a text hard to read: name the
//! thing instead.

use crate::documents::{lines, without_code, without_targets};
use crate::tree::{files, none, Source};

const WORDS: [&str; 9] =
    ["what", "who", "whoever", "whatever", "whichever", "nobody", "somebody", "anybody", "everybody"];

/// The group of a file, by the end of its name, and the limit of the group per 1,000 words.
const GROUPS: [(&str, &str, f64); 5] = [
    (".md", "documents", 2.0),
    (".rs", "Rust comments", 2.0),
    (".scala", "Scala comments", 2.0),
    (".java", "Java comments", 2.0),
    (".py", "Python comments", 2.0),
];

/// Words counted, and all words.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Count {
    found: usize,
    words: usize,
}

impl Count {
    fn of(prose: &str) -> Count {
        let is_word = |c: char| c.is_ascii_alphabetic() || c == '\'';
        let words = prose.split(|c| !is_word(c)).filter(|word| !word.is_empty());
        words.fold(Count::default(), |count, word| {
            let bare = word.trim_matches('\'').to_lowercase();
            Count { found: count.found + usize::from(WORDS.contains(&bare.as_str())), words: count.words + 1 }
        })
    }

    /// The words per 1,000.
    pub fn rate(self) -> f64 {
        1000.0 * self.found as f64 / self.words.max(1) as f64
    }
}

/// The prose of a file: a document without code and links, or the comments of a program.
fn prose(source: &Source) -> String {
    let text = &source.text;
    let raw = match source.path.rsplit('.').next() {
        Some("md") => {
            let kept = lines(text).into_iter().filter(|line| !line.is_code);
            return without_code_spans(&kept.map(|line| without_targets(line.text)).collect::<Vec<_>>());
        }
        Some("py") => python(text),
        _ => braces(text, source.path.ends_with(".rs")),
    };
    without_code_spans(&raw)
}

fn without_code_spans(lines: &[String]) -> String {
    lines.iter().map(|line| without_code(line)).collect::<Vec<_>>().join("\n")
}

/// The comments of Rust, Scala and Java. Quoted texts are skipped, since `//` in them begins no comment.
fn braces(text: &str, is_rust: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"', '\'', 'r']) {
        let after_word = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        rest = &rest[at..];
        if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            found.push(rest[2..end].to_string());
            rest = &rest[end..];
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").unwrap_or(rest.len());
            found.extend(rest[2..end.max(2)].lines().map(String::from));
            rest = &rest[end..];
        } else if !is_rust && rest.starts_with("\"\"\"") {
            rest = after(&rest[3..], "\"\"\"");
        } else if is_rust && !after_word && (rest.starts_with("r\"") || rest.starts_with("r#")) {
            let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
            let body = &rest[1 + hashes..];
            let close = format!("\"{}", "#".repeat(hashes));
            rest = body.strip_prefix('"').map_or(body, |quoted| after(quoted, &close));
        } else if rest.starts_with('"') {
            rest = after_quote(&rest[1..], '"');
        } else if rest.starts_with('\'') {
            // A character, unlike a lifetime or a symbol, ends with another quote.
            let mut chars = rest[1..].chars();
            let (first, second) = (chars.next(), chars.next());
            let is_char = first == Some('\\') || second == Some('\'');
            rest = if is_char { after_quote(&rest[1..], '\'') } else { &rest[1..] };
        } else {
            rest = &rest[1..];
        }
    }
    found
}

/// The comments of Python, and its texts in triple quotes.
fn python(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['#', '"', '\'']) {
        rest = &rest[at..];
        if rest.starts_with('#') {
            let end = rest.find('\n').unwrap_or(rest.len());
            found.push(rest[1..end].to_string());
            rest = &rest[end..];
        } else if rest.starts_with("\"\"\"") || rest.starts_with("'''") {
            let body = &rest[3..];
            let end = body.find(&rest[..3]).unwrap_or(body.len());
            found.extend(body[..end].lines().map(String::from));
            rest = body.get(end + 3..).unwrap_or_default();
        } else {
            let quote = if rest.starts_with('"') { '"' } else { '\'' };
            rest = after_quote(&rest[1..], quote);
        }
    }
    found
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.find(end).map_or("", |at| &text[at + end.len()..])
}

/// The rest of `text` after the end of a quoted text, in which a backslash escapes the next character.
fn after_quote(text: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return &text[at + c.len_utf8()..];
        }
    }
    ""
}

/// The counts of a group: of all its files, and the rate of each file with enough words to have one.
pub struct Group {
    pub name: &'static str,
    pub all: Count,
    limit: f64,
    files: Vec<(f64, String)>,
}

pub fn groups(sources: &[Source]) -> Vec<Group> {
    let group = |(end, name, limit): (&str, &'static str, f64)| {
        let mut group = Group { name, all: Count::default(), limit, files: Vec::new() };
        for source in sources.iter().filter(|source| source.path.ends_with(end)) {
            let count = Count::of(&prose(source));
            group.all.found += count.found;
            group.all.words += count.words;
            if count.words > 80 {
                group
                    .files
                    .push((count.rate(), format!("{} ({} of {})", source.path, count.found, count.words)));
            }
        }
        group
    };
    GROUPS.into_iter().map(group).collect()
}

#[test]
fn prose_names_things() {
    let mut wrong = Vec::new();
    for Group { name, all, limit, mut files } in groups(&files()) {
        assert!(all.words > 0, "{name}: no file has prose");
        println!("{name}: {:.1} per 1,000 words", all.rate());
        if all.rate() > limit {
            files.sort_by(|a, b| b.0.total_cmp(&a.0));
            let worst: Vec<String> =
                files.into_iter().take(10).map(|(rate, file)| format!("{rate:.1} {file}")).collect();
            wrong.push(format!("{name}: {:.1}, the limit is {limit}: {}", all.rate(), worst.join("; ")));
        }
    }
    none("vague words per 1,000 words of prose", wrong);
}

#[test]
fn comments_are_told_from_code() {
    let rust = "// one\nlet a = \"// no\"; let b = '\"'; /* two\nthree */ let c = r#\"// no \" \"#; // four\nfn f<'a>() {} // five";
    assert_eq!(braces(rust, true), [" one", " two", "three ", " four", " five"]);
    let scala = "val a = \"\"\"// no \" \"\"\" // one\n/** two */";
    assert_eq!(braces(scala, false), [" one", "* two "]);
    let python_text = "\"\"\"one\ntwo\"\"\"\na = '# no' # three\n";
    assert_eq!(python(python_text), ["one", "two", " three"]);
    assert_eq!(Count::of("What, `x` is 'who' it's whatsoever"), Count { found: 2, words: 6 });
}
