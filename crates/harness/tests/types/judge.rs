//! DuckDB, a reader that we did not write, on the same files.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::compare::Kinds;
use crate::servers::cache;

/// The script, beside the fixtures of other readers.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/types/judge.py");
/// Python's DuckDB, in the version that the other readers' environment has.
const DUCKDB: &str = "duckdb==1.5.5";

/// DuckDB reads every value of every file as the server printed it. Without Python or its packages
/// this is skipped, and says so; `MEDALLION_JUDGE=required` makes that an error.
pub(crate) fn agrees(kinds: &Kinds, seed: u64) {
    let python = match environment() {
        Ok(python) => python,
        Err(reason) if std::env::var("MEDALLION_JUDGE").as_deref() == Ok("required") => {
            panic!("DuckDB is required: {reason}");
        }
        Err(reason) => {
            eprintln!("types: NOT JUDGED by DuckDB: {reason}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for kind in &kinds.0 {
        for (number, (_, content)) in kind.files.iter().enumerate() {
            let file = format!("{}.{number}.parquet", kind.name);
            std::fs::write(folder.path().join(&file), content).unwrap();
            let values: Vec<_> = kind.expected(content).into_iter().collect();
            files.push(json!({
                "file": file, "type": kind.ddl, "form": kind.form.name(), "values": values,
            }));
        }
    }
    std::fs::write(folder.path().join("expected.json"), json!(files).to_string()).unwrap();
    let output = Command::new(python).arg(SCRIPT).arg(folder.path()).output().unwrap();
    let [said, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "seed {seed}: DuckDB differs:\n{said}{error}");
    eprintln!("types: {}", said.trim());
}

/// A Python with DuckDB: that of the lake's other readers, or one of our own.
fn environment() -> Result<PathBuf, String> {
    let works = |python: &Path| {
        Command::new(python)
            .args(["-c", "import duckdb"])
            .output()
            .is_ok_and(|o| o.status.success())
    };
    let folders = ["readers", "types-judge"].map(|name| cache().join(name));
    let pythons = folders.clone().map(|folder| folder.join("bin/python"));
    if let Some(python) = pythons.iter().find(|python| works(python)) {
        return Ok(python.clone());
    }
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    };
    run(Path::new("python3"), &["-m", "venv", &folders[1].to_string_lossy()])?;
    run(&pythons[1], &["-m", "pip", "install", "--quiet", DUCKDB])?;
    Ok(pythons[1].clone())
}
