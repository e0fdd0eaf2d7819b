//! Bronze files in memory: what is read, and what is refused.

mod refused;
mod shapes;
mod values;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use bytes::Bytes;
use medallion_definition::contract::{Column, Engine, Sensitivity, TableContract};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;

const CHANGES: &str = "bronze/crm/orders/2026/01/31/20260131-120000000.parquet";
const LOAD: &str = "bronze/crm/orders/LOAD00000001.parquet";
const SEQ: &str = "20260131120000000000000000000000001";
const TIME: &str = "2026-01-31 12:00:00.000001";

fn column(name: &str, source_type: &str) -> Column {
    Column {
        name: name.parse().unwrap(),
        source_type: source_type.parse().unwrap(),
        nullable: true,
        sensitivity: Sensitivity::Internal,
        description: String::new(),
        normalisers: Vec::new(),
        checks: Vec::new(),
        added: false,
        renamed_from: Vec::new(),
    }
}

/// The key is `id`, the other column `note`.
fn contract() -> TableContract {
    TableContract {
        table: "crm.orders".parse().unwrap(),
        description: String::new(),
        key: vec!["id".parse().unwrap()],
        columns: vec![column("id", "bigint"), column("note", "varchar(20)")],
        row_rules: Vec::new(),
        buckets: 1,
        engine: Engine::Native,
        load: Default::default(),
        dropped: Vec::new(),
        history: false,
        file: "crm_orders.toml".to_owned(),
    }
}

fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

fn numbers(values: impl IntoIterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int32Array>())
}

/// Columns of a file of changes that fits the contract: an insert, an update, a delete.
fn columns() -> Vec<(String, ArrayRef)> {
    [
        ("Op", texts([Some("I"), Some("U"), Some("D")])),
        ("dms_ts", texts([Some(TIME); 3])),
        ("id", numbers([Some(1), Some(2), Some(3)])),
        ("note", texts([Some("a"), None, None])),
        ("BI_id", numbers([None, Some(1), None])),
        ("change_seq", texts([Some(SEQ); 3])),
    ]
    .map(|(name, values)| (name.to_owned(), values))
    .into()
}

/// Those columns with some replaced, added, or left out where there are no values.
fn with<const N: usize>(changes: [(&str, Option<ArrayRef>); N]) -> Vec<(String, ArrayRef)> {
    let mut all = columns();
    for (name, values) in changes {
        let place = all.iter().position(|(n, _)| n == name);
        match (place, values) {
            (Some(place), Some(values)) => all[place].1 = values,
            (Some(place), None) => drop(all.remove(place)),
            (None, Some(values)) => all.push((name.to_owned(), values)),
            (None, None) => panic!("there is no column {name}"),
        }
    }
    all
}

/// A Parquet file; row groups hold so many rows.
fn parquet(columns: Vec<(String, ArrayRef)>, group: usize) -> Bytes {
    let columns = columns.into_iter().map(|(name, values)| (name, values, true));
    let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.into_inner().unwrap().into()
}

fn try_read(
    contract: &TableContract,
    key: &str,
    columns: Vec<(String, ArrayRef)>,
) -> Result<Changes, String> {
    read(contract, key, 0, parquet(columns, 1000)).map_err(|error| error.to_string())
}
