//! One view of an application, for a terminal and as one HTML page.
//!
//! [`View::build`] builds the view from an application's ship log: the last revision of each event holds.
//! [`text::render`] and [`html::render`] show it, [`diff::render`] compares two; [`command`] is the command
//! `andiron`, which reads logs.
//!
//! Text from users (names, messages, rows, log lines) is treated as hostile. It reaches an output only through
//! [`clean`], which replaces every control, override and invisible character by its name and bounds the length. The
//! page's writer takes markup only as `&'static str`, so that no text read at run time can be a tag.

mod build;
pub mod check;
mod clean;
pub mod command;
pub mod diff;
mod events;
mod failures;
mod format;
pub mod html;
mod latest;
pub mod model;
mod pick;
mod properties;
mod reading;
mod rows;
mod steps;
pub mod text;

pub use build::LINES_PER_STAGE;
pub use model::View;
