//! Why following the binlog stops.

use std::io;

use medallion_definition::name::TableId;

use crate::bronze_file::BronzeFileError;
use crate::checkpoint_store::CheckpointStoreError;
use crate::event::EventError;
use crate::position::{BinlogPosition, PositionError};
use crate::server::DatabaseError;
use crate::sink::SinkError;
use crate::table_map::{ImageError, TableMapError};

/// Why following the binlog stopped. Nothing after the checkpoint is lost: it is read again.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The server did not answer as hoped.
    #[error("the binlog cannot be followed")]
    Database(#[from] DatabaseError),
    /// The server ended the stream, as it does when it shuts down (retry).
    #[error("MySQL ended the binlog stream at `{position}`")]
    Ended {
        /// The end of the last event.
        position: BinlogPosition,
    },
    /// Neither events nor heartbeats came (retry).
    #[error("MySQL has been silent for {seconds} seconds at `{position}`")]
    Silent {
        /// How long.
        seconds: u64,
        /// The end of the last event.
        position: BinlogPosition,
    },
    /// The stream is not of the binlog that the server writes: it was reset, or another server
    /// answers now (retry: the next start finds out).
    #[error("MySQL's binlog ends at `{end}`, while its stream stands still at `{position}`")]
    Detached {
        /// The end of the last event.
        position: BinlogPosition,
        /// Where the server says that its binlog ends.
        end: BinlogPosition,
    },
    /// The binlog no longer reaches back to the checkpoint (operator).
    #[error(
        "MySQL no longer has the binlog at `{position}`; hint: remove the checkpoint for a new full \
         load, and raise binlog_expire_logs_seconds"
    )]
    Purged {
        /// Where reading should have begun.
        position: BinlogPosition,
        /// The server's answer.
        source: Box<mysql_async::Error>,
    },
    /// The server refuses to send the binlog for another reason, for example because another
    /// replica uses the same server id (operator).
    #[error(
        "MySQL refuses the binlog at `{position}`; hint: is the replicator's server id in use?"
    )]
    Rejected {
        /// The end of the last event.
        position: BinlogPosition,
        /// The server's answer.
        source: Box<mysql_async::Error>,
    },
    /// An event that cannot be carried.
    #[error("at `{position}`: the event cannot be replicated")]
    Event {
        /// Where the event begins.
        position: BinlogPosition,
        /// Why.
        source: EventError,
    },
    /// A source table that cannot be carried as it is now (operator).
    #[error("at `{position}`: table `{table}` cannot be replicated")]
    TableMap {
        /// Where the event begins.
        position: BinlogPosition,
        /// The table.
        table: TableId,
        /// Why.
        source: Box<TableMapError>,
    },
    /// A row that cannot be carried.
    #[error("at `{position}`: a row of table `{table}` cannot be replicated")]
    Row {
        /// Where the event begins.
        position: BinlogPosition,
        /// The table.
        table: TableId,
        /// Why.
        source: Box<ImageError>,
    },
    /// A position without change number or file number.
    #[error("the binlog's position cannot be used")]
    Position(#[from] PositionError),
    /// Rows that do not become a file (bug).
    #[error("a change file cannot be made")]
    File(#[from] BronzeFileError),
    /// The store failed.
    #[error("Bronze cannot be written")]
    Sink(#[from] SinkError),
    /// The checkpoint could not be moved.
    #[error("what was followed cannot be recorded")]
    Checkpoint(#[from] CheckpointStoreError),
    /// The rows of a large transaction could not wait on disk (operator).
    #[error("the rows of a transaction cannot be kept on disk; hint: is the disk full?")]
    Spill(#[source] io::Error),
}
