//! Every change that was made invalid on purpose stands in quarantine, with its key.

use arrow::array::AsArray;
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
    let of_table: Vec<&Poisoned> = poisoned.iter().filter(|p| p.table == contract.table).collect();
    let mut verdict = Verdict::default();
    if of_table.is_empty() {
        return Ok(verdict);
    }
    let name = contract.table.lake_table();
    let ident = spec::ident(lake, Layer::Quarantine, &name);
    let mut keys: Vec<Vec<String>> = Vec::new();
    for batch in super::read_table(warehouse, &ident).await? {
        let records = batch.column_by_name("record").map(|c| c.as_string::<i32>().clone());
        let records = records.ok_or_else(|| VerifyError::Missing(format!("{name}.record")))?;
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
            verdict.differences.push(Difference {
                check: "quarantine",
                place: format!("quarantine.{name}"),
                row: Some(wanted.join(",")),
                column: None,
                what: "the invalid change of this key is missing".to_owned(),
            });
        }
    }
    Ok(verdict)
}

fn key_of(contract: &TableContract, record: &str) -> Option<Vec<String>> {
    let record: serde_json::Value = serde_json::from_str(record).ok()?;
    contract.key.iter().map(|k| Some(record.get(k.as_str())?.as_str()?.to_owned())).collect()
}
