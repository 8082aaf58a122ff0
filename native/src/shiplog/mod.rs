//! The ship log: events of an application are durable here before any sink sees them.
//!
//! An application has one folder, and a folder has one writer: the driver, through a [`ShipLog`]. Threads
//! [`append`](ShipLog::append) to a bounded queue without waiting; the log's own thread takes groups of at
//! most 64 records, each at most 20 ms after its first record arrived, writes a group to the segment, syncs
//! it, then acknowledges it. Shippers and reports read the files.
//!
//! Guarantees when the process is killed or the machine loses power:
//! - **Acknowledged events are durable.** Each event up to [`acknowledged`](ShipLog::acknowledged) is read
//!   back exactly once, with its content. A shipper sees no event before it is acknowledged.
//! - **Order.** Sequences grow by one. After the last acknowledged event a reader may find unacknowledged
//!   events, gaps between them after a power loss, and a torn tail. It reports the missing events and the
//!   torn bytes.
//! - **Damage stays local.** Each record has its own checksum and begins with bytes that occur nowhere inside
//!   a record: a reader skips damaged bytes up to the next whole record, and counts missing events by their
//!   sequences.
//! - **Appending never waits.** It touches no file. While a disk is slow, full or gone, the queue grows to
//!   its bound; events beyond it are lost and counted by cause. Queued events are written when the disk
//!   recovers.
//!
//! If the folder or segment is removed while it is written, the next sync creates it anew. Its earlier events
//! are lost, except for the event of the application itself, which is written again; a warning says so, and
//! readers count them.
//!
//! A segment whose write or sync failed is abandoned, and its group is written again to a new segment, since
//! a kernel that failed to sync may drop the pages. A sequence may thus be in two segments; readers skip the
//! second.
//!
//! | module | content |
//! |---|---|
//! | `health` | the log's counters |
//! | `log` | the writer's side |
//! | `queue`, `writer`, `medium` | the path from appending threads to the files |
//! | `record`, `scan` | the format, and reading it from undamaged and damaged files |
//! | `folder`, `place`, `recovery`, `retention`, `position` | folders: locks, names, ends, removal, positions of sinks |
//! | `read`, `tail`, `found` | the reader's side |
//! | `secret` | the key of a run's hashes |
//! | `process_medium`, `lossy` | the medium of this process; disks that tests choose |

mod claim;
mod folder;
mod found;
mod health;
mod log;
#[cfg(feature = "test-hooks")]
mod lossy;
mod medium;
mod place;
mod position;
mod process_medium;
mod queue;
mod read;
mod record;
mod recovery;
mod retention;
mod scan;
mod secret;
mod tail;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod writer;

pub use crate::event::{Event, Kind, Sequence};
pub use claim::Claim;
pub use folder::Folder;
pub use found::{applications, Found};
pub use health::{Health, LossCause};
pub use log::{Following, Options, ShipLog};
pub use medium::{DiskFiles, Medium, SegmentFile};
pub use place::local;
pub use position::{position, set_position};
pub use read::{read, LogReading, Notes};
pub use secret::secret;
pub use tail::Tail;
