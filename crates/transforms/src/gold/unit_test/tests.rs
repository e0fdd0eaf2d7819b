use medallion_definition::lake::{LakeDefinition, SourceFile};

use super::*;
use crate::error::TransformError;

const ORDERS: &str = r#"version = 1
table = "shop.orders"
description = "orders"
key = ["id"]
history = true

[[column]]
name = "id"
type = "int"
nullable = false
sensitivity = "internal"

[[column]]
name = "region"
type = "char(2)"
nullable = false
sensitivity = "internal"

[[column]]
name = "total"
type = "decimal(10,2)"
nullable = true
sensitivity = "internal"
"#;

const COLUMNS: &str = r#"
[[column]]
name = "region"
type = "string"
nullable = false
sensitivity = "public"
[[column]]
name = "total"
type = "decimal(10,2)"
nullable = true
sensitivity = "public"
---*/
"#;

/// A lake with one source table and models of one grain and two columns each.
fn lake(models: &[(&str, &str)]) -> LakeDefinition {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
    let mut files = vec![
        file("lake.toml", "version = 1\nname = \"shop\"\ndescription = \"a shop\"\n"),
        file("policy.toml", "version = 1\n"),
        file("tables/orders.toml", ORDERS),
    ];
    let header = "/*---\ndescription = \"m\"\nowner = \"o\"\ngrain = [\"region\"]\n";
    for (name, sql) in models {
        files.push(file(&format!("models/{name}.sql"), &format!("{header}{COLUMNS}{sql}")));
    }
    LakeDefinition::read(&files).unwrap()
}

const TOTALS: (&str, &str) =
    ("totals", "select region, sum(total) as total from silver.shop_orders group by region");

fn path(model: &str) -> String {
    format!("lake/models/tests/{model}/case.toml")
}

fn text(given: &[(&str, &str)], expected: &str) -> String {
    let given = given
        .iter()
        .map(|(table, rows)| format!("[[given]]\ntable = \"{table}\"\nrows = '''\n{rows}\n'''\n"));
    format!("description = \"d\"\n{}[expected]\n{expected}\n", given.collect::<String>())
}

fn rows(rows: &str) -> String {
    format!("rows = '''\n{rows}\n'''")
}

/// The verdict on a model of one query.
async fn verdict(sql: &str, given: &[(&str, &str)], expected: &str) -> Verdict {
    let lake = lake(&[("m", sql)]);
    let test = parse(&lake, &path("m"), &text(given, expected));
    run(&test.unwrap_or_else(|findings| panic!("{findings}"))).await.unwrap()
}

/// The findings of one file: line, rule, message.
fn findings(text: &str) -> Vec<String> {
    let found = parse(&lake(&[TOTALS]), &path("totals"), text).unwrap_err();
    found.iter().map(|f| format!("{} {} {}", f.line, f.rule, f.message)).collect()
}

#[tokio::test]
async fn rows_come_out_in_any_order_and_only_named_columns_count() {
    let given = [("silver.shop_orders", "id | region | total\n1|SP|1.50\n2|SP|null\n3|RJ|null")];
    let whole = rows("total | region\nnull | RJ\n1.50 | SP");
    assert_eq!(verdict(TOTALS.1, &given, &whole).await, Verdict::Passed);
    assert_eq!(verdict(TOTALS.1, &given, &rows("region\nSP\nRJ")).await, Verdict::Passed);

    let twice = rows("region | total\nSP | 1.5\nSP | 1.5");
    let Verdict::Differs(difference) = verdict(TOTALS.1, &given, &twice).await else {
        panic!("a repeated row is another row");
    };
    assert_eq!(difference.missing, [["SP", "1.50"]]);
    assert_eq!(difference.unexpected, [["RJ", "NULL"]]);
}

#[tokio::test]
async fn what_is_not_given_is_empty_or_null() {
    assert_eq!(verdict(TOTALS.1, &[], &rows("region")).await, Verdict::Passed);
    let given = [("silver.shop_orders", "id\n1\n2")];
    let sql = "select cast(id as varchar) as region, total from silver.shop_orders";
    assert_eq!(verdict(sql, &given, &rows("region | total\n1|\n2|")).await, Verdict::Passed);
}

#[tokio::test]
async fn every_layer_can_be_given_under_the_names_that_queries_use() {
    let other = "select r.region, cast(count(*) as decimal(10, 2)) as total from gold.totals r \
                 join bronze.shop_orders b on b.op = 'D' and b.bi_id = 7 \
                 join quarantine.shop_orders q on q.row_number = 3 \
                 join silver.shop_orders_history h on h._generation = 2 group by r.region";
    let lake = lake(&[TOTALS, ("other", other)]);
    let given = [
        ("gold.totals", "region\nSP"),
        ("bronze.shop_orders", "op | id | bi_id\nD | 7 | 7\nI | 7 | 7"),
        ("quarantine.shop_orders", "row_number\n3\n4"),
        ("silver.shop_orders_history", "id | _generation\n7 | 2\n7 | 2"),
    ];
    let expected = rows("region | total\nSP | 2.00");
    let test = parse(&lake, &path("other"), &text(&given, &expected)).unwrap();
    assert_eq!(run(&test).await.unwrap(), Verdict::Passed);
}

