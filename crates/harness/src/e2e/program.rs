//! The verification that the real program does itself: `medallion verify` of every Silver table,
//! against Bronze and against MySQL.

use futures::future::try_join_all;
use medallion::exit;
use medallion_definition::name::TableId;
use serde_json::Value;
use tokio::process::Command;

use crate::failure::HarnessError;
use crate::report::Report;
use crate::stack::Stack;
use crate::verify::{Difference, Verdict};

/// Runs the program for all tables and both sides.
pub(super) async fn verify(
    stack: &Stack,
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    let tables = stack.lake.tables.iter().map(|contract| &contract.table);
    let sides = ["bronze", "mysql"];
    let runs = tables.flat_map(|table| sides.map(|side| run(stack, table, side)));
    let mut all = Verdict::default();
    for verdict in try_join_all(runs).await? {
        all.add(verdict);
    }
    let about = match all.differences.len() {
        0 => format!("{} values equal: computed from Bronze, and MySQL", all.values),
        n => format!("{n} DIFFERENCES: computed from Bronze, and MySQL"),
    };
    report.step("medallion verify", all.rows, 0, &about);
    Ok(all.differences)
}

async fn run(stack: &Stack, table: &TableId, side: &str) -> Result<Verdict, HarnessError> {
    let name = table.to_string();
    let mut command = Command::new(&stack.paths.medallion);
    command.args(["verify", "--table", &name, "--against", side, "--format", "json"]);
    command.envs(stack.variables()).env("MEDALLION_SOURCE_URL", stack.mysql.url());
    let output = command.kill_on_drop(true).output().await;
    let output = output.map_err(|e| HarnessError::set_up("the verification", e))?;
    let refused = |reason: String| HarnessError::Job {
        job: format!("verify --table {name} --against {side}"),
        reason,
        log: "none".to_owned(),
    };
    let judged = [exit::OK, exit::FINDINGS].map(|code| Some(i32::from(code)));
    if !judged.contains(&output.status.code()) {
        return Err(refused(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let found: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| refused(error.to_string()))?;
    let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
    let rows = number(&found["silver"]["rows"]).unwrap_or_default();
    let mut verdict = Verdict {
        rows,
        values: rows * number(&found["columns"]).unwrap_or_default(),
        differences: Vec::new(),
    };
    for bucket in found["buckets"].as_array().into_iter().flatten() {
        let rows = bucket["rows"].as_array().into_iter().flatten();
        verdict.differences.extend(rows.map(|row| difference(&name, side, row)));
    }
    let told = output.status.code() == Some(i32::from(exit::OK));
    if told != verdict.differences.is_empty() {
        return Err(refused("the exit code and the differences disagree".to_owned()));
    }
    Ok(verdict)
}

fn difference(table: &str, side: &str, row: &Value) -> Difference {
    let columns = row["columns"].as_array().into_iter().flatten();
    let columns: Vec<&str> = columns.filter_map(|column| column["column"].as_str()).collect();
    Difference {
        check: "verify",
        place: format!("{table} against {side}"),
        row: Some(row["key"].to_string()),
        column: (!columns.is_empty()).then(|| columns.join("`, `")),
        what: row["kind"].as_str().unwrap_or_default().to_owned(),
    }
}
