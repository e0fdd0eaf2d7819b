//! Every Silver row equals MySQL, row by row and column by column.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::filter_record_batch;
use medallion_definition::catalogue;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_definition::types::MySqlType;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::spec;
use mysql_async::Conn;

use super::compare::{ComparedColumn, compare, lake_rows, mysql_rows};
use super::{Verdict, VerifyError, text};

/// The source columns, comparable with MySQL.
pub(super) fn columns(contract: &TableContract) -> Vec<ComparedColumn> {
    let column = |c: &medallion_definition::contract::Column| {
        let bits = match c.source_type {
            MySqlType::Bit(bits) => Some(bits),
            _ => None,
        };
        ComparedColumn {
            name: c.name.to_string(),
            expression: text::mysql_expression(c.name.as_str(), c.lake_type(), bits),
            sensitivity: c.sensitivity,
            is_key: contract.is_key(&c.name),
        }
    };
    contract.columns.iter().map(column).collect()
}

/// Compares one Silver table, and the states that last in its history, with
/// `expected.<schema>_<table>` in MySQL.
///
/// # Errors
/// When one of the two sides cannot be read.
pub async fn verify(
    lake: &LakeDefinition,
    contract: &TableContract,
    warehouse: &Warehouse,
    conn: &mut Conn,
) -> Result<Verdict, VerifyError> {
    let name = contract.table.lake_table();
    let columns = columns(contract);
    let expected = mysql_rows(conn, &name, &columns, &format!("expected.`{name}`")).await?;
    let batches = super::read_table(warehouse, &spec::ident(lake, Layer::Silver, &name)).await?;
    let found = lake_rows(&name, &columns, &batches)?;
    let mut verdict = compare("silver", &format!("silver.{name}"), &columns, &expected, &found);
    if contract.history {
        let history = catalogue::history_name(contract);
        let ident = spec::ident(lake, Layer::Silver, &history);
        let lasting = lasting(&super::read_table(warehouse, &ident).await?);
        let found = lake_rows(&history, &columns, &lasting)?;
        verdict.add(compare("history", &format!("silver.{history}"), &columns, &expected, &found));
    }
    Ok(verdict)
}

/// The states that last: what MySQL has.
fn lasting(states: &[RecordBatch]) -> Vec<RecordBatch> {
    let last = |batch: &RecordBatch| {
        let current = batch.column_by_name(catalogue::IS_CURRENT)?.as_boolean_opt()?;
        filter_record_batch(batch, current).ok()
    };
    states.iter().filter_map(last).collect()
}
