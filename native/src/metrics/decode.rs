//! Decoders for the packed buffers of the JVM: task ends and step cells. Little endian; docs/internals/wire-format.md
//! defines them. Every field is checked before use, and no input makes decoding panic.

use crate::error::{Code, Error, Result};
use crate::samples::Bound;

const TASK_END_VERSION: u32 = 2;
const STEP_CELL_VERSION: u32 = 2;
/// The value for "no SQL execution".
const NO_EXECUTION: u64 = u64::MAX;
/// The limit of guards around one job in a cell.
const MOST_GUARDS: usize = 64;
/// The limit of a step's counters.
pub(super) const MOST_COUNTERS: usize = 256;
/// The index of a pseudo-counter: the number of additions to counters from outside the step's functions.
pub(super) const OUTSIDE: usize = 255;
/// The limit of an operator's partitions.
pub(super) const MOST_PARTITIONS: u32 = 1 << 24;
const UPDATE: usize = 24;
const COUNTER: usize = 10;

/// The kind of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// A task of a result stage: Spark counts its first success.
    Result,
    /// A task of a shuffle map stage: the newest attempt's output is used.
    ShuffleMap,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Spark's")]
pub enum Reason {
    Success,
    Failed,
    Killed,
    /// The task had succeeded, and its output was lost before the stage had ended.
    Resubmitted,
    FetchFailed,
    Other,
}

/// The end of one task attempt, as the listener saw it. Borrows the buffer: decoding allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Spark's")]
pub struct TaskEnd<'a> {
    pub stage: u32,
    pub stage_attempt: u32,
    pub task_attempt: u64,
    pub partition: u32,
    pub kind: TaskKind,
    pub reason: Reason,
    pub finished_ms: u64,
    /// The task has read input that Spark counts (persisted blocks or files), or this is unknown.
    pub has_read: bool,
    updates: &'a [u8],
}

impl<'a> TaskEnd<'a> {
    /// The same task end for another partition.
    pub(super) fn at(self, partition: u32) -> TaskEnd<'a> {
        TaskEnd { partition, ..self }
    }

    /// Decodes a buffer.
    ///
    /// # Errors
    /// [`Code::BadArgument`] unless the buffer is exactly one task end of this version.
    pub fn decode(buffer: &'a [u8]) -> Result<TaskEnd<'a>> {
        let mut from = Reader { what: "task end", left: buffer };
        let end = TaskEnd::take(&mut from)?;
        from.end()?;
        Ok(end)
    }

    /// Decodes consecutive task ends. An error ends the iteration.
    ///
    /// # Errors
    /// [`Code::BadArgument`] unless the buffer consists of task ends of this version.
    pub fn all(buffer: &'a [u8]) -> impl Iterator<Item = Result<TaskEnd<'a>>> {
        let mut from = Reader { what: "task end", left: buffer };
        std::iter::from_fn(move || {
            if from.left.is_empty() {
                return None;
            }
            let end = TaskEnd::take(&mut from);
            if end.is_err() {
                from.left = &[];
            }
            Some(end)
        })
    }

    fn take(from: &mut Reader<'a>) -> Result<TaskEnd<'a>> {
        from.version(TASK_END_VERSION)?;
        let (stage, stage_attempt) = (from.u32()?, from.u32()?);
        let (task_attempt, partition) = (from.u64()?, from.u32()?);
        let kind = match from.u8()? {
            0 => TaskKind::Result,
            1 => TaskKind::ShuffleMap,
            other => return Err(from.bad(&format!("task kind {other}"))),
        };
        let reason = match from.u8()? {
            0 => Reason::Success,
            1 => Reason::Failed,
            2 => Reason::Killed,
            3 => Reason::Resubmitted,
            4 => Reason::FetchFailed,
            _ => Reason::Other,
        };
        let has_read = from.u16()? & 1 != 0;
        let finished_ms = from.u64()?;
        let count = from.u32()? as usize;
        let updates = from.bytes(count.checked_mul(UPDATE).ok_or_else(|| from.bad("too many updates"))?)?;
        Ok(TaskEnd {
            stage,
            stage_attempt,
            task_attempt,
            partition,
            kind,
            reason,
            finished_ms,
            has_read,
            updates,
        })
    }

    /// Accumulator, update and merged value, in the order of the buffer. Update and merged value are the bits of an
    /// i64 or an f64.
    pub fn updates(&self) -> impl Iterator<Item = (u64, u64, u64)> + 'a {
        let words = self.updates.chunks_exact(UPDATE);
        words.map(|each| (word(&each[..8]), word(&each[8..16]), word(&each[16..])))
    }
}

/// The counts of one task attempt in one partition of one instance of a step's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepCell<'a> {
    /// The step's number on the driver.
    pub step: u64,
    /// The operator's number on the driver.
    pub site: u64,
    /// The physical execution of the operator; a greater number is newer.
    pub instance: u64,
    /// The partition of the instance.
    pub partition: u32,
    /// The instance's number of partitions; 0 if it has none and the cell stands for no partition.
    pub partitions: u32,
    /// The stage in which the attempt ran.
    pub stage: u32,
    /// The attempt of that stage.
    pub stage_attempt: u32,
    /// Spark's task attempt id; a greater one is newer in the whole application.
    pub task_attempt: u64,
    /// The input was read to its end.
    pub complete: bool,
    /// The attempt failed or was killed.
    pub failed: bool,
    /// A persisted RDD is downstream in the task: a block may hold the rows, for any outcome of the attempt.
    pub kept: bool,
    /// The cell was sent when the input was exhausted: the outcome of the attempt is unknown.
    pub early: bool,
    /// The task has evaluated the partition several times with different results; these are the worst.
    pub differs: bool,
    /// The samples show every failed row, or a row that looks the same.
    pub samples_whole: bool,
    /// The bound that the task met last, if the samples do not show every failed row.
    pub bound: Bound,
    /// Failed rows.
    pub seen: u64,
    /// The SQL execution of the task.
    pub execution: Option<u64>,
    guards: &'a [u8],
    counters: &'a [u8],
    samples: &'a [u8],
}

