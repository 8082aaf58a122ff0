//! One view of an application, for a terminal and as one HTML page.
//!
//! [`View::build`] puts together what a ship log says of an application: the last revision of each event wins.
//! [`text::render`] and [`html::render`] show it, [`diff::render`] compares two; [`command`] is `andiron`, which reads logs.
//!
//! What users wrote (names, messages, rows, log lines) is hostile until shown otherwise. It reaches an output only
//! through [`clean`], which names every control, override and invisible character instead of printing it, and bounds
//! its length; the page's writer takes markup as `&'static str` only, so that nothing read at run time can be a tag.

mod build;
pub mod check;
mod clean;
pub mod command;
pub mod diff;
mod events;
mod failures;
mod format;
pub mod html;
mod json;
pub mod model;
mod pick;
mod properties;
mod reading;
mod rows;
mod steps;
pub mod text;

pub use build::LINES_PER_STAGE;
pub use model::View;
