//! The columns of a Bronze file.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, DMS_TS, OP};
use medallion_definition::contract::TableContract;
use medallion_definition::types::MySqlType;

use crate::types::arrow_type;

/// A column of a source table as it stands at some moment, with the name that MySQL has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceColumn {
    /// The name; nothing restricts it to what a lake allows.
    pub name: String,
    /// The type.
    pub source_type: MySqlType,
}

/// The schema of a table's Bronze files: `Op`, `dms_ts`, the source columns, `BI_<key>` for each
/// key column, `change_seq`.
///
/// As in DMS's files, source columns are optional whatever the source says; readers find columns
/// by name.
pub fn bronze_schema(contract: &TableContract) -> SchemaRef {
    let columns: Vec<SourceColumn> = contract
        .columns
        .iter()
        .map(|c| SourceColumn { name: c.name.to_string(), source_type: c.source_type.clone() })
        .collect();
    let place = |key: &_| contract.columns.iter().position(|c| c.name == *key);
    let key: Vec<usize> = contract.key.iter().filter_map(place).collect();
    source_schema(&columns, &key)
}

/// The same of a source table whatever a contract says of it; `key` holds the places of its key
/// columns.
///
/// # Panics
/// When a place is not among the columns.
pub fn source_schema(columns: &[SourceColumn], key: &[usize]) -> SchemaRef {
    let operation = [OP, DMS_TS].map(|name| Field::new(name, DataType::Utf8, false));
    let field = |name: String, source_type| Field::new(name, arrow_type(source_type), true);
    let source = columns.iter().map(|c| field(c.name.clone(), &c.source_type));
    let before = key.iter().map(|&place| {
        let column = &columns[place];
        field(before_image(&column.name), &column.source_type)
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
            added: false,
            renamed_from: Vec::new(),
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
            load: Default::default(),
            dropped: Vec::new(),
            history: false,
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
