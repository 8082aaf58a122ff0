//! Lines, colours and columns of a terminal.

use crate::report::clean::width;
use crate::report::format;

/// Whether colours are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// ANSI colours.
    Ansi,
    /// None.
    Plain,
}

/// A report that is being written.
pub(super) struct Text {
    pub(super) out: String,
    pub(super) colour: Colour,
}

impl Text {
    pub(super) fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    pub(super) fn heading(&mut self, name: &str) {
        self.out.push('\n');
        let name = self.paint("1", name);
        self.line(&name);
    }

    pub(super) fn paint(&self, code: &str, text: &str) -> String {
        match self.colour {
            Colour::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Colour::Plain => text.to_string(),
        }
    }

    pub(super) fn bad(&self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn warn(&self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(super) fn quiet(&self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn more(&mut self, left: usize, one: &str, many: &str) {
        if left > 0 {
            let said = format!("  … {}", format::more(left, one, many));
            self.line(&said);
        }
    }

    /// Writes columns, each as wide as its widest cell; the columns in `right` are right-aligned.
    pub(super) fn table(&mut self, rows: &[Vec<String>], right: &[usize]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        for (number, row) in rows.iter().enumerate() {
            let mut line = String::from("  ");
            for (at, cell) in row.iter().enumerate() {
                let space = " ".repeat(widths[at] - width(cell));
                let cell = if number == 0 { self.quiet(cell) } else { cell.clone() };
                if right.contains(&at) {
                    line.push_str(&format!("{space}{cell}  "));
                } else {
                    line.push_str(&format!("{cell}{space}  "));
                }
            }
            self.line(&line);
        }
    }
}
