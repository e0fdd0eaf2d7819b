//! Zero and partial dates (`0000-00-00`, `2020-00-00`), which no lake type holds.

use medallion_definition::finding::RuleId;
use mysql_async::Conn;

use super::attempt::{attempt, number};
use super::finding::{Findings, Place};
use super::table::SourceColumn;
use super::table_state::TableState;
use super::{Asked, quoted, quoted_table};
use crate::server::DatabaseError;

/// They become NULL on the way (`CHAP_Source.MySQL`, limitations).
const ZERO_DATE: RuleId = RuleId("source/zero-date");

const READING: &str = "looking for zero dates";

/// Looks for zero dates in all date columns of a table in one scan.
pub(super) async fn look(
    asked: &Asked<'_>,
    conn: &mut Conn,
    table: &TableState<'_>,
    findings: &mut Findings,
) -> Result<(), DatabaseError> {
    let dates = |column: &&SourceColumn| {
        matches!(column.type_name(), "date" | "datetime" | "timestamp")
            && column.left_out().is_none()
    };
    let columns: Vec<&SourceColumn> = table.source.columns.iter().filter(dates).collect();
    if columns.is_empty() {
        return Ok(());
    }
    let id = table.id();
    let zero = |column: &&SourceColumn| {
        let name = quoted(&column.name);
        format!("CAST(MAX(MONTH({name}) = 0 OR DAYOFMONTH({name}) = 0) AS UNSIGNED)")
    };
    let list = columns.iter().map(zero).collect::<Vec<_>>().join(", ");
    let statement = asked.bounded(&list, &quoted_table(id));
    let outcome = attempt(asked.source, conn, READING, &statement).await?;
    let Some(row) = outcome.answer().and_then(|rows| rows.first()) else {
        asked.not_measured(id, "zero dates", findings);
        return Ok(());
    };
    for (place, column) in columns.iter().enumerate() {
        if number(row, place) != Some(1) {
            continue;
        }
        let at = (ZERO_DATE, Place::Column(id.clone(), column.name.clone()));
        if column.nullable {
            findings.note(at, "it holds zero dates, which arrive as NULL", "");
        } else {
            findings.warning(
                at,
                "it is NOT NULL and holds zero dates, which arrive as NULL",
                "repair them at the source, or make the contract's column nullable",
            );
        }
    }
    Ok(())
}
