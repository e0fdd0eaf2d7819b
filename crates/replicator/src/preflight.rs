//! What must be true of the source before a row is read, all findings at once.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::mem::discriminant;

use medallion_definition::contract::{Column, TableContract};
use medallion_definition::name::{ColumnName, TableId};
use medallion_definition::types::MySqlType;
use medallion_ingestion::types::arrow_type;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::server::{DatabaseError, Source};

const DOING: &str = "checking the source";

/// Character sets whose bytes are UTF-8 as they stand.
const UTF8_CHARACTER_SETS: [&str; 4] = ["utf8mb4", "utf8mb3", "utf8", "ascii"];

/// What the replicator knows of a server that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// The version as the server prints it.
    pub version: String,
    /// `@@server_uuid`: the identity of the binlog.
    pub server_uuid: String,
    /// The ids of the collations whose text is UTF-8.
    pub utf8_collations: BTreeSet<u16>,
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
    /// Not a MySQL server.
    Server {
        /// The version as the server prints it.
        version: String,
    },
    /// A server setting.
    Setting {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What to do.
        hint: &'static str,
    },
    /// A table or column differs from its contract.
    Source(SourceMismatch),
}

/// How a source table differs from its contract.
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
            SourceFinding::Server { version } => {
                write!(f, "the server is `{version}`; MySQL 8.0.1 or later is needed")
            }
            SourceFinding::Setting { name, value, hint } => {
                write!(f, "`{name}` is `{value}`\n    hint: {hint}")
            }
            SourceFinding::Source(SourceMismatch { table, column: Some(column), difference }) => {
                write!(f, "table `{table}`, column `{column}`: {difference}")
            }
            SourceFinding::Source(SourceMismatch { table, column: None, difference }) => {
                write!(f, "table `{table}`: {difference}")
            }
        }
    }
}

/// The variables that matter, the values that will do, and how to get there.
const SETTINGS: [(&str, &[&str], &str); 6] = [
    ("log_bin", &["ON"], "start the server with --log-bin"),
    ("binlog_format", &["ROW"], "SET PERSIST binlog_format = ROW"),
    ("binlog_row_image", &["FULL"], "SET PERSIST binlog_row_image = FULL"),
    ("binlog_row_metadata", &["FULL"], "SET PERSIST binlog_row_metadata = FULL"),
    ("binlog_row_value_options", &[""], "SET PERSIST binlog_row_value_options = ''"),
    (
        "binlog_transaction_compression",
        &["OFF"],
        "SET PERSIST binlog_transaction_compression = OFF",
    ),
];

/// Checks the server's settings, and each contract against its table.
pub async fn check(
    source: &Source,
    contracts: &[TableContract],
) -> Result<ServerFacts, PreflightError> {
    let mut conn = source.connect().await?;
    let outcome = check_with(source, &mut conn, contracts).await;
    // The answers are in; how the connection ends tells nothing about them.
    let _ = conn.disconnect().await;
    outcome
}

async fn check_with(
    source: &Source,
    conn: &mut Conn,
    contracts: &[TableContract],
) -> Result<ServerFacts, PreflightError> {
    let failed = |error| source.error(DOING, error);
    let version: String = conn
        .query_first("SELECT @@version")
        .await
        .map_err(failed)?
        .ok_or_else(|| source.unexpected(DOING))?;
    let mut findings = Vec::new();
    if version.contains("MariaDB") || conn.server_version() < (8, 0, 1) {
        findings.push(SourceFinding::Server { version });
        let address = source.address().to_owned();
        return Err(PreflightError::Findings { address, findings });
    }
    let names: Vec<String> = SETTINGS.iter().map(|(name, ..)| format!("'{name}'")).collect();
    let query = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(","));
    let values: Vec<(String, String)> = conn.query(query).await.map_err(failed)?;
    findings.extend(settings(&values.into_iter().collect()));
    for contract in contracts {
        let table = read_table(conn, &contract.table).await.map_err(failed)?;
        findings.extend(mismatches(contract, table.as_ref()).map(SourceFinding::Source));
    }
    if !findings.is_empty() {
        let address = source.address().to_owned();
        return Err(PreflightError::Findings { address, findings });
    }
    let server_uuid: Option<String> =
        conn.query_first("SELECT @@server_uuid").await.map_err(failed)?;
    let query = format!(
        "SELECT id FROM information_schema.collations WHERE character_set_name IN ('{}')",
        UTF8_CHARACTER_SETS.join("','")
    );
    let collations: Vec<u16> = conn.query(query).await.map_err(failed)?;
    Ok(ServerFacts {
        version,
        server_uuid: server_uuid.ok_or_else(|| source.unexpected(DOING))?,
        utf8_collations: collations.into_iter().collect(),
    })
}

