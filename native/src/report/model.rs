//! What a report shows of one application, whoever shows it.
//!
//! Everything that may be unknown is an option or may be empty. Nothing in here is cleaned or cut yet.

pub use super::json::Amount;

/// One application attempt, as its ship log tells it.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The application itself.
    pub application: Application,
    /// How it ended, as far as is known.
    pub outcome: Outcome,
    /// What gates decided: failures first, each kind in the order of its decisions.
    pub verdicts: Vec<Verdict>,
    /// Gates, in the order of their making; none in logs of releases that did not tell of them.
    pub gates: Vec<Gate>,
    /// Steps in execution order, one for each site at which a step is used.
    pub steps: Vec<Step>,
    /// Named accumulators of others, by name.
    pub accumulators: Vec<Accumulator>,
    /// Failed rows by stack or the user's groups, the most samples first.
    pub failures: Vec<Group>,
    /// Attempts of stages that ran, in the order of their submission.
    pub stages: Vec<Stage>,
    /// Stages that were skipped.
    pub skipped: Vec<u64>,
    /// SQL executions by number.
    pub executions: Vec<Execution>,
    /// Jobs by number.
    pub jobs: Vec<Job>,
    /// WARN and ERROR lines by stage; those of no stage first.
    pub logs: Vec<StageLog>,
    /// What the shipper counts about itself.
    pub health: Option<Health>,
    /// Events that were read, those replaced by later revisions included.
    pub events: u64,
    /// The time of the last event.
    pub last_ms: u64,
    /// What could not be read, and other things to know about this report.
    pub notes: Vec<String>,
}

/// The application.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Application {
    pub id: String,
    pub attempt: String,
    pub name: String,
    pub run: String,
    pub user: String,
    pub spark: String,
    pub scala: String,
    pub master: String,
    pub started_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    pub exit_code: Option<i64>,
    /// The step whose gate had refused when the application ended, and after which no job began.
    pub ended_at_gate: String,
    /// The application of the same run that never ended.
    pub predecessor: String,
    pub settings: Vec<(String, String)>,
}

/// How an application ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The last that a gate decided was a refusal, and it ended there.
    EndedAtGate,
    /// A gate refused what it produced; it went on, runs or was killed.
    GateFailed,
    /// It ended with this exit code, which is not 0, though no gate failed.
    Failed(i64),
    /// It ended, and a gate was never asked, or something went past it.
    Ungated,
    /// It ended, and every gate let it pass.
    Passed,
    /// It ended and had no gate.
    Ended,
    /// A process writes its log.
    Running,
    /// Its end is not in the log, and nobody writes it any more.
    Killed,
    /// Its end is not in the log: it runs, or it was killed.
    #[default]
    Open,
}

impl Outcome {
    /// What is known of an application whose end is not in the log.
    pub fn why_open(self) -> Option<&'static str> {
        match self {
            Outcome::Running => Some("It runs: what stands here is what was durable when the log was read"),
            Outcome::Killed => {
                Some("It never ended, and nobody writes its log any more: its driver was killed")
            }
            Outcome::Open => Some("The log has no end of this application: it runs, or it was killed"),
            _ => None,
        }
    }
}

/// One gate, and what was asked of it.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Gate {
    pub step: String,
    pub limit_ratio: Option<f64>,
    pub limit_rows: Option<u64>,
    pub passed: u64,
    pub failed: u64,
    pub unknown: u64,
    /// How many actions published rows that it has not judged.
    pub bypassed: u64,
    /// The last of them.
    pub last_bypass: String,
}

impl Gate {
    /// Whether it has decided nothing.
    pub fn is_idle(&self) -> bool {
        self.passed + self.failed + self.unknown == 0
    }

    /// What is amiss with it, if anything is.
    pub fn trouble(&self) -> Option<String> {
        match (self.bypassed, self.is_idle()) {
            (0, true) => Some("never asked".to_string()),
            (0, false) => None,
            (1, _) => Some("bypassed once".to_string()),
            (times, _) => Some(format!("bypassed {times} times")),
        }
    }
}

