//! Rows that were rejected by a check whose answer changes with the time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use medallion_definition::contract::{Check, TableContract};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::warehouse::Warehouse;

use crate::error::TransformError;
use crate::record::BatchFile;
use crate::spec;

/// Rows of some files, by the file's index and their number. They were rejected before, and are
/// rejected again, whatever the time is now.
pub(crate) type Verdicts = Arc<HashSet<(usize, u64)>>;

/// The rows of these files that quarantine holds because of `not_future`. What was in the future
/// when a file was first read may be in the past now; what was not is not now. So a row has one
/// verdict, whenever it is read again: for late changes, for the history, after a job that died.
pub(crate) async fn rejected_by_time(
    lake: &LakeDefinition,
    warehouse: &Warehouse,
    contract: &TableContract,
    files: &[BatchFile],
) -> Result<Verdicts, TransformError> {
    let mut found = HashSet::new();
    let checks = contract.columns.iter().flat_map(|column| &column.checks);
    if !checks.into_iter().any(|check| *check == Check::NotFuture) {
        return Ok(Verdicts::default());
    }
    let ident = spec::ident(lake, Layer::Quarantine, &contract.table.lake_table());
    let Some(table) = warehouse.load(&ident).await? else { return Ok(Verdicts::default()) };
    // Versions of the table without this column do not tell which file of a name they mean.
    if table.arrow_schema().index_of("etag").is_err() {
        return Ok(Verdicts::default());
    }
    let versions = files.iter().enumerate().map(|(i, f)| ((f.key.as_str(), f.etag.as_str()), i));
    let versions: HashMap<(&str, &str), usize> = versions.collect();
    let columns = ["file", "etag", "row_number", "rules"].map(str::to_owned);
    let mut batches = table.scan(Some(&columns)).await?;
    let is_of_time = |rule: &str| rule.rsplit(':').next() == Some(Check::NotFuture.name());
    while let Some(rows) = batches.try_next().await? {
        let text = |place: usize| rows.column(place).as_string::<i32>();
        let numbers = rows.column(2).as_primitive::<Int64Type>();
        for (row, number) in numbers.values().iter().enumerate() {
            if !text(3).value(row).split(',').any(is_of_time) {
                continue;
            }
            let version = (text(0).value(row), text(1).value(row));
            let place = versions.get(&version).copied().zip(u64::try_from(*number).ok());
            found.extend(place);
        }
    }
    Ok(Arc::new(found))
}
