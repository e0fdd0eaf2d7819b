//! The source schema, made from the contracts.

use std::collections::BTreeSet;

use medallion_definition::contract::{Column, TableContract};
use medallion_definition::types::MySqlType;

use super::SESSION;

/// Binary collation, known to MySQL and MariaDB: keys differ by case as they do in the lake.
const CHARACTER_SET: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/// How MySQL declares a column; `nullable` overrules the contract.
pub(crate) fn column_sql(column: &Column, nullable: bool) -> String {
    let null = match (nullable, &column.source_type) {
        (false, _) => "NOT NULL",
        // Without it old servers make a TIMESTAMP NOT NULL.
        (true, MySqlType::Timestamp(_)) => "NULL DEFAULT NULL",
        (true, _) => "NULL",
    };
    format!("  `{}` {} {null}", column.name, column.source_type)
}

/// CREATE TABLE with the contract's columns and key.
pub(crate) fn table_sql(contract: &TableContract, name: &str, all_nullable: bool) -> String {
    let mut lines: Vec<String> = contract
        .columns
        .iter()
        .map(|c| column_sql(c, c.nullable || (all_nullable && !contract.is_key(&c.name))))
        .collect();
    lines.push(format!("  PRIMARY KEY ({})", key_list(contract)));
    format!("CREATE TABLE {name} (\n{}\n) ENGINE=InnoDB {CHARACTER_SET}", lines.join(",\n"))
}

/// The key columns, comma between.
pub(crate) fn key_list(contract: &TableContract) -> String {
    let names: Vec<String> = contract.key.iter().map(|k| format!("`{k}`")).collect();
    names.join(", ")
}

pub(crate) fn database_sql(name: &str) -> String {
    format!("CREATE DATABASE {name} {CHARACTER_SET}")
}

/// The statements that create the source schemas and tables, and the schema `kept` with a table
/// alike for each, in which poison cases keep rows as they were. Nothing of it may exist yet.
pub fn create_sql(contracts: &[TableContract]) -> Vec<String> {
    let schemas: BTreeSet<_> = contracts.iter().map(|c| &c.table.schema).collect();
    let mut out = vec![SESSION.to_owned()];
    out.extend(schemas.iter().map(|schema| database_sql(schema.as_str())));
    out.extend(contracts.iter().map(|c| table_sql(c, &c.table.to_string(), false)));
    out.push(database_sql("kept"));
    let kept =
        |c: &TableContract| format!("CREATE TABLE kept.{} LIKE {}", c.table.lake_table(), c.table);
    out.extend(contracts.iter().map(kept));
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    use medallion_definition::lake::{LakeDefinition, SourceFile};

    use super::*;

    /// The definition that ships.
    pub(crate) fn shipped() -> LakeDefinition {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infra/lake");
        let mut files = Vec::new();
        for folder in [root.clone(), root.join("tables"), root.join("models")] {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let text = std::fs::read_to_string(&path).unwrap();
                    files.push(SourceFile { path: path.display().to_string(), text });
                }
            }
        }
        LakeDefinition::read(&files).unwrap_or_else(|findings| panic!("{findings}"))
    }

    #[test]
    fn the_schema_declares_types_and_keys_as_the_contracts_do() {
        let sql = create_sql(&shipped().tables);
        let customers = sql.iter().find(|s| s.starts_with("CREATE TABLE crm.customers")).unwrap();
        for line in [
            "`id` bigint unsigned NOT NULL",
            "`segment` enum('retail','premium','corporate','digital') NOT NULL",
            "`permissions` bit(12) NULL",
            "`updated_at` timestamp(6) NOT NULL",
            "PRIMARY KEY (`id`)",
        ] {
            assert!(customers.contains(line), "{line} in {customers}");
        }
        let consents = sql.iter().find(|s| s.starts_with("CREATE TABLE crm.consents")).unwrap();
        assert!(consents.contains("PRIMARY KEY (`customer_id`, `channel`, `purpose`)"));
        assert_eq!(sql.iter().filter(|s| s.starts_with("CREATE TABLE kept.")).count(), 3);
    }
}
