//! Spark as the judge of Gold: it finds models whose tables hold what their SQL says, and tells where
//! a table holds something else, without personal values.
//!
//! Runs with `MEDALLION_SPARK=1`, which needs Java 17 and PyPI; without it the test is left out,
//! which is no pass. The models that ship are judged by `MEDALLION_SPARK=1 cargo xtask e2e --readers`.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod lake;

use std::path::{Path, PathBuf};

use medallion_harness::readers::Said;
use medallion_harness::readers::spark_models::{SPARK, SparkModels, is_asked_for};
use medallion_harness::small_lake::{Endpoints, Repetition};

use lake::{CUSTOMERS, Filled, definition, fill};

/// The folder that keeps virtual environments.
fn cache() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_medallion-harness"));
    let cache = binary.ancestors().nth(2).unwrap().join("stack");
    std::fs::create_dir_all(&cache).unwrap();
    cache
}

async fn judged() -> Said {
    let endpoints = Endpoints::start().await.unwrap();
    let lake = endpoints.lake("registry").await.unwrap();
    let warehouse = lake.warehouse(Repetition::Quick);
    let definition = definition(&lake);
    fill(&Filled { lake: &lake, warehouse: &warehouse, definition: &definition }).await;
    let work = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let models = SparkModels {
        lake: &definition,
        warehouse: &warehouse,
        s3: endpoints.s3(),
        fixtures: &fixtures,
        cache: &cache(),
        work: work.path(),
    };
    let said = models.run().await.unwrap();
    endpoints.stop().await;
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_tables_pass_and_wrong_ones_are_told_by_row_and_column() {
    if !is_asked_for() {
        eprintln!("SKIPPED: Spark runs no Gold models without {SPARK}=1");
        return;
    }
    let said = judged().await;
    let found: Vec<String> = said.differences.iter().map(ToString::to_string).collect();
    let wrong = "readers: Spark gold.wrong_people";
    assert_eq!(
        found,
        [
            format!("{wrong}: row id=18446744073709551615: 1 from Spark, 0 published"),
            format!(
                "{wrong}: row id=2 column `cpf`: Spark has a hidden value, published is a hidden value"
            ),
            format!("{wrong}: row id=2 column `score`: Spark has `0.1`, published is `0.2`"),
            format!("{wrong}: row id=3: 0 from Spark, 1 published"),
        ],
        "{}",
        said.text
    );
    for cpf in CUSTOMERS.iter().filter_map(|row| row[1]) {
        assert!(!said.text.contains(cpf), "a personal value is told");
    }
    // Two regions, three customers twice, two kinds of change, and one count of no rows.
    assert_eq!(said.rows, 2 + 3 + 3 + 2 + 1, "{}", said.text);
}
