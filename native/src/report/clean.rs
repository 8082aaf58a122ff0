//! Untrusted text, made safe to show: no character of it can move, hide or reorder the text around it.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::format;

/// A bound on the shown part of a text, and the treatment of its line breaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// The limit of characters.
    pub(super) characters: usize,
    /// Whether line breaks and tabs are kept.
    pub(super) lines: bool,
}

/// Names: of steps, counters, classes, executors.
pub(super) const NAME: Limit = Limit { characters: 160, lines: false };
/// One line: messages, reasons, call sites, row keys.
pub(super) const LINE: Limit = Limit { characters: 600, lines: false };
/// Records, stacks, details and plans.
pub(super) const BLOCK: Limit = Limit { characters: 16 << 10, lines: true };

/// A part of a cleaned text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Characters without any effect on the text around them. They may still have a meaning in HTML.
    Plain(&'a str),
    /// The name of a character, shown instead of the character.
    Sign(String),
    /// The number of characters left out here.
    Cut(usize),
}

/// The limit of combining marks on one character: more would reach into the lines around it.
const MARKS: usize = 4;

/// The parts of `text` within `limit`.
pub(super) fn pieces(text: &str, limit: Limit) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut start, mut shown, mut marks) = (0, 0, 0);
    for (at, c) in text.char_indices() {
        if shown == limit.characters {
            push_plain(&mut found, &text[start..at]);
            found.push(Piece::Cut(text[at..].chars().count()));
            return found;
        }
        shown += 1;
        marks = if is_mark(c) { marks + 1 } else { 0 };
        let kept = limit.lines && (c == '\n' || c == '\t');
        if !kept && (is_unsafe(c) || marks > MARKS) {
            push_plain(&mut found, &text[start..at]);
            found.push(Piece::Sign(sign(c)));
            start = at + c.len_utf8();
        }
    }
    push_plain(&mut found, &text[start..]);
    found
}

/// `text` within `limit` for a terminal.
pub(super) fn terminal(text: &str, limit: Limit) -> String {
    let mut out = String::new();
    for piece in pieces(text, limit) {
        match piece {
            Piece::Plain(plain) => out.push_str(plain),
            Piece::Sign(sign) => out.push_str(&sign),
            Piece::Cut(left) => {
                out.push_str(&format!("… ({})", format::more(left, "character", "characters")))
            }
        }
    }
    out
}

fn push_plain<'a>(found: &mut Vec<Piece<'a>>, text: &'a str) {
    if !text.is_empty() {
        found.push(Piece::Plain(text));
    }
}

/// The escape of a character in source code: `\n`, `\x1b`, `\u{202e}`. Every font has these characters, unlike the
/// symbols for controls.
fn sign(c: char) -> String {
    match c {
        '\n' => "\\n".to_string(),
        '\t' => "\\t".to_string(),
        '\r' => "\\r".to_string(),
        '\0'..='\u{7f}' => format!("\\x{:02x}", c as u32),
        _ => format!("\\u{{{:x}}}", c as u32),
    }
}

/// Controls, line separators, characters that reorder or hide text, and characters that HTML forbids.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{fdd0}'..='\u{fdef}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
        || (c as u32) & 0xfffe == 0xfffe
}

/// Whether `c` takes no column of its own: it is drawn on the character before it.
fn is_mark(c: char) -> bool {
    c.width() == Some(0)
}

/// The number of terminal columns of `text`.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_stays() {
        for text in ["", "plain", "naïve 日本語 🚀", "عربى", "<b>&amp;</b>"] {
            assert_eq!(terminal(text, LINE), text);
        }
    }

    #[test]
    fn controls_and_overrides_are_named() {
        assert_eq!(terminal("a\u{1b}[2Jb", LINE), "a\\x1b[2Jb");
        assert_eq!(terminal("a\nb\tc\rd", LINE), "a\\nb\\tc\\rd");
        assert_eq!(terminal("a\nb\tc\rd", BLOCK), "a\nb\tc\\rd");
        assert_eq!(terminal("x\u{202e}gpj.exe", LINE), "x\\u{202e}gpj.exe");
        assert_eq!(terminal("\u{9b}31m\u{feff}", LINE), "\\u{9b}31m\\u{feff}");
    }

    #[test]
    fn every_character_is_plain_or_named() {
        for c in (0..=0x10ffff).filter_map(char::from_u32) {
            let shown = terminal(&c.to_string(), LINE);
            assert!(shown.chars().all(|c| !is_unsafe(c)), "{:x} is shown as {shown:?}", c as u32);
        }
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        let limit = Limit { characters: 3, lines: false };
        assert_eq!(terminal("abc", limit), "abc");
        assert_eq!(terminal("ääää€", limit), "äää… (2 more characters)");
    }

    #[test]
    fn piles_of_marks_are_taken_down() {
        let pile = format!("a{}", "\u{301}".repeat(50));
        assert!(pieces(&pile, LINE).iter().filter(|p| matches!(p, Piece::Sign(_))).count() == 46);
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        let wide = ["plain", "naïve", "e\u{301}", "日本語", "ｆ", "🚀", "กำ", "שָׁלוֹם"].map(width);
        assert_eq!(wide, [5, 5, 1, 6, 2, 2, 2, 4]);
    }
}
