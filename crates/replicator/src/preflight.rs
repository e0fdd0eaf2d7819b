//! What must be true of the source before a row is read, all findings at once.

mod contract;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use medallion_definition::contract::TableContract;
use medallion_definition::name::{ColumnName, TableId};
use medallion_definition::types::MySqlType;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::inspection::binlog::{self, SETTINGS};
use crate::inspection::server::{self, Server};
use crate::inspection::table::{self, SourceColumn, SourceTable};
use crate::server::{DatabaseError, Source};

pub(crate) use contract::holds;

pub use crate::inspection::server::Flavor;

const DOING: &str = "checking the source";

/// What the replicator knows of a server that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// The version as the server prints it.
    pub version: String,
    /// Whose server it is.
    pub flavor: Flavor,
    /// The identity of the binlog: positions mean nothing in another one. `@@server_uuid` in
    /// MySQL; in MariaDB, which has none, `@@server_uid` (or host name and port where that does
    /// not exist yet) together with `@@server_id`.
    pub server_uuid: String,
    /// True when each transaction carries a GTID.
    pub gtid: bool,
    /// The character set of every collation, by collation id.
    pub collations: BTreeMap<u16, String>,
}

/// Why the source cannot be replicated.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The server could not be asked.
    #[error("the source cannot be checked")]
    Database(#[from] DatabaseError),
    /// The server or its tables are not as they must be (operator).
    #[error("the source at `{address}` cannot be replicated:{}", lines(findings))]
    Findings {
        /// `host:port`.
        address: String,
        /// All that is wrong.
        findings: Vec<SourceFinding>,
    },
}

fn lines(findings: &[SourceFinding]) -> String {
    findings.iter().map(|finding| format!("\n  {finding}")).collect()
}

/// One thing that is wrong with the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceFinding {
    /// A server that is too old.
    Server {
        /// The product.
        flavor: Flavor,
        /// The version as the server prints it.
        version: String,
        /// The oldest version that will do.
        needed: String,
    },
    /// A server setting.
    Setting {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What to do.
        hint: String,
    },
    /// A schema that the server leaves out of its binlog.
    Filtered {
        /// The schema.
        schema: String,
    },
    /// A table or column differs from its contract, or cannot be replicated.
    Source(SourceMismatch),
}

/// How a source table differs from what it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceMismatch {
    /// The table.
    pub table: TableId,
    /// The column, when one alone is concerned.
    pub column: Option<ColumnName>,
    /// What differs.
    pub difference: String,
}

impl fmt::Display for SourceFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceFinding::Server { flavor, version, needed } => {
                let product = flavor.as_str();
                write!(f, "the server is `{version}`; {product} {needed} or later is needed")
            }
            SourceFinding::Setting { name, value, hint } => {
                write!(f, "`{name}` is `{value}`\n    hint: {hint}")
            }
            SourceFinding::Filtered { schema } => write!(
                f,
                "the changes of schema `{schema}` do not reach the binlog\n    \
                 hint: start the server without --binlog-do-db and --binlog-ignore-db"
            ),
            SourceFinding::Source(SourceMismatch { table, column: Some(column), difference }) => {
                write!(f, "table `{table}`, column `{column}`: {difference}")
            }
            SourceFinding::Source(SourceMismatch { table, column: None, difference }) => {
                write!(f, "table `{table}`: {difference}")
            }
        }
    }
}

/// Checks the server's settings and that each table can be replicated as a whole.
///
/// # Errors
/// All blocking findings at once; or the server's own error (see [`DatabaseError`]).
pub async fn check(source: &Source, tables: &[TableId]) -> Result<ServerFacts, PreflightError> {
    let mut conn = source.connect().await?;
    let outcome = checked(source, &mut conn, tables, &[]).await;
    // The answers are in; how the connection ends tells nothing about them.
    let _ = conn.disconnect().await;
    outcome
}

/// The same, and compares each contract with its table.
///
/// # Errors
/// As [`check`].
pub async fn check_contracts(
    source: &Source,
    contracts: &[TableContract],
) -> Result<ServerFacts, PreflightError> {
    let mut conn = source.connect().await?;
    let tables: Vec<TableId> = contracts.iter().map(|contract| contract.table.clone()).collect();
    let outcome = checked(source, &mut conn, &tables, contracts).await;
    let _ = conn.disconnect().await;
    outcome
}

