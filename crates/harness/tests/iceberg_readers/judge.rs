//! Readers that we did not write.

use std::path::{Path, PathBuf};

use medallion_harness::readers::environment;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::table::{Lake, Model, Version};

/// Set to `1` where Python's packages cannot be had.
const SKIP: &str = "MEDALLION_SKIP_READERS";

/// Set to `required` where every judge has to run, as in CI.
const JUDGE: &str = "MEDALLION_JUDGE";

/// Set to `1` to read with Spark too.
const SPARK: &str = "MEDALLION_SPARK";

/// The readers of this run; none where they are left out.
pub(crate) fn readers() -> Vec<&'static str> {
    if is_set(SKIP) {
        let required = std::env::var(JUDGE).is_ok_and(|value| value == "required");
        assert!(!required, "{SKIP}=1 leaves out what {JUDGE}=required asks for");
        return Vec::new();
    }
    let mut readers = vec!["pyiceberg", "DuckDB"];
    readers.extend(is_set(SPARK).then_some("Spark"));
    readers
}

fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| value == "1")
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/readers").join(name)
}

/// What is to be read, and found.
#[derive(Default)]
pub(crate) struct Judge {
    stages: Vec<Value>,
}

impl Judge {
    async fn add(&mut self, name: &str, lake: &Lake, version: Version, model: &Model) {
        let columns = version.columns();
        let texts = |row| columns.iter().map(move |column| crate::Row::text(row, column));
        let rows: Vec<Vec<Option<String>>> =
            model.values().map(|row| texts(row).collect()).collect();
        self.stages.push(json!({
            "name": name,
            "metadata": lake.load().await.metadata_location(),
            "snapshot": null,
            "branch": null,
            "columns": columns,
            "rows": rows,
        }));
    }

    /// Main, now, by the first schema.
    pub(crate) async fn stage(&mut self, name: &str, lake: &Lake, model: &Model) {
        self.add(name, lake, Version::First, model).await;
    }

    /// Main, now, by the last schema.
    pub(crate) async fn evolved(&mut self, name: &str, lake: &Lake, model: &Model) {
        self.add(name, lake, Version::Evolved, model).await;
    }

    pub(crate) async fn snapshot(&mut self, name: &str, lake: &Lake, id: i64, model: &Model) {
        self.add(name, lake, Version::First, model).await;
        self.stages.last_mut().unwrap()["snapshot"] = id.into();
    }

    pub(crate) async fn branch(&mut self, name: &str, lake: &Lake, branch: &str, model: &Model) {
        self.add(name, lake, Version::First, model).await;
        self.stages.last_mut().unwrap()["branch"] = branch.into();
    }

    /// All readers must agree with all stages since the last verdict.
    pub(crate) async fn verdict(&mut self, name: &str) {
        let said = self.differences(name).await;
        assert!(!said.contains("different "), "{said}");
    }

    /// What the readers say.
    pub(crate) async fn differences(&mut self, name: &str) -> String {
        let stages = std::mem::take(&mut self.stages);
        let readers = readers();
        if readers.is_empty() {
            eprintln!("SKIPPED: {SKIP}=1 leaves out the reading of {} stages", stages.len());
            return String::new();
        }
        let work = TempDir::new().unwrap();
        let file = work.path().join(format!("{name}.json"));
        let document = json!({"work": work.path(), "stages": stages});
        std::fs::write(&file, document.to_string()).unwrap();
        let mut command = Command::new(python().await);
        command.arg(fixture("tables.py")).arg(&file).kill_on_drop(true);
        for reader in &readers {
            command.args(["--reader", reader]);
        }
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{said}\n{errors}");
        for reader in readers {
            let done = format!("{reader} read {} stages", stages.len());
            assert!(said.contains(&done), "{said}\n{errors}");
        }
        said
    }
}

async fn python() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_medallion-harness"));
    let cache = binary.ancestors().nth(2).unwrap().join("stack");
    std::fs::create_dir_all(&cache).unwrap();
    let (list, folder) = match is_set(SPARK) {
        true => ("spark-requirements.txt", "spark-readers"),
        false => ("table-requirements.txt", "table-readers"),
    };
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _lock = ONE_AT_A_TIME.lock().await;
    environment(&fixture(list), &cache.join(folder)).await.unwrap()
}
