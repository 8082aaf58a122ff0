//! Figures in the form that users read. Times are UTC.

use jiff::Timestamp;

use super::model::Amount;

/// `1234567` as `1,234,567`.
pub(super) fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// A whole number in groups of three digits; a fraction with four significant digits.
pub(super) fn amount(amount: Amount) -> String {
    match amount {
        Amount::Whole(n) if n < 0 => format!("-{}", count(n.unsigned_abs())),
        Amount::Whole(n) => count(n.unsigned_abs()),
        Amount::Real(x) => real(x),
    }
}

fn real(x: f64) -> String {
    let size = x.abs();
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        return format!("{x:.3e}");
    }
    let digits = if size >= 1000.0 {
        1
    } else if size >= 1.0 {
        3
    } else {
        6
    };
    let text = format!("{x:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let fraction = fraction.map(|f| format!(".{f}")).unwrap_or_default();
    format!("{sign}{}{fraction}", grouped(whole))
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A ratio as a percentage with three significant digits.
pub(super) fn percent(ratio: f64) -> String {
    if !ratio.is_finite() {
        return "–".to_string();
    }
    let value = ratio * 100.0;
    let size = value.abs();
    let text = match size {
        _ if size == 0.0 => return "0 %".to_string(),
        _ if size < 0.0001 => return "< 0.0001 %".to_string(),
        _ if size < 0.01 => format!("{value:.4}"),
        _ if size < 1.0 => format!("{value:.3}"),
        _ if size < 10.0 => format!("{value:.2}"),
        _ if size < 1e6 => format!("{value:.1}"),
        _ => return format!("{value:.1e} %"),
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

/// A counter divided by the rows read: a percentage, or a number for each row if it exceeds the rows.
pub(super) fn share(ratio: f64) -> String {
    if ratio.abs() <= 1.0 || !ratio.is_finite() {
        return percent(ratio);
    }
    let tenths = format!("{ratio:.1}");
    format!("{} a row", amount(tenths.parse().map_or(Amount::Real(ratio), Amount::Real)))
}

/// A duration.
pub(super) fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match millis {
        0..=999 => format!("{millis} ms"),
        1_000..=59_999 => format!("{}.{} s", seconds, millis % 1000 / 100),
        60_000..=3_599_999 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `23 Nov 2026 18:50:12`, UTC; milliseconds since 1970. A time after the year 9999 is shown as that year's end.
pub(super) fn instant(millis: u64) -> String {
    at(millis).strftime("%-d %b %Y %H:%M:%S").to_string()
}

/// `18:50:12`, UTC.
pub(super) fn clock(millis: u64) -> String {
    at(millis).strftime("%H:%M:%S").to_string()
}

fn at(millis: u64) -> Timestamp {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// `1 more row`, `2 more rows`.
pub(super) fn more(n: usize, one: &str, many: &str) -> String {
    format!("{} more {}", count(n as u64), if n == 1 { one } else { many })
}

/// `1 row`, `2 rows`.
pub(super) fn some(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// "20,000 errors (50 kept)", or "3 errors" if all are kept.
pub(super) fn kept(n: u64, kept: u64, (one, many): (&str, &str)) -> String {
    let all = some(n, one, many);
    if kept < n {
        format!("{all} ({} kept)", count(kept))
    } else {
        all
    }
}

/// The executors whose lines the log has left out, those with most first.
pub(super) fn left_out(by_executor: &[(String, u64)]) -> Option<String> {
    const MOST: usize = 5;
    let all = by_executor.iter().fold(0u64, |all, (_, lines)| all.saturating_add(*lines));
    let named = by_executor.iter().take(MOST).map(|(executor, lines)| match executor.as_str() {
        "driver" => format!("driver {}", count(*lines)),
        "others" => format!("other executors {}", count(*lines)),
        name => format!("executor {name} {}", count(*lines)),
    });
    let mut said = named.collect::<Vec<String>>().join(", ");
    if let Some(more) = by_executor.len().checked_sub(MOST).filter(|more| *more > 0) {
        said.push_str(&format!(", and {}", some(more as u64, "more executor", "more executors")));
    }
    (all > 0).then(|| format!("not in the log: {} ({said})", some(all, "line", "lines")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(amount(Amount::Whole(i64::MIN)), "-9,223,372,036,854,775,808");
        assert_eq!(amount(Amount::Real(1234.56)), "1,234.6");
        assert_eq!(amount(Amount::Real(-0.25)), "-0.25");
        assert_eq!(amount(Amount::Real(1e300)), "1.000e300");
        assert_eq!(amount(Amount::Real(0.0)), "0");
    }

    #[test]
    fn ratios_keep_what_tells_them_apart() {
        let shown = [0.0, 1e-9, 0.00001, 0.001, 0.0123456, 0.2, 1.0].map(percent);
        assert_eq!(shown, ["0 %", "< 0.0001 %", "0.001 %", "0.1 %", "1.23 %", "20 %", "100 %"]);
        assert_eq!(percent(f64::NAN), "–");
        assert_eq!([0.5, 1.0, 12.0, 512_000.04].map(share), ["50 %", "100 %", "12 a row", "512,000 a row"]);
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(instant(0), "1 Jan 1970 00:00:00");
        assert_eq!(instant(951_782_400_000), "29 Feb 2000 00:00:00");
        assert_eq!(instant(1_795_459_812_000), "23 Nov 2026 18:50:12");
        assert_eq!(instant(u64::MAX), "30 Dec 9999 22:00:00");
        assert_eq!([0, 951_782_399_999].map(clock), ["00:00:00", "23:59:59"]);
        assert_eq!(
            [5, 12_345, 252_000, 3_720_000].map(duration),
            ["5 ms", "12.3 s", "4 min 12 s", "1 h 02 min"]
        );
    }
}
