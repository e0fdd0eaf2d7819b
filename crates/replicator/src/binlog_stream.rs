//! The binlog as a stream of events: by position, or by GTID set.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Sid};

use crate::checkpoint::Checkpoint;
use crate::event::EventError;
use crate::follow_error::FollowError;
use crate::position::BinlogPosition;
use crate::preflight::{Flavor, ServerFacts};
use crate::server::Source;

const DOING: &str = "following the binlog";
/// How often a silent server shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long the server waits, in seconds, while a large transaction is on its way to Bronze.
const PATIENCE: u32 = 86_400;
/// ER_MASTER_FATAL_ERROR_READING_BINLOG
const BINLOG_UNREADABLE: u16 = 1236;

/// Opens the stream where the checkpoint says: at its position or, when that means nothing on
/// this server, after its GTID set.
pub(crate) async fn open(
    source: &Source,
    facts: &ServerFacts,
    server_id: u32,
    checkpoint: &Checkpoint,
) -> Result<BinlogStream, FollowError> {
    let failed = |error| source.error(DOING, error);
    let mut conn = source.connect().await?;
    let nanos = HEARTBEAT.as_nanos();
    // Both spellings, for servers before and after 8.4.
    let heartbeat =
        format!("SET @source_heartbeat_period = {nanos}, @master_heartbeat_period = {nanos}");
    conn.query_drop(heartbeat).await.map_err(failed)?;
    conn.query_drop(format!("SET SESSION net_write_timeout = {PATIENCE}")).await.map_err(failed)?;
    if facts.flavor == Flavor::MariaDb {
        // The highest capability: GTID events come as they are.
        conn.query_drop("SET @mariadb_slave_capability = 4").await.map_err(failed)?;
    }
    let position = &checkpoint.safe.position;
    let request = BinlogStreamRequest::new(server_id);
    let gtids = checkpoint.gtid_set.to_string();
    let request = match (position.is_known(), facts.flavor) {
        (true, _) => request.with_filename(position.file().as_bytes()).with_pos(position.offset()),
        (false, Flavor::MySql) => {
            let sets = gtids.split(',').filter(|set| !set.is_empty());
            let sids: Result<Vec<Sid<'_>>, _> = sets.map(str::parse).collect();
            let sids = sids.map_err(|_| source.unexpected(DOING))?;
            request.with_gtid().with_gtid_set(sids)
        }
        (false, Flavor::MariaDb) => {
            let state =
                format!("SET @slave_connect_state = '{gtids}', @slave_gtid_strict_mode = 0");
            conn.query_drop(state).await.map_err(failed)?;
            request
        }
    };
    conn.get_binlog_stream(request).await.map_err(|error| stream_error(source, position, error))
}

pub(crate) fn stream_error(
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
            let gone = [
                "could not find first log file",
                "purged",
                "impossible position",
                "not in the master's binlog",
                "cannot replicate from server",
                // A file of the same name has begun anew.
                "truncated in the middle of event",
                "bogus data in log event",
            ];
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

/// The driver reports events that it cannot parse as I/O errors of this kind. A connection that
/// is cut in the middle of an event shows as another one.
fn is_malformed(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::DatabaseError;

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
