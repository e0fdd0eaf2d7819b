//! What the jobs say about their own runs: every run left a record and its events, and others can
//! read them.

use std::collections::BTreeSet;

use medallion_definition::name::Layer;
use medallion_transforms::runs::openlineage::{self, RunState, event_key};
use medallion_transforms::runs::{self, RunRecord, TableRef};
use tokio::process::Command;

use crate::failure::HarnessError;
use crate::readers;
use crate::report::Report;
use crate::stack::Stack;
use crate::verify::{Difference, VerifyError};

/// The script, and what it needs, in the folder of fixtures.
const SCRIPT: &str = "openlineage/judge.py";
const REQUIREMENTS: &str = "openlineage/requirements.txt";

fn different(place: String, what: String) -> Difference {
    Difference { check: "records", place, row: None, column: None, what }
}

fn unreadable(source: impl std::error::Error + Send + Sync + 'static) -> VerifyError {
    VerifyError::Lake { what: runs::PREFIX.to_owned(), source: Box::new(source) }
}

/// Every job has the record of a run that succeeded, and every record its two events.
pub(super) async fn verify(
    stack: &Stack,
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    let bucket = stack.warehouse.bucket();
    let records = runs::read(bucket, None).await.map_err(unreadable)?;
    let events = bucket.list(openlineage::PREFIX).await.map_err(unreadable)?;
    let events: BTreeSet<String> = events.into_iter().map(|object| object.key).collect();
    let silver =
        stack.lake.tables.iter().map(|t| TableRef::new(Layer::Silver, t.table.lake_table()));
    let gold = stack.lake.models.iter().map(|m| TableRef::new(Layer::Gold, m.name.as_str()));
    let jobs: Vec<TableRef> = silver.chain(gold).collect();
    let found = compare(&jobs, &records, &events);
    let about = format!("{} jobs told of their runs, in {} events", jobs.len(), events.len());
    report.step("run records", records.len(), records.len() + events.len(), &about);
    Ok(found)
}

fn compare(jobs: &[TableRef], records: &[RunRecord], events: &BTreeSet<String>) -> Vec<Difference> {
    let succeeded = |job: &TableRef| {
        let mut of_job = records.iter().filter(|record| record.job == *job);
        of_job.any(|record| record.outcome.is_success())
    };
    let silent = jobs.iter().filter(|job| !succeeded(job));
    let silent =
        silent.map(|job| different(job.to_string(), "no run of it is recorded".to_owned()));
    let missing = records.iter().flat_map(|record| {
        let key = |state| event_key(record.started, record.run_id, state);
        let keys = [key(RunState::Start), key(RunState::of(record))];
        let missing = keys.into_iter().filter(|key| !events.contains(key));
        missing.map(|key| different(record.job.to_string(), format!("there is no event `{key}`")))
    });
    let mut found: Vec<Difference> = silent.collect();
    found.extend(missing);
    // A run without a record may have left events.
    let extra = events.len().saturating_sub(2 * records.len());
    if extra > 0 && found.is_empty() {
        found.push(different("runs".to_owned(), format!("{extra} events belong to no record")));
    }
    found
}

/// Has the events judged by OpenLineage's own schemas and client.
pub(super) async fn judge(
    stack: &Stack,
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    let requirements = stack.paths.fixtures.join(REQUIREMENTS);
    let folder = stack.paths.cache.join("openlineage");
    let python = readers::environment(&requirements, &folder).await?;
    let events = stack.paths.work.join("openlineage");
    let count = download(stack, &events).await?;
    let mut command = Command::new(python);
    command.arg(stack.paths.fixtures.join(SCRIPT)).arg("--venv").arg(&folder).arg(&events);
    let output = command.env("MEDALLION_JUDGE", "1").kill_on_drop(true).output().await;
    let output = output.map_err(|error| HarnessError::Readers(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => {
            report.step("OpenLineage", 0, count, "its schemas and its client accept every event");
            Ok(Vec::new())
        }
        Some(3) => {
            report.step("OpenLineage", 0, count, "REFUSED");
            Ok(text.lines().map(|line| different("events".to_owned(), line.to_owned())).collect())
        }
        _ => Err(HarnessError::Readers(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

/// Copies the events into a folder; returns how many there are.
async fn download(stack: &Stack, folder: &std::path::Path) -> Result<usize, HarnessError> {
    let bucket = stack.warehouse.bucket();
    let objects = bucket.list(openlineage::PREFIX).await.map_err(unreadable)?;
    for object in &objects {
        let bytes = bucket.get(&object.key).await.map_err(unreadable)?;
        let path = folder.join(&object.key);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|source| HarnessError::WorkFile { path: path.clone(), source })?;
    }
    Ok(objects.len())
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use medallion_transforms::runs::{Outcome, Run};

    use super::*;

    #[test]
    fn jobs_without_a_good_run_and_records_without_events_are_found() {
        let job = |name: &str| TableRef::new(Layer::Gold, name);
        let record =
            |name: &str, outcome| RunRecord::new(&Run::begin(job(name)), Utc::now(), outcome);
        let red = Outcome::Red { reason: "r".to_owned() };
        let records = [record("a", Outcome::Published), record("b", red.clone())];
        let event = |record: &RunRecord, state| event_key(record.started, record.run_id, state);
        let mut events = BTreeSet::from([
            event(&records[0], RunState::Start),
            event(&records[0], RunState::Complete),
            event(&records[1], RunState::Start),
            event(&records[1], RunState::Fail),
        ]);
        assert_eq!(compare(&[job("a")], &records, &events), []);
        let found = compare(&[job("a"), job("b"), job("c")], &records, &events);
        assert_eq!(
            found.iter().map(|d| d.place.as_str()).collect::<Vec<_>>(),
            ["gold.b", "gold.c"]
        );
        events.insert("runs/openlineage/2026-01-02/x-start.json".to_owned());
        assert_eq!(compare(&[job("a")], &records, &events).len(), 1, "an event without a record");
        events.remove(&event(&records[0], RunState::Complete));
        let found = compare(&[job("a")], &records, &events);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.ends_with("-complete.json`"), "{}", found[0]);
    }
}
