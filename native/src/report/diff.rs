//! Two runs side by side, with the ratios that have drifted.

use std::collections::HashMap;

use super::clean::{terminal, width, LINE, NAME};
use super::format;
use super::model::{Amount, Figure, Step, View};

/// A ratio is marked if it has changed by this factor.
const DRIFT: f64 = 1.5;
/// Ratios below this do not drift: a few rows more or less mean nothing.
const NOISE: f64 = 1e-5;
/// The limit of an accumulator's figures that are compared.
const MOST_FIGURES: usize = 20;

/// The comparison of `before` with `after`, steps in the order of `after`.
pub fn render(before: &View, after: &View) -> String {
    let mut out = String::new();
    for (mark, view) in [("A", before), ("B", after)] {
        let (id, name) = (terminal(&view.application.id, NAME), terminal(&view.application.name, NAME));
        let when =
            view.application.started_ms.map_or(String::new(), |at| format!("  {} UTC", format::instant(at)));
        out += &format!("{mark}  {id}  {name}{when}\n");
    }
    let mut rows = vec![["step", "counter", "A", "B", "A ratio", "B ratio", ""].map(str::to_string)];
    let old: HashMap<(&str, usize), &Step> = numbered(&before.steps).collect();
    let mut seen = Vec::new();
    for (key, step) in numbered(&after.steps) {
        seen.push(key);
        compare(&mut rows, old.get(&key).copied(), Some(step));
    }
    for (_, step) in numbered(&before.steps).filter(|(key, _)| !seen.contains(key)) {
        compare(&mut rows, Some(step), None);
    }
    accumulators(&mut rows, before, after);
    out.push('\n');
    table(&mut out, &rows);
    out
}

/// Steps by name and by the index of their site: call sites move with every edit of the program.
fn numbered(steps: &[Step]) -> impl Iterator<Item = ((&str, usize), &Step)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    steps.iter().map(move |step| {
        let count = counts.entry(&step.name).or_default();
        *count += 1;
        ((step.name.as_str(), *count), step)
    })
}

type Row = [String; 7];
type Pick = fn(&Step) -> Option<&Figure>;

fn compare(rows: &mut Vec<Row>, old: Option<&Step>, new: Option<&Step>) {
    let Some(either) = new.or(old) else { return };
    let name = terminal(&either.name, NAME);
    let of = |step: Option<&Step>, pick: Pick| step.and_then(pick).and_then(|f| f.committed);
    let (a_in, b_in) = (of(old, |s| s.input.as_ref()), of(new, |s| s.input.as_ref()));
    let presence = match (old, new) {
        (None, _) => "only in B",
        (_, None) => "only in A",
        _ => "",
    };
    rows.push([
        name.clone(),
        "in".to_string(),
        shown(a_in),
        shown(b_in),
        String::new(),
        String::new(),
        presence.to_string(),
    ]);
    let picks: [(&str, Pick); 2] =
        [("out", |step| step.output.as_ref()), ("dropped", |step| step.dropped.as_ref())];
    for (counter, pick) in picks {
        rows.push(counted(&name, counter, (of(old, pick), a_in), (of(new, pick), b_in)));
    }
    let own = |step: Option<&Step>, name: &str| {
        step.and_then(|step| step.own.iter().find(|figure| figure.name == name))
            .and_then(|figure| figure.committed)
    };
    let mut names: Vec<&String> =
        [new, old].into_iter().flatten().flat_map(|step| step.own.iter().map(|f| &f.name)).collect();
    names.sort();
    names.dedup();
    for counter in names {
        rows.push(counted(
            &name,
            &terminal(counter, NAME),
            (own(old, counter), a_in),
            (own(new, counter), b_in),
        ));
    }
}

fn counted(
    step: &str,
    counter: &str,
    a: (Option<Amount>, Option<Amount>),
    b: (Option<Amount>, Option<Amount>),
) -> Row {
    let ratio = |(own, input): (Option<Amount>, Option<Amount>)| {
        let (own, input) = (own?.as_f64(), input?.as_f64());
        (input > 0.0).then(|| own / input)
    };
    let (before, after) = (ratio(a), ratio(b));
    let percent = |ratio: Option<f64>| ratio.map_or("–".to_string(), format::share);
    [
        step.to_string(),
        counter.to_string(),
        shown(a.0),
        shown(b.0),
        percent(before),
        percent(after),
        before.zip(after).map_or(String::new(), |(before, after)| drift(before, after)),
    ]
}

/// The change of a ratio, if it is marked.
fn drift(before: f64, after: f64) -> String {
    if before.max(after) < NOISE {
        return String::new();
    }
    match after / before {
        times if times.is_infinite() => "new".to_string(),
        times if times >= DRIFT => format!("× {times:.1}"),
        0.0 => "gone".to_string(),
        times if times <= 1.0 / DRIFT => format!("÷ {:.1}", 1.0 / times),
        _ => String::new(),
    }
}

/// Compares figures by their order: RDDs have other numbers in each run. If one run has more figures, drift is not
/// shown.
fn accumulators(rows: &mut Vec<Row>, before: &View, after: &View) {
    let figures = |view: &View, name: &str| -> Vec<Option<Amount>> {
        let found = view.accumulators.iter().find(|accumulator| accumulator.name == name);
        found.iter().flat_map(|accumulator| accumulator.scopes.iter().map(|(_, f)| f.committed)).collect()
    };
    let mut names: Vec<&String> =
        before.accumulators.iter().chain(&after.accumulators).map(|a| &a.name).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (a, b) = (figures(before, name), figures(after, name));
        let all = a.len().max(b.len());
        for at in 0..all.min(MOST_FIGURES) {
            let of = |figures: &[Option<Amount>]| figures.get(at).copied().flatten();
            let moved = match (of(&a).map(Amount::as_f64), of(&b).map(Amount::as_f64)) {
                (Some(from), Some(to)) if from != 0.0 && a.len() == b.len() => drift(1.0, to / from),
                _ => String::new(),
            };
            let mut label = terminal(name, LINE);
            if all > 1 {
                label += &format!(" ({} of {all})", at + 1);
            }
            let (a, b) = (shown(of(&a)), shown(of(&b)));
            rows.push(["–".to_string(), label, a, b, String::new(), String::new(), moved]);
        }
        if all > MOST_FIGURES {
            let more = format::some((all - MOST_FIGURES) as u64, "more figure", "more figures");
            let label = format!("{}: {more}", terminal(name, LINE));
            rows.push(["–".to_string(), label, "".into(), "".into(), "".into(), "".into(), "".into()]);
        }
    }
}

fn shown(amount: Option<Amount>) -> String {
    amount.map_or("–".to_string(), format::amount)
}

fn table(out: &mut String, rows: &[Row]) {
    let widths: [usize; 7] =
        std::array::from_fn(|at| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0));
    for (number, row) in rows.iter().enumerate() {
        let same_step = number > 1 && rows[number - 1][0] == row[0];
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let cell = if at == 0 && same_step { "" } else { cell.as_str() };
            let space = " ".repeat(widths[at] - width(cell));
            let (left, right) =
                if (2..6).contains(&at) { (space.as_str(), "") } else { ("", space.as_str()) };
            line += &format!("{left}{cell}{right}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
