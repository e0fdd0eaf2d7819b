use super::contract::mismatches;
use super::*;
use crate::fixture::contract;

fn table(columns: &[(&str, &str)]) -> SourceTable {
    SourceTable {
        kind: "BASE TABLE".to_owned(),
        engine: Some("InnoDB".to_owned()),
        columns: columns
            .iter()
            .map(|(name, column_type)| SourceColumn {
                name: (*name).to_owned(),
                column_type: (*column_type).to_owned(),
                ..SourceColumn::default()
            })
            .collect(),
        key: vec!["id".to_owned()],
        ..SourceTable::default()
    }
}

fn readable() -> BTreeSet<String> {
    ["utf8mb4", "latin1"].map(str::to_owned).into()
}

fn differences(contract: &TableContract, table: Option<&SourceTable>) -> Vec<String> {
    let mut found = blocking(&contract.table, table, &readable());
    found.extend(table.into_iter().flat_map(|table| mismatches(contract, table)));
    found.into_iter().map(|m| SourceFinding::Source(m).to_string()).collect()
}

const GOOD: [(&str, &str); 7] = [
    ("log_bin", "ON"),
    ("binlog_format", "ROW"),
    ("binlog_row_image", "FULL"),
    ("binlog_row_metadata", "FULL"),
    ("binlog_row_value_options", ""),
    ("binlog_transaction_compression", "OFF"),
    ("server_id", "1"),
];

fn server(version: &str, changes: &[(&str, Option<&str>)]) -> Server {
    let mut variables: BTreeMap<String, String> =
        GOOD.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for (name, value) in changes {
        match value {
            Some(value) => variables.insert((*name).to_owned(), (*value).to_owned()),
            None => variables.remove(*name),
        };
    }
    Server::new(version, variables)
}

fn told(version: &str, changes: &[(&str, Option<&str>)]) -> Vec<String> {
    settings(&server(version, changes)).iter().map(ToString::to_string).collect()
}

#[test]
fn every_setting_that_is_wrong_is_named_with_value_and_hint() {
    assert_eq!(told("8.4.2", &[]), [""; 0]);
    let changes = [
        ("binlog_row_image", Some("MINIMAL")),
        ("binlog_row_metadata", None),
        ("binlog_format", None),
        ("binlog_row_value_options", Some("PARTIAL_JSON")),
        ("server_id", Some("0")),
    ];
    assert_eq!(
        told("8.4.2", &changes),
        [
            "`binlog_row_image` is `MINIMAL`\n    hint: SET PERSIST binlog_row_image = FULL",
            "`binlog_row_metadata` is ``\n    hint: SET PERSIST binlog_row_metadata = FULL",
            "`server_id` is `0`\n    hint: SET PERSIST server_id = 1",
        ]
    );
}

#[test]
fn mariadb_has_its_own_settings_and_an_old_server_is_told_first() {
    let maria = [("binlog_row_value_options", None), ("binlog_transaction_compression", None)];
    assert_eq!(told("10.11.8-MariaDB", &maria), [""; 0]);
    let compressed = [("log_bin_compress", Some("ON"))];
    assert_eq!(
        told("10.11.8-MariaDB", &compressed),
        [
            "`log_bin_compress` is `ON`\n    hint: SET GLOBAL log_bin_compress = OFF, and the same in \
          the server's option file"
        ]
    );
    assert_eq!(told("8.4.2", &compressed), [""; 0], "MySQL has no such variable");
    assert_eq!(
        told("10.6.18-MariaDB", &compressed),
        ["the server is `10.6.18-MariaDB`; MariaDB 10.11.0 or later is needed"]
    );
    assert_eq!(told("5.7.44", &[]), ["the server is `5.7.44`; MySQL 8.0.1 or later is needed"]);
}

#[test]
fn a_table_that_fits_its_contract_has_no_findings() {
    let contract = contract("crm.customers", "id", &[("id", "int"), ("name", "varchar(40)")]);
    let fits = table(&[("id", "int"), ("extra", "date"), ("name", "varchar(90)")]);
    assert_eq!(differences(&contract, Some(&fits)), [""; 0]);
}

#[test]
fn all_differences_are_found_at_once() {
    let contract = contract(
        "crm.customers",
        "id",
        &[
            ("id", "int"),
            ("name", "varchar(40)"),
            ("gone", "date"),
            ("city", "varchar(9)"),
            ("sum", "int"),
        ],
    );
    let mut found = table(&[
        ("id", "int unsigned"),
        ("name", "varchar(40)"),
        ("city", "varchar(9)"),
        ("sum", "int"),
    ]);
    found.engine = Some("MyISAM".to_owned());
    found.key = vec!["name".to_owned()];
    found.columns[2].character_set = Some("gbk".to_owned());
    found.columns[3].extra = "VIRTUAL GENERATED".to_owned();
    assert_eq!(
        differences(&contract, Some(&found)),
        [
            "table `crm.customers`: only InnoDB gives a consistent snapshot",
            "table `crm.customers`: the character set `gbk` of its column `city` cannot be read \
             from the binlog",
            "table `crm.customers`: the primary key is (name), the contract has (id)",
            "table `crm.customers`, column `id`: the source has the type `int unsigned`, which \
             the contract's cannot hold",
            "table `crm.customers`, column `gone`: the source has no such column",
            "table `crm.customers`, column `sum`: it is generated, and such columns are not \
             replicated",
        ]
    );
}

#[test]
fn a_table_without_a_visible_key_cannot_be_replicated() {
    let contract = contract("crm.customers", "id", &[("id", "int")]);
    let told = |change: fn(&mut SourceTable)| {
        let mut found = table(&[("id", "int")]);
        change(&mut found);
        blocking(&contract.table, Some(&found), &readable())
            .into_iter()
            .map(|m| m.difference)
            .collect()
    };
    let differences: Vec<String> = told(|table| table.key.clear());
    assert_eq!(differences, ["it has no primary key, so that changes cannot find their row"]);
    let differences: Vec<String> = told(|table| table.columns[0].extra = "INVISIBLE".to_owned());
    assert_eq!(
        differences,
        ["its key column `id` is invisible, and such columns are not replicated"]
    );
    let differences: Vec<String> = told(|table| table.kind = "VIEW".to_owned());
    assert_eq!(differences, ["it is a VIEW, and only plain tables are replicated"]);
    let differences: Vec<String> = told(|table| {
        table.columns.push(SourceColumn {
            name: "v".to_owned(),
            column_type: "vector(3)".to_owned(),
            ..SourceColumn::default()
        });
    });
    assert_eq!(differences, ["its column `v` has the unknown type `vector(3)`"]);
    assert_eq!(blocking(&contract.table, None, &readable()).len(), 1);
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
