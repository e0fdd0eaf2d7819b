//! Reading one table as it stands, for whoever compares it with something.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use medallion_definition::name::TableId;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc;

use super::LoadError;
use super::plan::Segment;
use super::segment::{READING, push, selection};
use super::snapshot;
use crate::bronze_file::RowBuffer;
use crate::knowledge;
use crate::position::BinlogPosition;
use crate::server::{DatabaseError, Source};
use crate::writer::timestamp_text;

/// The moment at which a table was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMoment {
    /// By our clock, just before the snapshot.
    pub at: DateTime<Utc>,
    /// The end of the binlog just before the snapshot, which holds every change before it. Nothing
    /// where the server has no binlog or the user may not see it.
    pub binlog: Option<BinlogPosition>,
}

/// Reads a table through one consistent snapshot and hands it out as Bronze files of a full load,
/// of about `file_bytes` of rows in memory each; an empty table gives none. Nothing is locked at
/// the server. Ends early, without error, when nobody takes the files any more.
///
/// # Errors
/// [`LoadError`], as the full load.
pub async fn read_table(
    source: &Source,
    table: &TableId,
    file_bytes: usize,
    files: &mpsc::Sender<Bytes>,
) -> Result<TableMoment, LoadError> {
    let mut conn = source.connect().await?;
    let binlog = match source.binlog_end(&mut conn).await {
        Ok(end) => Some(end),
        Err(DatabaseError::Denied { .. } | DatabaseError::Answer { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let moment = TableMoment { at: Utc::now(), binlog };
    snapshot::begin(source, &mut conn).await?;
    read(source, &mut conn, table, file_bytes, files).await?;
    // Everything is read; how the connection ends no longer matters.
    let _ = conn.disconnect().await;
    Ok(moment)
}

async fn read(
    source: &Source,
    conn: &mut Conn,
    table: &TableId,
    file_bytes: usize,
    files: &mpsc::Sender<Bytes>,
) -> Result<(), LoadError> {
    let failed = |error| LoadError::Database(source.error(READING, error));
    let shape = knowledge::shape(source, conn, table).await?;
    let shape = shape.ok_or_else(|| LoadError::NoTable { table: table.clone() })?;
    let shape = shape.map_err(|source| LoadError::Shape { table: table.clone(), source })?;
    let shape = Arc::new(shape);
    let (query, params) = selection(table, &shape, &Segment::whole());
    let mut result = conn.exec_iter(query, params).await.map_err(failed)?;
    let mut buffer = RowBuffer::new(&shape);
    let timestamp = timestamp_text(Utc::now());
    let finish = |buffer: &mut RowBuffer| {
        buffer.finish().map_err(|source| LoadError::File { table: table.clone(), source })
    };
    while let Some(row) = result.next().await.map_err(failed)? {
        push(table, &shape, &mut buffer, &row, &timestamp)?;
        if buffer.bytes() >= file_bytes && files.send(finish(&mut buffer)?).await.is_err() {
            return Ok(());
        }
    }
    if buffer.rows() > 0 {
        // Nobody takes it any more when this fails.
        drop(files.send(finish(&mut buffer)?).await);
    }
    Ok(())
}
