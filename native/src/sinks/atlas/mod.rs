//! Atlas: figures of this process as tagged series, published once a step.
//!
//! Atlas keeps what arrives in time and refuses the rest. So nothing waits for it, nothing is kept for it, and what it has
//! not taken within a step is dropped and counted: the ship log is the record, this is the picture. The publisher has a
//! thread of its own, and asks whoever started it for the figures; it knows neither cache nor metrics.
//!
//! | module | what it is |
//! |---|---|
//! | `settings` | where to, how often, with which tags |
//! | `sample` | a figure with its tags, as the process tells it |
//! | `tags` | what Atlas allows in names and tags |
//! | `book` | which series there are, and what is published of them: rates of counters, limits |
//! | `api` | the publish API: JSON by HTTP |
//! | `spectatord` | the line protocol of the agent, by UDP or a unix socket |
//! | `health` | what has become of the points |
//! | `publisher` | the thread: step by step |

mod api;
mod book;
mod health;
mod publisher;
mod sample;
mod settings;
mod spectatord;
mod tags;
#[cfg(all(test, not(feature = "shuttle")))]
mod tests;

pub use health::AtlasHealth;
pub use publisher::{Publisher, Source};
pub use sample::{Sample, Value};
pub use settings::{AtlasSettings, Target};