async fn checked(
    source: &Source,
    conn: &mut Conn,
    tables: &[TableId],
    contracts: &[TableContract],
) -> Result<ServerFacts, PreflightError> {
    let failed = |error| source.error(DOING, error);
    let server = Server::read(source, conn).await?;
    let mut findings = settings(&server);
    if server.is_supported() {
        let schemas: BTreeSet<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
        findings.extend(filtered(source, conn, &server, &schemas).await?);
    }
    let readable = server::readable_sets(source, conn).await?;
    for id in tables {
        let found = table::read(conn, server.flavor, id).await.map_err(failed)?;
        let contract = contracts.iter().find(|contract| contract.table == *id);
        let mut mismatches = blocking(id, found.as_ref(), &readable);
        if let (Some(contract), Some(found)) = (contract, &found) {
            mismatches.extend(contract::mismatches(contract, found));
        }
        findings.extend(mismatches.into_iter().map(SourceFinding::Source));
    }
    if !findings.is_empty() {
        let address = source.address().to_owned();
        return Err(PreflightError::Findings { address, findings });
    }
    Ok(ServerFacts {
        server_uuid: server.identity().ok_or_else(|| source.unexpected(DOING))?,
        gtid: server.gtid(),
        collations: server::collations(source, conn, server.flavor).await?,
        flavor: server.flavor,
        version: server.version_text,
    })
}

/// The version and the variables without which nothing can be replicated.
fn settings(server: &Server) -> Vec<SourceFinding> {
    if !server.is_supported() {
        let (major, minor, patch) = server.first_supported();
        return vec![SourceFinding::Server {
            flavor: server.flavor,
            version: server.version_text.clone(),
            needed: format!("{major}.{minor}.{patch}"),
        }];
    }
    let wrong = SETTINGS.iter().filter(|setting| !setting.dms_only).filter_map(|setting| {
        let value = setting.wrong(server)?.to_owned();
        Some(SourceFinding::Setting { name: setting.name, value, hint: setting.hint(server) })
    });
    let zero = server.is("server_id", "0").then(|| SourceFinding::Setting {
        name: "server_id",
        value: "0".to_owned(),
        hint: server.set("server_id", "1"),
    });
    wrong.chain(zero).collect()
}

/// Schemas that the server leaves out of its binlog.
async fn filtered(
    source: &Source,
    conn: &mut Conn,
    server: &Server,
    schemas: &BTreeSet<&str>,
) -> Result<Vec<SourceFinding>, DatabaseError> {
    let row: Option<Row> = conn
        .query_first(server.binlog_status())
        .await
        .map_err(|error| source.error("reading the binlog's end", error))?;
    // No row: there is no binlog, which is told already.
    let Some(row) = row else { return Ok(Vec::new()) };
    let text = |place: usize| -> String {
        row.get_opt::<Option<String>, _>(place).and_then(Result::ok).flatten().unwrap_or_default()
    };
    let (do_db, ignore_db) = (text(2), text(3));
    let left_out = schemas.iter().filter(|schema| binlog::filtered(schema, &do_db, &ignore_db));
    Ok(left_out.map(|schema| SourceFinding::Filtered { schema: (*schema).to_owned() }).collect())
}

/// Why a table cannot be replicated, whatever its contract says. `readable` are the character
/// sets whose text can be read from the binlog.
fn blocking(
    id: &TableId,
    table: Option<&SourceTable>,
    readable: &BTreeSet<String>,
) -> Vec<SourceMismatch> {
    let mut found = Vec::new();
    let mut push = |difference: String| {
        found.push(SourceMismatch { table: id.clone(), column: None, difference });
    };
    let Some(table) = table else {
        push("the source has no such table, or the user may not read it".to_owned());
        return found;
    };
    if table.kind != "BASE TABLE" {
        push(format!("it is a {}, and only plain tables are replicated", table.kind));
        return found;
    }
    if table.engine.as_deref() != Some("InnoDB") {
        push("only InnoDB gives a consistent snapshot".to_owned());
    }
    if table.key.is_empty() {
        push("it has no primary key, so that changes cannot find their row".to_owned());
    }
    for name in &table.key {
        if let Some(why) = table.column(name).and_then(SourceColumn::left_out) {
            push(format!("its key column `{name}` is {why}, and such columns are not replicated"));
        }
    }
    for column in table.columns.iter().filter(|column| column.left_out().is_none()) {
        let name = &column.name;
        if column.column_type.parse::<MySqlType>().is_err() {
            push(format!("its column `{name}` has the unknown type `{}`", column.column_type));
        }
        if let Some(set) = column.character_set.as_ref().filter(|set| !readable.contains(*set)) {
            push(format!(
                "the character set `{set}` of its column `{name}` cannot be read from the binlog"
            ));
        }
    }
    found
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
