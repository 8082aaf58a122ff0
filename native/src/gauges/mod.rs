//! Atlas: figures of this process as tagged series, published once in each step.
//!
//! Atlas accepts points in time and refuses later ones. So nothing waits for Atlas, and points that it has not
//! accepted within their step are dropped and counted: the ship log is the record, these series are for graphs. The
//! publisher has a thread of its own, and asks its [`Source`] for the figures; it depends on neither cache nor
//! metrics.
//!
//! | module | contents |
//! |---|---|
//! | `settings` | target, step and tags |
//! | `reading` | a figure of the process with its tags |
//! | `tags` | Atlas' rules for names and tags |
//! | `book` | the series, and the points to publish: rates of counters, limits |
//! | `api` | the publish API: JSON over HTTP |
//! | `spectatord` | the line protocol of the agent, over UDP or a Unix socket |
//! | `health` | counters of the fate of points |
//! | `publisher` | the publishing thread |

mod api;
mod book;
mod health;
mod publisher;
mod reading;
mod settings;
mod spectatord;
mod tags;
#[cfg(all(test, not(feature = "shuttle")))]
mod tests;

pub use health::AtlasHealth;
pub use publisher::{Publisher, ReadingSource};
pub use reading::{Figure, Reading};
pub use settings::{AtlasSettings, Target};
