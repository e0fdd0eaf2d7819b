//! Readers that we did not write: pyiceberg and DuckDB read Silver through the local endpoints and
//! compare it with MySQL.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use medallion_definition::name::ColumnName;
use tokio::process::Command;

use crate::failure::HarnessError;
use crate::report::Report;
use crate::stack::Stack;
use crate::verify::Difference;

/// The script, beside the list of what it needs.
const SCRIPT: &str = "readers/verify.py";
const REQUIREMENTS: &str = "readers/requirements.txt";

/// Runs the script in a virtual environment that is made once and kept.
///
/// # Errors
/// When the environment cannot be made or the script does not end in a verdict.
pub async fn verify(stack: &Stack, report: &mut Report) -> Result<Vec<Difference>, HarnessError> {
    let requirements = stack.paths.fixtures.join(REQUIREMENTS);
    let python = environment(&requirements, &stack.paths.cache.join("readers")).await?;
    report.step("readers' set-up", 0, 0, "a virtual environment with pyiceberg and DuckDB");
    let mut command = Command::new(python);
    command
        .arg(stack.paths.fixtures.join(SCRIPT))
        .args(["--lake", stack.lake.name.as_str(), "--mysql", stack.mysql.url()])
        .args(["--region", &stack.environment.region])
        .args(["--s3", &stack.s3.endpoint(), "--glue", &stack.glue.endpoint()])
        .args(["--bucket", &stack.environment.bucket])
        .envs(stack.variables())
        .kill_on_drop(true);
    for contract in &stack.lake.tables {
        let key: Vec<&str> = contract.key.iter().map(ColumnName::as_str).collect();
        command.arg("--table").arg(format!("{}:{}", contract.table.lake_table(), key.join(",")));
    }
    let output = command.output().await.map_err(|e| HarnessError::Readers(e.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => {
            let rows =
                text.lines().filter_map(|l| l.strip_prefix("rows ")?.parse::<usize>().ok()).sum();
            report.step("readers", rows, 0, "pyiceberg and DuckDB agree with MySQL");
            Ok(Vec::new())
        }
        Some(3) => {
            report.step("readers", 0, 0, "DIFFERENCES");
            let mut found: Vec<Difference> = text.lines().filter_map(difference).collect();
            if found.is_empty() {
                found.extend(difference("different readers all: they differ, and do not say how"));
            }
            Ok(found)
        }
        _ => Err(HarnessError::Readers(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

/// `different <reader> <table>: <what>`
fn difference(line: &str) -> Option<Difference> {
    let (place, what) = line.strip_prefix("different ")?.split_once(": ")?;
    let (place, what) = (place.to_owned(), what.to_owned());
    Some(Difference { check: "readers", place, row: None, column: None, what })
}

/// The Python of a virtual environment with these requirements, made unless it is there.
///
/// # Errors
/// [`HarnessError::Readers`] when Python or its packages cannot be had.
pub async fn environment(requirements: &Path, folder: &Path) -> Result<PathBuf, HarnessError> {
    let python = folder.join("bin/python");
    let wanted = std::fs::read_to_string(requirements)
        .map_err(|e| HarnessError::Readers(format!("{}: {e}", requirements.display())))?;
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    run("python3", &[Path::new("-m"), Path::new("venv"), folder]).await?;
    let arguments = ["-m", "pip", "install", "--quiet", "--requirement"].map(Path::new);
    let arguments = [&arguments[..], &[requirements]].concat();
    run(&python, &arguments).await?;
    std::fs::write(&installed, wanted)
        .map_err(|e| HarnessError::Readers(format!("{}: {e}", installed.display())))?;
    Ok(python)
}

async fn run(program: impl AsRef<Path>, arguments: &[&Path]) -> Result<(), HarnessError> {
    let program = program.as_ref();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await;
    let failed = |reason: String| HarnessError::Readers(format!("{}: {reason}", program.display()));
    let output = output.map_err(|e| failed(e.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let hint = "hint: this needs python3 with venv, and PyPI";
    Err(failed(format!("{}\n    {hint}", String::from_utf8_lossy(&said).trim())))
}
