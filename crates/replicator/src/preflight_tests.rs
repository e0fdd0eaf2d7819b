use super::*;
use crate::fixture::contract;

fn table(columns: &[(&str, &str)]) -> SourceTable {
    SourceTable {
        engine: Some("InnoDB".to_owned()),
        columns: columns
            .iter()
            .map(|(name, source_type)| ((*name).to_owned(), (*source_type).to_owned(), None))
            .collect(),
        key: vec!["id".to_owned()],
    }
}

fn differences(contract: &TableContract, table: Option<&SourceTable>) -> Vec<String> {
    mismatches(contract, table).map(|m| SourceFinding::Source(m).to_string()).collect()
}

#[test]
fn every_setting_that_is_wrong_is_named_with_value_and_hint() {
    let good: HashMap<String, String> = SETTINGS
        .iter()
        .map(|(name, wanted, _)| ((*name).to_owned(), wanted[0].to_owned()))
        .collect();
    assert_eq!(settings(&good), []);
    let mut bad = good.clone();
    bad.insert("binlog_row_image".to_owned(), "MINIMAL".to_owned());
    bad.remove("binlog_row_metadata");
    bad.remove("binlog_format");
    let found: Vec<String> = settings(&bad).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "`binlog_row_image` is `MINIMAL`\n    hint: SET PERSIST binlog_row_image = FULL",
            "`binlog_row_metadata` is ``\n    hint: SET PERSIST binlog_row_metadata = FULL",
        ]
    );
}

#[test]
fn a_table_that_fits_its_contract_has_no_findings() {
    let contract = contract("crm.customers", "id", &[("id", "int"), ("name", "varchar(40)")]);
    let fits = table(&[("id", "int"), ("extra", "point"), ("name", "varchar(90)")]);
    assert_eq!(differences(&contract, Some(&fits)), [""; 0]);
}

#[test]
fn all_differences_are_found_at_once() {
    let contract = contract(
        "crm.customers",
        "id",
        &[("id", "int"), ("name", "varchar(40)"), ("gone", "date"), ("city", "varchar(9)")],
    );
    let mut found =
        table(&[("id", "int unsigned"), ("name", "varchar(40)"), ("city", "varchar(9)")]);
    found.engine = Some("MyISAM".to_owned());
    found.key = vec!["name".to_owned()];
    found.columns[2].2 = Some("latin1".to_owned());
    assert_eq!(
        differences(&contract, Some(&found)),
        [
            "table `crm.customers`: only InnoDB gives a consistent snapshot",
            "table `crm.customers`: the primary key is (name), the contract has (id)",
            "table `crm.customers`, column `id`: MySQL has the type `int unsigned`, which the \
             contract's cannot hold",
            "table `crm.customers`, column `gone`: MySQL has no such column",
            "table `crm.customers`, column `city`: the character set `latin1` is not one of \
             utf8mb4, utf8mb3, ascii",
        ]
    );
    let missing = differences(&contract, None);
    assert_eq!(missing.len(), 1);
}

#[test]
fn a_source_type_is_held_when_no_value_can_be_lost() {
    let cases = [
        ("varchar(10)", "text", true),
        ("time(3)", "time", true),
        ("time", "time(3)", false),
        ("datetime", "datetime(6)", true),
        ("enum('a')", "enum('a','b')", true),
        ("decimal(12,2)", "decimal(12,3)", false),
        ("int", "bigint", false),
        ("blob", "text", false),
        ("datetime", "timestamp", false),
        ("bit(1)", "bit(2)", false),
    ];
    for (contract, source, expected) in cases {
        let found = holds(&contract.parse().unwrap(), &source.parse().unwrap());
        assert_eq!(found, expected, "{contract} for {source}");
    }
}