/// What one gate decided once.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Verdict {
    pub step: String,
    /// Which layer decided: `commit`, `guard`, `early` or `all dropped`.
    pub gate: String,
    pub passed: bool,
    /// It is not known whether a limit is broken; `passed` says whether it may go on all the same.
    pub unknown: bool,
    pub input: Option<u64>,
    pub dropped: Option<u64>,
    pub ratio: Option<f64>,
    pub limit_ratio: Option<f64>,
    pub limit_rows: Option<u64>,
    pub min_rows: Option<u64>,
    pub reason: String,
    pub causes: Vec<Cause>,
    /// The operator that dropped most of its rows, where it is told.
    pub site: String,
    /// The judged operators, with the share that each dropped.
    pub operators: Vec<(String, Option<f64>)>,
    /// What would have been written.
    pub write: String,
    pub at_ms: u64,
}

impl Verdict {
    /// Which layer decided.
    pub fn layer(&self) -> &'static str {
        match self.gate.as_str() {
            "commit" => "at commit",
            "guard" => "in guard",
            "early" => "early",
            "all dropped" => "all rows dropped",
            _ => "by a gate",
        }
    }

    /// Whether it did not pass for what this operator did. A release that names none means all of its step.
    pub fn blames(&self, site: &str) -> bool {
        let over =
            |share: &Option<f64>| share.zip(self.limit_ratio).is_some_and(|(share, limit)| share > limit);
        if self.passed {
            false
        } else if self.operators.iter().any(|(_, share)| over(share)) {
            self.operators.iter().any(|(name, share)| name == site && over(share))
        } else if !self.operators.is_empty() {
            self.operators.iter().any(|(name, _)| name == site)
        } else {
            self.site.is_empty() || self.site == site
        }
    }
}

/// One of a verdict's most frequent causes.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Cause {
    pub hash: String,
    pub group: String,
    pub class: String,
    pub message: String,
    pub messages: u64,
    pub count: u64,
}

/// One attempt of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub struct StageId {
    pub stage: u64,
    pub attempt: u64,
}

/// One counter in one scope.
#[derive(Debug, Clone, Default)]
pub struct Figure {
    /// The counter.
    pub name: String,
    /// Each row once.
    pub committed: Option<Amount>,
    /// All that ran, as Spark sees it.
    pub attempted: Option<Amount>,
    /// Partitions that reported, and how many there are.
    pub partitions: Option<(u64, u64)>,
    /// Whether `committed` is promised; unknown is no promise.
    pub exact: bool,
    /// Why it is not.
    pub reason: String,
    /// Whether nothing can change it any more.
    pub settled: bool,
    /// The stages that changed it.
    pub stages: Vec<StageId>,
    /// The SQL execution that it belongs to.
    pub execution: Option<u64>,
    /// Plan nodes by name.
    pub nodes: Vec<String>,
    /// Other physical executions of the same site: value, partitions covered and in all.
    pub others: Vec<Other>,
    /// Events that the listener's queue dropped.
    pub events_dropped: u64,
}

/// Another physical execution of a step's site.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Other {
    pub instance: String,
    pub value: Option<Amount>,
    pub covered: u64,
    pub total: u64,
}

/// A step at one of its sites.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// The step's name.
    pub name: String,
    /// Where in the program it is used: `map at Job.scala:12`.
    pub site: String,
    /// Rows that came in.
    pub input: Option<Figure>,
    /// Rows that went out.
    pub output: Option<Figure>,
    /// Rows that threw.
    pub dropped: Option<Figure>,
    /// The user's own counters, by name.
    pub own: Vec<Figure>,
    /// Every stage that changed one of its counters.
    pub stages: Vec<StageId>,
    /// Plan nodes that ran it.
    pub nodes: Vec<String>,
    /// The strictest ratio that a gate sets on it.
    pub limit: Option<f64>,
    /// Whether a gate failed on it.
    pub failed: bool,
    /// What was sampled of its failed rows.
    pub samples: Option<Samples>,
}

