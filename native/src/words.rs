//! Words and numbers in messages.

use std::fmt::Display;

/// `1 row`, `2 rows`.
pub(crate) fn some<N: Display + PartialEq + From<u8>>(n: N, one: &str, many: &str) -> String {
    let what = of(&n, one, many);
    format!("{n} {what}")
}

/// The word that agrees with `n`: `row` or `rows`, `was` or `were`.
pub(crate) fn of<'a, N: PartialEq + From<u8>>(n: &N, one: &'a str, many: &'a str) -> &'a str {
    if *n == N::from(1) {
        one
    } else {
        many
    }
}

/// Cuts a text to at most `longest` bytes, between characters. Returns whether it was longer.
pub(crate) fn cut(text: &mut String, longest: usize) -> bool {
    if text.len() <= longest {
        return false;
    }
    let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0_u64, 1, 2].map(|n| some(n, "row", "rows")), ["0 rows", "1 row", "2 rows"]);
        assert_eq!((of(&1_i128, "was", "were"), of(&-1_i64, "was", "were")), ("was", "were"));
    }
}
