//! The bytes of a segment: its header and its records. All numbers are little endian.
//!
//! ```text
//! header  magic 8 | version u16 | length u16 | reserved u32 | first sequence u64 | created ms u64
//!         | lengths of application, attempt and run id, u16 each | the three texts | CRC-32 u32 of all before
//! record  marker 4 | kind u8 | reserved u8 | id length u16 | body length u32 | sequence u64 | revision u64
//!         | CRC-32 u32 of all before | id | body | CRC-32 u32 of all before, marker to body
//! ```
//!
//! Magic, version, length and the header's checksum at its end stay in place in every version. The marker is
//! made of bytes that occur in no UTF-8 text, so neither an id nor a body can look like the start of a
//! record, and the time of a reader is linear in the bytes, also for malicious content.

use crate::event::{Event, Kind, Sequence};

const MAGIC: [u8; 8] = *b"\x89ANDLOG\n";
/// The version of the format that this code writes, and the greatest that it reads.
pub(super) const VERSION: u16 = 1;
const FIXED_HEADER: usize = 38;
/// The longest header, of this version or a later one.
const MOST_HEADER: usize = 4096;
/// The longest text in a header; longer texts are cut.
const MOST_TEXT: usize = 1024;

const MARKER: [u8; 4] = [0xfe, 0xc1, 0xff, 0xc0];
const RECORD_HEADER: usize = 32;
const CHECKSUM: usize = 4;
/// The kind of the record that marks an orderly close.
const CLOSING: u8 = 0;

/// No log reaches this sequence; a greater one means damage.
pub(super) const MOST_SEQUENCE: u64 = 1 << 62;

/// The longest id of an event, in bytes.
pub(super) const MOST_ID: usize = u16::MAX as usize;
/// The longest body of an event, in bytes.
pub(super) const MOST_BODY: usize = 8 << 20;

/// The description of a segment in its first bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Header {
    /// The sequence of the first record intended for the segment.
    pub(super) first: u64,
    pub(super) created_ms: u64,
    pub(super) application: String,
    pub(super) attempt: String,
    pub(super) run_id: String,
}

/// The classification of a file's first bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// A header of this version, and its length.
    Header(Header, usize),
    /// The file may be a segment; at least this many bytes are needed to decide.
    More(usize),
    /// A segment of a later version.
    Later(u16),
    /// A segment whose header is damaged; records may follow.
    Damaged,
    /// Not a segment.
    Foreign,
}

impl Header {
    /// The bytes of the header.
    pub(super) fn encode(&self) -> Vec<u8> {
        let texts = [&self.application, &self.attempt, &self.run_id].map(|text| cut(text, MOST_TEXT));
        let length = FIXED_HEADER + texts.iter().map(|text| text.len()).sum::<usize>() + CHECKSUM;
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(length as u16).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.created_ms.to_le_bytes());
        for text in texts {
            out.extend_from_slice(&(text.len() as u16).to_le_bytes());
        }
        for text in texts {
            out.extend_from_slice(text.as_bytes());
        }
        let sum = crc32fast::hash(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads the start of a file; `whole` if no more bytes follow.
    pub(super) fn decode(bytes: &[u8], whole: bool) -> Opening {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Opening::Foreign;
        }
        let (Some(version), Some(length)) = (u16_at(bytes, 8), u16_at(bytes, 10)) else {
            return if whole { Opening::Damaged } else { Opening::More(12) };
        };
        let length = usize::from(length);
        if !(12 + CHECKSUM..=MOST_HEADER).contains(&length) {
            return Opening::Damaged;
        }
        let Some(header) = bytes.get(..length) else {
            return if whole { Opening::Damaged } else { Opening::More(length) };
        };
        let (content, sum) = header.split_at(length - CHECKSUM);
        if u32_at(sum, 0) != Some(crc32fast::hash(content)) {
            return Opening::Damaged;
        }
        if version != VERSION {
            return Opening::Later(version);
        }
        match Header::decode_content(content) {
            Some(header) => Opening::Header(header, length),
            None => Opening::Damaged,
        }
    }

    fn decode_content(content: &[u8]) -> Option<Header> {
        let mut rest = content.get(FIXED_HEADER..)?;
        let mut text = |at: usize| {
            let (text, after) = rest.split_at_checked(usize::from(u16_at(content, at)?))?;
            rest = after;
            Some(std::str::from_utf8(text).ok()?.to_string())
        };
        let (application, attempt, run_id) = (text(32)?, text(34)?, text(36)?);
        let (first, created_ms) = (u64_at(content, 16)?, u64_at(content, 24)?);
        Some(Header { first, created_ms, application, attempt, run_id })
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogEntry {
    pub(super) sequence: Sequence,
    pub(super) content: Content,
}

/// The content of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Event(Event),
    /// The mark of an orderly close.
    Closing,
    /// An event of a kind from a later release.
    Unknown,
}

/// The classification of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A record, and its length.
    LogEntry(LogEntry, usize),
    /// They may be the start of a record; at least this many bytes are needed to decide.
    More(usize),
    /// Not the start of a record.
    Other,
}

/// Appends the bytes of an event's record.
pub(super) fn encode(out: &mut Vec<u8>, sequence: u64, event: &Event) {
    encode_parts(out, sequence, event.kind as u8, event.revision, &event.id, &event.body);
}

/// Appends the bytes of the record that marks an orderly close.
pub(super) fn encode_closing(out: &mut Vec<u8>, sequence: u64) {
    encode_parts(out, sequence, CLOSING, 0, "", "");
}

/// The size of an event's record in bytes.
pub(super) fn length(event: &Event) -> usize {
    RECORD_HEADER + event.id.len() + event.body.len() + CHECKSUM
}

