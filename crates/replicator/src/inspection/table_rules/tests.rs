use std::collections::{BTreeMap, BTreeSet};

use medallion_definition::contract::TableContract;

use super::*;
use crate::fixture::contract;
use crate::inspection::finding::Severity::{self, Error, Note, Warning};
use crate::inspection::server::Server;
use crate::inspection::table::{SourceColumn, SourceTable};
use crate::inspection::table_state::Cascade;

/// Name, type, collation, extra words.
type Given<'a> = (&'a str, &'a str, Option<&'a str>, &'a str);

fn column(given: &Given<'_>) -> SourceColumn {
    let (name, column_type, collation, extra) = given;
    SourceColumn {
        name: (*name).to_owned(),
        column_type: (*column_type).to_owned(),
        collation: collation.map(str::to_owned),
        character_set: collation.map(|c| c.split('_').next().unwrap_or_default().to_owned()),
        extra: (*extra).to_owned(),
        ..SourceColumn::default()
    }
}

fn state(contract: &TableContract, columns: &[Given<'_>]) -> TableState<'static> {
    // Leaked, so that a test can hand the state around.
    let contract: &'static TableContract = Box::leak(Box::new(contract.clone()));
    TableState {
        source: SourceTable {
            kind: "BASE TABLE".to_owned(),
            engine: Some("InnoDB".to_owned()),
            key: contract.key.iter().map(ToString::to_string).collect(),
            columns: columns.iter().map(column).collect(),
            ..SourceTable::default()
        },
        contract,
        readable: true,
        cascades: Vec::new(),
        triggers: 0,
    }
}

/// Rules with the column or table that they name.
fn told_on(table: &TableState<'_>, server: &Server) -> Vec<(Severity, &'static str, String)> {
    let mut findings = Findings::default();
    structure::check(table, &mut findings);
    columns::check(table, &mut findings);
    types::check(table, &mut findings);
    let readable = BTreeSet::from(["latin1".to_owned(), "utf8mb4".to_owned()]);
    character_set::check(table, &readable, &mut findings);
    key_text::check(table, &mut findings);
    naming::check(table, &mut findings);
    cascade::check(table, server, &mut findings);
    trigger::check(table, &mut findings);
    partition::check(table, &mut findings);
    size::check(table, &Limits::default(), &mut findings);
    let place = |place| match place {
        crate::inspection::finding::Place::Column(_, column) => column,
        other => other.to_string(),
    };
    let rows = findings.sorted().into_iter();
    rows.map(|finding| (finding.severity, finding.rule.0, place(finding.place))).collect()
}

fn server(version: &str, variables: &[(&str, &str)]) -> Server {
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Server::new(version, variables.iter().map(text).collect::<BTreeMap<_, _>>())
}

fn told(table: &TableState<'_>) -> Vec<(Severity, &'static str, String)> {
    told_on(table, &server("8.4.2", &[]))
}

const UTF8: Option<&str> = Some("utf8mb4_0900_bin");

#[test]
fn a_table_that_fits_has_no_findings() {
    let contract = contract("crm.customers", "code", &[("code", "varchar(9)"), ("n", "int")]);
    let fits = state(
        &contract,
        &[
            ("code", "varchar(9)", UTF8, ""),
            ("n", "int", None, ""),
            ("hidden", "int", None, "INVISIBLE"),
            ("sum", "vector(3)", None, "VIRTUAL GENERATED"),
        ],
    );
    assert_eq!(told(&fits), []);
}

#[test]
fn columns_are_compared_with_the_contract() {
    let mut contract = contract(
        "crm.customers",
        "id",
        &[("id", "int"), ("gone", "int"), ("narrow", "int"), ("sum", "int"), ("may", "int")],
    );
    contract.columns[4].nullable = false;
    let mut table = state(
        &contract,
        &[
            ("id", "int", None, "auto_increment"),
            ("narrow", "bigint", None, ""),
            ("sum", "int", None, "STORED GENERATED"),
            ("may", "int", None, ""),
            ("extra", "date", None, ""),
        ],
    );
    table.source.columns[3].nullable = true;
    let expected = [
        (Error, "source/column-missing", "gone"),
        (Error, "source/column-type", "narrow"),
        (Error, "source/column-left-out", "sum"),
        (Warning, "source/column-unknown", "extra"),
        (Warning, "source/column-nullable", "may"),
    ];
    let expected: Vec<_> = expected.map(|(s, rule, name)| (s, rule, name.to_owned())).into();
    assert_eq!(told(&table), expected);
}

#[test]
fn columns_that_were_renamed_or_dropped_are_known() {
    let mut contract = contract("crm.customers", "id", &[("id", "int"), ("note", "int")]);
    contract.columns[1].renamed_from = vec!["text".parse().unwrap()];
    contract.dropped = vec!["extra".parse().unwrap()];
    for note in ["note", "text"] {
        let columns =
            [("id", "int", None, ""), (note, "int", None, ""), ("extra", "date", None, "")];
        assert_eq!(told(&state(&contract, &columns)), [], "{note}");
    }
    let other = [("id", "int", None, ""), ("memo", "int", None, "")];
    let rules: Vec<_> = told(&state(&contract, &other)).into_iter().map(|(_, r, _)| r).collect();
    assert_eq!(rules, ["source/column-missing", "source/column-unknown"]);
}

#[test]
fn text_keys_are_told_when_mysql_takes_two_texts_for_one() {
    let cases = [
        ("varchar(9)", "utf8mb4_0900_ai_ci", vec!["source/key-case"]),
        ("varchar(9)", "utf8mb4_0900_as_cs", vec![]),
        ("varchar(9)", "utf8mb4_bin", vec!["source/key-padding"]),
        ("char(9)", "utf8mb4_bin", vec![]),
        ("varchar(9)", "latin1_swedish_ci", vec!["source/key-case", "source/key-padding"]),
        ("varchar(9)", "utf8mb4_nopad_bin", vec![]),
        ("enum('a','b')", "utf8mb4_general_ci", vec![]),
    ];
    for (column_type, collation, expected) in cases {
        let contract = contract("crm.customers", "code", &[("code", column_type)]);
        let table = state(&contract, &[("code", column_type, Some(collation), "")]);
        let rules: Vec<_> = told(&table).into_iter().map(|(_, rule, _)| rule).collect();
        assert_eq!(rules, expected, "{column_type} {collation}");
    }
}

#[test]
fn types_names_and_character_sets_that_cannot_travel_are_told() {
    let contract = contract("crm.customers", "id", &[("id", "int")]);
    let cases = [
        (("d", "decimal(39,2)", None, ""), Some((Warning, "source/decimal-digits"))),
        (("d", "decimal(38,2)", None, ""), None),
        (("v", "vector(3)", None, ""), Some((Error, "source/type-unknown"))),
        (("u", "uuid", None, ""), Some((Error, "source/type-unknown"))),
        (("t", "text", Some("gbk_chinese_ci"), ""), Some((Error, "source/character-set"))),
        (("t", "text", Some("latin1_swedish_ci"), ""), None),
        (("a`b", "int", None, ""), Some((Error, "source/name-quotes"))),
        (("OP", "int", None, ""), Some((Error, "source/name-reserved"))),
        (("BI_id", "int", None, ""), Some((Error, "source/name-reserved"))),
        (("Name", "int", None, ""), Some((Warning, "source/name-lake"))),
        (("op", "int", None, "INVISIBLE"), None),
    ];
    for (given, expected) in cases {
        let table = state(&contract, &[("id", "int", None, ""), given]);
        let found: Vec<_> = told(&table)
            .into_iter()
            .filter(|(_, rule, _)| *rule != "source/column-unknown")
            .map(|(severity, rule, _)| (severity, rule))
            .collect();
        assert_eq!(found, Vec::from_iter(expected), "{given:?}");
    }
}

#[test]
fn a_cascade_is_lost_unless_the_server_logs_it() {
    let contract = contract("crm.addresses", "id", &[("id", "int")]);
    let mut table = state(&contract, &[("id", "int", None, "")]);
    table.cascades.push(Cascade {
        constraint: "fk".to_owned(),
        parent: "customers".to_owned(),
        on_update: "NO ACTION".to_owned(),
        on_delete: "CASCADE".to_owned(),
    });
    let severity =
        |version, variables: &[(&str, &str)]| told_on(&table, &server(version, variables))[0].0;
    assert_eq!(severity("8.4.2", &[]), Error);
    assert_eq!(severity("10.11.8-MariaDB", &[]), Error);
    assert_eq!(severity("9.7.4", &[("innodb_native_foreign_keys", "ON")]), Error);
    assert_eq!(severity("9.7.4", &[("innodb_native_foreign_keys", "OFF")]), Note);
}

#[test]
fn what_a_table_is_decides_how_it_is_replicated() {
    let contract = contract("crm.customers", "id", &[("id", "int")]);
    type Change = fn(&mut TableState<'_>);
    let cases: [(Change, Vec<(Severity, &str)>); 9] = [
        (|t| t.readable = false, vec![(Error, "source/privilege")]),
        (|t| t.source.kind = "VIEW".into(), vec![(Error, "source/table-kind")]),
        (|t| t.source.engine = Some("MyISAM".into()), vec![(Error, "source/engine")]),
        (|t| t.source.key.clear(), vec![(Error, "source/no-primary-key")]),
        (|t| t.source.key.push("n".into()), vec![(Error, "source/key-differs")]),
        (
            |t| t.source.columns[0].extra = "INVISIBLE".into(),
            vec![(Error, "source/column-left-out"), (Error, "source/key-left-out")],
        ),
        (|t| t.triggers = 2, vec![(Note, "source/trigger")]),
        (|t| t.source.options = "partitioned".into(), vec![(Warning, "source/partitioned")]),
        (|t| t.source.estimated_rows = 5_000_000, vec![(Note, "source/large-table")]),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut table = state(&contract, &[("id", "int", None, "")]);
        change(&mut table);
        let found: Vec<_> = told(&table).into_iter().map(|(s, rule, _)| (s, rule)).collect();
        assert_eq!(found, expected, "case {number}");
    }
}
