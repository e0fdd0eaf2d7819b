//! `[load]` of a contract: ranges that DMS can cut without losing rows, and ranges that it cannot.

use medallion_definition::contract::{LoadOptions, RangeValue};
use medallion_definition::lake::{LakeDefinition, SourceFile};

fn contract(load: &str) -> String {
    let column = |name: &str, source_type: &str, nullable: bool| {
        format!(
            "[[column]]\nname = \"{name}\"\ntype = \"{source_type}\"\nnullable = {nullable}\n\
             sensitivity = \"internal\"\n"
        )
    };
    let columns = [
        column("id", "bigint unsigned", false),
        column("region", "char(2)", false),
        column("born", "date", false),
        column("score", "double", false),
        column("flag", "int", true),
        column("kind", "enum('a','b')", false),
        column("notes", "longtext", false),
    ];
    format!(
        "version = 1\ntable = \"shop.orders\"\ndescription = \"o\"\nkey = [\"id\"]\n\
         [load]\n{load}\n{}",
        columns.concat()
    )
}

/// The load options, or what is found: `line rule`.
fn read(load: &str) -> Result<LoadOptions, Vec<String>> {
    let files = [
        ("lake.toml", "version = 1\nname = \"shop\"\ndescription = \"s\"\n".to_owned()),
        ("tables/orders.toml", contract(load)),
        ("policy.toml", "version = 1\n".to_owned()),
    ];
    let files = files.map(|(path, text)| SourceFile { path: path.into(), text });
    LakeDefinition::read(&files)
        .map(|lake| lake.tables[0].load.clone())
        .map_err(|found| found.iter().map(|f| format!("{} {}", f.line, f.rule)).collect())
}

#[test]
fn ranges_and_a_lob_size_are_read() {
    let load = read(
        "lob_max_kb = 512\nranges = { columns = [\"region\", \"id\"], \
         boundaries = [[\"MG\", 500], [\"SP\", 100], [\"SP\", 200]] }",
    )
    .unwrap();
    assert_eq!(load.lob_max_kb, Some(512));
    let ranges = load.ranges.unwrap();
    assert_eq!(ranges.columns[0].as_str(), "region");
    assert_eq!(ranges.boundaries[1], [RangeValue::Text("SP".to_owned()), RangeValue::Integer(100)]);
    let dates = "ranges = { columns = [\"born\"], boundaries = [[\"1980-01-01\"]] }";
    assert!(read(dates).is_ok());
    assert_eq!(read(""), Ok(LoadOptions::default()));
}

#[test]
fn ranges_that_would_lose_rows_are_findings() {
    let ranges = |columns: &str, boundaries: &str| {
        format!("ranges = {{ columns = [{columns}], boundaries = [{boundaries}] }}")
    };
    let eleven = ["\"id\""; 11].join(", ");
    let cases = [
        (ranges("\"flag\"", "[1]"), "contract/range-column"),
        (ranges("\"score\"", "[1]"), "contract/range-column"),
        (ranges("\"notes\"", "[\"m\"]"), "contract/range-column"),
        (ranges("\"kind\"", "[\"b\"]"), "contract/range-column"),
        (ranges("\"nobody\"", "[1]"), "contract/range-column"),
        (ranges("", "[1]"), "contract/range-column"),
        (ranges(&eleven, "[1]"), "contract/range-column"),
        (ranges("\"id\"", ""), "contract/range-boundary"),
        (ranges("\"id\"", "[1, 2]"), "contract/range-boundary"),
        (ranges("\"id\"", "[\"1\"]"), "contract/range-boundary"),
        (ranges("\"id\"", "[2], [1]"), "contract/range-boundary"),
        (ranges("\"id\"", "[2], [2]"), "contract/range-boundary"),
        (ranges("\"region\"", "[\"a\"], [\"B\"]"), "contract/range-boundary"),
        (ranges("\"region\"", "[\"ã\"]"), "contract/range-boundary"),
        (ranges("\"born\"", "[\"1/1/1980\"]"), "contract/range-boundary"),
        ("ranges = 3".to_owned(), "contract/range-boundary"),
        ("range = 3".to_owned(), "definition/unknown-key"),
        ("lob_max_kb = 40000".to_owned(), "definition/bad-value"),
        ("lob_max_kb = 0".to_owned(), "definition/bad-value"),
    ];
    for (load, rule) in cases {
        assert_eq!(read(&load), Err(vec![format!("6 {rule}")]), "{load}");
    }
}
