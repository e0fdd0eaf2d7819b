//! What a live source has, asked before a run: which tables the mappings select, and whether
//! everything that DMS would do to their values is what the replicator does.

use medallion_definition::name::{NameError, TableId};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::mappings::{Mappings, Selection, SourceTable};

/// Why a source does not fit its task; always an operator's affair, except a lost connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum SurveyError {
    /// The source could not be asked (retry).
    #[error("the source's tables cannot be listed")]
    Database(#[from] mysql_async::Error),
    /// Nothing is selected. The message is that of DMS.
    #[error(
        "No tables were found at task initialization. Either the selected table(s) no longer \
         exist or no match was found for the table selection pattern(s)."
    )]
    NoTables,
    /// The mappings lack a rule for a table.
    #[error("{0}")]
    Uncovered(String),
    /// A table with a name that no lake may have.
    #[error("table `{table}` cannot be replicated")]
    Name {
        /// The table.
        table: SourceTable,
        /// Why.
        source: NameError,
    },
    /// A value that DMS would cut.
    #[error(
        "column `{column}` of table `{table}` holds values above LobMaxSize ({limit} KB), which \
         DMS would cut; hint: raise LobMaxSize"
    )]
    LongLob {
        /// The table.
        table: SourceTable,
        /// The column.
        column: String,
        /// KB.
        limit: u64,
    },
    /// A rule makes text of a column that the replicator writes as a number.
    #[error(
        "rule {rule} makes text of column `{column}` of table `{table}`, which the local stand-in \
         does for a DECIMAL of more than 38 digits only"
    )]
    NotWide {
        /// The rule's id.
        rule: String,
        /// The table.
        table: SourceTable,
        /// The column.
        column: String,
    },
}

/// Schemas of the server itself.
const TABLES: &str = "SELECT table_schema, table_name FROM information_schema.tables \
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN \
    ('information_schema', 'mysql', 'performance_schema', 'sys')";
/// The types that are LOBs to DMS.
const LOBS: &str = "SELECT column_name FROM information_schema.columns \
    WHERE table_schema = ? AND table_name = ? AND data_type IN ('mediumtext', 'longtext', \
    'mediumblob', 'longblob', 'json', 'geometry', 'point', 'linestring', 'polygon', \
    'multipoint', 'multilinestring', 'multipolygon', 'geomcollection', 'geometrycollection')";
const WIDE: &str = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = ? \
    AND table_name = ? AND column_name = ? AND data_type = 'decimal' AND numeric_precision > 38";

/// The tables that the mappings select.
///
/// # Errors
/// See [`SurveyError`].
pub(super) async fn select(
    conn: &mut Conn,
    mappings: &Mappings,
    fail_without_tables: bool,
) -> Result<Selection, SurveyError> {
    let existing: Vec<(String, String)> = conn.query(TABLES).await?;
    let table = |(schema, table)| SourceTable { schema, table };
    let existing: Vec<SourceTable> = existing.into_iter().map(table).collect();
    let selection = mappings.select(&existing).map_err(SurveyError::Uncovered)?;
    if selection.tables.is_empty() && fail_without_tables {
        return Err(SurveyError::NoTables);
    }
    for table in &selection.tables {
        for (rule, column) in mappings.texts(table) {
            let asked = (&table.schema, &table.table, column);
            if conn.exec_first(WIDE, asked).await? != Some(1) {
                let (rule, column) = (rule.to_owned(), column.to_owned());
                return Err(SurveyError::NotWide { rule, table: table.clone(), column });
            }
        }
    }
    Ok(selection)
}

/// The tables by the names that the replicator knows them by.
///
/// # Errors
/// A name that no lake may have.
pub(super) fn ids<'a>(
    tables: impl IntoIterator<Item = &'a SourceTable>,
) -> Result<Vec<TableId>, SurveyError> {
    let id = |table: &SourceTable| {
        let parsed = || Ok(TableId { schema: table.schema.parse()?, table: table.table.parse()? });
        parsed().map_err(|source| SurveyError::Name { table: table.clone(), source })
    };
    tables.into_iter().map(id).collect()
}

/// Looks for LOB values that DMS would cut at `limit` bytes: the replicator cuts none.
///
/// # Errors
/// There are some.
pub(super) async fn check_lobs(
    conn: &mut Conn,
    tables: &[SourceTable],
    limit: u64,
) -> Result<(), SurveyError> {
    for table in tables {
        let columns: Vec<String> = conn.exec(LOBS, (&table.schema, &table.table)).await?;
        for column in columns {
            let quoted = column.replace('`', "``");
            let sql = format!(
                "SELECT 1 FROM `{}`.`{}` WHERE LENGTH(`{quoted}`) > ? LIMIT 1",
                table.schema, table.table
            );
            let found: Option<i64> = conn.exec_first(sql, (limit,)).await?;
            if found.is_some() {
                let (table, limit) = (table.clone(), limit / 1024);
                return Err(SurveyError::LongLob { table, column, limit });
            }
        }
    }
    Ok(())
}