fn settings(values: &HashMap<String, String>) -> Vec<SourceFinding> {
    let wrong = SETTINGS.into_iter().filter_map(|(name, wanted, hint)| match values.get(name) {
        Some(value) if wanted.contains(&value.as_str()) => None,
        Some(value) => Some(SourceFinding::Setting { name, value: value.clone(), hint }),
        // Variables that a release does not have yet, or no longer: the binlog then has one form
        // only, except that without metadata there are no column names.
        None if name == "binlog_row_metadata" => {
            Some(SourceFinding::Setting { name, value: String::new(), hint })
        }
        None => None,
    });
    wrong.collect()
}

/// A source table as `information_schema` shows it.
#[derive(Debug, Default)]
struct SourceTable {
    engine: Option<String>,
    /// Name, type and character set.
    columns: Vec<(String, String, Option<String>)>,
    key: Vec<String>,
}

async fn read_table(
    conn: &mut Conn,
    table: &TableId,
) -> Result<Option<SourceTable>, mysql_async::Error> {
    let names = (table.schema.as_str(), table.table.as_str());
    let engine: Option<Option<String>> = conn
        .exec_first(
            "SELECT engine FROM information_schema.tables \
             WHERE table_schema = ? AND table_name = ? AND table_type = 'BASE TABLE'",
            names,
        )
        .await?;
    let Some(engine) = engine else { return Ok(None) };
    let columns = conn
        .exec(
            "SELECT column_name, CAST(column_type AS CHAR), character_set_name \
             FROM information_schema.columns WHERE table_schema = ? AND table_name = ? \
             ORDER BY ordinal_position",
            names,
        )
        .await?;
    let key = conn
        .exec(
            "SELECT column_name FROM information_schema.statistics \
             WHERE table_schema = ? AND table_name = ? AND index_name = 'PRIMARY' \
             ORDER BY seq_in_index",
            names,
        )
        .await?;
    Ok(Some(SourceTable { engine, columns, key }))
}

fn mismatches(
    contract: &TableContract,
    table: Option<&SourceTable>,
) -> impl Iterator<Item = SourceMismatch> {
    let mut found = Vec::new();
    let mut push = |column: Option<&ColumnName>, difference: String| {
        let (table, column) = (contract.table.clone(), column.cloned());
        found.push(SourceMismatch { table, column, difference });
    };
    match table {
        None => push(None, "MySQL has no such table, or the user may not read it".to_owned()),
        Some(table) => {
            if table.engine.as_deref() != Some("InnoDB") {
                push(None, "only InnoDB gives a consistent snapshot".to_owned());
            }
            let key: Vec<&str> = contract.key.iter().map(ColumnName::as_str).collect();
            if table.key != key {
                let (source, wanted) = (table.key.join(", "), key.join(", "));
                push(None, format!("the primary key is ({source}), the contract has ({wanted})"));
            }
            for column in &contract.columns {
                if let Some(difference) = column_difference(column, table) {
                    push(Some(&column.name), difference);
                }
            }
        }
    }
    found.into_iter()
}

fn column_difference(column: &Column, table: &SourceTable) -> Option<String> {
    let found = table.columns.iter().find(|(name, ..)| name == column.name.as_str());
    let Some((_, source_type, character_set)) = found else {
        return Some("MySQL has no such column".to_owned());
    };
    let holds = source_type.parse().is_ok_and(|source| holds(&column.source_type, &source));
    if !holds {
        return Some(format!(
            "MySQL has the type `{source_type}`, which the contract's cannot hold"
        ));
    }
    match character_set {
        Some(set) if !UTF8_CHARACTER_SETS.contains(&set.as_str()) => {
            Some(format!("the character set `{set}` is not one of utf8mb4, utf8mb3, ascii"))
        }
        _ => None,
    }
}

/// True when every value of the source's type has its place in the contract's Bronze column.
/// Lengths of text and lists of members do not matter there.
fn holds(contract: &MySqlType, source: &MySqlType) -> bool {
    let texts = contract.is_text() && source.is_text();
    let same_kind = texts || discriminant(contract) == discriminant(source);
    let fraction_fits = match (contract, source) {
        (MySqlType::Time(contract), MySqlType::Time(source)) => contract >= source,
        _ => true,
    };
    same_kind && fraction_fits && arrow_type(contract) == arrow_type(source)
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
