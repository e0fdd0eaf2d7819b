//! The header of Gold models: what it says, what stands when it says nothing, and what is found
//! in headers that are wrong in one way each.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod findings;
mod shipped;

use std::time::Duration;

use medallion_definition::finding::Findings;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::model::{
    CheckKind, CheckSeverity, GoldModel, Materialisation, Partitioning,
};
use medallion_definition::name::{ColumnName, Layer};

const LAKE: &str = "version = 1\nname = \"shop\"\ndescription = \"a shop\"\n";
const ORDERS: &str = r#"version = 1
table = "shop.orders"
description = "orders"
key = ["id"]
history = true
[[column]]
name = "id"
type = "bigint"
nullable = false
sensitivity = "internal"
"#;
/// Everything that a header can hold.
const MODEL: &str = r#"/*---
description = "orders per day and shop"
owner = "team"
grain = ["day", "shop"]
materialisation = { incremental = ["shop"] }
partitioning = "bucket(shop, 8)"

[[column]]
name = "day"
type = "date"
nullable = false
sensitivity = "public"

[[column]]
name = "shop"
type = "long"
nullable = false
sensitivity = "public"

[[column]]
name = "orders"
type = "long"
sensitivity = "internal"
safe = " counts of at least five people "

[[column]]
name = "share"
type = "double"
nullable = false
sensitivity = "personal"

[[check]]
kind = "not_null"
column = "orders"

[[check]]
kind = "unique"
columns = ["shop", "day"]

[[check]]
kind = "accepted_values"
column = "shop"
values = ["1", "2"]

[[check]]
kind = "relationship"
column = "shop"
to = "bronze.shop_orders"
to_column = "op"

[[check]]
kind = "row_count_change"
max_drop = 0.2
max_growth = 1.5

[[check]]
kind = "freshness"
column = "day"
max_age = "36h"

[[check]]
kind = "sql"
name = "no negative shares"
severity = "warn"
sql = "select * from this where share < 0;"
---*/
select day, shop, count(*) as orders, 0.5 as share from silver.shop_orders group by day, shop
"#;

fn read_files(files: &[(&str, &str)]) -> Result<LakeDefinition, Findings> {
    let file = |(path, text): &(&str, &str)| SourceFile {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
    };
    LakeDefinition::read(&files.iter().map(file).collect::<Vec<_>>())
}

fn read(model: &str) -> Result<GoldModel, Findings> {
    let lake = read_files(&[
        ("lake.toml", LAKE),
        ("policy.toml", "version = 1\n"),
        ("tables/orders.toml", ORDERS),
        ("models/days.sql", model),
    ])?;
    Ok(lake.models[0].clone())
}

fn changed(from: &str, to: &str) -> String {
    assert!(MODEL.contains(from), "`{from}` is nowhere");
    MODEL.replacen(from, to, 1)
}

fn name(text: &str) -> ColumnName {
    text.parse().unwrap()
}

fn key(model: &GoldModel) -> Vec<&str> {
    model.key().into_iter().map(ColumnName::as_str).collect()
}

#[test]
fn everything_that_a_header_says_is_read() {
    let model = read(MODEL).unwrap();
    assert_eq!(model.materialisation, Materialisation::Incremental { key: vec![name("shop")] });
    assert_eq!(model.partitioning, Partitioning::Bucket { column: name("shop"), buckets: 8 });
    let safe = model.column(&name("orders")).unwrap().safe_because.as_deref();
    assert_eq!(safe, Some("counts of at least five people"));
}

#[test]
fn checks_are_read_with_their_names_and_places() {
    let model = read(MODEL).unwrap();
    let (day, shop) = (name("day"), name("shop"));
    let kinds = [
        CheckKind::NotNull { column: name("orders") },
        CheckKind::Unique { columns: vec![shop.clone(), day.clone()] },
        CheckKind::AcceptedValues { column: shop.clone(), values: vec!["1".into(), "2".into()] },
        CheckKind::Relationship {
            column: shop,
            to_layer: Layer::Bronze,
            to_table: "shop_orders".to_owned(),
            to_column: name("op"),
        },
        CheckKind::RowCountChange { max_drop_permille: Some(200), max_growth_permille: Some(1500) },
        CheckKind::Freshness { column: day, max_age: Duration::from_secs(36 * 3600) },
        CheckKind::Sql { sql: "select * from this where share < 0".to_owned() },
    ];
    let found: Vec<&CheckKind> = model.checks.iter().map(|c| &c.kind).collect();
    assert_eq!(found, kinds.iter().collect::<Vec<_>>());
    let called: Vec<_> =
        model.checks.iter().map(|c| (c.name.as_str(), c.severity, c.line)).collect();
    let expected = [
        ("not_null(orders)", CheckSeverity::Error, 32),
        ("unique(shop,day)", CheckSeverity::Error, 36),
        ("accepted_values(shop)", CheckSeverity::Error, 40),
        ("relationship(shop)", CheckSeverity::Error, 45),
        ("row_count_change", CheckSeverity::Error, 51),
        ("freshness(day)", CheckSeverity::Error, 56),
        ("no negative shares", CheckSeverity::Warn, 61),
    ];
    assert_eq!(called, expected);
}

