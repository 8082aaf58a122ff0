//! A sink that is observed and controlled from outside of its process, in the library built for tests.
//!
//! `ANDIRON_TEST_SINK` names a directory. The sink appends a line of JSON to its file `taken` for each event, and
//! before each batch reads a command from its file `fault`: `retry`, `refuse`, `panic`, or `block`, which blocks as
//! long as the file contains it.

use std::fs::{read_to_string, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::sink::{ShipError, Sink};
use crate::event::Event;

/// The sink, if the environment of this process names one.
pub(super) fn sink() -> Option<Box<dyn Sink>> {
    let folder = std::env::var_os("ANDIRON_TEST_SINK").filter(|folder| !folder.is_empty())?;
    Some(Box::new(Watched { folder: folder.into() }))
}

struct Watched {
    folder: PathBuf,
}

impl Watched {
    fn fault(&self) -> String {
        read_to_string(self.folder.join("fault")).unwrap_or_default().trim().to_string()
    }
}

impl Sink for Watched {
    fn name(&self) -> &str {
        "watched"
    }

    fn ship(&mut self, events: &[Event]) -> Result<(), ShipError> {
        while self.fault() == "block" {
            std::thread::sleep(Duration::from_millis(20));
        }
        match self.fault().as_str() {
            "retry" => return Err(ShipError::Retry { cause: "told", why: "the sink is down".to_string() }),
            "refuse" => return Err(ShipError::Refused("the sink takes nothing".to_string())),
            "panic" => panic!("the sink panics as it was told"),
            _ => {}
        }
        let mut lines = String::new();
        for event in events {
            let line = serde_json::json!({
                "kind": event.kind as u8, "id": event.id, "revision": event.revision, "body": event.body,
            });
            lines.push_str(&format!("{line}\n"));
        }
        let file = OpenOptions::new().create(true).append(true).open(self.folder.join("taken"));
        let taken = file.and_then(|mut file| file.write_all(lines.as_bytes()));
        taken.map_err(|error| ShipError::Retry { cause: "told", why: error.to_string() })
    }
}
