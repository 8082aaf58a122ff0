//! From bytes to records: damaged bytes are skipped up to the next whole record.

use std::io::{ErrorKind, Read};

use super::record::{parse, until_marker, Header, LogEntry, Opening, Parsed};

/// Bytes per read.
const CHUNK: usize = 64 << 10;

/// One step through a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ScanStep {
    /// A whole record.
    LogEntry(LogEntry),
    /// This many bytes form no record; a record follows.
    Corrupt(u64),
    /// This many bytes at the end form no record: the writer died there, or the disk lost them.
    Torn(u64),
    /// A segment of a later version, which cannot be read.
    Later(u16),
    /// Not a segment.
    Foreign,
    /// No more records, for now or for good.
    End,
}

/// Walks through the bytes of one segment, from its header or from any offset.
pub(super) struct Scanner<R> {
    input: R,
    /// Bytes that were read but not yet consumed are in `start..end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    skipped: u64,
    header: Option<Header>,
    opened: bool,
    done: bool,
}

impl<R: Read> Scanner<R> {
    /// Begins at a segment's header.
    pub(super) fn new(input: R) -> Scanner<R> {
        let (buffer, skipped) = (vec![0; CHUNK], 0);
        Scanner { input, buffer, start: 0, end: 0, skipped, header: None, opened: false, done: false }
    }

    /// Begins at any byte after the header.
    pub(super) fn within(input: R) -> Scanner<R> {
        Scanner { opened: true, ..Scanner::new(input) }
    }

    /// The segment's header, available after the first step if it is undamaged.
    pub(super) fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The next step. Unless `whole`, more bytes may be appended later: an incomplete record is then left
    /// alone, and a later call looks at it again. After the end of a whole segment, every further step is
    /// [`ScanStep::End`].
    pub(super) fn step(&mut self, whole: bool) -> std::io::Result<ScanStep> {
        if self.done {
            return Ok(ScanStep::End);
        }
        if !self.opened {
            if let Some(step) = self.open(whole)? {
                return Ok(step);
            }
        }
        loop {
            match parse(&self.buffer[self.start..self.end]) {
                Parsed::LogEntry(..) if self.skipped > 0 => {
                    return Ok(ScanStep::Corrupt(std::mem::take(&mut self.skipped)));
                }
                Parsed::LogEntry(record, length) => {
                    self.start += length;
                    return Ok(ScanStep::LogEntry(record));
                }
                Parsed::More(bytes) => {
                    if !self.fill(bytes)? {
                        if !whole {
                            return Ok(ScanStep::End);
                        }
                        if self.start == self.end {
                            return Ok(self.finish());
                        }
                        self.skip();
                    }
                }
                Parsed::Other => self.skip(),
            }
        }
    }

    /// Reads the header; returns a step if the segment cannot be read further.
    fn open(&mut self, whole: bool) -> std::io::Result<Option<ScanStep>> {
        let mut ended = false;
        loop {
            match Header::decode(&self.buffer[..self.end], ended && whole) {
                Opening::Header(header, length) => {
                    self.header = Some(header);
                    self.start = length;
                    break;
                }
                Opening::More(_) if ended => return Ok(Some(ScanStep::End)),
                Opening::More(bytes) => ended = !self.fill(bytes)?,
                Opening::Damaged => break,
                Opening::Later(version) => {
                    self.done = true;
                    return Ok(Some(ScanStep::Later(version)));
                }
                Opening::Foreign => {
                    self.done = true;
                    return Ok(Some(ScanStep::Foreign));
                }
            }
        }
        self.opened = true;
        Ok(None)
    }

    fn finish(&mut self) -> ScanStep {
        self.done = true;
        match std::mem::take(&mut self.skipped) {
            0 => ScanStep::End,
            bytes => ScanStep::Torn(bytes),
        }
    }

    fn skip(&mut self) {
        let bytes = until_marker(&self.buffer[self.start..self.end]);
        self.start += bytes;
        self.skipped += bytes as u64;
    }

    /// Reads until `bytes` are available; false if the input ends before.
    fn fill(&mut self, bytes: usize) -> std::io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
        }
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < bytes {
            self.buffer.resize(bytes.max(2 * self.buffer.len()), 0);
        }
        while self.end < bytes {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
