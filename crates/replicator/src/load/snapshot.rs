//! Several connections that see the source as it stood at one place in the binlog.

use medallion_definition::name::TableId;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::gtid::GtidSet;
use crate::position::BinlogPosition;
use crate::preflight::{Flavor, ServerFacts};
use crate::server::{DatabaseError, Source, quoted};

const DOING: &str = "taking a consistent snapshot";
/// `ER_SPECIFIC_ACCESS_DENIED_ERROR`: FLUSH TABLES WITH READ LOCK needs RELOAD, which managed
/// services do not give; `ER_ACCESS_DENIED_ERROR` is RDS's own answer.
const NO_RELOAD: [u16; 2] = [1227, 1045];

/// Open snapshots of one moment.
pub(crate) struct Snapshot {
    pub(crate) conns: Vec<Conn>,
    /// Every change before this position is in the snapshots, none after it.
    pub(crate) position: BinlogPosition,
    /// The transactions before it; empty without GTIDs.
    pub(crate) gtids: GtidSet,
    /// XA transactions are prepared whose rows lie before the position and are not in the
    /// snapshots.
    pub(crate) prepared_xa: bool,
}

impl Snapshot {
    /// Opens `count` snapshots of the same moment.
    ///
    /// A short lock ties them together and to the binlog: a global read lock or, where that is
    /// forbidden, read locks on the captured tables, which are all that matters. Reading itself
    /// locks nothing.
    pub(crate) async fn open(
        source: &Source,
        facts: &ServerFacts,
        tables: &[TableId],
        count: usize,
    ) -> Result<Snapshot, DatabaseError> {
        let failed = |error| source.error(DOING, error);
        let mut locker = source.connect().await?;
        // A reader that cannot get the lock must not block the writers behind it for long.
        locker.query_drop("SET SESSION lock_wait_timeout = 30").await.map_err(failed)?;
        lock(source, &mut locker, tables).await?;
        let mut conns = Vec::with_capacity(count.max(1));
        for _ in 0..count.max(1) {
            let mut conn = source.connect().await?;
            begin(source, &mut conn).await?;
            conns.push(conn);
        }
        let position = source.binlog_end(&mut locker).await?;
        let gtids = executed(source, facts, &mut locker).await?;
        let prepared_xa = prepared_xa(source, &mut locker).await?;
        locker.query_drop("UNLOCK TABLES").await.map_err(failed)?;
        // The lock is gone either way.
        let _ = locker.disconnect().await;
        Ok(Snapshot { conns, position, gtids, prepared_xa })
    }
}

/// Begins a snapshot: the connection sees the source as it is now, whatever is committed later.
pub(super) async fn begin(source: &Source, conn: &mut Conn) -> Result<(), DatabaseError> {
    for statement in [
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ] {
        conn.query_drop(statement).await.map_err(|error| source.error(DOING, error))?;
    }
    Ok(())
}

async fn lock(source: &Source, conn: &mut Conn, tables: &[TableId]) -> Result<(), DatabaseError> {
    let failed = |error| source.error(DOING, error);
    match conn.query_drop("FLUSH TABLES WITH READ LOCK").await {
        Ok(()) => Ok(()),
        Err(mysql_async::Error::Server(error)) if NO_RELOAD.contains(&error.code) => {
            let locks = tables
                .iter()
                .map(|t| format!("{} READ", quoted(t.schema.as_str(), t.table.as_str())));
            let locks: Vec<String> = locks.collect();
            conn.query_drop(format!("LOCK TABLES {}", locks.join(", "))).await.map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// The transactions that the server has executed; empty when they carry no GTIDs.
pub(crate) async fn executed(
    source: &Source,
    facts: &ServerFacts,
    conn: &mut Conn,
) -> Result<GtidSet, DatabaseError> {
    if !facts.gtid {
        return Ok(GtidSet::default());
    }
    let query = match facts.flavor {
        Flavor::MySql => "SELECT @@global.gtid_executed",
        Flavor::MariaDb => "SELECT @@global.gtid_binlog_pos",
    };
    let text: Option<String> =
        conn.query_first(query).await.map_err(|error| source.error(DOING, error))?;
    text.unwrap_or_default().parse().map_err(|_| source.unexpected(DOING))
}

/// True when XA transactions are prepared and undecided. Without the privilege to ask, the answer
/// is no, which is what DMS assumes too; the source's inspection tells of the missing privilege.
async fn prepared_xa(source: &Source, conn: &mut Conn) -> Result<bool, DatabaseError> {
    let rows: Result<Vec<Row>, _> = conn.query("XA RECOVER").await;
    match rows {
        Ok(rows) => Ok(!rows.is_empty()),
        // ER_XAER_RMERR, ER_SPECIFIC_ACCESS_DENIED_ERROR
        Err(mysql_async::Error::Server(error)) if [1401, 1227].contains(&error.code) => Ok(false),
        Err(error) => Err(source.error(DOING, error)),
    }
}
