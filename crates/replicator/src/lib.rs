//! The local stand-in for AWS DMS: a consistent full load of MySQL tables, then their changes
//! along the binlog, as Parquet files in Bronze with the keys, columns and types of DMS.
//!
//! [`replicate()`] does all of it. Delivery is at least once: what was written after the last
//! checkpoint is written again after a crash, with the same change sequences.

pub mod bronze_file;
pub mod checkpoint;
pub mod event;
pub mod follow;
pub mod position;
pub mod preflight;
pub mod progress;
pub mod replicate;
pub mod server;
pub mod sink;
pub mod snapshot;
pub mod table_map;
pub mod value;

mod column;
mod decimal;
mod json;
mod json_number;
mod result_row;
mod transaction;
mod wire;
mod writer;

#[cfg(test)]
mod fixture;

pub use replicate::{ReplicateError, Replication, Settings, replicate};
