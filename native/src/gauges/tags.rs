//! Atlas' rules for names and tags. An old Atlas accepts any character, a new one refuses the point. So other
//! characters are mapped here, and every Atlas has the same series.

/// The limit of tags that the user may add to every series; Atlas allows 20 besides its own.
pub(super) const MOST_OWN: usize = 10;
const LONGEST_KEY: usize = 60;
const LONGEST_VALUE: usize = 120;
const LONGEST_NAME: usize = 255;
/// Prefixes that Atlas reserves.
const RESERVED: [&str; 2] = ["atlas.", "nf."];

/// The tags of a series, sorted by key, including `name`.
pub(super) type Tags = Vec<(String, String)>;

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '^' | '~')
}

/// `text` with `_` for every other character, cut to `longest`; `_` for an empty text.
fn mapped(text: &str, longest: usize) -> String {
    let text: String = text.chars().take(longest).map(|c| if allowed(c) { c } else { '_' }).collect();
    if text.is_empty() {
        "_".to_string()
    } else {
        text
    }
}

/// A name mapped to Atlas' rules.
pub(super) fn name(text: &str) -> String {
    mapped(text, LONGEST_NAME)
}

/// A tag's value mapped to Atlas' rules.
pub(super) fn value(text: &str) -> String {
    mapped(text, LONGEST_VALUE)
}

/// Why `key` cannot be a tag's key; `None` if it can.
pub(super) fn refused_key(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some("a tag has no key".to_string());
    }
    if key.len() > LONGEST_KEY {
        return Some(format!("the key {key:?} is longer than {LONGEST_KEY} characters"));
    }
    if let Some(other) = key.chars().find(|c| !allowed(*c)) {
        return Some(format!(
            "the key {key:?} contains {other:?}; letters, digits and - . _ ^ ~ are allowed"
        ));
    }
    if key == "name" || key == "statistic" || RESERVED.iter().any(|prefix| key.starts_with(prefix)) {
        return Some(format!("the key {key:?} is Atlas' own"));
    }
    None
}

/// The tags of one series: its name, its own tags, and the common tags whose keys it does not set.
pub(super) fn of_series(series: &str, own: &[(&'static str, String)], common: &[(String, String)]) -> Tags {
    let mut tags: Tags = Vec::with_capacity(1 + own.len() + common.len());
    tags.push(("name".to_string(), name(series)));
    tags.extend(own.iter().map(|(key, text)| ((*key).to_string(), value(text))));
    for (key, text) in common {
        if !tags.iter().any(|(known, _)| known == key) {
            tags.push((key.clone(), text.clone()));
        }
    }
    tags.sort();
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_allowed_is_mapped() {
        assert_eq!(value("history data/Ö \"x\"\n"), "history_data____x__");
        assert_eq!(value("a-b.c_D^e~9"), "a-b.c_D^e~9");
        assert_eq!(value(""), "_");
        assert_eq!(value(&"ä".repeat(500)), "_".repeat(120));
        assert_eq!(name(&"x".repeat(500)).len(), 255);
    }

    #[test]
    fn keys_are_refused_with_a_reason() {
        for (key, part) in [
            ("", "no key"),
            ("team name", "' '"),
            ("é", "'é'"),
            ("name", "Atlas' own"),
            ("statistic", "Atlas' own"),
            ("atlas.dstype", "Atlas' own"),
            ("nf.app", "Atlas' own"),
            (&"k".repeat(61), "longer than 60"),
        ] {
            let why = refused_key(key).unwrap_or_else(|| panic!("{key:?} is taken"));
            assert!(why.contains(part), "{why}");
        }
        for key in ["team", "a.b-c_d^e~f", &"k".repeat(60)] {
            assert_eq!(refused_key(key), None);
        }
    }

    #[test]
    fn a_series_has_each_key_once() {
        let common = [("job".to_string(), "nightly".to_string()), ("step".to_string(), "common".to_string())];
        let tags = of_series("andiron.step.in", &[("step", "a b".to_string())], &common);
        let expected = [("job", "nightly"), ("name", "andiron.step.in"), ("step", "a_b")];
        assert_eq!(tags, expected.map(|(key, value)| (key.to_string(), value.to_string())));
    }
}
