//! The contents of a report on one application, for every output format.
//!
//! A field that may be unknown is an option or may be empty. Texts are neither cleaned nor cut here.

pub use super::json::Amount;

/// One application attempt, from its ship log.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The application itself.
    pub application: Application,
    /// Its outcome, as far as is known.
    pub outcome: Outcome,
    /// The verdicts of gates: failures first, and each group in the order of time.
    pub verdicts: Vec<Verdict>,
    /// Gates in the order of their creation; empty in logs of releases that did not record gates.
    pub gates: Vec<Gate>,
    /// Steps in execution order, one entry for each site of a step.
    pub steps: Vec<Step>,
    /// Named accumulators of the user's program, by name.
    pub accumulators: Vec<Accumulator>,
    /// Failed rows by stack or the user's groups; those with most samples first.
    pub failures: Vec<Group>,
    /// Attempts of stages that ran, in the order of submission.
    pub stages: Vec<Stage>,
    /// Stages that were skipped.
    pub skipped: Vec<u64>,
    /// SQL executions by number.
    pub executions: Vec<Execution>,
    /// Jobs by number.
    pub jobs: Vec<Job>,
    /// WARN and ERROR lines by stage; lines without a stage first.
    pub logs: Vec<StageLog>,
    /// The shipper's own counters.
    pub health: Option<Health>,
    /// The number of events read, including replaced revisions.
    pub events: u64,
    /// The time of the last event.
    pub last_ms: u64,
    /// Parts of the log that could not be read, and other remarks on this report.
    pub notes: Vec<String>,
}

/// The application.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
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
    /// The step whose gate refused last, if no job began after that.
    pub ended_at_gate: String,
    /// The application of the same run that never ended.
    pub predecessor: String,
    pub settings: Vec<(String, String)>,
}

/// The outcome of an application.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The last verdict was a refusal, and no job began after it.
    EndedAtGate,
    /// A gate refused a result; the application continued, is running, or was killed.
    GateFailed,
    /// It ended with this exit code, which is not 0, and no gate failed.
    Failed(i64),
    /// It ended, and a gate was never asked, or a result bypassed it.
    Ungated,
    /// It ended, and every gate passed.
    Passed,
    /// It ended without any gate.
    Ended,
    /// A process is writing its log.
    Running,
    /// Its log has no end, and no process is writing it.
    Killed,
    /// Its log has no end: it is running, or was killed.
    #[default]
    Open,
}

impl Outcome {
    /// The state of an application whose log has no end.
    pub fn why_open(self) -> Option<&'static str> {
        match self {
            Outcome::Running => {
                Some("It is running: this report shows the events that were durable when the log was read")
            }
            Outcome::Killed => Some("It never ended, and no process writes its log: its driver was killed"),
            Outcome::Open => Some("The log has no end of this application: it runs, or it was killed"),
            _ => None,
        }
    }
}

/// One gate and its history.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Gate {
    pub step: String,
    pub limit_ratio: Option<f64>,
    pub limit_rows: Option<u64>,
    pub passed: u64,
    pub failed: u64,
    pub unknown: u64,
    /// The number of actions that published rows without its verdict.
    pub bypassed: u64,
    /// The last of these actions.
    pub last_bypass: String,
}

impl Gate {
    /// Whether it has never decided.
    pub fn is_idle(&self) -> bool {
        self.passed + self.failed + self.unknown == 0
    }

    /// The problem with it, if there is one.
    pub fn trouble(&self) -> Option<String> {
        match (self.bypassed, self.is_idle()) {
            (0, true) => Some("never asked".to_string()),
            (0, false) => None,
            (1, _) => Some("bypassed once".to_string()),
            (times, _) => Some(format!("bypassed {times} times")),
        }
    }
}

/// One decision of a gate.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Verdict {
    pub step: String,
    /// The layer that decided: `commit`, `guard`, `early` or `all dropped`.
    pub gate: String,
    pub passed: bool,
    /// It is unknown whether a limit is broken; `passed` says whether the write may proceed anyway.
    pub unknown: bool,
    pub input: Option<u64>,
    pub dropped: Option<u64>,
    pub ratio: Option<f64>,
    pub limit_ratio: Option<f64>,
    pub limit_rows: Option<u64>,
    pub min_rows: Option<u64>,
    pub reason: String,
    pub causes: Vec<Cause>,
    /// The operator with the greatest share of dropped rows, if the verdict names it.
    pub site: String,
    /// The judged operators, each with its share of dropped rows.
    pub operators: Vec<(String, Option<f64>)>,
    /// The target of the write.
    pub write: String,
    pub at_ms: u64,
}