impl<'a> StepCell<'a> {
    /// Decodes a buffer.
    ///
    /// # Errors
    /// [`Code::BadArgument`] unless the buffer is exactly one cell of this version.
    pub fn decode(buffer: &'a [u8]) -> Result<StepCell<'a>> {
        let mut from = Reader { what: "step cell", left: buffer };
        from.version(STEP_CELL_VERSION)?;
        let (step, site, instance) = (from.u64()?, from.u64()?, from.u64()?);
        let (partition, partitions) = (from.u32()?, from.u32()?);
        if partition >= partitions.max(1) || partitions > MOST_PARTITIONS {
            return Err(from.bad(&format!("partition {partition} of {partitions}")));
        }
        let (stage, stage_attempt, task_attempt) = (from.u32()?, from.u32()?, from.u64()?);
        let flags = from.u8()?;
        let execution = Some(from.u64()?).filter(|id| *id != NO_EXECUTION);
        let count = from.u16()? as usize;
        if count > MOST_GUARDS {
            return Err(from.bad(&format!("{count} guards around one job")));
        }
        let guards = from.bytes(count * size_of::<u64>())?;
        let count = from.u16()? as usize;
        let counters = from.bytes(count * COUNTER)?;
        let indices = || counters.chunks_exact(COUNTER).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        if let Some(index) = indices().find(|index| usize::from(*index) >= MOST_COUNTERS) {
            return Err(from.bad(&format!("counter {index}: a step has at most {MOST_COUNTERS}")));
        }
        let seen = from.u64()?;
        let count = from.u32()?;
        let samples = from.left;
        for _ in 0..count {
            let length = from.u32()? as usize;
            from.bytes(length)?;
        }
        from.end()?;
        Ok(StepCell {
            step,
            site,
            instance,
            partition,
            partitions,
            stage,
            stage_attempt,
            task_attempt,
            complete: flags & 1 != 0,
            failed: flags & 2 != 0,
            samples_whole: flags & 4 != 0,
            kept: flags & 8 != 0,
            early: flags & 16 != 0,
            differs: flags & 32 != 0,
            bound: match (flags & 64 != 0, flags & 128 != 0) {
                (_, true) => Bound::Result,
                (true, false) => Bound::Task,
                _ => Bound::Number,
            },
            seen,
            execution,
            guards,
            counters,
            samples,
        })
    }

    /// The guards under which the task ran.
    pub fn guards(&self) -> impl Iterator<Item = u64> + 'a {
        self.guards.chunks_exact(size_of::<u64>()).map(word)
    }

    /// Counter and value. Counter 0 is `in`, 1 `out`, 2 `dropped`; the user's follow. Each index is below
    /// [`MOST_COUNTERS`].
    pub fn counters(&self) -> impl Iterator<Item = (usize, i64)> + 'a {
        let pairs = self.counters.chunks_exact(COUNTER);
        pairs.map(|pair| (usize::from(u16::from_le_bytes([pair[0], pair[1]])), word(&pair[2..]) as i64))
    }

    /// The samples of failed rows, each a JSON object as text.
    pub fn samples(&self) -> impl Iterator<Item = &'a [u8]> + 'a {
        let mut left = Reader { what: "step cell", left: self.samples };
        std::iter::from_fn(move || {
            let length = left.u32().ok()? as usize;
            left.bytes(length).ok()
        })
    }
}

/// Takes numbers from the front of a buffer.
struct Reader<'a> {
    what: &'static str,
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, left)) = self.left.split_at_checked(count) else {
            return Err(self.bad(&format!("{count} bytes are missing at its end")));
        };
        self.left = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn version(&mut self, known: u32) -> Result<()> {
        match self.u32()? {
            version if version == known => Ok(()),
            other => Err(self.bad(&format!(
                "version {other}, and this library reads version {known}: the jar and its native library differ"
            ))),
        }
    }

    fn end(&self) -> Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        Err(self.bad(&format!("{} bytes too many", self.left.len())))
    }

    fn bad(&self, why: &str) -> Error {
        Error::new(Code::BadArgument, format!("{}: {why}", self.what))
    }
}

fn word(bytes: &[u8]) -> u64 {
    let mut array = [0; 8];
    array.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(array)
}
