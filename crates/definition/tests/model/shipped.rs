//! The models that ship, what lies beside them, and the example of their README.

use std::path::PathBuf;

use medallion_definition::contract::Sensitivity;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::model::CheckSeverity;

use super::{LAKE, MODEL, ORDERS, name, read_files};

#[test]
fn what_lies_beside_the_models_is_no_part_of_the_definition() {
    let lake = read_files(&[
        ("infra/lake/lake.toml", LAKE),
        ("infra/lake/policy.toml", "version = 1\n"),
        ("infra/lake/tables/orders.toml", ORDERS),
        ("infra/lake/models/README.md", "# Models"),
        ("infra/lake/models/days.sql", MODEL),
        ("infra/lake/models/tests/days.toml", "anything"),
        ("infra/lake/models/tests/days.sql", "select"),
    ])
    .unwrap();
    assert_eq!((lake.tables.len(), lake.models.len()), (1, 1));
    // A lake may live in a folder of any name.
    let lake = read_files(&[
        ("models/lake.toml", LAKE),
        ("models/policy.toml", "version = 1\n"),
        ("models/tables/orders.toml", ORDERS),
        ("models/models/days.sql", MODEL),
    ])
    .unwrap();
    assert_eq!((lake.tables.len(), lake.models.len()), (1, 1));
    let files = [("lake.toml", LAKE), ("policy.toml", "version = 1\n"), ("models/notes.txt", "")];
    let findings = read_files(&files).unwrap_err();
    let rules: Vec<_> = findings.iter().map(|f| f.rule.0).collect();
    assert_eq!(rules, ["lake/file-unknown"]);
}

/// Every file of the lake's three folders, as the command line reads them.
fn shipped() -> Vec<SourceFile> {
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
    files
}

#[test]
fn the_models_that_ship_are_read() {
    let lake = LakeDefinition::read(&shipped()).unwrap_or_else(|findings| panic!("{findings}"));
    let customers = lake.model("customer_360").unwrap();
    assert_eq!(customers.key(), [&name("customer_id")]);
    assert!(customers.columns.iter().any(|c| c.sensitivity == Sensitivity::Personal));
}

#[test]
fn the_example_of_the_readme_is_a_model_of_the_lake() {
    let mut files = shipped();
    let readme = files.iter().find(|f| f.path.ends_with("models/README.md")).unwrap();
    let (_, rest) = readme.text.split_once("```sql\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let path = readme.path.replace("README.md", "phones_by_region.sql");
    let example = SourceFile { path, text: example.to_owned() };
    files.push(example);
    let lake = LakeDefinition::read(&files).unwrap_or_else(|findings| panic!("{findings}"));
    let model = lake.model("phones_by_region").unwrap();
    assert!(model.column(&name("phones")).unwrap().safe_because.is_some());
    let checks: Vec<_> = model.checks.iter().map(|c| (c.name.as_str(), c.severity)).collect();
    let expected = [
        ("row_count_change", CheckSeverity::Warn),
        ("more phones than customers", CheckSeverity::Error),
    ];
    assert_eq!(checks, expected);
}