#[test]
fn a_header_that_says_little_gets_the_defaults() {
    let (header, _) = MODEL.split_once("\n[[check]]").unwrap();
    let plain = header
        .replace("materialisation = { incremental = [\"shop\"] }\n", "")
        .replace("partitioning = \"bucket(shop, 8)\"\n", "")
        .replace("safe = \" counts of at least five people \"\n", "");
    let model = read(&format!("{plain}\n---*/\nselect 1")).unwrap();
    assert_eq!(model.materialisation, Materialisation::Full);
    assert_eq!(model.partitioning, Partitioning::None);
    assert_eq!(model.checks, []);
    assert_eq!(model.columns[2].safe_because, None);
    let said = changed("{ incremental = [\"shop\"] }", "\"full\"")
        .replace("partitioning = \"bucket(shop, 8)\"\n", "");
    assert_eq!(read(&said).unwrap().materialisation, Materialisation::Full);
}

#[test]
fn ages_are_read_in_every_unit() {
    for (text, seconds) in [("90s", 90), ("5m", 300), ("1h", 3600), ("36525d", 36_525 * 86_400)] {
        let model = read(&changed("36h", text)).unwrap();
        let kind = &model.checks[5].kind;
        let CheckKind::Freshness { max_age, .. } = kind else { panic!("{kind:?}") };
        assert_eq!(max_age.as_secs(), seconds, "{text}");
    }
}

#[test]
fn a_row_count_may_be_bounded_on_one_side() {
    let limits = |text: &str| {
        let model = read(&changed("max_drop = 0.2\nmax_growth = 1.5", text)).unwrap();
        match model.checks[4].kind {
            CheckKind::RowCountChange { max_drop_permille, max_growth_permille } => {
                (max_drop_permille, max_growth_permille)
            }
            ref other => panic!("{other:?}"),
        }
    };
    assert_eq!(limits("max_drop = 1"), (Some(1000), None));
    assert_eq!(limits("max_drop = 0.001"), (Some(1), None));
    assert_eq!(limits("max_growth = 0"), (None, Some(0)));
    assert_eq!(limits("max_growth = 12345.678"), (None, Some(12_345_678)));
}

/// The tables whose key the rows are sorted by: incremental, in buckets, and neither.
#[test]
fn a_table_is_sorted_by_its_key() {
    let incremental = read(MODEL).unwrap();
    assert_eq!(key(&incremental), ["shop", "day"]);

    let full = changed("{ incremental = [\"shop\"] }", "\"full\"");
    let bucketed = read(&full.replace("bucket(shop, 8)", "bucket(day, 2)")).unwrap();
    assert_eq!(key(&bucketed), ["day", "shop"]);

    let plain = full.replace("partitioning = \"bucket(shop, 8)\"\n", "");
    assert_eq!(key(&read(&plain).unwrap()), ["day", "shop"]);
    let nullable = plain.replacen("nullable = false\n", "", 1);
    assert_eq!(key(&read(&nullable).unwrap()), [""; 0], "a nullable column is no key column");
    let floating = plain.replacen("grain = [\"day\",", "grain = [\"share\",", 1);
    assert_eq!(key(&read(&floating).unwrap()), [""; 0], "nor is a floating-point number");
}

#[test]
fn blanks_within_a_partitioning_mean_nothing() {
    let model = read(&changed("bucket(shop, 8)", " bucket ( shop,8 ) ")).unwrap();
    assert_eq!(model.partitioning, Partitioning::Bucket { column: name("shop"), buckets: 8 });
}

#[test]
fn a_relationship_may_lead_to_any_table_of_the_lake() {
    let bronze = "to = \"bronze.shop_orders\"\nto_column = \"op\"";
    for (layer, table, column) in [
        (Layer::Silver, "shop_orders", "_loaded_at"),
        (Layer::Silver, "shop_orders_history", "valid_from"),
        (Layer::Quarantine, "shop_orders", "rules"),
        (Layer::Bronze, "shop_orders", "bi_id"),
    ] {
        let to = format!("to = \"{layer}.{table}\"\nto_column = \"{column}\"");
        let model = read(&changed(bronze, &to)).unwrap();
        let kind = &model.checks[3].kind;
        let CheckKind::Relationship { to_layer, to_table, to_column, .. } = kind else {
            panic!("{kind:?}")
        };
        assert_eq!((*to_layer, to_table.as_str(), to_column.as_str()), (layer, table, column));
    }
}
