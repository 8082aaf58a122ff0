//! The command `andiron`: its arguments, and the logs that it reads.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::Arg::{Long, Short, Value};

use super::events::{self, Wanted};
use super::reading::{self, view};
use super::text::Colour;
use super::{check, clean, diff, format, html, properties, rows, text, View};
use crate::error::{Code, Error, Result};
use crate::shiplog::{self, Found, Sequence};
use crate::sinks::{self, Embedded, SinkSettings};

const USAGE: &str = "\
andiron report <application id> [--log-dir DIR] [--attempt N] [--html FILE] [--check]
                             what the application did, as text, and as one HTML page in FILE; with --check only the
                             result of its gates: status 0 all passed, 1 one failed, was bypassed or never asked, 2 unknown
andiron apps [--log-dir DIR] [--json]
                             the applications that have a log; as JSON, one in each line
andiron diff <A> <B> [--log-dir DIR]
                             how the ratios of application B differ from those of A
andiron ship [--log-dir DIR] [--properties-file FILE] [--conf KEY=VALUE ...]
                             ship the remaining events of earlier runs to the sinks in the settings;
                             FILE is a spark-defaults.conf, and KEY a setting of a sink
andiron events <application id> [--log-dir DIR] [--attempt N] [--since SEQ] [--numbered] [--out FILE]
                             every event of its log after position SEQ, one JSON value in each line;
                             with --numbered its position comes first
andiron failures [<application id>] [--log-dir DIR] [--attempt N] [--out FILE]
                             the failed rows in its log, or in all logs, one JSON object in each line

DIR is spark.andiron.log.dir; without it, $ANDIRON_LOG_DIR, else the folder andiron-log-<user> in /tmp.
";

/// How long failing sinks are retried.
const SHIP_FOR: Duration = Duration::from_secs(60);

/// The output streams of the command.
pub struct Streams<'a> {
    /// Reports.
    pub out: &'a mut dyn Write,
    /// Messages.
    pub err: &'a mut dyn Write,
    /// Whether reports are coloured.
    pub colour: Colour,
}

/// Runs the command with these arguments, without its own name. Gives its exit status: 0 done, 1 failed, 2 misused.
pub fn run(arguments: &[String], streams: Streams<'_>) -> u8 {
    let Streams { out, err, colour } = streams;
    let parsed = Arguments::parse(arguments);
    if let Ok(Some(status)) = parsed.as_ref().map(|arguments| arguments.checked(out, err)) {
        return status;
    }
    let done = match &parsed {
        Ok(arguments) => arguments.run(out, err, colour),
        Err(misuse) => {
            let _ = write!(err, "andiron: {misuse}\n\n{USAGE}");
            return 2;
        }
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            // If messages cannot be written either, the status reports the failure.
            let _ = writeln!(err, "andiron: {}", error.message());
            1
        }
    }
}

/// [`run`] for callers without streams: `arguments` is a JSON list of strings; gives `status`, `out` and `err` as a
/// JSON object.
pub fn run_json(arguments: &str) -> Result<String> {
    let parsed: Vec<String> = serde_json::from_str(arguments).map_err(|error| {
        Error::new(Code::BadArgument, format!("the arguments are not a JSON list of strings: {error}"))
    })?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(&parsed, Streams { out: &mut out, err: &mut err, colour: Colour::Plain });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(serde_json::json!({ "status": status, "out": text(out), "err": text(err) }).to_string())
}

/// One application's report as text.
pub fn report_text(root: &Path, application: &str, colour: Colour) -> Result<String> {
    Ok(text::render(&view(root, application, None)?, colour))
}

/// One application's report as an HTML page.
pub fn report_html(root: &Path, application: &str) -> Result<String> {
    Ok(html::render(&view(root, application, None)?))
}

#[derive(Default)]
struct Arguments {
    command: String,
    names: Vec<String>,
    log_dir: Option<PathBuf>,
    attempt: Option<String>,
    html: Option<PathBuf>,
    properties: Option<PathBuf>,
    conf: Vec<(String, String)>,
    out: Option<PathBuf>,
    since: u64,
    numbered: bool,
    json: bool,
    check: bool,
}

