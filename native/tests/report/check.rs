//! A strict validator of the report's pages: only known tags and attributes, closed in order, and escaped
//! text.

const VOID: &[&str] = &["meta", "br"];
const TAGS: &[&str] = &[
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "main",
    "footer",
    "nav",
    "section",
    "div",
    "span",
    "p",
    "h1",
    "h2",
    "a",
    "b",
    "i",
    "small",
    "code",
    "pre",
    "dl",
    "dt",
    "dd",
    "ul",
    "ol",
    "li",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "figure",
    "figcaption",
    "time",
    "svg",
    "path",
    "rect",
    "line",
    "g",
    "text",
    "br",
    "hr",
    "em",
    "strong",
    "defs",
];
const ATTRIBUTES: &[&str] = &[
    "lang",
    "charset",
    "name",
    "content",
    "http-equiv",
    "class",
    "id",
    "href",
    "title",
    "scope",
    "colspan",
    "tabindex",
    "aria-label",
    "aria-hidden",
    "role",
    "data-label",
    "viewBox",
    "preserveAspectRatio",
    "width",
    "height",
    "x",
    "y",
    "x1",
    "x2",
    "y1",
    "y2",
    "rx",
    "d",
    "fill",
    "stroke",
    "stroke-width",
    "stroke-linecap",
    "stroke-linejoin",
    "vector-effect",
    "open",
    "dir",
    "for",
    "r",
    "cx",
];

/// The first defect of a page, if there is one.
pub(crate) fn check(page: &str) -> Result<(), String> {
    let body = page.strip_prefix("<!doctype html>\n").ok_or("no doctype")?;
    let near = |at: usize| {
        let before: Vec<char> = body[..at].chars().rev().take(80).collect();
        let after: String = body[at..].chars().take(80).collect();
        format!("at {at}: …{}⟨here⟩{after}…", before.into_iter().rev().collect::<String>())
    };
    let mut open: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        if open.last() == Some(&"style") {
            let end = rest.find("</style>").ok_or("the style has no end")?;
            (!rest[..end].contains('<')).then_some(()).ok_or("markup in the style")?;
            open.pop();
            at += end + "</style>".len();
        } else if let Some(tag) = rest.strip_prefix("</") {
            let end = tag.find('>').ok_or_else(|| near(at))?;
            let name = &tag[..end];
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing, {}", near(at)));
            }
            at += end + 3;
        } else if rest.starts_with('<') {
            let (name, attributes, length, empty) =
                start_tag(rest).map_err(|wrong| format!("{wrong}, {}", near(at)))?;
            if !TAGS.contains(&name) {
                return Err(format!("<{name}>, {}", near(at)));
            }
            for (attribute, value) in attributes {
                attribute_is_ours(attribute, value).map_err(|wrong| format!("{wrong}, {}", near(at)))?;
            }
            if !empty && !VOID.contains(&name) {
                open.push(name);
            }
            at += length;
        } else {
            let end = rest.find('<').unwrap_or(rest.len());
            text_is_escaped(&rest[..end]).map_err(|wrong| format!("{wrong}, {}", near(at)))?;
            at += end;
        }
    }
    open.is_empty().then_some(()).ok_or_else(|| format!("never closed: {open:?}"))
}

type StartTag<'a> = (&'a str, Vec<(&'a str, &'a str)>, usize, bool);

fn start_tag(rest: &str) -> Result<StartTag<'_>, String> {
    let name_end = rest[1..].find(|c: char| !c.is_ascii_alphanumeric()).ok_or("an endless tag")? + 1;
    let name = &rest[1..name_end];
    let (mut at, mut attributes) = (name_end, Vec::new());
    loop {
        let spaced = rest[at..].starts_with(' ');
        at += rest[at..].len() - rest[at..].trim_start_matches(' ').len();
        if rest[at..].starts_with("/>") {
            return Ok((name, attributes, at + 2, true));
        }
        if rest[at..].starts_with('>') {
            return Ok((name, attributes, at + 1, false));
        }
        if !spaced {
            return Err(format!("attributes of <{name}> are not separated"));
        }
        let attribute = &rest[at..];
        let end =
            attribute.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').ok_or("an endless attribute")?;
        at += end;
        let Some(value) = rest[at..].strip_prefix('=') else {
            attributes.push((&attribute[..end], ""));
            continue;
        };
        let (value, length) = match value.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"').ok_or("an endless value")?;
                (&quoted[..end], end + 3)
            }
            None => {
                let end = value.find([' ', '>']).ok_or("an endless value")?;
                if value[..end].is_empty() || value[..end].contains(['"', '\'', '<', '=', '`']) {
                    return Err(format!("a bare value {}", &value[..end]));
                }
                (&value[..end], end + 1)
            }
        };
        attributes.push((&attribute[..end], value));
        at += length;
    }
}

fn attribute_is_ours(name: &str, value: &str) -> Result<(), String> {
    if !ATTRIBUTES.contains(&name) {
        return Err(format!("attribute {name}"));
    }
    if value.contains('<') || value.contains('>') {
        return Err(format!("{name}={value}"));
    }
    if name == "href" && !value.starts_with('#') {
        return Err(format!("a link to {value}"));
    }
    text_is_escaped(value)
}

fn text_is_escaped(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#96;"];
        if !known.iter().any(|entity| text[at..].starts_with(entity)) {
            return Err("a bare &".to_string());
        }
    }
    match text.chars().find(|c| is_forbidden(*c)) {
        Some(c) => Err(format!("U+{:04X}", c as u32)),
        None => Ok(()),
    }
}

/// Control characters, bidirectional overrides and isolates, and characters that no HTML document may
/// contain.
fn is_forbidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '>' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fdd0}'..='\u{fdef}')
        || (c as u32) & 0xfffe == 0xfffe
}
