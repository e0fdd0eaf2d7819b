//! Change data capture: from the checkpoint along the binlog, transaction by transaction.

use std::time::Duration;

use futures::StreamExt;
use medallion_definition::name::TableId;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::bronze_file::BronzeFileError;
use crate::checkpoint::Checkpoint;
use crate::event::EventError;
use crate::position::{BinlogPosition, PositionError};
use crate::preflight::ServerFacts;
use crate::progress::Phase;
use crate::replicate::Replication;
use crate::server::{DatabaseError, Source};
use crate::sink::{BronzeSink, SinkError};
use crate::table_map::{ImageError, TableMapError};
use crate::transaction::Assembler;
use crate::writer::ChangeWriter;

const DOING: &str = "following the binlog";
/// How often a silent server shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long it may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// ER_MASTER_FATAL_ERROR_READING_BINLOG
const BINLOG_UNREADABLE: u16 = 1236;

/// When buffered changes become files: at the first of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushPolicy {
    /// The longest time between two flushes.
    pub max_interval: Duration,
    /// The most bytes in memory, over all tables, measured after each transaction.
    pub max_bytes: usize,
}

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
    #[error("MySQL has been silent for {} seconds at `{position}`", SILENCE.as_secs())]
    Silent {
        /// The end of the last event.
        position: BinlogPosition,
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
    /// A source table no longer fits its contract (operator).
    #[error("at `{position}`: table `{table}` does not fit its contract")]
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
    /// The checkpoint has no JSON form (bug).
    #[error("the checkpoint cannot be written")]
    Json(#[source] serde_json::Error),
}

/// How to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowSettings {
    /// The id under which the server sees this replica; unique among its replicas.
    pub server_id: u32,
    /// When to write files.
    pub flush: FlushPolicy,
}

/// Follows the binlog until `stop` becomes true or its sender is gone; then writes what is
/// buffered and returns.
pub async fn follow<S: BronzeSink>(
    replication: &Replication<'_, S>,
    facts: &ServerFacts,
    settings: &FollowSettings,
    checkpoint: Checkpoint,
    mut stop: watch::Receiver<bool>,
) -> Result<(), FollowError> {
    let Replication { source, contracts, sink, progress } = *replication;
    let position = checkpoint.position.clone();
    let second = checkpoint.sequence_second;
    let mut assembler = Assembler::new(contracts, &facts.utf8_collations, position.clone(), second);
    let mut writer = ChangeWriter::new(sink, contracts, checkpoint, progress);
    progress.send_modify(|progress| progress.phase = Phase::Following);
    writer.announce(&position);
    let mut stream = open(source, settings.server_id, &position).await?;
    let interval = settings.flush.max_interval;
    let mut flush_at = Instant::now() + interval;
    loop {
        let due = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep_until(flush_at) => true,
            event = tokio::time::timeout(SILENCE, stream.next()) => {
                let event = match event {
                    Err(_) => {
                        return Err(FollowError::Silent { position: assembler.position().clone() });
                    }
                    Ok(None) => {
                        return Err(FollowError::Ended { position: assembler.position().clone() });
                    }
                    Ok(Some(event)) => {
                        event.map_err(|error| stream_error(source, assembler.position(), error))?
                    }
                };
                if let Some(transaction) = assembler.push(&event)? {
                    writer.take(&transaction)?;
                }
                writer.announce(assembler.safe_position());
                writer.bytes() >= settings.flush.max_bytes
            }
        };
        if due {
            writer.flush(assembler.safe_position(), assembler.sequence_second()).await?;
            flush_at = Instant::now() + interval;
        }
    }
    writer.flush(assembler.safe_position(), assembler.sequence_second()).await?;
    // Everything is durable; how the connection ends no longer matters.
    let _ = stream.close().await;
    Ok(())
}

async fn open(
    source: &Source,
    server_id: u32,
    position: &BinlogPosition,
) -> Result<BinlogStream, FollowError> {
    let mut conn = source.connect().await?;
    let nanos = HEARTBEAT.as_nanos();
    // Both spellings, for servers before and after 8.4.
    let heartbeat =
        format!("SET @source_heartbeat_period = {nanos}, @master_heartbeat_period = {nanos}");
    conn.query_drop(heartbeat).await.map_err(|error| source.error(DOING, error))?;
    let request = BinlogStreamRequest::new(server_id)
        .with_filename(position.file().as_bytes())
        .with_pos(position.offset());
    conn.get_binlog_stream(request).await.map_err(|error| stream_error(source, position, error))
}

fn stream_error(
    source: &Source,
    position: &BinlogPosition,
    error: mysql_async::Error,
) -> FollowError {
    let position = position.clone();
    match &error {
        mysql_async::Error::Server(server) if server.code == BINLOG_UNREADABLE => {
            let message = server.message.to_ascii_lowercase();
            let source = Box::new(error);
            // The server has one code for many reasons, told apart by its English text only.
            let gone = ["could not find first log file", "purged", "impossible position"];
            if gone.iter().any(|text| message.contains(text)) {
                FollowError::Purged { position, source }
            } else {
                FollowError::Rejected { position, source }
            }
        }
        mysql_async::Error::Io(mysql_async::IoError::Io(io)) if is_malformed(io) => {
            let source = std::io::Error::new(io.kind(), "the driver cannot read the event");
            FollowError::Event { position, source: EventError::Malformed { source } }
        }
        _ => FollowError::Database(source.error(DOING, error)),
    }
}

/// The driver reports events that it cannot parse as I/O errors of these kinds.
fn is_malformed(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purged_binlog_is_told_from_other_refusals() {
        let source = Source::from_url("mysql://root@127.0.0.1:1").unwrap();
        let position = BinlogPosition::new("binlog.000001", 4).unwrap();
        let answer = |code, message: &str| {
            let (message, state) = (message.to_owned(), "HY000".to_owned());
            let error = mysql_async::ServerError { code, message, state };
            stream_error(&source, &position, mysql_async::Error::Server(error))
        };
        let purged = "Could not find first log file name in binary log index file";
        assert!(matches!(answer(1236, purged), FollowError::Purged { .. }));
        let twice = "A replica with the same server_uuid/server_id as this replica has connected";
        assert!(matches!(answer(1236, twice), FollowError::Rejected { .. }));
        let denied = answer(1227, "Access denied; you need the REPLICATION SLAVE privilege");
        assert!(matches!(denied, FollowError::Database(DatabaseError::Denied { .. })));
    }
}
