//! Files of settings in the format of spark-defaults.conf, which is that of Java's properties.

use std::path::Path;

use crate::error::{Error, Result};

/// The pairs of a file, in order.
pub(super) fn read(file: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(file);
    text.map(|text| parse(&text)).map_err(|error| Error::io(&format!("read {}", file.display()), &error))
}

/// One pair in each line: the key ends at white space, `=` or `:`. Lines that begin with `#` or `!` are comments; a
/// line that ends with a backslash continues in the next one.
fn parse(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_string();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while goes_on(&line) {
            line.pop();
            match lines.next() {
                Some(next) => line.push_str(next.trim_start()),
                None => break,
            }
        }
        pairs.push(pair(&line));
    }
    pairs
}

fn goes_on(line: &str) -> bool {
    line.chars().rev().take_while(|character| *character == '\\').count() % 2 == 1
}

fn pair(line: &str) -> (String, String) {
    let is_space = |character: char| matches!(character, ' ' | '\t' | '\x0c');
    let mut escaped = false;
    let end = line.find(|character: char| {
        let ends = !escaped && (is_space(character) || character == '=' || character == ':');
        escaped = !escaped && character == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_space);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_space);
    (plain(key), plain(value).trim_end().to_string())
}

/// Resolves escapes.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\x0c'),
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                plain.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_java_reads_them() {
        let text = "# a comment\n! another\n\n  spark.a  1\nspark.b=2 3\nspark.c : x=y \nspark\\ d\\=e = 4\nspark.f\n\
                    spark.g one, \\\n   two\nspark.h C:\\\\x\\t\\u00e9\nspark.i end\\\\\n";
        let expected = [
            ("spark.a", "1"),
            ("spark.b", "2 3"),
            ("spark.c", "x=y"),
            ("spark d=e", "4"),
            ("spark.f", ""),
            ("spark.g", "one, two"),
            ("spark.h", "C:\\x\té"),
            ("spark.i", "end\\"),
        ];
        let read = parse(text);
        let read: Vec<(&str, &str)> =
            read.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(read, expected);
    }
}
