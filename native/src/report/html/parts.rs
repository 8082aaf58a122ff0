//! The parts that sections share. Untrusted text enters a page only as [`Cleaned`] or through [`plain`].

use maud::{html, Markup, Render};

use crate::report::clean::{pieces, terminal, Limit, Piece, BLOCK, LINE, NAME};
use crate::report::format;

/// Untrusted text within a limit. It renders cleaned, cut and escaped.
pub(super) struct Cleaned<'a>(&'a str, Limit);

impl Render for Cleaned<'_> {
    fn render_to(&self, out: &mut String) {
        for piece in pieces(self.0, self.1) {
            match piece {
                Piece::Plain(text) => text.render_to(out),
                Piece::Sign(sign) => html! { i.sign { (sign) } }.render_to(out),
                Piece::Cut(left) => more(left, "character", "characters").render_to(out),
            }
        }
    }
}

/// Untrusted text within `limit`.
pub(super) fn text(text: &str, limit: Limit) -> Cleaned<'_> {
    Cleaned(text, limit)
}

/// A name: of a step, a counter, a class, an executor.
pub(super) fn name(text: &str) -> Cleaned<'_> {
    Cleaned(text, NAME)
}

/// One line: a message, a reason, a call site, a row key.
pub(super) fn line(text: &str) -> Cleaned<'_> {
    Cleaned(text, LINE)
}

/// Several lines: a stack, details, a plan.
pub(super) fn block(text: &str) -> Cleaned<'_> {
    Cleaned(text, BLOCK)
}

/// Untrusted text as the value of an attribute, where no element can mark named characters and cuts.
pub(super) fn plain(text: &str) -> String {
    terminal(text, LINE)
}

/// `… 3 more rows`.
pub(super) fn more(left: usize, one: &str, many: &str) -> Markup {
    html! { span.more { "… " (format::more(left, one, many)) } }
}

/// The same as a paragraph at the end of a list; nothing if the list is complete.
pub(super) fn rest(left: usize, one: &str, many: &str) -> Markup {
    html! { @if left > 0 { p.quiet { (more(left, one, many)) } } }
}

/// The head of a table: the title and the class of each column. Columns of figures have class `n`.
pub(super) fn columns(columns: &[(&str, &str)]) -> Markup {
    html! {
        thead {
            tr {
                @for (title, class) in columns {
                    th class=[(!class.is_empty()).then_some(class)] scope="col" { (title) }
                }
            }
        }
    }
}

/// A class without its package.
pub(super) fn short(class: &str) -> &str {
    class.rsplit('.').next().filter(|name| !name.is_empty()).unwrap_or(class)
}

/// A bar from `start` to `end`, as shares of its width.
pub(super) fn bar(start: f64, end: f64) -> Markup {
    let width = ((end - start) * 100.0).clamp(0.6, 100.0);
    html! {
        svg.bar viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
            rect height="4" rx="1" x=(format!("{:.2}", start * 100.0)) width=(format!("{width:.2}")) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_untrusted_text_is_escaped() {
        let page = html! { p title=(plain("\"><script>\u{0}")) { (block("<script>&\"\u{202e}")) } };
        assert_eq!(
            page.into_string(),
            "<p title=\"&quot;&gt;&lt;script&gt;\\x00\">&lt;script&gt;&amp;&quot;<i class=\"sign\">\\u{202e}</i></p>"
        );
    }
}
