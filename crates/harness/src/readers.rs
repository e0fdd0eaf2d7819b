//! Readers that we did not write: pyiceberg and DuckDB read Silver through the local endpoints and
//! compare it with MySQL; Spark runs the Gold models and compares them with what is published.

pub mod spark_models;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use medallion_definition::name::ColumnName;
use tokio::process::Command;

use self::spark_models::SparkModels;
use crate::failure::HarnessError;
use crate::report::Report;
use crate::stack::Stack;
use crate::verify::Difference;

/// The script, beside the list of what it needs.
const SCRIPT: &str = "readers/verify.py";
const REQUIREMENTS: &str = "readers/requirements.txt";

/// Lets every outside reader that is asked for judge the lake.
///
/// # Errors
/// When an environment cannot be made or a script does not end in a verdict.
pub async fn verify(stack: &Stack, report: &mut Report) -> Result<Vec<Difference>, HarnessError> {
    let mut found = silver(stack, report).await?;
    if spark_models::is_asked_for() {
        found.extend(gold(stack, report).await?);
    }
    Ok(found)
}

/// Silver, in a virtual environment that is made once and kept.
async fn silver(stack: &Stack, report: &mut Report) -> Result<Vec<Difference>, HarnessError> {
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
        .envs(stack.variables());
    for contract in &stack.lake.tables {
        let key: Vec<&str> = contract.key.iter().map(ColumnName::as_str).collect();
        command.arg("--table").arg(format!("{}:{}", contract.table.lake_table(), key.join(",")));
    }
    let said = said(command).await?;
    told(report, "readers", &said, "pyiceberg and DuckDB agree with MySQL");
    Ok(said.differences)
}

/// Gold, by Spark.
async fn gold(stack: &Stack, report: &mut Report) -> Result<Vec<Difference>, HarnessError> {
    let models = SparkModels {
        lake: &stack.lake,
        warehouse: &stack.warehouse,
        s3: &stack.s3,
        fixtures: &stack.paths.fixtures,
        cache: &stack.paths.cache,
        work: &stack.paths.work.join("spark"),
    };
    let said = models.run().await?;
    let about = format!("{} models run on Spark give what is published", stack.lake.models.len());
    told(report, "Gold on Spark", &said, &about);
    Ok(said.differences)
}

fn told(report: &mut Report, step: &str, said: &Said, agreed: &str) {
    let about = if said.differences.is_empty() { agreed } else { "DIFFERENCES" };
    report.step(step, said.rows, 0, about);
}

/// What a script says.
#[derive(Clone, Debug)]
pub struct Said {
    /// Rows that were compared.
    pub rows: usize,
    /// What it found.
    pub differences: Vec<Difference>,
    /// All of its output.
    pub text: String,
}

/// Runs a script to its verdict: exit code 0 when all agree, 3 when not.
async fn said(mut command: Command) -> Result<Said, HarnessError> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|e| HarnessError::Readers(e.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut differences: Vec<Difference> = text.lines().filter_map(difference).collect();
    match output.status.code() {
        Some(0) if differences.is_empty() => {}
        Some(3) => {
            if differences.is_empty() {
                let unsaid = "different readers all: they differ, and do not say how";
                differences.extend(difference(unsaid));
            }
        }
        _ => {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(HarnessError::Readers(format!("{text}{errors}")));
        }
    }
    let rows = text.lines().filter_map(|line| line.strip_prefix("rows ")?.parse::<usize>().ok());
    Ok(Said { rows: rows.sum(), differences, text })
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
