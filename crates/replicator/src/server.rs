//! The MySQL server: how to reach it, and where its binlog ends.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row};

use crate::position::{BinlogPosition, PositionError};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a silent connection is tried.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// The largest packet of the protocol, in bytes: binlog events go beyond the server's own limit.
const LARGEST_PACKET: usize = 1 << 30;

/// Why the server did not answer as hoped. The cause never stands in the message, and no message
/// holds a user or a password.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL is none (operator).
    #[error("the MySQL URL must read `mysql://user:password@host:port`")]
    Url,
    /// Nobody answers there (retry).
    #[error("MySQL at `{address}` cannot be reached")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// The cause; `None` after a time-out.
        source: Option<Box<mysql_async::Error>>,
    },
    /// Wrong user, wrong password or a missing privilege (operator).
    #[error("MySQL at `{address}` denies {doing} (error {code})")]
    Denied {
        /// `host:port`.
        address: String,
        /// What was tried.
        doing: &'static str,
        /// MySQL's error code.
        code: u16,
        /// The cause.
        source: Box<mysql_async::Error>,
    },
    /// The connection broke (retry).
    #[error("MySQL at `{address}` broke the connection while {doing}")]
    Lost {
        /// `host:port`.
        address: String,
        /// What was tried.
        doing: &'static str,
        /// The cause.
        source: Box<mysql_async::Error>,
    },
    /// The server cannot do it just now: a lock, a changing table, a shutdown (retry).
    #[error("MySQL at `{address}` is busy while {doing} (error {code})")]
    Busy {
        /// `host:port`.
        address: String,
        /// What was tried.
        doing: &'static str,
        /// MySQL's error code.
        code: u16,
        /// The cause.
        source: Box<mysql_async::Error>,
    },
    /// The server refused a statement (operator).
    #[error("MySQL at `{address}` failed while {doing} (error {code})")]
    Refused {
        /// `host:port`.
        address: String,
        /// What was tried.
        doing: &'static str,
        /// MySQL's error code.
        code: u16,
        /// The cause.
        source: Box<mysql_async::Error>,
    },
    /// The answer has another form than the one documented (bug).
    #[error("MySQL at `{address}` gave an unexpected answer while {doing}")]
    Answer {
        /// `host:port`.
        address: String,
        /// What was tried.
        doing: &'static str,
    },
}

/// A MySQL server and the user to log in with.
#[derive(Clone, Debug)]
pub struct Source {
    opts: Opts,
    address: String,
}

