//! From Bronze to Silver and from Silver to Gold.
//!
//! Each job is a plan, a value that can be printed, and an execution that makes no choices of
//! its own: [`silver::SilverJob`] and [`gold::GoldJob`].

pub mod bronze;
pub mod bronze_table;
pub mod error;
mod file_order;
pub mod gold;
pub mod history;
pub mod maintenance;
mod merge;
pub mod plan;
pub mod quality;
pub mod record;
pub mod reprocess;
pub mod runs;
pub mod silver;
pub mod spec;
pub mod summary;
pub mod text_table;
pub mod verify;
