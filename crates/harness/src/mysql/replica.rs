//! Two servers, one replicating from the other by GTID: what a failover needs.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use mysql_async::{Opts, Row, UrlError};

use super::{Flavor, MySqlServer, over_tcp};

/// Why a server does not replicate from another; an operator's affair.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// A server's URL cannot be read.
    #[error("the url of a server cannot be read")]
    Url(#[from] UrlError),
    /// A server refused a statement or broke the connection.
    #[error("the servers cannot be tied together")]
    Server(#[from] mysql_async::Error),
    /// Replication was set up and stands still.
    #[error("the replica does not replicate: {reason}")]
    Stopped {
        /// The replica's last error.
        reason: String,
    },
}

/// Makes `replica` follow `source` by GTID, as a fail-over pair does. Both need server ids of
/// their own (`--server-id`); what the replica holds already must come from the source.
///
/// # Errors
/// See [`ReplicaError`].
pub async fn replicate_from(
    replica: &MySqlServer,
    source: &MySqlServer,
    flavor: Flavor,
) -> Result<(), ReplicaError> {
    let port = Opts::from_url(source.url())?.tcp_port();
    let mut conn = Conn::new(over_tcp(replica.url())?).await?;
    let statements = match flavor {
        Flavor::MySql => [
            format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, \
                 SOURCE_USER = 'root', SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, \
                 GET_SOURCE_PUBLIC_KEY = 1"
            ),
            "START REPLICA".to_owned(),
        ],
        Flavor::MariaDb => [
            format!(
                "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, \
                 MASTER_USER = 'root', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1"
            ),
            "START REPLICA".to_owned(),
        ],
    };
    for statement in statements {
        conn.query_drop(statement).await?;
    }
    conn.disconnect().await?;
    Ok(())
}

/// Waits until `replica` has applied all that `source` has committed so far.
///
/// # Errors
/// The replica has stopped, or a server does not answer.
pub async fn catch_up(
    replica: &MySqlServer,
    source: &MySqlServer,
    flavor: Flavor,
) -> Result<(), ReplicaError> {
    let (executed, wait) = match flavor {
        Flavor::MySql => ("SELECT @@global.gtid_executed", "WAIT_FOR_EXECUTED_GTID_SET"),
        Flavor::MariaDb => ("SELECT @@global.gtid_binlog_pos", "MASTER_GTID_WAIT"),
    };
    let mut conn = Conn::new(over_tcp(source.url())?).await?;
    let set: Option<String> = conn.query_first(executed).await?;
    conn.disconnect().await?;
    let mut conn = Conn::new(over_tcp(replica.url())?).await?;
    let waited: Option<i64> =
        conn.exec_first(format!("SELECT {wait}(?, 30)"), (set.unwrap_or_default(),)).await?;
    if waited != Some(0) {
        let status: Option<Row> = conn.query_first("SHOW REPLICA STATUS").await?;
        let reason = status.map(|row| last_error(&row)).unwrap_or_default();
        return Err(ReplicaError::Stopped { reason });
    }
    conn.disconnect().await?;
    Ok(())
}

/// The errors among the columns of a replica's status.
fn last_error(row: &Row) -> String {
    let columns = row.columns_ref().iter().enumerate();
    let errors = columns.filter(|(_, column)| column.name_str().ends_with("_Error"));
    let texts = errors.filter_map(|(place, _)| row.get::<Option<String>, _>(place).flatten());
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}
