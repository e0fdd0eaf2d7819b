//! The record of a Gold run.

use chrono::{DateTime, Utc};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::{self, GoldModel, Materialisation};

use super::{
    CheckResult, CheckSeverity, Observed, Outcome, Run, RunInput, RunMode, RunRecord, TableRef,
    declared_inputs,
};
use crate::gold::{self, GoldReport, Version, Versions};

/// The record of a run of a model. What was read and written is what the report of its build says;
/// without a build, the inputs are those that the table's own snapshot names, if it is up to date.
pub fn gold_record(
    run: &Run,
    ended: DateTime<Utc>,
    lake: &LakeDefinition,
    model: &GoldModel,
    outcome: Outcome,
    report: Option<&GoldReport>,
    observed: Option<&Observed>,
) -> RunRecord {
    let up_to_date = outcome == Outcome::UpToDate;
    let published = outcome == Outcome::Published;
    let mut record = RunRecord::new(run, ended, outcome);
    record.mode = Some(match model.materialisation {
        Materialisation::Full => RunMode::Full,
        Materialisation::Incremental { .. } => RunMode::Incremental,
    });
    if let Some(observed) = observed {
        record.output = observed.output(record.output.table);
    }
    if let Some(report) = report {
        record.mode = RunMode::named(report.mode).or(record.mode);
        record.checks = report.checks.iter().map(check).collect();
        record.counters.extend(report.keys.map(|keys| ("keys".to_owned(), keys)));
    }
    if let Some(report) = report.filter(|_| published) {
        record.output.rows_inserted = Some(report.inserted);
        record.output.rows_deleted = Some(report.deleted);
    }
    let current = observed.filter(|_| up_to_date).map(|observed| &observed.inputs);
    record.inputs = read(lake, &run.job, report.map(|report| &report.inputs).or(current));
    for input in &mut record.inputs {
        let table = input.table.to_string();
        input.rows = report.and_then(|report| report.input_rows.get(&table).copied());
    }
    record
}

/// The tables that the run read, as far as that is known, and those that the query names.
fn read(lake: &LakeDefinition, job: &TableRef, versions: Option<&Versions>) -> Vec<RunInput> {
    let mut tables = declared_inputs(lake, job);
    let named = versions.into_iter().flatten().filter_map(|(name, _)| name.parse().ok());
    tables.extend(named);
    tables.sort();
    tables.dedup();
    let input = |table: TableRef| {
        let version = versions.and_then(|versions| versions.get(&table.to_string()));
        let mut input = RunInput::of(table);
        match version {
            Some(Version::Snapshot(id)) => input.snapshot = Some(*id),
            Some(Version::Files(files)) => input.files = u64::try_from(files.files).ok(),
            None => {}
        }
        input
    };
    tables.into_iter().map(input).collect()
}

fn check(found: &gold::CheckResult) -> CheckResult {
    CheckResult {
        name: found.name.clone(),
        kind: found.kind.to_owned(),
        column: found.column.clone(),
        severity: match found.severity {
            model::CheckSeverity::Error => CheckSeverity::Error,
            model::CheckSeverity::Warn => CheckSeverity::Warn,
        },
        passed: found.passed(),
        failing_rows: Some(found.failing),
    }
}
