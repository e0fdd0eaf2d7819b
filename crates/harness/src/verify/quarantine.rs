//! Every change that was made invalid on purpose stands in quarantine, with its key, and no row
//! stands there twice.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::spec;

use super::{Difference, Verdict, VerifyError};
use crate::workload::Poisoned;

/// Looks for each poisoned key of a table in the raw records.
///
/// # Errors
/// When the quarantine cannot be read.
pub async fn verify(
    lake: &LakeDefinition,
    contract: &TableContract,
    warehouse: &Warehouse,
    poisoned: &[Poisoned],
) -> Result<Verdict, VerifyError> {
    let of_table = poisoned.iter().filter(|p| p.table == contract.table);
    let mut verdict = Verdict::default();
    let name = contract.table.lake_table();
    let ident = spec::ident(lake, Layer::Quarantine, &name);
    let mut keys: Vec<Vec<String>> = Vec::new();
    let mut places = BTreeSet::new();
    for batch in super::read_table(warehouse, &ident).await? {
        let records = batch.column_by_name("record").map(|c| c.as_string::<i32>().clone());
        let records = records.ok_or_else(|| VerifyError::Missing(format!("{name}.record")))?;
        let files = batch.column_by_name("file").map(|c| c.as_string::<i32>().clone());
        let files = files.ok_or_else(|| VerifyError::Missing(format!("{name}.file")))?;
        let numbers =
            batch.column_by_name("row_number").map(|c| c.as_primitive::<Int64Type>().clone());
        let numbers = numbers.ok_or_else(|| VerifyError::Missing(format!("{name}.row_number")))?;
        for (file, number) in files.iter().flatten().zip(numbers.iter().flatten()) {
            if !places.insert((file.to_owned(), number)) {
                let what = format!("row {number} of {file} stands here twice");
                verdict.differences.push(difference(&name, None, what));
            }
        }
        for record in records.iter().flatten() {
            keys.push(key_of(contract, record).ok_or_else(|| VerifyError::Lake {
                what: format!("quarantine.{name}"),
                source: "a record is no JSON object with the key columns".into(),
            })?);
        }
    }
    verdict.rows = keys.len();
    for poison in of_table {
        let wanted: Vec<String> =
            poison.key.iter().map(|literal| literal.trim_matches('\'').to_owned()).collect();
        verdict.values += 1;
        if !keys.contains(&wanted) {
            let what = "the invalid change of this key is missing".to_owned();
            verdict.differences.push(difference(&name, Some(wanted.join(",")), what));
        }
    }
    Ok(verdict)
}

fn difference(table: &str, row: Option<String>, what: String) -> Difference {
    let place = format!("quarantine.{table}");
    Difference { check: "quarantine", place, row, column: None, what }
}

fn key_of(contract: &TableContract, record: &str) -> Option<Vec<String>> {
    let record: serde_json::Value = serde_json::from_str(record).ok()?;
    contract.key.iter().map(|k| Some(record.get(k.as_str())?.as_str()?.to_owned())).collect()
}