impl Arguments {
    fn parse(arguments: &[String]) -> std::result::Result<Arguments, String> {
        let mut parsed = Arguments::default();
        let mut rest = lexopt::Parser::from_args(arguments.to_vec());
        while let Some(argument) = rest.next().map_err(misuse)? {
            match argument {
                Long("log-dir") => parsed.log_dir = Some(value(&mut rest)?.into()),
                Long("attempt") => parsed.attempt = Some(value(&mut rest)?),
                Long("html") => parsed.html = Some(value(&mut rest)?.into()),
                Long("properties-file") => parsed.properties = Some(value(&mut rest)?.into()),
                Long("conf") => {
                    let given = value(&mut rest)?;
                    let (key, value) = given.split_once('=').ok_or("--conf needs KEY=VALUE")?;
                    parsed.conf.push((key.to_string(), value.to_string()));
                }
                Long("out") => parsed.out = Some(value(&mut rest)?.into()),
                Long("since") => {
                    let place = value(&mut rest)?;
                    parsed.since =
                        place.parse().map_err(|_| format!("--since takes a number, not {place}"))?;
                }
                Long("numbered") => parsed.numbered = true,
                Long("json") => parsed.json = true,
                Long("check") => parsed.check = true,
                Long("help") | Short('h') => parsed.command = "help".to_string(),
                Value(word) => match text(word)? {
                    word if word == "help" || parsed.command.is_empty() => parsed.command = word,
                    name => parsed.names.push(name),
                },
                other => return Err(misuse(other.unexpected())),
            }
        }
        let wanted = match parsed.command.as_str() {
            "failures" => parsed.names.len().min(1),
            "report" | "events" => 1,
            "diff" => 2,
            "apps" | "ship" => 0,
            "help" => return Ok(parsed),
            "" => return Err("which command?".to_string()),
            other => return Err(format!("no command {other}")),
        };
        match parsed.names.len() {
            n if n == wanted => Ok(parsed),
            n => Err(format!("{} takes {wanted} application ids, not {n}", parsed.command)),
        }
    }

    fn run(&self, out: &mut dyn Write, err: &mut dyn Write, colour: Colour) -> Result<()> {
        if self.command == "help" {
            return say(out, USAGE);
        }
        let root = self.root()?;
        match self.command.as_str() {
            "report" => self.report(&root, out, colour),
            "diff" => {
                let (before, after) =
                    (view(&root, &self.names[0], None)?, view(&root, &self.names[1], None)?);
                say(out, &diff::render(&before, &after))
            }
            "apps" if self.json => say(out, &events::applications(&root)?),
            "apps" => say(out, &applications(&root)?),
            "events" => self.events(&root, out, err),
            "failures" => {
                let (application, attempt) =
                    (self.names.first().map(String::as_str), self.attempt.as_deref());
                match &self.out {
                    Some(file) => rows::write(&root, application, attempt, file, err),
                    None => rows::print(&root, application, attempt, out, err),
                }
            }
            _ => ship(&root, &self.sinks()?, out),
        }
    }

    fn root(&self) -> Result<PathBuf> {
        match &self.log_dir {
            Some(folder) => shiplog::local(folder),
            None => default_root(),
        }
    }

    /// Checks the gates if requested. Gives the exit status.
    fn checked(&self, out: &mut dyn Write, err: &mut dyn Write) -> Option<u8> {
        if !self.check || self.command != "report" {
            return None;
        }
        let checked = self
            .root()
            .and_then(|root| view(&root, &self.names[0], self.attempt.as_deref()))
            .and_then(|view| {
                let (status, said) = check::check(&view);
                say(out, &said).map(|()| status)
            });
        Some(checked.unwrap_or_else(|error| {
            let _ = writeln!(err, "andiron: {}", error.message());
            check::CANNOT_TELL
        }))
    }

    fn events(&self, root: &Path, out: &mut dyn Write, err: &mut dyn Write) -> Result<()> {
        let wanted = Wanted {
            application: &self.names[0],
            attempt: self.attempt.as_deref(),
            since: Sequence(self.since),
            numbered: self.numbered,
        };
        match &self.out {
            Some(file) => events::write(root, &wanted, file, err),
            None => events::print(root, &wanted, out, err),
        }
    }

    /// The sinks of the settings; `--conf` overrides the file, which may hold settings of any kind.
    fn sinks(&self) -> Result<SinkSettings> {
        if let Some((key, _)) = self.conf.iter().find(|(key, _)| !SinkSettings::has(key)) {
            return Err(SinkSettings::unknown(key));
        }
        let mut pairs = match &self.properties {
            Some(file) => properties::read(file)?,
            None => Vec::new(),
        };
        pairs.extend(self.conf.iter().cloned());
        SinkSettings::of(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    fn report(&self, root: &Path, out: &mut dyn Write, colour: Colour) -> Result<()> {
        let view = view(root, &self.names[0], self.attempt.as_deref())?;
        say(out, &text::render(&view, colour))?;
        if let Some(file) = &self.html {
            let written = std::fs::write(file, html::render(&view));
            written.map_err(|error| Error::io(&format!("write {}", file.display()), &error))?;
            say(out, &format!("\npage: {}\n", file.display()))?;
        }
        Ok(())
    }
}

/// The value of the option that was read last.
fn value(rest: &mut lexopt::Parser) -> std::result::Result<String, String> {
    text(rest.value().map_err(misuse)?)
}

fn text(argument: OsString) -> std::result::Result<String, String> {
    argument.into_string().map_err(|wrong| format!("{} is not UTF-8", wrong.to_string_lossy()))
}

fn misuse(error: lexopt::Error) -> String {
    match error {
        lexopt::Error::MissingValue { option: Some(option) } => format!("{option} needs a value"),
        lexopt::Error::UnexpectedOption(option) => format!("no option {option}"),
        lexopt::Error::UnexpectedValue { option, .. } => format!("{option} takes no value"),
        other => other.to_string(),
    }
}

/// Writes to `out`. A reader that has closed the stream ends the command without a message.
fn say(out: &mut dyn Write, said: &str) -> Result<()> {
    match out.write_all(said.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("write the report", &error))
        }
        _ => Ok(()),
    }
}

