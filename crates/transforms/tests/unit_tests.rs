//! The unit tests of the models that ship.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_transforms::gold::unit_test::{parse_all, run};

/// How many unit tests a model has at least.
const LEAST: usize = 3;

/// All files below a folder, in no order.
fn files(folder: &Path, found: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(SourceFile { path: path.display().to_string(), text });
        }
    }
}

#[tokio::test]
async fn the_models_that_ship_pass_their_unit_tests() {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/lake"), &mut all);
    let (unit_tests, definition): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|file| file.path.contains("/models/tests/"));
    let lake = LakeDefinition::read(&definition).unwrap_or_else(|findings| panic!("{findings}"));
    let tests = parse_all(&lake, &unit_tests).unwrap_or_else(|findings| panic!("{findings}"));

    let mut counts: BTreeMap<&str, usize> =
        lake.models.iter().map(|model| (model.name.as_str(), 0)).collect();
    let mut failed = Vec::new();
    for test in &tests {
        *counts.entry(test.model.name.as_str()).or_default() += 1;
        let verdict = run(test).await.unwrap();
        if !verdict.passed() {
            failed.push(format!("{test}\n{verdict}"));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), tests.len(), failed.join("\n"));
    assert!(counts.values().all(|count| *count >= LEAST), "{counts:?}");
}
