//! A source table as `information_schema` shows it.

use std::collections::BTreeSet;

use medallion_definition::name::TableId;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, FromRowError, Row};

use super::server::Flavor;

/// A table of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTable {
    /// `BASE TABLE`, `VIEW`, `SYSTEM VERSIONED`.
    pub kind: String,
    /// The storage engine; `None` for views.
    pub engine: Option<String>,
    /// Options such as `partitioned`.
    pub options: String,
    /// About how many rows it has, from the engine's statistics.
    pub estimated_rows: u64,
    /// The table's comment.
    pub comment: String,
    /// The primary key's columns in its order.
    pub key: Vec<String>,
    /// The columns in their order.
    pub columns: Vec<SourceColumn>,
}

/// A column of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceColumn {
    /// The name as MySQL has it.
    pub name: String,
    /// The type as MySQL prints it, such as `int unsigned`.
    pub column_type: String,
    /// True when it may be NULL.
    pub nullable: bool,
    /// The character set of text.
    pub character_set: Option<String>,
    /// The collation of text.
    pub collation: Option<String>,
    /// MySQL's extra words, such as `STORED GENERATED` or `INVISIBLE`.
    pub extra: String,
    /// The column's comment.
    pub comment: String,
}

impl SourceTable {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&SourceColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// True when the table is divided into partitions.
    pub fn is_partitioned(&self) -> bool {
        self.options.contains("partitioned")
    }
}

impl SourceColumn {
    /// True for virtual and stored generated columns, which DMS does not capture.
    pub fn is_generated(&self) -> bool {
        // Not `DEFAULT_GENERATED`: a default that is an expression.
        self.extra.to_ascii_uppercase().split([' ', ',']).any(|word| word == "GENERATED")
    }

    /// True for invisible columns, which DMS does not migrate.
    pub fn is_invisible(&self) -> bool {
        self.extra.to_ascii_uppercase().contains("INVISIBLE")
    }

    /// Why the column never reaches Bronze: `generated` or `invisible`.
    pub fn left_out(&self) -> Option<&'static str> {
        if self.is_generated() {
            Some("generated")
        } else {
            self.is_invisible().then_some("invisible")
        }
    }

    /// The type's first word, such as `varchar`.
    pub fn type_name(&self) -> &str {
        self.column_type.split(['(', ' ']).next().unwrap_or_default()
    }
}

impl FromRow for SourceColumn {
    fn from_row_opt(row: Row) -> Result<SourceColumn, FromRowError> {
        type Fields =
            (String, String, String, Option<String>, Option<String>, String, Option<String>);
        let (name, column_type, nullable, character_set, collation, extra, comment) =
            Fields::from_row_opt(row)?;
        Ok(SourceColumn {
            name,
            // MariaDB adds `/*M!100301 COMPRESSED*/` to compressed columns.
            column_type: column_type.split("/*").next().unwrap_or_default().trim().to_owned(),
            nullable: nullable == "YES",
            character_set,
            collation,
            extra,
            comment: comment.unwrap_or_default(),
        })
    }
}

/// Reads a table; `None` when there is none that the user may see.
pub(crate) async fn read(
    conn: &mut Conn,
    flavor: Flavor,
    table: &TableId,
) -> Result<Option<SourceTable>, mysql_async::Error> {
    type Head = (String, Option<String>, Option<String>, Option<u64>, Option<String>);
    let names = (table.schema.as_str(), table.table.as_str());
    if flavor == Flavor::MySql {
        // Otherwise MySQL answers with statistics of up to a day ago.
        conn.query_drop("SET SESSION information_schema_stats_expiry = 0").await?;
    }
    let head: Option<Head> = conn
        .exec_first(
            "SELECT table_type, engine, create_options, table_rows, table_comment \
             FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
            names,
        )
        .await?;
    let Some((kind, engine, options, rows, comment)) = head else { return Ok(None) };
    let mut columns: Vec<SourceColumn> = conn
        .exec(
            "SELECT column_name, CAST(column_type AS CHAR), is_nullable, character_set_name, \
             collation_name, extra, column_comment FROM information_schema.columns \
             WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
            names,
        )
        .await?;
    if flavor == Flavor::MariaDb {
        let json = mariadb_json(conn, table).await?;
        for column in columns.iter_mut().filter(|column| json.contains(&column.name)) {
            column.column_type = "json".to_owned();
        }
    }
    let key = conn
        .exec(
            "SELECT column_name FROM information_schema.statistics \
             WHERE table_schema = ? AND table_name = ? AND index_name = 'PRIMARY' \
             ORDER BY seq_in_index",
            names,
        )
        .await?;
    Ok(Some(SourceTable {
        kind,
        engine,
        options: options.unwrap_or_default(),
        estimated_rows: rows.unwrap_or_default(),
        comment: comment.unwrap_or_default(),
        key,
        columns,
    }))
}

/// MariaDB's JSON is LONGTEXT with a check constraint named like its column.
async fn mariadb_json(
    conn: &mut Conn,
    table: &TableId,
) -> Result<BTreeSet<String>, mysql_async::Error> {
    let rows: Vec<String> = conn
        .exec(
            "SELECT constraint_name FROM information_schema.check_constraints \
             WHERE constraint_schema = ? AND table_name = ? \
             AND check_clause LIKE CONCAT('json\\_valid(`', constraint_name, '`)')",
            (table.schema.as_str(), table.table.as_str()),
        )
        .await?;
    Ok(rows.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_generated_or_invisible_is_left_out() {
        let cases = [
            ("", None),
            ("auto_increment", None),
            ("DEFAULT_GENERATED on update CURRENT_TIMESTAMP", None),
            ("VIRTUAL GENERATED", Some("generated")),
            ("STORED GENERATED, INVISIBLE", Some("generated")),
            ("auto_increment INVISIBLE", Some("invisible")),
        ];
        for (extra, expected) in cases {
            let column = SourceColumn { extra: extra.to_owned(), ..SourceColumn::default() };
            assert_eq!(column.left_out(), expected, "{extra}");
        }
    }
}