/// The plugin's default directory for logs: one in `/tmp` for each user. If there are several, the one that this user
/// owns.
fn default_root() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("ANDIRON_LOG_DIR").filter(|folder| !folder.is_empty()) {
        return shiplog::local(folder.as_ref());
    }
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    let entries = std::fs::read_dir("/tmp").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("andiron-log-"))
        .filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.pop().ok_or_else(|| {
        Error::new(
            Code::BadArgument,
            "no folder andiron-log-<user> of yours in /tmp; name spark.andiron.log.dir with --log-dir",
        )
    })
}

/// The applications below `root`, the latest first.
fn applications(root: &Path) -> Result<String> {
    let found = shiplog::applications(root)?;
    if found.is_empty() {
        return Ok(format!("no logs of applications in {}\n", root.display()));
    }
    let mut rows = vec![["application", "name", "started (UTC)", "state", "run", "size"].map(str::to_string)];
    rows.extend(found.iter().rev().map(row));
    let widths: [usize; 6] =
        std::array::from_fn(|at| rows.iter().map(|row| clean::width(&row[at])).max().unwrap_or(0));
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, wide)| format!("{cell}{}", " ".repeat(wide - clean::width(cell))))
            .collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    Ok(out)
}

fn row(found: &Found) -> [String; 6] {
    let view = View::build(found.event.clone(), Vec::new());
    let application = &view.application;
    let state = reading::state(found, application);
    let state = match (state, application.exit_code, application.ended_ms) {
        ("failed", Some(code), _) => format!("failed, exit code {code}"),
        ("ended at its gate", ..) => {
            format!("{state}: {}", clean::terminal(&application.ended_at_gate, clean::NAME))
        }
        ("ended", _, Some(ended)) => {
            let took = ended.saturating_sub(application.started_ms.unwrap_or(ended));
            format!("ended, {}", format::duration(took))
        }
        _ => state.to_string(),
    };
    let id = if found.attempt.is_empty() {
        found.application.clone()
    } else {
        format!("{} ({})", found.application, found.attempt)
    };
    [
        clean::terminal(&id, clean::NAME),
        clean::terminal(&application.name, clean::NAME),
        format::instant(application.started_ms.unwrap_or(found.started_ms)),
        state,
        clean::terminal(&found.run_id, clean::NAME),
        format!("{} KB", format::count(found.bytes.div_ceil(1000))),
    ]
}

/// Ships the remaining events of earlier runs, if there are sinks besides the log itself.
fn ship(root: &Path, settings: &SinkSettings, out: &mut dyn Write) -> Result<()> {
    sinks::check(settings)?;
    let mut to = sinks::of(settings)?;
    to.push(Box::new(Embedded));
    let done = sinks::ship(root, to, SHIP_FOR)?;
    for (sink, health) in &done.sinks {
        let (sent, behind) = (format::some(health.sent, "event", "events"), format::count(health.behind));
        say(out, &format!("{}: {sent} sent, {behind} left\n", clean::terminal(sink, clean::NAME)))?;
        if health.behind > 0 && !health.last_failure.is_empty() {
            say(out, &format!("    {}\n", clean::terminal(&health.last_failure, clean::LINE)))?;
        }
    }
    for problem in &done.problems {
        say(out, &format!("not shipped: {}\n", clean::terminal(problem, clean::LINE)))?;
    }
    let live = format::some(done.live, "application runs", "applications run");
    let shipped = format::some(done.applications.len() as u64, "log", "logs");
    say(out, &format!("shipped from {shipped}; {live} and ship for themselves\n"))?;
    let behind: u64 = done.sinks.values().map(|health| health.behind).sum();
    if behind == 0 && done.problems.is_empty() {
        return Ok(());
    }
    let left = format::some(behind, "event is", "events are");
    Err(Error::new(Code::LogTimedOut, format!("{left} left: correct the problems above and run it again")))
}
