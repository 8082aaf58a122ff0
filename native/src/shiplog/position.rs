//! The progress of sinks: for each sink one small file beside the segments, with the last sequence that it
//! has shipped.
//!
//! The file is created with 0 before any event is owed to the sink, and replaced atomically. An outdated
//! position costs repeated shipping under the same ids; an unreadable one counts as 0.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::folder;
use crate::error::{Error, Result};
use crate::event::Sequence;

/// The longest content of a position file, in bytes.
const MOST: u64 = 64;

/// The position of `sink` in the log of `folder`; `None` if no event was ever owed to the sink.
pub fn position(folder: &Path, sink: &str) -> Option<Sequence> {
    let text = content(&folder.join(folder::position(sink)))?;
    Some(parse(&text).unwrap_or_default())
}

/// Writes the position durably.
pub fn set_position(folder: &Path, sink: &str, sequence: Sequence) -> Result<()> {
    let name = folder::position(sink);
    let path = folder.join(&name);
    let replace = || -> io::Result<()> {
        let directory = folder::open_directory(folder)?;
        let fresh = format!("{name}.new");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&directory, &fresh, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(text(sequence).as_bytes())?;
        file.sync_data()?;
        Ok(rustix::fs::renameat(&directory, &fresh, &directory, &name)?)
    };
    replace().map_err(|error| Error::io(&format!("write {}", path.display()), &error))
}

/// Whether any sink has not yet shipped the log in `folder` up to `last`.
pub(super) fn owed(folder: &Path, last: Sequence) -> bool {
    let Ok(names) = folder::names(folder) else { return true };
    let positions = names.iter().filter(|name| name.starts_with("position-") && !name.ends_with(".new"));
    positions
        .map(|name| content(&folder.join(name)).and_then(|text| parse(&text)).unwrap_or_default())
        .any(|position| position < last)
}

/// The content of a position file, up to the length limit.
fn content(path: &Path) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    folder::open_file(path).ok()?.take(MOST).read_to_end(&mut content).ok()?;
    Some(content)
}

fn text(sequence: Sequence) -> String {
    let number = format!("{sequence} ");
    let sum = crc32fast::hash(number.as_bytes());
    format!("{number}{sum:08x}\n")
}

fn parse(bytes: &[u8]) -> Option<Sequence> {
    let number = std::str::from_utf8(bytes).ok()?.split(' ').next()?.parse().ok()?;
    (text(Sequence(number)).as_bytes() == bytes).then_some(Sequence(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(position(dir.path(), "kafka"), None);
        for number in [0, 17, u64::MAX] {
            set_position(dir.path(), "kafka", Sequence(number)).unwrap();
            assert_eq!(position(dir.path(), "kafka"), Some(Sequence(number)));
        }
        assert_eq!(position(dir.path(), "hive"), None);
    }

    #[test]
    fn a_damaged_position_is_the_start() {
        let dir = tempfile::tempdir().unwrap();
        for wrong in ["", "17", "17 00000000\n", "-1 00000000\n", "\u{1}\u{2}", "99999999999999999999 0"] {
            std::fs::write(dir.path().join("position-kafka"), wrong).unwrap();
            assert_eq!(position(dir.path(), "kafka"), Some(Sequence::NONE), "{wrong:?}");
        }
    }
}