fn encode_parts(out: &mut Vec<u8>, sequence: u64, kind: u8, revision: u64, id: &str, body: &str) {
    let start = out.len();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[kind, 0]);
    out.extend_from_slice(&(id.len() as u16).to_le_bytes());
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&revision.to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&out[start..]);
    out.extend_from_slice(&sum.clone().finalize().to_le_bytes());
    let summed = out.len() - CHECKSUM;
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(body.as_bytes());
    sum.update(&out[summed..]);
    out.extend_from_slice(&sum.finalize().to_le_bytes());
}

/// Reads the record at the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let known = bytes.len().min(MARKER.len());
    if bytes[..known] != MARKER[..known] {
        return Parsed::Other;
    }
    let Some(header) = bytes.get(..RECORD_HEADER) else {
        return Parsed::More(RECORD_HEADER);
    };
    parse_after(header, bytes).unwrap_or(Parsed::Other)
}

/// `None` if the header is whole but wrong.
fn parse_after(header: &[u8], bytes: &[u8]) -> Option<Parsed> {
    let (content, sum) = header.split_at(RECORD_HEADER - CHECKSUM);
    if u32_at(sum, 0)? != crc32fast::hash(content) {
        return None;
    }
    let id_length = usize::from(u16_at(content, 6)?);
    let body_length = u32_at(content, 8)? as usize;
    if body_length > MOST_BODY {
        return None;
    }
    let summed = RECORD_HEADER + id_length + body_length;
    // No id and no body contains the marker's first byte. With this check first, no reader waits for or sums
    // bytes beyond the next possible record start, regardless of the length in a damaged header, and each byte
    // is summed once.
    if bytes[RECORD_HEADER..summed.min(bytes.len())].contains(&MARKER[0]) {
        return None;
    }
    let Some(record) = bytes.get(..summed + CHECKSUM) else {
        return Some(Parsed::More(summed + CHECKSUM));
    };
    if u32_at(record, summed)? != crc32fast::hash(&record[..summed]) {
        return None;
    }
    let sequence = Sequence(u64_at(content, 12).filter(|number| (1..=MOST_SEQUENCE).contains(number))?);
    let content = match (content[4], Kind::from_number(content[4])) {
        (CLOSING, _) => Content::Closing,
        (_, None) => Content::Unknown,
        (_, Some(kind)) => {
            let id = std::str::from_utf8(&record[RECORD_HEADER..RECORD_HEADER + id_length]).ok()?;
            let body = std::str::from_utf8(&record[RECORD_HEADER + id_length..summed]).ok()?;
            let revision = u64_at(header, 20)?;
            Content::Event(Event { kind, id: id.to_string(), revision, body: body.to_string() })
        }
    };
    Some(Parsed::LogEntry(LogEntry { sequence, content }, summed + CHECKSUM))
}

/// The number of bytes at the start of `bytes` that cannot begin a record, given that the first one cannot.
pub(super) fn until_marker(bytes: &[u8]) -> usize {
    bytes.iter().skip(1).position(|byte| *byte == MARKER[0]).map_or(bytes.len(), |found| found + 1)
}

/// The longest prefix of `text` with at most `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event { kind: Kind::Metric, id: "app||7|rdd:1".into(), revision: 3, body: r#"{"v":1}"#.into() }
    }

    fn header() -> Header {
        let text = str::to_string;
        let (application, attempt, run_id) = (text("app-1"), text("2"), text("nightly"));
        Header { first: 9, created_ms: 77, application, attempt, run_id }
    }

    #[test]
    fn a_record_survives_its_bytes() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 5, &event());
        assert_eq!(bytes.len(), length(&event()));
        let record = LogEntry { sequence: Sequence(5), content: Content::Event(event()) };
        assert_eq!(parse(&bytes), Parsed::LogEntry(record, bytes.len()));
        for cut in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..cut]), Parsed::More(more) if more > cut), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 5, &event());
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&wrong), Parsed::Other, "bit {bit}");
        }
    }

    #[test]
    fn other_kinds_are_read_over() {
        let mut bytes = Vec::new();
        encode_closing(&mut bytes, 8);
        let end = bytes.len();
        encode_parts(&mut bytes, 9, 200, 1, "x", "{}");
        let closing = LogEntry { sequence: Sequence(8), content: Content::Closing };
        assert_eq!(parse(&bytes), Parsed::LogEntry(closing, end));
        let unknown = LogEntry { sequence: Sequence(9), content: Content::Unknown };
        assert_eq!(parse(&bytes[end..]), Parsed::LogEntry(unknown, bytes.len() - end));
    }

    #[test]
    fn a_header_survives_its_bytes() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes, false), Opening::Header(header(), bytes.len()));
        for cut in 0..bytes.len() {
            assert!(matches!(Header::decode(&bytes[..cut], false), Opening::More(_)), "cut at {cut}");
            assert_eq!(Header::decode(&bytes[..cut], true), Opening::Damaged, "cut at {cut}");
        }
        assert_eq!(Header::decode(b"\x7fELF", false), Opening::Foreign);
    }

    #[test]
    fn a_later_version_is_not_a_damaged_one() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        assert_eq!(Header::decode(&bytes, true), Opening::Damaged);
        let end = bytes.len() - CHECKSUM;
        let sum = crc32fast::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Header::decode(&bytes, true), Opening::Later(2));
    }

    #[test]
    fn long_texts_of_a_header_are_cut() {
        let long = Header { run_id: "ä".repeat(5_000), ..header() };
        let bytes = long.encode();
        let Opening::Header(read, _) = Header::decode(&bytes, true) else { panic!("not read") };
        assert_eq!(read.run_id, "ä".repeat(MOST_TEXT / 2));
    }
}
