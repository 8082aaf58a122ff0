//! The only way into a page: markup is known at compile time, everything else is escaped.

use std::collections::HashSet;

use crate::report::clean::{pieces, Limit, Piece, LINE};
use crate::report::model::{Stage, StageId};

/// A page being written.
#[derive(Default)]
pub(super) struct Page {
    out: String,
    stages: HashSet<StageId>,
}

impl Page {
    /// An empty page that will have rows of these stages.
    pub(super) fn with_stages(stages: &[&Stage]) -> Page {
        Page { out: String::new(), stages: stages.iter().map(|stage| stage.id).collect() }
    }

    /// Whether the page has a row of this stage.
    pub(super) fn has(&self, stage: StageId) -> bool {
        self.stages.contains(&stage)
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// Markup of our own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Page {
        self.out.push_str(markup);
        self
    }

    /// Somebody's text, cleaned, cut and escaped.
    pub(super) fn text(&mut self, text: &str, limit: Limit) -> &mut Page {
        for piece in pieces(text, limit) {
            match piece {
                Piece::Plain(plain) => self.escape(plain),
                Piece::Sign(sign) => {
                    self.out.push_str("<i class=sign>");
                    self.escape(&sign);
                    self.out.push_str("</i>");
                }
                Piece::Cut(left) => self.left_out(left, "character", "characters"),
            }
        }
        self
    }

    /// One line of somebody's text.
    pub(super) fn line(&mut self, text: &str) -> &mut Page {
        self.text(text, LINE)
    }

    /// A formatted figure or a sentence of our own.
    pub(super) fn say(&mut self, text: &str) -> &mut Page {
        self.escape(text);
        self
    }

    /// An attribute. Its value is cleaned like text, but signs and cuts stay plain.
    pub(super) fn attribute(&mut self, name: &'static str, value: &str) -> &mut Page {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        let value = crate::report::clean::terminal(value, LINE);
        self.escape(&value);
        self.out.push('"');
        self
    }

    /// An element that holds one line of somebody's text: `open` is `<td>`, `close` is `</td>`.
    pub(super) fn element(&mut self, open: &'static str, text: &str, close: &'static str) -> &mut Page {
        self.raw(open).line(text).raw(close)
    }

    /// Says that so many more were left out.
    pub(super) fn left_out(&mut self, more: usize, one: &str, many: &str) {
        let more = crate::report::format::more(more, one, many);
        self.out.push_str("<span class=more>… ");
        self.escape(&more);
        self.out.push_str("</span>");
    }

    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                '`' => self.out.push_str("&#96;"),
                c => self.out.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::clean::BLOCK;

    #[test]
    fn what_means_something_to_html_is_escaped() {
        let mut page = Page::default();
        page.raw("<p").attribute("title", "\"><script>\u{0}").raw(">").text("<script>&'`\u{202e}", BLOCK);
        assert_eq!(
            page.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\\x00\">&lt;script&gt;&amp;&#39;&#96;<i class=sign>\\u{202e}</i>"
        );
    }
}