impl Verdict {
    /// The layer that decided, in words.
    pub fn layer(&self) -> &'static str {
        match self.gate.as_str() {
            "commit" => "at commit",
            "guard" => "in guard",
            "early" => "early",
            "all dropped" => "all rows dropped",
            _ => "by a gate",
        }
    }

    /// Whether it did not pass because of this operator. If a log's release names no operator, all operators of the
    /// step are meant.
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
#[allow(missing_docs, reason = "the names are self-explanatory")]
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
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct StageId {
    pub stage: u64,
    pub attempt: u64,
}

/// One counter in one scope.
#[derive(Debug, Clone, Default)]
pub struct Figure {
    /// The counter.
    pub name: String,
    /// Each row counted once.
    pub committed: Option<Amount>,
    /// All evaluations, as Spark counts them.
    pub attempted: Option<Amount>,
    /// Partitions that reported, and all partitions.
    pub partitions: Option<(u64, u64)>,
    /// Whether `committed` is guaranteed; false if unknown.
    pub exact: bool,
    /// Why it is not exact.
    pub reason: String,
    /// Whether no further event can change it.
    pub settled: bool,
    /// The stages that changed it.
    pub stages: Vec<StageId>,
    /// The SQL execution that it belongs to.
    pub execution: Option<u64>,
    /// Plan nodes by name.
    pub nodes: Vec<String>,
    /// Other physical executions of the same site: value, partitions covered, all partitions.
    pub others: Vec<Other>,
    /// Events that the listener's queue dropped.
    pub events_dropped: u64,
}

/// Another physical execution of a step's site.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
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
    /// The place in the program: `map at Job.scala:12`.
    pub site: String,
    /// Rows read.
    pub input: Option<Figure>,
    /// Rows returned.
    pub output: Option<Figure>,
    /// Rows for which the function threw.
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
    /// The samples of its failed rows.
    pub samples: Option<Samples>,
}

/// The numbers of a step's failed rows and of its samples.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Samples {
    pub seen: u64,
    pub kept: u64,
    /// Whether the samples show every failed row; rows that look alike are one sample.
    pub complete: bool,
    /// The bounds that have left samples out, in words; empty in logs of earlier releases.
    pub cut_by: Vec<String>,
}

impl Samples {
    /// Whether some failed rows are not shown although the number of samples is not smaller than that of failed rows:
    /// the two numbers alone do not show this.
    pub fn is_quietly_cut(&self) -> bool {
        !self.complete && self.kept >= self.seen
    }
}

/// A named accumulator of the user's program.
#[derive(Debug, Clone, Default)]
pub struct Accumulator {
    /// Its name.
    pub name: String,
    /// Scope (`rdd:7`, `rdd:7/branch:2`) and figure, in the order of RDDs and branches. They are never summed: their
    /// rows may be the same.
    pub scopes: Vec<(String, Figure)>,
}

/// Failed rows with the same stack, or in the same group of the user's function.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The group's name from the user's function; empty if there is none.
    pub name: String,
    /// The stack's hash; of several stacks that of the most frequent one.
    pub hash: String,
    /// The number of different stacks.
    pub stacks: usize,
    /// The class of the error with the most frequent message.
    pub class: String,
    /// The most frequent message.
    pub message: String,
    /// The number of different messages.
    pub messages: usize,
    /// The stack, if a sample has it.
    pub stack: Option<String>,
    /// Steps with their numbers of samples.
    pub steps: Vec<(String, u64)>,
    /// Versions in use with their numbers of samples; the greatest first.
    pub versions: Vec<(String, u64)>,
    /// The rows, by step, stage and partition.
    pub samples: Vec<Sample>,
}

/// One failed row.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
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
    /// Whether its task attempt is the one that counts.
    pub committed: bool,
}