/// How many of a step's failed rows were seen and kept.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Samples {
    pub seen: u64,
    pub kept: u64,
    /// Whether the samples show every row that failed; rows that look alike are one sample.
    pub complete: bool,
    /// Which bounds have left out samples, in words; none in logs of earlier releases.
    pub cut_by: Vec<String>,
}

impl Samples {
    /// Whether some failed rows are not shown though as many are kept as have failed: the two numbers alone do not say so.
    pub fn is_quietly_cut(&self) -> bool {
        !self.complete && self.kept >= self.seen
    }
}

/// A named accumulator of others.
#[derive(Debug, Clone, Default)]
pub struct Accumulator {
    /// Its name.
    pub name: String,
    /// Scope (`rdd:7`, `rdd:7/branch:2`) and figure, in the order of RDDs and branches. They are never added: their rows may be the same.
    pub scopes: Vec<(String, Figure)>,
}

/// Failed rows with the same stack, or those that the user's function calls alike.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// What the user's function calls them; empty where there is none.
    pub name: String,
    /// The stack's hash; of several that of the most frequent.
    pub hash: String,
    /// How many different stacks there are.
    pub stacks: usize,
    /// The class of the error with the most frequent message.
    pub class: String,
    /// The most frequent message.
    pub message: String,
    /// How many different messages there are.
    pub messages: usize,
    /// The stack, if one of the samples brought it.
    pub stack: Option<String>,
    /// Steps with the number of samples.
    pub steps: Vec<(String, u64)>,
    /// Versions in use with the number of samples; the most first.
    pub versions: Vec<(String, u64)>,
    /// The rows, by step, stage and partition.
    pub samples: Vec<Sample>,
}

/// One row that failed.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Sample {
    pub step: String,
    pub site: String,
    pub class: String,
    pub message: String,
    pub stack_hash: String,
    pub key: String,
    pub record: String,
    /// Whether the record was cut or redacted before it was logged.
    pub cut: bool,
    pub version: String,
    pub stage: Option<StageId>,
    pub partition: Option<u64>,
    pub task_attempt: Option<u64>,
    pub executor: String,
    pub host: String,
    /// Whether its task's attempt is the one that counts.
    pub committed: bool,
}

/// One attempt of a stage that ran.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Stage {
    pub id: StageId,
    pub name: String,
    pub call_site: String,
    pub details: String,
    pub jobs: Vec<u64>,
    pub execution: Option<u64>,
    pub tasks: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub submitted_ms: Option<u64>,
    pub completed_ms: Option<u64>,
    /// `running`, `succeeded` or `failed`.
    pub status: String,
    pub failure: String,
    pub steps: Vec<String>,
    pub changed: Vec<String>,
}

/// A job.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Job {
    pub id: u64,
    pub status: String,
    pub call_site: String,
    pub stages: Vec<u64>,
    pub execution: Option<u64>,
    pub submitted_ms: Option<u64>,
    pub ended_ms: Option<u64>,
}

/// A SQL execution.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Execution {
    pub id: u64,
    pub description: String,
    pub plan: String,
    /// Plan nodes: number and name.
    pub nodes: Vec<(String, String)>,
    pub started_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    pub failure: String,
}

/// WARN and ERROR lines of one stage, or of none.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct StageLog {
    pub stage: Option<u64>,
    /// Those that were logged, whether the log has them or not.
    pub errors: u64,
    pub warnings: u64,
    /// How many of them the log has.
    pub kept_errors: u64,
    pub kept_warnings: u64,
    /// How many it has not, by executor, most first.
    pub left_out: Vec<(String, u64)>,
    pub lines: Vec<LogLine>,
}

/// One line of a log.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LogLine {
    pub at_ms: u64,
    pub executor: String,
    pub error: bool,
    pub logger: String,
    pub message: String,
    pub thread: String,
}

