//! Looking at a live source: everything that would lose, reorder or cut data, for DMS or for the
//! replicator. It reads settings, `information_schema` and a few aggregates, changes nothing, and
//! reports no value of any row.

pub mod finding;
pub mod lob;
pub mod table;

pub(crate) mod binlog;
pub(crate) mod server;

mod attempt;
mod server_rules;
mod state;
mod table_rules;
mod table_state;
mod zero_date;

use std::time::Duration;

use medallion_definition::contract::TableContract;
use medallion_definition::finding::RuleId;
use medallion_definition::name::TableId;
use mysql_async::Conn;

use crate::inspection::finding::{Finding, Findings, Place, Severity};
use crate::inspection::lob::LobLength;
use crate::inspection::server::{Flavor, Server};
use crate::inspection::state::ServerState;
use crate::inspection::table::SourceTable;
use crate::inspection::table_state::TableState;
use crate::server::{DatabaseError, Source};

/// What an inspection compares with, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// DMS's `LobMaxSize` for tables whose contract promises nothing: longer values of large
    /// columns are cut. KiB.
    pub lob_kib: u64,
    /// How long one query over a table's rows may run.
    pub query: Duration,
    /// From how many rows on a full load by one reader takes long.
    pub many_rows: u64,
    /// The binlog that a replication stopped in.
    pub stopped_in: Option<KnownBinlog>,
}

impl Default for Limits {
    /// DMS's own default for LOBs, five seconds, five million rows.
    fn default() -> Limits {
        let query = Duration::from_secs(5);
        Limits { lob_kib: 32, query, many_rows: 5_000_000, stopped_in: None }
    }
}

/// The place of a checkpoint, as far as another server or a purge can invalidate it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBinlog {
    /// The identity of the server (see [`crate::preflight::ServerFacts::server_uuid`]).
    pub server_uuid: String,
    /// The binlog file in which reading goes on; `None` when only GTIDs are known.
    pub file: Option<String>,
    /// True when the checkpoint knows its transactions by GTID, by which another server can go on.
    pub by_gtid: bool,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// `host:port`.
    pub address: String,
    /// Product and version.
    pub server: String,
    /// The identity of the server, when it tells one.
    pub server_uuid: Option<String>,
    /// Each table with about how many rows it has; `None` when there is no such table.
    pub tables: Vec<(TableId, Option<u64>)>,
    /// The large columns and how long their values really are.
    pub lobs: Vec<LobLength>,
    /// The worst first.
    pub findings: Vec<Finding>,
}

impl Inspection {
    /// How many findings are that bad.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// A query over a table's rows did not end in time.
const NOT_MEASURED: RuleId = RuleId("source/not-measured");

/// Looks at a server and at the tables of contracts.
///
/// # Errors
/// When the server cannot be reached or denies the login, or the connection breaks; see
/// [`DatabaseError`]. A statement that the server denies is a finding.
pub async fn inspect(
    source: &Source,
    contracts: &[TableContract],
    limits: &Limits,
) -> Result<Inspection, DatabaseError> {
    let mut conn = source.connect().await?;
    let inspection = inspected(source, &mut conn, contracts, limits).await;
    // The answers are in; how the connection ends tells nothing about them.
    let _ = conn.disconnect().await;
    inspection
}

async fn inspected(
    source: &Source,
    conn: &mut Conn,
    contracts: &[TableContract],
    limits: &Limits,
) -> Result<Inspection, DatabaseError> {
    let state = ServerState::read(source, conn).await?;
    let mut findings = Findings::default();
    server_rules::check(&state, contracts, limits, &mut findings);
    let (mut tables, mut lobs) = (Vec::new(), Vec::new());
    for contract in contracts {
        let read = TableState::read(source, conn, &state, contract).await?;
        let Some(table) = read else {
            table_rules::missing(contract, &mut findings);
            tables.push((contract.table.clone(), None));
            continue;
        };
        tables.push((contract.table.clone(), Some(table.source.estimated_rows)));
        table_rules::check(&table, &state, limits, &mut findings);
        if table.readable {
            let asked = Asked { source, server: &state.server, limits };
            lobs.extend(lob::measure(&asked, conn, &table, &mut findings).await?);
            zero_date::look(&asked, conn, &table, &mut findings).await?;
        }
    }
    Ok(Inspection {
        address: source.address().to_owned(),
        server: format!("{} {}", state.server.flavor.as_str(), state.server.version_text),
        server_uuid: state.server.identity(),
        tables,
        lobs,
        findings: findings.sorted(),
    })
}

/// Whom the queries over rows ask, and how long they may take.
struct Asked<'a> {
    source: &'a Source,
    server: &'a Server,
    limits: &'a Limits,
}

impl Asked<'_> {
    /// A SELECT that the server itself ends after the limit.
    fn bounded(&self, select_list: &str, from: &str) -> String {
        let limit = self.limits.query;
        match self.server.flavor {
            Flavor::MySql => {
                let millis = limit.as_millis().max(1);
                format!("SELECT /*+ MAX_EXECUTION_TIME({millis}) */ {select_list} FROM {from}")
            }
            Flavor::MariaDb => {
                let seconds = limit.as_secs_f64();
                format!(
                    "SET STATEMENT max_statement_time={seconds} FOR SELECT {select_list} FROM {from}"
                )
            }
        }
    }

    fn not_measured(&self, table: &TableId, what: &str, findings: &mut Findings) {
        let seconds = self.limits.query.as_secs();
        findings.note(
            (NOT_MEASURED, Place::Table(table.clone())),
            format!("{what} could not be looked at within {seconds} s"),
            "ask again with more time, or ask a replica",
        );
    }
}

/// Describes one table; `None` when there is none that the user may see.
///
/// # Errors
/// See [`DatabaseError`].
pub async fn describe(source: &Source, id: &TableId) -> Result<Option<SourceTable>, DatabaseError> {
    let mut conn = source.connect().await?;
    let read = async {
        let server = Server::read(source, &mut conn).await?;
        let found = table::read(&mut conn, server.flavor, id).await;
        found.map_err(|error| source.error("reading a table's columns", error))
    };
    let outcome = read.await;
    // The answer is in; how the connection ends tells nothing about it.
    let _ = conn.disconnect().await;
    outcome
}

/// A name in backticks for SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Schema and table in backticks for SQL.
pub(crate) fn quoted_table(table: &TableId) -> String {
    format!("{}.{}", quoted(table.schema.as_str()), quoted(table.table.as_str()))
}
