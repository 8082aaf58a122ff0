//! Finds the applications that have logs below a root, from the ends of their files.

use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::folder;
use super::record::{Content, Header};
use super::scan::{ScanStep, Scanner};
use crate::error::Result;
use crate::event::{Event, Kind};

/// The bytes that are read of the first segment, and of the last segments together, not counting the last one
/// of these.
const LOOK: u64 = 256 << 10;

/// One application that has a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The folder of the log.
    pub folder: PathBuf,
    /// The application's id.
    pub application: String,
    /// Its attempt, or empty.
    pub attempt: String,
    /// The run that it belongs to, or empty.
    pub run_id: String,
    /// The creation time of the log, in milliseconds since 1970.
    pub started_ms: u64,
    /// The last modification, in milliseconds since 1970.
    pub modified_ms: u64,
    /// Whether a process has the log open now, to write or to replay it.
    pub live: bool,
    /// Whether the log was closed in order. If it is neither live nor closed, its driver was killed or could
    /// not write.
    pub closed: bool,
    /// Total bytes of its segments.
    pub bytes: u64,
    /// The latest [`Kind::Application`] event near the end, else near the beginning.
    pub event: Option<Event>,
}

/// The applications that have logs below `root`, oldest first; other entries are ignored. Reads at most a few
/// hundred kilobytes of each log.
pub fn applications(root: &Path) -> Result<Vec<Found>> {
    let folders = folder::names(root)?.into_iter().map(|name| root.join(name));
    let mut found: Vec<Found> = folders.filter_map(|folder| look(&folder)).collect();
    found.sort_by(|a, b| (a.started_ms, &a.folder).cmp(&(b.started_ms, &b.folder)));
    Ok(found)
}

/// The application whose log is in this folder.
pub(super) fn look(path: &Path) -> Option<Found> {
    let segments = folder::segments(path).ok()?;
    let header = segments.iter().find_map(|(_, segment)| header_of(segment))?;
    let (mut bytes, mut modified) = (0, SystemTime::UNIX_EPOCH);
    for metadata in segments.iter().filter_map(|(_, segment)| segment.metadata().ok()) {
        bytes += metadata.len();
        modified = modified.max(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
    }
    let (mut closed, mut event, mut looked) = (None, None, 0);
    for (_, segment) in segments.iter().rev() {
        let edge = edge(segment, true);
        if edge.records > 0 {
            closed = closed.or(Some(edge.closed));
        }
        event = edge.event;
        looked += edge.bytes;
        if event.is_some() || looked > LOOK {
            break;
        }
    }
    let event = event.or_else(|| edge(&segments.first()?.1, false).event);
    Some(Found {
        folder: path.to_path_buf(),
        application: header.application,
        attempt: header.attempt,
        run_id: header.run_id,
        started_ms: header.created_ms,
        modified_ms: modified.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64),
        live: folder::is_live(path),
        closed: closed.unwrap_or_default(),
        bytes,
        event,
    })
}

/// The latest application of `run_id` that was not closed in order, other than the one in `own`.
pub(super) fn predecessor(root: &Path, run_id: &str, own: &Path) -> Option<String> {
    if run_id.is_empty() {
        return None;
    }
    let found = applications(root).ok()?.into_iter();
    let dead = |found: &Found| found.run_id == run_id && !found.live && !found.closed && found.folder != own;
    found.rev().find(dead).map(|found| found.application)
}

fn header_of(segment: &Path) -> Option<Header> {
    let mut scanner = Scanner::new(folder::open_file(segment).ok()?);
    scanner.step(true).ok()?;
    scanner.header().cloned()
}

#[derive(Default)]
struct Edge {
    records: u64,
    bytes: u64,
    closed: bool,
    event: Option<Event>,
}

/// Reads the first or last records of a segment. Unreadable parts are ignored.
fn edge(segment: &Path, last: bool) -> Edge {
    let mut edge = Edge::default();
    let Ok(mut file) = folder::open_file(segment) else { return edge };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    edge.bytes = length.min(LOOK);
    let far = last && length > LOOK;
    if far && file.seek(SeekFrom::Start(length - LOOK)).is_err() {
        return edge;
    }
    let input = std::io::Read::take(file, LOOK);
    let mut scanner = if far { Scanner::within(input) } else { Scanner::new(input) };
    while let Ok(step) = scanner.step(true) {
        match step {
            ScanStep::LogEntry(record) => {
                edge.records += 1;
                edge.closed = record.content == Content::Closing;
                if let Content::Event(event) = record.content {
                    if event.kind == Kind::Application {
                        edge.event = Some(event);
                    }
                }
            }
            ScanStep::Corrupt(_) => {}
            ScanStep::Torn(_) | ScanStep::Later(_) | ScanStep::Foreign | ScanStep::End => break,
        }
    }
    edge
}
