//! The columns of a Bronze file.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, DMS_TS, OP};
use medallion_definition::contract::TableContract;

use crate::types::arrow_type;

/// The schema of a table's Bronze files: `Op`, `dms_ts`, the source columns, `BI_<key>` for each
/// key column, `change_seq`.
///
/// As in DMS's files, source columns are optional whatever the source says; readers find columns
/// by name.
pub fn bronze_schema(contract: &TableContract) -> SchemaRef {
    let operation = [OP, DMS_TS].map(|name| Field::new(name, DataType::Utf8, false));
    let source = contract
        .columns
        .iter()
        .map(|c| Field::new(c.name.as_str(), arrow_type(&c.source_type), true));
    let before = contract.key.iter().filter_map(|key| {
        let column = contract.column(key)?;
        Some(Field::new(before_image(key.as_str()), arrow_type(&column.source_type), true))
    });
    let sequence = Field::new(CHANGE_SEQ, DataType::Utf8, true);
    let fields: Vec<Field> =
        operation.into_iter().chain(source).chain(before).chain([sequence]).collect();
    Arc::new(Schema::new(fields))
}

/// The name of the column that carries a key column's value as it was before an update.
pub fn before_image(key: &str) -> String {
    format!("{BEFORE_IMAGE_PREFIX}{key}")
}

#[cfg(test)]
mod tests {
    use medallion_definition::contract::{Column, Engine, Sensitivity};

    use super::*;

    fn column(name: &str, source_type: &str) -> Column {
        Column {
            name: name.parse().unwrap(),
            source_type: source_type.parse().unwrap(),
            nullable: false,
            sensitivity: Sensitivity::Internal,
            description: String::new(),
            normalisers: Vec::new(),
            checks: Vec::new(),
        }
    }

    #[test]
    fn technical_columns_surround_the_source_columns_and_keys_come_twice() {
        let contract = TableContract {
            table: "crm.consents".parse().unwrap(),
            description: String::new(),
            key: vec!["channel".parse().unwrap(), "customer_id".parse().unwrap()],
            columns: vec![
                column("customer_id", "bigint unsigned"),
                column("channel", "enum('email','sms')"),
                column("score", "decimal(5,2)"),
            ],
            row_rules: Vec::new(),
            buckets: 1,
            engine: Engine::Native,
            file: "consents.toml".to_owned(),
        };
        let schema = bronze_schema(&contract);
        let expected = [
            ("Op", DataType::Utf8, false),
            ("dms_ts", DataType::Utf8, false),
            ("customer_id", DataType::UInt64, true),
            ("channel", DataType::Utf8, true),
            ("score", DataType::Decimal128(5, 2), true),
            ("BI_channel", DataType::Utf8, true),
            ("BI_customer_id", DataType::UInt64, true),
            ("change_seq", DataType::Utf8, true),
        ];
        let fields =
            expected.map(|(name, data_type, nullable)| Field::new(name, data_type, nullable));
        assert_eq!(*schema, Schema::new(fields.to_vec()));
    }
}
