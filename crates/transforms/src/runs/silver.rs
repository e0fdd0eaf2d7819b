//! The record of a Silver run.

use chrono::{DateTime, Utc};
use medallion_definition::catalogue::history_name;
use medallion_definition::contract::{OnFail, TableContract};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::warehouse::{Warehouse, WarehouseError};

use super::{
    CheckResult, CheckSeverity, Observed, Outcome, Run, RunInput, RunOutput, RunRecord, TableRef,
};
use crate::error::TransformError;
use crate::silver::{SilverOutcome, SilverRun, Waiting};

/// The tables of a contract as a run left them; those that do not exist are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SilverObserved {
    /// The Silver table.
    pub silver: Option<Observed>,
    /// The quarantine table.
    pub quarantine: Option<Observed>,
    /// The history table.
    pub history: Option<Observed>,
}

impl SilverObserved {
    /// Looks at the tables.
    ///
    /// # Errors
    /// When catalog or metadata cannot be read.
    pub async fn load(
        lake: &LakeDefinition,
        contract: &TableContract,
        warehouse: &Warehouse,
    ) -> Result<SilverObserved, WarehouseError> {
        let load = async |layer, name: String| {
            Observed::load(lake, warehouse, &TableRef::new(layer, name)).await
        };
        let name = contract.table.lake_table();
        let mut found = SilverObserved {
            silver: load(Layer::Silver, name.clone()).await?,
            quarantine: load(Layer::Quarantine, name).await?,
            history: None,
        };
        if contract.history {
            found.history = load(Layer::Silver, history_name(contract)).await?;
        }
        Ok(found)
    }
}

/// The record of a run over a contract's table. A run whose history failed is a failed run, though
/// the Silver table may have a new snapshot.
pub fn silver_record(
    run: &Run,
    ended: DateTime<Utc>,
    contract: &TableContract,
    result: &Result<SilverRun, TransformError>,
    observed: &SilverObserved,
) -> RunRecord {
    let mut record = RunRecord::new(run, ended, outcome(contract, result));
    let table = contract.table.lake_table();
    let mut input = RunInput::of(TableRef::new(Layer::Bronze, &table));
    if let Some(silver) = &observed.silver {
        record.output = silver.output(record.output.table);
        record.mode = silver.mode;
    }
    let quarantine = TableRef::new(Layer::Quarantine, &table);
    record.further_outputs.extend(further(quarantine, observed.quarantine.as_ref()));
    let history = TableRef::new(Layer::Silver, history_name(contract));
    record.further_outputs.extend(further(history, observed.history.as_ref()));
    if let Ok(SilverRun { silver, history }) = result {
        if let SilverOutcome::Committed { files, balance, .. } = silver {
            (input.files, input.rows) = (Some(*files as u64), Some(balance.read));
            record.output.rows_inserted = Some(balance.inserted);
            record.output.rows_deleted = Some(balance.deleted + balance.moved + balance.replaced);
            let counters = balance.counters().map(|(name, n)| (name.to_owned(), n));
            record.counters.extend(counters);
        }
        record.checks = checks(contract, silver);
        let history = history.as_ref().ok().and_then(Option::as_ref);
        let counters = history.and_then(|h| h.committed).map(|h| h.balance.counters());
        let counters = counters.into_iter().flatten();
        record.counters.extend(counters.map(|(name, n)| (format!("history.{name}"), n)));
    }
    record.inputs = vec![input];
    record
}

/// A table beside the Silver table; what does not exist was not written.
fn further(table: TableRef, observed: Option<&Observed>) -> Option<RunOutput> {
    observed.map(|observed| observed.output(table))
}

fn outcome(contract: &TableContract, result: &Result<SilverRun, TransformError>) -> Outcome {
    let SilverRun { silver, history } = match result {
        Ok(run) => run,
        Err(error) => return error.into(),
    };
    let history = match history {
        Ok(history) => history.as_ref(),
        Err(error) => return error.into(),
    };
    let committed = history.is_some_and(|history| history.committed.is_some());
    match silver {
        SilverOutcome::Committed { .. } => Outcome::Committed,
        SilverOutcome::UpToDate if committed => Outcome::Committed,
        SilverOutcome::UpToDate => Outcome::UpToDate,
        SilverOutcome::Waiting(waiting) => waiting_for(contract, waiting),
    }
}

fn waiting_for(contract: &TableContract, waiting: &Waiting) -> Outcome {
    let until = waiting.until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let load = format!("the full load of {} to be complete, until {until}", contract.table);
    Outcome::Waiting { waiting_for: vec![load] }
}

/// The rules of the contract over the rows of the run. Rules that reject rows are counted together:
/// each row says itself, in quarantine, which of them it fails.
fn checks(contract: &TableContract, outcome: &SilverOutcome) -> Vec<CheckResult> {
    let SilverOutcome::Committed { balance, warnings, .. } = outcome else { return Vec::new() };
    let result = |name: &str, kind: &str, severity, failing| CheckResult {
        name: name.to_owned(),
        kind: kind.to_owned(),
        column: None,
        severity,
        passed: failing == 0,
        failing_rows: Some(failing),
    };
    let rejected = balance.quarantined;
    let mut checks = vec![result("contract", "contract", CheckSeverity::Quarantine, rejected)];
    let warning = contract.row_rules.iter().filter(|rule| rule.on_fail == OnFail::Warn);
    checks.extend(warning.map(|rule| {
        let failing = warnings.get(rule.name.as_str()).copied().unwrap_or_default();
        result(rule.name.as_str(), "row_rule", CheckSeverity::Warn, failing)
    }));
    checks
}
