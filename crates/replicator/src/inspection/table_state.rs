//! What is read of a table before the rules look at it.

use medallion_definition::contract::TableContract;
use medallion_definition::name::TableId;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::attempt::{Attempt, attempt};
use super::quoted_table;
use super::state::ServerState;
use super::table::{self, SourceTable};
use crate::server::{DatabaseError, Source};

const READING: &str = "inspecting a table";

/// A table, its contract, and what hangs on it.
#[derive(Debug)]
pub(super) struct TableState<'a> {
    pub(super) contract: &'a TableContract,
    pub(super) source: SourceTable,
    /// True when the user may read all columns.
    pub(super) readable: bool,
    /// Foreign keys of this table through which a parent's change alters its rows.
    pub(super) cascades: Vec<Cascade>,
    /// How many triggers it has.
    pub(super) triggers: u64,
}

/// A foreign key by which a parent's change alters this table's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cascade {
    pub(super) constraint: String,
    pub(super) parent: String,
    pub(super) on_update: String,
    pub(super) on_delete: String,
}

impl TableState<'_> {
    /// Reads the table of a contract; `None` when there is none that the user may see.
    pub(super) async fn read<'a>(
        source: &Source,
        conn: &mut Conn,
        state: &ServerState,
        contract: &'a TableContract,
    ) -> Result<Option<TableState<'a>>, DatabaseError> {
        let id = &contract.table;
        let failed = |error| source.error(READING, error);
        let found = table::read(conn, state.server.flavor, id).await.map_err(failed)?;
        let Some(found) = found else { return Ok(None) };
        let names = (id.schema.as_str(), id.table.as_str());
        let triggers: Option<u64> = conn
            .exec_first(
                "SELECT COUNT(*) FROM information_schema.triggers \
                 WHERE event_object_schema = ? AND event_object_table = ?",
                names,
            )
            .await
            .map_err(failed)?;
        Ok(Some(TableState {
            contract,
            source: found,
            readable: readable(source, conn, id).await?,
            cascades: cascades(conn, id).await.map_err(failed)?,
            triggers: triggers.unwrap_or_default(),
        }))
    }

    pub(super) fn id(&self) -> &TableId {
        &self.contract.table
    }
}

async fn readable(source: &Source, conn: &mut Conn, id: &TableId) -> Result<bool, DatabaseError> {
    let statement = format!("SELECT * FROM {} LIMIT 0", quoted_table(id));
    let outcome = attempt(source, conn, READING, &statement).await?;
    Ok(matches!(outcome, Attempt::Answer(_)))
}

async fn cascades(conn: &mut Conn, id: &TableId) -> Result<Vec<Cascade>, mysql_async::Error> {
    let rows: Vec<(String, String, String, String)> = conn
        .exec(
            "SELECT constraint_name, referenced_table_name, update_rule, delete_rule \
             FROM information_schema.referential_constraints \
             WHERE constraint_schema = ? AND table_name = ? ORDER BY constraint_name",
            (id.schema.as_str(), id.table.as_str()),
        )
        .await?;
    let alters = |rule: &str| !matches!(rule, "RESTRICT" | "NO ACTION");
    let keys = rows.into_iter().filter(|(_, _, update, delete)| alters(update) || alters(delete));
    let cascade = |(constraint, parent, on_update, on_delete)| Cascade {
        constraint,
        parent,
        on_update,
        on_delete,
    };
    Ok(keys.map(cascade).collect())
}
