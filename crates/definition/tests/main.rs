//! Definitions that are right, and definitions that are wrong in one way each.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use medallion_definition::finding::Findings;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::name::Layer;

const LAKE: &str = "version = 1\nname = \"shop\"\ndescription = \"a shop\"\n";
const ORDERS: &str = r#"version = 1
table = "shop.orders"
description = "orders"
key = ["id"]

[[column]]
name = "id"
type = "bigint unsigned"
nullable = false
sensitivity = "internal"

[[column]]
name = "email"
type = "varchar(100)"
nullable = true
sensitivity = "personal"
normalise = ["email"]
check = ["email"]
"#;
const TOTALS: &str = r#"/*---
description = "totals"
owner = "team"
grain = ["orders"]
[[column]]
name = "orders"
type = "long"
sensitivity = "public"
---*/
select count(*) as orders from silver.shop_orders
"#;
const POLICY: &str = r#"version = 1
[[group]]
name = "analysts"
[[group]]
name = "branch-{uf}"
parameter = { uf = "uf" }
[[grant]]
name = "totals"
to = "analysts"
tables = "gold.*"
columns = { sensitivity = ["public"] }
[[grant]]
name = "branches"
to = "branch-{uf}"
tables = "silver.shop_orders"
columns = "*"
rows = "email LIKE '%.{uf}'"
"#;

fn read(files: [(&str, &str); 4]) -> Result<LakeDefinition, Findings> {
    let file = |(path, text): (&str, &str)| SourceFile { path: path.into(), text: text.into() };
    LakeDefinition::read(&files.map(file))
}

fn files<'a>(
    lake: &'a str,
    orders: &'a str,
    totals: &'a str,
    policy: &'a str,
) -> [(&'static str, &'a str); 4] {
    [
        ("lake.toml", lake),
        ("tables/orders.toml", orders),
        ("models/totals.sql", totals),
        ("policy.toml", policy),
    ]
}

#[test]
fn a_right_definition_becomes_domain_types() {
    let lake = read(files(LAKE, ORDERS, TOTALS, POLICY)).unwrap();
    assert_eq!(lake.tables[0].table.to_string(), "shop.orders");
    assert_eq!(lake.models[0].sql_line, 10);
    assert_eq!(lake.policy.groups.len(), 28, "one group, and one per federation unit");
    let filter = lake.policy.grants.iter().find(|g| g.to.as_str() == "branch-SP").unwrap();
    assert_eq!(filter.rows.as_ref().unwrap().to_string(), "email LIKE '%.SP'");
    let silver = lake.catalogue().into_iter().find(|t| t.layer == Layer::Silver).unwrap();
    let names: Vec<&str> = silver.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["id", "email", "_change_seq", "_changed_at", "_loaded_at"]);
}

/// What replacing `from` by `to` in the right definition is reported as: `file:line rule`.
fn findings_after(from: &str, to: &str) -> Vec<String> {
    let texts = [LAKE, ORDERS, TOTALS, POLICY];
    assert!(texts.iter().any(|t| t.contains(from)), "`{from}` is nowhere");
    let [lake, orders, totals, policy] = texts.map(|t| t.replacen(from, to, 1));
    let findings = read(files(&lake, &orders, &totals, &policy)).unwrap_err();
    findings.iter().map(|f| format!("{}:{} {}", f.file, f.line, f.rule)).collect()
}

#[test]
fn each_mistake_is_one_finding_with_its_place() {
    let cases = [
        ("name = \"shop\"", "name = \"Shop\"", "lake.toml:2 definition/bad-value"),
        ("description = \"a shop\"", "", "lake.toml:1 definition/missing-key"),
        ("key = [\"id\"]", "keys = [\"id\"]", "tables/orders.toml:4 definition/unknown-key"),
        ("key = [\"id\"]", "key = []", "tables/orders.toml:4 contract/key-missing"),
        ("key = [\"id\"]", "key = [\"no\"]", "tables/orders.toml:4 contract/key-column"),
        ("nullable = false", "nullable = true", "tables/orders.toml:6 contract/key-column"),
        ("\"internal\"", "\"personal\"", "tables/orders.toml:6 contract/key-column"),
        ("key = [\"id\"]", "key = [\"email\"]", "tables/orders.toml:12 contract/key-column"),
        ("bigint unsigned", "bignum", "tables/orders.toml:8 definition/bad-value"),
        ("[\"email\"]\ncheck", "[\"mail\"]\ncheck", "tables/orders.toml:17 contract/rule"),
        (
            "check = [\"email\"]",
            "check = [{ range = { min = 1 } }]",
            "tables/orders.toml:18 contract/rule-type",
        ),
        (
            "sensitivity = \"personal\"",
            "sensitivity = \"secret\"",
            "tables/orders.toml:16 definition/bad-value",
        ),
        ("grain = [\"orders\"]", "grain = [\"order\"]", "models/totals.sql:4 model/grain"),
        ("/*---", "--", "models/totals.sql:1 model/header"),
        ("to = \"analysts\"", "to = \"analyst\"", "policy.toml:9 policy/unknown-group"),
        ("gold.*", "gold.total", "policy.toml:7 policy/unknown-table"),
        (
            "columns = \"*\"",
            "columns = { only = [\"phone\"] }",
            "policy.toml:12 policy/unknown-column",
        ),
        ("email LIKE '%.{uf}'", "lower(email) = 'x'", "policy.toml:17 policy/row-filter"),
        ("email LIKE '%.{uf}'", "_changed_at = '2026'", "policy.toml:12 policy/row-filter"),
        ("version = 1\n[[group]]", "version = 2\n[[group]]", "policy.toml:1 definition/bad-value"),
        ("key = [\"id\"]", "key = [\"id\"", "tables/orders.toml:6 toml/syntax"),
    ];
    for (from, to, expected) in cases {
        let found = findings_after(from, to);
        assert!(found.iter().any(|f| f == expected), "`{to}`: {expected} is not in {found:?}");
    }
}

#[test]
fn all_findings_of_all_files_come_at_once() {
    let orders =
        ORDERS.replace("bigint unsigned", "bignum").replace("sensitivity = \"p", "sens = \"p");
    let policy = POLICY.replace("to = \"analysts\"", "to = \"nobody\"");
    let findings = read(files(LAKE, &orders, TOTALS, &policy)).unwrap_err();
    let rules: Vec<String> = findings.iter().map(|f| format!("{} {}", f.file, f.rule)).collect();
    assert_eq!(
        rules,
        [
            "policy.toml policy/unknown-group",
            "tables/orders.toml contract/key-column",
            "tables/orders.toml definition/bad-value",
            "tables/orders.toml definition/missing-key",
            "tables/orders.toml definition/unknown-key",
        ]
    );
    let hint = findings.iter().find(|f| f.rule.0 == "policy/unknown-group").unwrap();
    assert!(hint.hint.contains("analysts"), "{hint}");
}

#[test]
fn a_missing_file_and_a_strange_file_are_findings() {
    let files = [("tables/orders.toml", ORDERS), ("notes.txt", ""), ("lake.toml", LAKE)];
    let files = files.map(|(path, text)| SourceFile { path: path.into(), text: text.into() });
    let findings = LakeDefinition::read(&files).unwrap_err();
    let rules: Vec<&str> = findings.iter().map(|f| f.rule.0).collect();
    assert_eq!(rules, ["lake/file-unknown", "lake/file-missing"]);
}
