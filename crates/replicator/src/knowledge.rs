//! What the source says of its tables: their shapes for the full load, and their generated
//! columns, which the binlog does not tell from others.

use std::collections::{BTreeMap, BTreeSet};

use medallion_definition::name::TableId;
use medallion_ingestion::schema::SourceColumn;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::charset::Charsets;
use crate::preflight::ServerFacts;
use crate::server::{DatabaseError, Source};
use crate::shape::{ShapeError, TableShape};

const DOING: &str = "reading the tables' definitions";

/// What is known of the source beside its binlog.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceKnowledge {
    pub(crate) charsets: Charsets,
    /// The generated columns of each table, which table maps do not tell from others.
    pub(crate) generated: BTreeMap<TableId, BTreeSet<String>>,
}

/// What has to be known to read the binlog.
pub(crate) async fn read(
    source: &Source,
    conn: &mut Conn,
    facts: &ServerFacts,
    tables: &[TableId],
) -> Result<SourceKnowledge, DatabaseError> {
    let charsets = Charsets::read(source, conn, &facts.collations).await?;
    let mut generated = BTreeMap::new();
    for table in tables {
        let columns = columns(source, conn, table).await?;
        let names = columns.into_iter().filter(|c| c.generated).map(|c| c.name);
        generated.insert(table.clone(), names.collect::<BTreeSet<_>>());
    }
    Ok(SourceKnowledge { charsets, generated })
}

/// The shape of a table now; `None` when it does not exist.
pub(crate) async fn shape(
    source: &Source,
    conn: &mut Conn,
    table: &TableId,
) -> Result<Option<Result<TableShape, ShapeError>>, DatabaseError> {
    let described = columns(source, conn, table).await?;
    if described.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> = conn
        .exec(
            "SELECT column_name FROM information_schema.statistics \
             WHERE table_schema = ? AND table_name = ? AND index_name = 'PRIMARY' \
             ORDER BY seq_in_index",
            (table.schema.as_str(), table.table.as_str()),
        )
        .await
        .map_err(|error| source.error(DOING, error))?;
    let kept = described.into_iter().filter(|c| !c.generated && !c.invisible);
    // Types that have no place in Bronze do not parse.
    let kept: Vec<SourceColumn> = kept
        .filter_map(|c| {
            Some(SourceColumn { name: c.name, source_type: c.column_type.parse().ok()? })
        })
        .collect();
    let place = |name: String| {
        let place = kept.iter().position(|c| c.name == name);
        place.ok_or(ShapeError::KeyLeftOut { column: name })
    };
    let key: Result<Vec<usize>, ShapeError> = names.into_iter().map(place).collect();
    Ok(Some(key.and_then(|key| TableShape::new(kept, key))))
}

/// A column as `information_schema` describes it.
struct Described {
    name: String,
    column_type: String,
    generated: bool,
    invisible: bool,
}

async fn columns(
    source: &Source,
    conn: &mut Conn,
    table: &TableId,
) -> Result<Vec<Described>, DatabaseError> {
    let rows: Vec<(String, String, String)> = conn
        .exec(
            "SELECT column_name, CAST(column_type AS CHAR), UPPER(extra) \
             FROM information_schema.columns WHERE table_schema = ? AND table_name = ? \
             ORDER BY ordinal_position",
            (table.schema.as_str(), table.table.as_str()),
        )
        .await
        .map_err(|error| source.error(DOING, error))?;
    let described = rows.into_iter().map(|(name, column_type, extra)| {
        // `DEFAULT_GENERATED` marks a default that is an expression.
        let words: Vec<&str> = extra.split_whitespace().collect();
        let generated = words.contains(&"GENERATED") || words.contains(&"PERSISTENT");
        let invisible = extra.contains("INVISIBLE");
        Described { name, column_type, generated, invisible }
    });
    Ok(described.collect())
}