/// One attempt of a stage that ran.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
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
#[allow(missing_docs, reason = "the names are self-explanatory")]
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
#[allow(missing_docs, reason = "the names are self-explanatory")]
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
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct StageLog {
    pub stage: Option<u64>,
    /// Lines that were logged, including those that the log lacks.
    pub errors: u64,
    pub warnings: u64,
    /// Lines that the log has.
    pub kept_errors: u64,
    pub kept_warnings: u64,
    /// The number of lines that the log lacks, by executor; the greatest first.
    pub left_out: Vec<(String, u64)>,
    pub lines: Vec<LogLine>,
}

/// One line of a log.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct LogLine {
    pub at_ms: u64,
    pub executor: String,
    pub error: bool,
    pub logger: String,
    pub message: String,
    pub thread: String,
}

/// The shipper's own counters.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Health {
    pub log: Vec<(String, String)>,
    /// Lost events by cause.
    pub lost: Vec<(String, u64)>,
    pub sinks: Vec<SinkHealth>,
    /// The listener's counters by name.
    pub listener: Vec<(String, u64)>,
    pub callback_errors: u64,
    pub first_error: String,
}

/// One sink's counters.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct SinkHealth {
    pub name: String,
    pub sent: u64,
    pub retried: u64,
    pub behind: u64,
    pub last_failure: String,
    /// Failed calls by cause.
    pub failed: Vec<(String, u64)>,
    /// Dropped events by cause.
    pub dropped: Vec<(String, u64)>,
}

impl Cause {
    /// The name of the cause: the user's group, or the class.
    pub fn name(&self) -> &str {
        if self.group.is_empty() {
            &self.class
        } else {
            &self.group
        }
    }

    /// The text after the name.
    pub fn told(&self) -> String {
        told(&self.group, &self.class, self.messages, &self.message)
    }
}

impl Group {
    /// The name of the group: the user's, or the class.
    pub fn title(&self) -> &str {
        if self.name.is_empty() {
            &self.class
        } else {
            &self.name
        }
    }

    /// The text after the name.
    pub fn told(&self) -> String {
        told(&self.name, &self.class, self.messages as u64, &self.message)
    }

    /// Whether it is the group of a verdict's cause.
    pub fn is_of(&self, cause: &Cause) -> bool {
        self.name == cause.group && (!cause.group.is_empty() || self.hash == cause.hash)
    }
}

/// The message, or the number of messages with an example.
fn told(group: &str, class: &str, messages: u64, message: &str) -> String {
    let example = if group.is_empty() { message.to_string() } else { format!("{class}: {message}") };
    match messages {
        0 | 1 => example,
        n => format!("{n} different messages, for example: {example}"),
    }
}

impl Step {
    /// dropped / in; unknown without rows.
    pub fn drop_ratio(&self) -> Option<f64> {
        let input = self.input.as_ref()?.committed?.as_f64();
        let dropped = self.dropped.as_ref()?.committed?.as_f64();
        (input > 0.0).then(|| dropped / input)
    }

    /// All its figures: in, out, dropped, and its own counters.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        [&self.input, &self.output, &self.dropped].into_iter().flatten().chain(&self.own)
    }

    /// Whether every figure is exact.
    pub fn is_exact(&self) -> bool {
        self.figures().all(|figure| figure.exact)
    }

    /// The reasons for figures that are not exact, without duplicates.
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

    /// Whether some rows were evaluated more than once.
    pub fn ran_again(&self) -> bool {
        self.figures().any(Figure::ran_again)
    }
}

impl Health {
    /// Whether this counter of the listener counts losses.
    pub fn is_loss(&self, name: &str) -> bool {
        !["events", "late"].contains(&name)
    }
}

impl Figure {
    /// Whether attempted and committed values differ.
    pub fn ran_again(&self) -> bool {
        matches!((self.attempted, self.committed), (Some(a), Some(c)) if a != c)
    }
}

impl Stage {
    /// The time from its submission to its completion, or to `until` while it is running.
    pub fn took_ms(&self, until: u64) -> Option<u64> {
        Some(self.completed_ms.unwrap_or(until).saturating_sub(self.submitted_ms?))
    }
}

impl View {
    /// The last known moment of the application: its end, or else the last event.
    pub fn until_ms(&self) -> u64 {
        self.application.ended_ms.unwrap_or(self.last_ms)
    }

    /// The number of samples in all groups.
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
