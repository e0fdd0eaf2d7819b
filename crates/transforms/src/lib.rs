//! From Bronze to Silver and from Silver to Gold.
//!
//! Each job is a plan, a value that can be printed, and an execution that makes no choices of
//! its own: [`silver::SilverJob`] and [`gold::GoldJob`].

mod batch;
pub mod bronze;
pub mod bronze_table;
mod consolidate;
pub mod error;
mod file_order;
pub mod gold;
mod merge;
pub mod quality;
mod quarantine;
pub mod silver;
pub mod spec;
pub mod summary;