#[tokio::test]
async fn a_build_that_is_not_published_can_be_expected() {
    let given = [("silver.shop_orders", "id | region\n1 | null\n2 | SP\n3 | SP")];
    let sql = "select region, total from silver.shop_orders";
    for part in ["`region` is NULL in 1 rows", "repeat the grain (region)"] {
        let expected = format!("error = '{part}'");
        assert_eq!(verdict(sql, &given, &expected).await, Verdict::Passed, "{part}");
    }
    let reasons = ["`region` is NULL in 1 rows", "1 rows repeat the grain (region)"];
    let reasons: Vec<String> = reasons.map(str::to_owned).to_vec();
    let other = Verdict::OtherError { expected: "`total`".to_owned(), reasons };
    assert_eq!(verdict(sql, &given, "error = '`total`'").await, other);
    // Rows as expected do not help a build that is not published.
    let named = verdict(sql, &given, &rows("total\nnull\nnull\nnull")).await;
    let reasons = vec!["1 rows repeat the grain (region)".to_owned()];
    assert_eq!(named, Verdict::NotPublished { reasons });
}

#[tokio::test]
async fn an_error_that_does_not_come_is_told() {
    let given = [("silver.shop_orders", "id | region\n1 | SP")];
    let verdict = verdict(TOTALS.1, &given, "error = 'NULL'").await;
    assert_eq!(verdict, Verdict::OtherError { expected: "NULL".to_owned(), reasons: Vec::new() });
    assert!(!verdict.passed());
}

#[tokio::test]
async fn failing_queries_and_misfits_are_verdicts() {
    let given = [("silver.shop_orders", "id | region\n1 | SP")];
    let fails = "select region, cast(region as decimal(10, 2)) as total from silver.shop_orders";
    let found = verdict(fails, &given, &rows("region\nSP")).await;
    assert!(matches!(found, Verdict::NotPublished { .. }), "{found}");
    assert_eq!(verdict(fails, &given, "error = 'the query fails'").await, Verdict::Passed);
    let misfit = "select region, 1e9 as total from silver.shop_orders";
    let expected = "error = 'column `total` does not fit decimal(10,2)'";
    assert_eq!(verdict(misfit, &given, expected).await, Verdict::Passed);
    let renamed = "select region, total as sum from silver.shop_orders";
    let expected = "error = 'the query returns (region, sum)'";
    assert_eq!(verdict(renamed, &given, expected).await, Verdict::Passed);
}

#[tokio::test]
async fn a_query_that_does_not_plan_is_an_error() {
    let lake = lake(&[("m", "select region, totl as total from silver.shop_orders")]);
    let test = parse(&lake, &path("m"), &text(&[], &rows("region"))).unwrap();
    assert!(matches!(run(&test).await, Err(TransformError::Query { .. })));
}

#[test]
fn everything_that_is_wrong_is_found_at_once() {
    let given = [
        ("silver.shop_orders", "id | regoin | total | total\nx | SP | 1.005 | 1\n2 | SP"),
        ("silver.shop_orders", "id\n1"),
        ("gold.totals", "region\nSP"),
        ("silver.orders", "id\n1"),
        ("silver_shop_orders", "id\n1"),
    ];
    let found = findings(&text(&given, &rows("region | sum\nnull | 1\n\"a | 1")));
    let expected = [
        "5 unit-test/twice column `total` stands twice",
        "5 unit-test/unknown-column `silver.shop_orders` has no column `regoin`",
        "6 unit-test/cell `1.005` is no decimal(10,2), as `total` wants it",
        "6 unit-test/cell `x` is no int, as `id` wants it",
        "7 unit-test/row `2 | SP` has 2 cells where the header has 4",
        "10 unit-test/twice `silver.shop_orders` is given twice",
        "16 unit-test/table-not-read `totals` does not read `gold.totals`",
        "22 unit-test/unknown-table the lake has no table `silver.orders`",
        "28 unit-test/unknown-table the lake has no table `silver_shop_orders`",
        "35 unit-test/unknown-column `gold.totals` has no column `sum`",
        "37 unit-test/row `\"a | 1`: a text is not closed",
    ];
    let mut sorted = found.clone();
    sorted.sort_by_key(|f| f.split(' ').next().and_then(|line| line.parse::<usize>().ok()));
    for (found, expected) in sorted.iter().zip(&expected) {
        let line = expected.split(' ').next();
        assert_eq!(found.split(' ').next(), line, "{sorted:#?}");
    }
    let (mut sorted, mut expected) = (sorted, expected.map(str::to_owned).to_vec());
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
}

#[test]
fn keys_are_given_once() {
    let found = |rows_: &str| findings(&text(&[("silver.shop_orders", rows_)], &rows("region")));
    assert_eq!(
        found("region\nSP"),
        ["5 unit-test/key the key column `id` of `silver.shop_orders` is not given"]
    );
    assert_eq!(found("id\n1\nnull"), ["7 unit-test/key the key column `id` is NULL"]);
    assert_eq!(
        found("id | region\n1|SP\n2|SP\n1|RJ"),
        ["8 unit-test/key `silver.shop_orders` has this key already"]
    );
}

#[test]
fn expected_rows_keep_the_promises_of_the_header() {
    let found = findings(&text(&[], &rows("total | region\nnull | SP\n1 | null")));
    assert_eq!(found, ["6 unit-test/not-null NULL is expected in `region`"]);
    assert_eq!(findings(&text(&[], "rows = ''")), ["3 unit-test/row a table needs a header"]);
}

#[test]
fn tests_belong_to_models() {
    let lake = lake(&[TOTALS]);
    let file = |model: &str| SourceFile { path: path(model), text: text(&[], &rows("region")) };
    let found = parse_all(&lake, &[file("total"), file("totals"), file("sums")]).unwrap_err();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let told = |model: &str| {
        format!(
            "{}: [unit-test/unknown-model] there is no model `{model}`\n    \
             hint: models are totals",
            path(model)
        )
    };
    assert_eq!(found, [told("sums"), told("total")]);
    assert_eq!(parse_all(&lake, &[file("totals")]).unwrap().len(), 1);
}
