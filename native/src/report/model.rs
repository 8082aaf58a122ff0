//! The contents of a report on one application, for every output format.
//!
//! A field that may be unknown is an option or may be empty. Texts are neither cleaned nor cut here.

use crate::event::{gate, Decision};
pub use crate::event::{
    ApplicationBody as Application, ExecutionBody as Execution, FailedRowBody as Sample, GateBody as Gate,
    HealthBody as Health, JobBody as Job, LogLineBody as LogLine, MetricBody as Figure, Number as Amount,
    SampleSummaryBody as Samples, StageBody as Stage, StageId, TopCause as Cause, VerdictBody as Verdict,
};

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

    /// Whether it is unknown whether a limit is broken; `passed` says whether the write may proceed anyway.
    pub fn is_unknown(&self) -> bool {
        self.result == Some(Decision::Unknown)
    }

    /// Whether it did not pass because of this operator. If a log's release names no operator, all operators of the
    /// step are meant.
    pub fn blames(&self, site: &str) -> bool {
        let limit = self.limit_ratio;
        let mut over = self
            .operators
            .iter()
            .filter(|one| one.ratio().zip(limit).is_some_and(|(share, limit)| share > limit))
            .peekable();
        if self.passed {
            false
        } else if over.peek().is_some() {
            over.any(|one| one.site == site)
        } else if !self.operators.is_empty() {
            self.operators.iter().any(|one| one.site == site)
        } else {
            self.site.is_empty() || self.site == site
        }
    }
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
    pub fn text(&self) -> String {
        gate::text(&self.name, &self.class, self.messages as u64, &self.message)
    }

    /// Whether it is the group of a verdict's cause.
    pub fn is_of(&self, cause: &Cause) -> bool {
        self.name == cause.group && (!cause.group.is_empty() || self.hash == cause.hash)
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

    /// The log's counters by name, and its last failure.
    pub fn log_counts(&self) -> Vec<(&'static str, String)> {
        let log = &self.log;
        let counts = [
            ("appended", log.appended),
            ("bytes", log.bytes),
            ("durable", log.durable),
            ("failures", log.failures),
            ("syncs", log.syncs),
        ];
        let failure = Some(("last_failure", log.last_failure.clone())).filter(|(_, said)| !said.is_empty());
        let counts = counts.into_iter().filter_map(|(name, n)| Some((name, n?.to_string())));
        counts.chain(failure).collect()
    }
}

impl Figure {
    /// Whether attempted and committed values differ.
    pub fn ran_again(&self) -> bool {
        matches!((self.attempted, self.committed), (Some(a), Some(c)) if a != c)
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

impl Stage {
    /// The time from its submission to its completion, or to `until` while it runs.
    pub fn took_ms(&self, until: u64) -> Option<u64> {
        Some(self.completed_ms.unwrap_or(until).saturating_sub(self.submitted_ms?))
    }
}