impl Source {
    /// Reads a URL such as `mysql://replicator:secret@db.example:3306`.
    pub fn from_url(url: &str) -> Result<Source, DatabaseError> {
        let opts = Opts::from_url(url).map_err(|_| DatabaseError::Url)?;
        let address = format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port());
        // The session's settings decide how values look: UTC, no padding of CHAR.
        let setup = ["SET SESSION time_zone = '+00:00'", "SET SESSION sql_mode = ''"];
        let opts = OptsBuilder::from_opts(opts)
            .prefer_socket(false)
            .tcp_keepalive(Some(KEEPALIVE))
            .max_allowed_packet(Some(LARGEST_PACKET))
            .setup(setup.map(str::to_owned).to_vec())
            .into();
        Ok(Source { opts, address })
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Opens a connection whose session is in UTC.
    pub async fn connect(&self) -> Result<Conn, DatabaseError> {
        let unreachable =
            |source| DatabaseError::Unreachable { address: self.address.clone(), source };
        match tokio::time::timeout(CONNECT_TIMEOUT, Conn::new(self.opts.clone())).await {
            Err(_) => Err(unreachable(None)),
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(error @ mysql_async::Error::Server(_))) => Err(self.error("the login", error)),
            Ok(Err(error)) => Err(unreachable(Some(Box::new(error)))),
        }
    }

    /// Sorts an error of the driver by what can be done about it.
    pub(crate) fn error(&self, doing: &'static str, error: mysql_async::Error) -> DatabaseError {
        let address = self.address.clone();
        let code = match &error {
            mysql_async::Error::Server(server) => server.code,
            _ => return DatabaseError::Lost { address, doing, source: Box::new(error) },
        };
        let source = Box::new(error);
        match code {
            // ER_DBACCESS_DENIED_ERROR, ER_ACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR,
            // ER_COLUMNACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR
            1044 | 1045 | 1142 | 1143 | 1227 => {
                DatabaseError::Denied { address, doing, code, source }
            }
            // ER_CON_COUNT_ERROR, ER_SERVER_SHUTDOWN, ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK,
            // ER_QUERY_INTERRUPTED, ER_TABLE_DEF_CHANGED, and ER_BAD_FIELD_ERROR when a column goes
            // between being listed and being read
            1040 | 1053 | 1054 | 1205 | 1213 | 1317 | 1412 => {
                DatabaseError::Busy { address, doing, code, source }
            }
            _ => DatabaseError::Refused { address, doing, code, source },
        }
    }

    pub(crate) fn unexpected(&self, doing: &'static str) -> DatabaseError {
        DatabaseError::Answer { address: self.address.clone(), doing }
    }

    /// Where the binlog ends now: every change committed before this call lies before it.
    pub async fn binlog_end(&self, conn: &mut Conn) -> Result<BinlogPosition, DatabaseError> {
        const DOING: &str = "reading the binlog's end";
        const SYNTAX: u16 = 1064;
        // The statement was renamed in MySQL 8.2; MariaDB has the old name, with higher versions.
        let newer = match conn.server_version() >= (8, 2, 0) {
            true => conn.query_first("SHOW BINARY LOG STATUS").await,
            false => conn.query_first("SHOW MASTER STATUS").await,
        };
        let row: Result<Option<Row>, _> = match newer {
            Err(mysql_async::Error::Server(error)) if error.code == SYNTAX => {
                conn.query_first("SHOW MASTER STATUS").await
            }
            answer => answer,
        };
        let row = row.map_err(|error| self.error(DOING, error))?;
        let unexpected = || self.unexpected(DOING);
        let row = row.ok_or_else(unexpected)?;
        let file: String = row.get_opt(0).and_then(Result::ok).ok_or_else(unexpected)?;
        let offset: u64 = row.get_opt(1).and_then(Result::ok).ok_or_else(unexpected)?;
        BinlogPosition::new(&file, offset).map_err(|_: PositionError| unexpected())
    }
}

/// The schema and table of a contract, quoted for SQL.
pub(crate) fn quoted(schema: &str, table: &str) -> String {
    format!("`{schema}`.`{table}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_shows_the_password() {
        let source = Source::from_url("mysql://root:geheim@localhost:3307").unwrap();
        assert_eq!(source.address(), "localhost:3307");
        let server = |code| {
            let (message, state) = ("denied".to_owned(), "HY000".to_owned());
            mysql_async::Error::Server(mysql_async::ServerError { code, message, state })
        };
        let denied = source.error("the login", server(1045));
        assert_eq!(denied.to_string(), "MySQL at `localhost:3307` denies the login (error 1045)");
        assert!(matches!(source.error("x", server(1064)), DatabaseError::Refused { .. }));
        assert!(matches!(source.error("x", server(1053)), DatabaseError::Busy { .. }));
        let error = Source::from_url("mysql:/root:geheim@localhost").unwrap_err();
        assert!(!error.to_string().contains("geheim"));
    }

    #[tokio::test]
    async fn a_server_that_nobody_runs_is_named_by_host_and_port() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let source = Source::from_url(&format!("mysql://root:geheim@127.0.0.1:{port}")).unwrap();
        let error = source.connect().await.unwrap_err();
        assert!(matches!(error, DatabaseError::Unreachable { .. }));
        assert_eq!(error.to_string(), format!("MySQL at `127.0.0.1:{port}` cannot be reached"));
    }
}
