//! Contracts of tables whose columns came, went or changed their name, and history tables.

use medallion_definition::finding::Findings;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::name::Layer;
use medallion_definition::types::LakeType;

const ORDERS: &str = r#"version = 1
table = "shop.orders"
description = "orders"
key = ["order_id"]
dropped = ["coupon", "old_note"]
history = true

[[column]]
name = "order_id"
type = "bigint"
nullable = false
sensitivity = "internal"
renamed_from = ["id"]

[[column]]
name = "email"
type = "varchar(100)"
nullable = true
sensitivity = "personal"
renamed_from = ["mail", "e_mail"]
added = true
"#;
const POLICY: &str = r#"version = 1
[[group]]
name = "analysts"
[[grant]]
name = "histories"
to = "analysts"
tables = "silver.shop_orders_history"
columns = { except = ["valid_to"] }
"#;

fn read(orders: &str, more: &[(&str, &str)]) -> Result<LakeDefinition, Findings> {
    let lake = "version = 1\nname = \"shop\"\ndescription = \"a shop\"\n";
    let files = [("lake.toml", lake), ("policy.toml", POLICY), ("tables/shop_orders.toml", orders)];
    let file = |(path, text): &(&str, &str)| SourceFile {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
    };
    LakeDefinition::read(&files.iter().chain(more).map(file).collect::<Vec<_>>())
}

#[test]
fn what_came_and_went_is_part_of_the_contract() {
    let lake = read(ORDERS, &[]).unwrap();
    let orders = &lake.tables[0];
    let dropped: Vec<&str> = orders.dropped.iter().map(AsRef::as_ref).collect();
    assert_eq!((dropped, orders.history), (vec!["coupon", "old_note"], true));
    let names: Vec<Vec<&str>> =
        orders.columns.iter().map(|c| c.names().map(AsRef::as_ref).collect()).collect();
    assert_eq!(names, [vec!["order_id", "id"], vec!["email", "mail", "e_mail"]]);
    assert_eq!([orders.columns[0].added, orders.columns[1].added], [false, true]);

    let plain = "dropped = [\"coupon\", \"old_note\"]\nhistory = true\n";
    assert!(ORDERS.contains(plain));
    let findings = read(&ORDERS.replace(plain, ""), &[]).unwrap_err();
    assert_eq!(findings.iter().next().unwrap().rule.0, "policy/unknown-table");
}

#[test]
fn a_history_table_has_the_source_columns_and_their_sensitivity() {
    let lake = read(ORDERS, &[]).unwrap();
    let catalogue = lake.catalogue();
    let names: Vec<String> = catalogue.iter().map(|t| format!("{}.{}", t.layer, t.name)).collect();
    assert_eq!(
        names,
        [
            "bronze.shop_orders",
            "silver.shop_orders",
            "silver.shop_orders_history",
            "quarantine.shop_orders"
        ]
    );
    let history = &catalogue[2];
    assert_eq!(history.layer, Layer::Silver);
    let columns: Vec<_> = history
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.lake_type, c.sensitivity.as_str(), c.nullable))
        .collect();
    assert_eq!(
        columns,
        [
            ("order_id", LakeType::Long, "internal", false),
            ("email", LakeType::String, "personal", true),
            ("_generation", LakeType::Long, "internal", false),
            ("_change_seq", LakeType::String, "internal", false),
            ("valid_from", LakeType::TimestampTz, "internal", false),
            ("valid_to", LakeType::TimestampTz, "internal", true),
            ("is_current", LakeType::Boolean, "internal", false),
            ("_ended_generation", LakeType::Long, "internal", true),
            ("_ended_seq", LakeType::String, "internal", true),
        ]
    );
}

#[test]
fn contradictions_are_findings_with_their_place() {
    let cases = [
        ("renamed_from = [\"id\"]", "added = true", 8, "contract/added"),
        ("added = true", "added = true\ncheck = [\"not_null\"]", 15, "contract/added"),
        ("[\"mail\", \"e_mail\"]", "[\"order_id\"]", 15, "contract/renamed-from"),
        ("[\"mail\", \"e_mail\"]", "[\"email\"]", 15, "contract/renamed-from"),
        ("[\"mail\", \"e_mail\"]", "[\"mail\", \"mail\"]", 15, "contract/renamed-from"),
        ("[\"mail\", \"e_mail\"]", "[\"mail\", \"id\"]", 15, "contract/renamed-from"),
        ("[\"mail\", \"e_mail\"]", "[\"dms_ts\"]", 15, "contract/renamed-from"),
        ("[\"mail\", \"e_mail\"]", "[\"bi_id\"]", 15, "contract/renamed-from"),
        ("[\"mail\", \"e_mail\"]", "[\"E-Mail\"]", 20, "definition/bad-value"),
        ("[\"mail\", \"e_mail\"]", "\"mail\"", 20, "definition/bad-value"),
        ("\"coupon\"", "\"email\"", 5, "contract/dropped"),
        ("\"coupon\"", "\"mail\"", 5, "contract/dropped"),
        ("\"coupon\"", "\"op\"", 5, "contract/dropped"),
        ("\"coupon\"", "\"old_note\"", 5, "contract/dropped"),
        ("history = true", "history = \"yes\"", 6, "definition/bad-value"),
        ("name = \"email\"", "name = \"is_current\"", 6, "contract/history"),
    ];
    for (from, to, line, rule) in cases {
        assert!(ORDERS.contains(from), "{from}");
        let findings = read(&ORDERS.replacen(from, to, 1), &[]).unwrap_err();
        let found: Vec<_> = findings.iter().map(|f| (f.line, f.rule.0)).collect();
        assert_eq!(found, [(line, rule)], "{to}: {findings}");
    }
}

#[test]
fn two_tables_cannot_have_one_name_in_the_lake() {
    let other = ORDERS.replace("history = true", "").replace("shop.orders", "shop.orders_history");
    let findings = read(ORDERS, &[("tables/other.toml", &other)]).unwrap_err();
    let found: Vec<_> = findings.iter().map(|f| (f.file.as_str(), f.rule.0)).collect();
    assert_eq!(found, [("tables/other.toml", "lake/table-name")]);
}
