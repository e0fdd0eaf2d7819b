//! The record of a Gold run.

use chrono::{DateTime, Utc};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::{GoldModel, Materialisation};

use super::{
    CheckResult, Observed, Outcome, Run, RunInput, RunMode, RunRecord, TableRef, declared_inputs,
};

/// The record of a run of a model. The snapshots that were read are those that the table's own
/// snapshot names; they are known when the run published, or found nothing to do.
pub fn gold_record(
    run: &Run,
    ended: DateTime<Utc>,
    lake: &LakeDefinition,
    model: &GoldModel,
    outcome: Outcome,
    checks: Vec<CheckResult>,
    observed: Option<&Observed>,
) -> RunRecord {
    let published = outcome == Outcome::Published;
    let current = published || outcome == Outcome::UpToDate;
    let mut record = RunRecord::new(run, ended, outcome);
    record.checks = checks;
    let declared = match model.materialisation {
        Materialisation::Full => RunMode::Full,
        Materialisation::Incremental { .. } => RunMode::Incremental,
    };
    record.mode = Some(declared);
    if let Some(observed) = observed {
        record.output = observed.output(record.output.table);
        if published {
            record.mode = observed.mode.or(Some(declared));
            record.output.rows_inserted = Some(observed.added);
            record.output.rows_deleted = Some(observed.removed);
        }
    }
    let told = observed.filter(|_| current).map(|observed| &observed.inputs);
    let mut tables = declared_inputs(lake, &run.job);
    // What an incremental build reads is what it says, whatever the query says today.
    let named = told.into_iter().flatten().filter_map(|(name, _)| name.parse::<TableRef>().ok());
    tables.extend(named);
    tables.sort();
    tables.dedup();
    let snapshot = |table: &TableRef| told.and_then(|told| told.get(&table.to_string())).copied();
    record.inputs = tables
        .into_iter()
        .map(|table| RunInput { snapshot: snapshot(&table), ..RunInput::of(table) })
        .collect();
    record
}
