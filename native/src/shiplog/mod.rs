//! The ship log: what an application tells is durable here before any sink sees it.
//!
//! An application has one folder, and a folder one writer: the driver, through a [`ShipLog`]. Threads
//! [`append`](ShipLog::append) to a bounded queue and go on; the log's own thread takes groups of at most 64 records,
//! each at most 20 ms after its first record came, writes a group to the segment and syncs it, then acknowledges it.
//! Shippers and reports read the files.
//!
//! What holds, whenever the process is killed or the machine loses its power:
//! - **Acknowledged is there.** An event up to [`acknowledged`](ShipLog::acknowledged) is read back, once, with its
//!   content. A shipper sees no event before that.
//! - **In order.** Sequences grow by one. After the last acknowledged event a reader may find some that were on their
//!   way and, where a machine lost its power, gaps between them; and a torn tail. It says how much is missing or torn.
//! - **Damage stays where it is.** Every record has its own checksum and begins with bytes that occur nowhere inside:
//!   a reader skips what is damaged up to the next whole record, and counts what is missing by the sequences.
//! - **Nobody waits.** Appending never touches a file. A disk that is slow, full or gone makes the queue grow to its
//!   bound; what comes then is lost and counted by cause. What waits is written when the disk recovers.
//!
//! A folder or segment that somebody removes while it is written is made anew at the next sync: what it had is lost, which a
//! warning says and readers count, but for the application itself, which is written again.
//!
//! A segment that refused a write or a sync is given up and its group written again to a new one, since a kernel that
//! failed to sync may forget the pages. So a sequence may be in two segments; the second is read over.
//!
//! | module | what it is |
//! |---|---|
//! | `event`, `id`, `health` | what is logged and how it is named, what is counted |
//! | `log` | the writer's side |
//! | `queue`, `writer`, `medium` | from the threads that append to the files |
//! | `record`, `scan` | the format, and reading it from whatever is there |
//! | `folder`, `place`, `recovery`, `retention`, `position` | the folders: locks, names, ends, removal, how far sinks are |
//! | `read`, `tail`, `found` | the reader's side |
//! | `secret` | what keys hashes of a run |
//! | `lossy`, `told` | disks that tests choose |

mod claim;
mod event;
mod folder;
mod found;
mod health;
pub mod id;
mod log;
#[cfg(feature = "test-hooks")]
mod lossy;
mod medium;
mod place;
mod position;
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
#[cfg(feature = "test-hooks")]
mod told;
mod writer;

pub use claim::Claim;
pub use event::{Event, Kind, Sequence};
pub use folder::Folder;
pub use found::{applications, Found};
pub use health::{Cause, Health};
pub use log::{Following, Options, ShipLog};
pub use medium::{Files, Medium, SegmentFile};
pub use place::local;
pub use position::{position, set_position};
pub use read::{read, Notes, Reading};
pub use secret::secret;
pub use tail::Tail;
