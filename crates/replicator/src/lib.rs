//! The local stand-in for AWS DMS: a consistent full load of MySQL tables, then their changes
//! along the binlog, as Parquet files in Bronze with the keys, columns and types of DMS.
//!
//! [`replicate()`] does all of it. Delivery is at least once: what was written after the last
//! checkpoint is written again after a crash, with the same change sequences.

#[doc(hidden)]
pub mod bench;
pub mod bronze_file;
pub mod checkpoint;
pub mod checkpoint_store;
pub mod ddl;
pub mod event;
pub mod follow;
pub mod follow_error;
pub mod gtid;
pub mod inspection;
pub mod load;
pub mod parquet_file;
pub mod position;
pub mod preflight;
pub mod progress;
pub mod replicate;
pub mod server;
pub mod shape;
pub mod sink;
pub mod table_map;
pub mod value;

mod assembled;
mod binlog_end;
mod binlog_stream;
mod charset;
mod column;
mod decimal;
mod failover;
mod held_rows;
mod json;
mod json_number;
mod knowledge;
mod partial_json;
mod result_row;
mod rows_event;
mod statement;
mod transaction;
mod wire;
mod writer;

#[cfg(test)]
mod fixture;

pub use replicate::{
    Mode, ReconnectPolicy, ReplicateError, Replication, Settings, StartPosition, replicate,
};
