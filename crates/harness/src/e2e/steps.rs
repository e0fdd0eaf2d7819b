//! The lake's side of the scenario: jobs until all is quiet, an answer, a second run.

use std::collections::BTreeMap;

use medallion_definition::name::Layer;
use medallion_orchestration::Job;
use medallion_transforms::spec;
use tokio::process::Command;

use super::work_folder::interrupted;
use crate::failure::HarnessError;
use crate::report::Report;
use crate::runner::{Quiet, Runner};
use crate::stack::Stack;
use crate::verify::{Difference, VerifyError};

/// The question that the run puts as a persona.
const QUESTION: &str = "select region, segment, customers, credit_limit_average \
                        from gold.customers_by_region order by customers desc, region limit 3";

/// Waits until nothing runs and nothing waits. No sweep: arrival events alone have to lead here.
pub(super) async fn jobs_until_quiet(
    stack: &Stack,
    runner: &Runner,
    report: &mut Report,
) -> Result<(), HarnessError> {
    let quiet = runner.quiet().await.ok_or(HarnessError::RunnerGone)?;
    given_up(stack, &quiet)?;
    for (layer, name) in [(Layer::Silver, "silver jobs"), (Layer::Gold, "gold jobs")] {
        let runs: Vec<_> = quiet.runs.iter().filter(|r| layer_of(&r.job) == layer).collect();
        let busy: f64 = runs.iter().map(|r| r.wall.as_secs_f64()).sum();
        let failed = runs.iter().filter(|r| r.failure.is_some()).count();
        let rows = rows_of(stack, layer).await?;
        let retried = if failed > 0 { format!(", {failed} tried again") } else { String::new() };
        let about = format!("{} runs started by events, {busy:.1} s of work{retried}", runs.len());
        report.step(name, rows.0, rows.1, &about);
    }
    Ok(())
}

fn layer_of(job: &Job) -> Layer {
    match job {
        Job::Silver(_) => Layer::Silver,
        Job::Gold(_) => Layer::Gold,
    }
}

fn given_up(stack: &Stack, quiet: &Quiet) -> Result<(), HarnessError> {
    let Some((job, reason, run_id)) = quiet.alarms.first() else { return Ok(()) };
    let log = stack.paths.work.join("jobs").join(format!("{run_id}.log"));
    let log = log.display().to_string();
    Err(HarnessError::Job { job: job.to_string(), reason: reason.clone(), log })
}

/// Every table of a layer with its current snapshot.
async fn snapshots(
    stack: &Stack,
    layer: Layer,
) -> Result<BTreeMap<String, Option<i64>>, HarnessError> {
    let mut found = BTreeMap::new();
    for table in stack.lake.catalogue().iter().filter(|t| t.layer == layer) {
        let ident = spec::ident(&stack.lake, layer, &table.name);
        let loaded = stack
            .warehouse
            .load(&ident)
            .await
            .map_err(|e| VerifyError::Lake { what: ident.to_string(), source: Box::new(e) })?;
        found.insert(format!("{layer}.{}", table.name), loaded.and_then(|t| t.snapshot_id()));
    }
    Ok(found)
}

/// Rows and data files of a layer, as the tables' summaries count them.
async fn rows_of(stack: &Stack, layer: Layer) -> Result<(usize, usize), HarnessError> {
    let (mut rows, mut files) = (0, 0);
    for table in stack.lake.catalogue().iter().filter(|t| t.layer == layer) {
        let ident = spec::ident(&stack.lake, layer, &table.name);
        let loaded = stack
            .warehouse
            .load(&ident)
            .await
            .map_err(|e| VerifyError::Lake { what: ident.to_string(), source: Box::new(e) })?;
        let count = |key: &str| {
            let summary = loaded.as_ref().and_then(|t| t.summary());
            summary.and_then(|s| s.get(key)).and_then(|v| v.parse::<usize>().ok()).unwrap_or(0)
        };
        rows += count("total-records");
        files += count("total-data-files");
    }
    Ok((rows, files))
}

/// Everything is looked at once more; nothing may change.
pub(super) async fn second_run(
    stack: &Stack,
    runner: &Runner,
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    let layers = [Layer::Silver, Layer::Gold, Layer::Quarantine];
    let mut before = BTreeMap::new();
    for layer in layers {
        before.extend(snapshots(stack, layer).await?);
    }
    runner.sweep();
    let quiet = runner.quiet().await.ok_or(HarnessError::RunnerGone)?;
    given_up(stack, &quiet)?;
    let mut after = BTreeMap::new();
    for layer in layers {
        after.extend(snapshots(stack, layer).await?);
    }
    let ran = |job: &Job| quiet.runs.iter().any(|r| r.job == *job && r.failure.is_none());
    let silver = stack.lake.tables.iter().map(|t| Job::Silver(t.table.clone()));
    let gold = stack.lake.models.iter().map(|m| Job::Gold(m.name.clone()));
    let idle = silver.chain(gold).filter(|job| !ran(job)).map(|job| Difference {
        check: "repeat",
        place: job.to_string(),
        row: None,
        column: None,
        what: "the second run did not look at it".to_owned(),
    });
    let changed = before.iter().filter(|(table, snapshot)| after.get(*table) != Some(snapshot));
    let mut differences: Vec<Difference> = changed
        .map(|(table, _)| Difference {
            check: "repeat",
            place: table.clone(),
            row: None,
            column: None,
            what: "a second run over the same Bronze made a new snapshot".to_owned(),
        })
        .collect();
    let same = before.len() - differences.len();
    differences.extend(idle);
    let about = format!("{} runs; {same} of {} tables unchanged", quiet.runs.len(), before.len());
    report.step("second run", 0, 0, &about);
    Ok(differences)
}

/// One question, asked by the real program as a persona.
pub(super) async fn answer_as_persona(
    stack: &Stack,
    report: &mut Report,
) -> Result<(), HarnessError> {
    let mut command = Command::new(&stack.paths.medallion);
    command.args(["query", "--as", "marketing", QUESTION]).envs(stack.variables());
    let output = command.kill_on_drop(true).output().await;
    let output = output.map_err(|e| HarnessError::set_up("the question", e))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(HarnessError::Job {
            job: "query --as marketing".to_owned(),
            reason,
            log: "none".to_owned(),
        });
    }
    report.step("question", 0, 0, "medallion query --as marketing");
    report.block(&String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// Shows how to play with the stack, then waits for Ctrl-C.
pub(super) async fn stay_up(stack: &Stack, report: &mut Report) {
    let mut lines = String::from("The stack is up; Ctrl-C ends it. In another terminal:\n\n");
    // What `cargo xtask` cleared for the run would get in the way there too.
    if let Ok(cleared) = std::env::var("MEDALLION_CLEARED") {
        lines.push_str(&format!("unset {cleared}\n"));
    }
    lines.push_str("export NO_PROXY=\"$NO_PROXY,127.0.0.1\"\n");
    if let Some(folder) = stack.paths.medallion.parent() {
        lines.push_str(&format!("export PATH=\"{}:$PATH\"\n", folder.display()));
    }
    for (name, value) in stack.variables() {
        lines.push_str(&format!("export {name}='{value}'\n"));
    }
    lines.push_str("medallion query --as marketing \"select * from customers_by_region\"\n");
    lines.push_str(&format!("# MySQL: {}\n", stack.mysql.url()));
    report.block(&lines);
    interrupted().await;
}