/// What the shipper counts about itself.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Health {
    pub log: Vec<(String, String)>,
    /// What the log lost, by cause.
    pub lost: Vec<(String, u64)>,
    pub sinks: Vec<SinkHealth>,
    /// What the listener counts, by name.
    pub listener: Vec<(String, u64)>,
    pub callback_errors: u64,
    pub first_error: String,
}

/// One sink's counters.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SinkHealth {
    pub name: String,
    pub sent: u64,
    pub retried: u64,
    pub behind: u64,
    pub last_failure: String,
    /// Calls that failed, by cause.
    pub failed: Vec<(String, u64)>,
    /// Events, by cause.
    pub dropped: Vec<(String, u64)>,
}

impl Cause {
    /// What it is called before a message: the user's name for it, or the class.
    pub fn name(&self) -> &str {
        if self.group.is_empty() {
            &self.class
        } else {
            &self.group
        }
    }

    /// What stands after the name.
    pub fn told(&self) -> String {
        told(&self.group, &self.class, self.messages, &self.message)
    }
}

impl Group {
    /// What it is called before a message: the user's name for it, or the class.
    pub fn title(&self) -> &str {
        if self.name.is_empty() {
            &self.class
        } else {
            &self.name
        }
    }

    /// What stands after the name.
    pub fn told(&self) -> String {
        told(&self.name, &self.class, self.messages as u64, &self.message)
    }

    /// Whether it is the group of a verdict's cause.
    pub fn is_of(&self, cause: &Cause) -> bool {
        self.name == cause.group && (!cause.group.is_empty() || self.hash == cause.hash)
    }
}

/// The message, or how many there are, with an example of them.
fn told(group: &str, class: &str, messages: u64, message: &str) -> String {
    let example = if group.is_empty() { message.to_string() } else { format!("{class}: {message}") };
    match messages {
        0 | 1 => example,
        n => format!("{n} different messages, for example: {example}"),
    }
}

impl Step {
    /// Dropped by in; unknown without rows.
    pub fn drop_ratio(&self) -> Option<f64> {
        let input = self.input.as_ref()?.committed?.as_f64();
        let dropped = self.dropped.as_ref()?.committed?.as_f64();
        (input > 0.0).then(|| dropped / input)
    }

    /// All its figures: in, out, dropped, its own.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        [&self.input, &self.output, &self.dropped].into_iter().flatten().chain(&self.own)
    }

    /// Whether every figure is exact.
    pub fn is_exact(&self) -> bool {
        self.figures().all(|figure| figure.exact)
    }

    /// Why not, each reason once.
    pub fn reasons(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for figure in self.figures().filter(|figure| !figure.exact) {
            let reason = if figure.reason.is_empty() { "no reason given" } else { figure.reason.as_str() };
            if !found.contains(&reason) {
                found.push(reason);
            }
        }
        found
    }

    /// Whether more ran than counts.
    pub fn ran_again(&self) -> bool {
        self.figures().any(Figure::ran_again)
    }
}

impl Health {
    /// Whether this count of the listener is one of what was lost.
    pub fn is_loss(&self, name: &str) -> bool {
        !["events", "late"].contains(&name)
    }
}

impl Figure {
    /// Whether more was attempted than committed.
    pub fn ran_again(&self) -> bool {
        matches!((self.attempted, self.committed), (Some(a), Some(c)) if a != c)
    }
}

impl Stage {
    /// From its submission to its completion, or to `until` while it runs.
    pub fn took_ms(&self, until: u64) -> Option<u64> {
        Some(self.completed_ms.unwrap_or(until).saturating_sub(self.submitted_ms?))
    }
}

impl View {
    /// When the application's last known moment is: its end, else the last event.
    pub fn until_ms(&self) -> u64 {
        self.application.ended_ms.unwrap_or(self.last_ms)
    }

    /// Samples of all groups.
    pub fn sample_count(&self) -> usize {
        self.failures.iter().map(|group| group.samples.len()).sum()
    }
}

impl std::fmt::Display for StageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.attempt {
            0 => write!(f, "{}", self.stage),
            attempt => write!(f, "{}.{attempt}", self.stage),
        }
    }
}
