//! The end of a log after its last writer closed it or died.

use std::path::Path;

use super::folder::{self, Folder};
use super::record::{Content, MOST_SEQUENCE};
use super::scan::{ScanStep, Scanner};
use crate::error::{Code, Error, Result};

/// The place where the next writer begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The sequence of the next record.
    pub(super) next: u64,
    /// The last event, or 0; at most the mark of a close follows it.
    pub(super) last: u64,
    /// The number of the next segment.
    pub(super) number: u64,
}

/// Finds the end of a log and makes its readable part durable, since a writer that died has not synced its
/// last records. A torn tail stays in place: the next record goes to a new segment. Unless `thorough`, the
/// last segment with events is trusted to hold the greatest sequence.
pub(super) fn recover(folder: &Folder, thorough: bool) -> Result<End> {
    let segments = folder::segments(folder.path())?;
    let number = segments.last().map_or(1, |(number, _)| number.saturating_add(1));
    let (mut next, mut last) = (1, 0);
    for (_, path) in segments.iter().rev() {
        let found = end_of(path)?;
        next = next.max(found.next);
        last = last.max(found.last);
        if found.last > 0 && !thorough {
            break;
        }
    }
    rustix::fs::fsync(folder.fd())
        .map_err(|errno| Error::io(&format!("sync {}", folder.path().display()), &errno.into()))?;
    if next >= MOST_SEQUENCE {
        let path = folder.path().display();
        let message = format!("{path}: the log claims {next} records, which no log has: move it away");
        return Err(Error::new(Code::LogDamaged, message));
    }
    Ok(End { next, last, number })
}

struct SegmentEnd {
    next: u64,
    last: u64,
}

fn end_of(path: &Path) -> Result<SegmentEnd> {
    let failed = |error| Error::io(&format!("read {}", path.display()), &error);
    let file = folder::open_file(path).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    let mut scanner = Scanner::new(file);
    let mut end = SegmentEnd { next: 1, last: 0 };
    loop {
        match scanner.step(true).map_err(failed)? {
            ScanStep::LogEntry(record) => {
                end.next = end.next.max(record.sequence.0 + 1);
                if record.content != Content::Closing {
                    end.last = end.last.max(record.sequence.0);
                }
            }
            ScanStep::Later(version) => return Err(later(&path.display().to_string(), version)),
            ScanStep::Corrupt(_) => {}
            ScanStep::Torn(_) | ScanStep::Foreign | ScanStep::End => break,
        }
    }
    end.next = end.next.max(scanner.header().map_or(1, |header| header.first));
    Ok(end)
}

/// The error for a segment of a later release.
pub(super) fn later(segment: &str, version: u16) -> Error {
    let message = format!(
        "{segment} has version {version} of the format, this release reads version {} and older: read it with the \
         release that wrote it",
        super::record::VERSION
    );
    Error::new(Code::LogVersion, message)
}
