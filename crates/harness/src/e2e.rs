//! `cargo xtask e2e`: the whole lake on one machine, then its verification.

mod collect;
mod journal;
mod options;
mod poison;
mod program;
mod records;
mod source;
mod steps;
mod verification;
mod work_folder;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use medallion::files;
use medallion_definition::name::Layer;
use mysql_async::{Conn, Opts, OptsBuilder};

pub use options::{E2eOptions, default_paths};

use crate::aws::faults::{FAULT_PUT_DROPPED, FaultPlan};
use crate::breaks::{self, BreakPoint};
use crate::failure::HarnessError;
use crate::readers;
use crate::report::Report;
use crate::runner::{Runner, Telling, flow_of};
use crate::stack::{Paths, Stack, StackRequest};
use crate::verify::Difference;
use source::Source;
use work_folder::interrupted;

/// The table that the breaks strike.
const BROKEN_TABLE: &str = "crm.customers";
/// The column that `corrupt-silver` alters.
const BROKEN_COLUMN: &str = "full_name";

/// Runs the scenario and returns what the verification found. The folder of the run stays when it
/// failed, because messages name logs in it.
///
/// # Errors
/// When a step fails; the stack is ended in any case.
pub async fn run(
    options: &E2eOptions,
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    let work = options.work_folder()?;
    let outcome = on_stack(options, work.path(), report).await;
    let failed = matches!(&outcome, Err(error) if !matches!(error, HarnessError::Interrupted));
    match work.end(options.keep, failed).await {
        Some(kept) => report.line("kept", &kept.display().to_string()),
        None => report.line("stopped", "nothing is left running"),
    }
    outcome
}

async fn on_stack(
    options: &E2eOptions,
    work: &Path,
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    let mut paths = default_paths(work.to_owned(), options.definition.clone());
    if options.break_point == Some(BreakPoint::OpenColumn) {
        paths.definition = breaks::open_column(&paths.definition, work)?;
    }
    let (stack, arrivals) = start(paths, options, report).await?;
    let telling = Telling { printer: report.printer(), logs: stack.paths.work.join("jobs") };
    let runner = Runner::start(&stack.lake, stack.glue_client.clone(), arrivals, telling)
        .map_err(medallion::error::CliError::from)?;
    let ours = Cell::new(false);
    let outcome = tokio::select! {
        outcome = scenario(&stack, &runner, options, &ours, report) => outcome,
        () = interrupted() => Err(HarnessError::Interrupted),
    };
    collect::tell(&stack, options, report, &outcome).await;
    if options.up && outcome.is_ok() {
        steps::stay_up(&stack, report).await;
    }
    drop(runner);
    if options.mysql_url.is_some() && ours.get() {
        source::clean(&stack, report).await;
    }
    stack.stop().await;
    outcome
}

async fn start(
    paths: Paths,
    options: &E2eOptions,
    report: &mut Report,
) -> Result<
    (Stack, tokio::sync::mpsc::UnboundedReceiver<crate::aws::s3::ObjectCreated>),
    HarnessError,
> {
    let lake = files::definition(&paths.definition)?;
    // What a model reads is known without a stack, and wrong models are told before one starts.
    flow_of(&lake).map_err(medallion::error::CliError::from)?;
    let environment = files::environment(&paths.environment)?;
    let (tables, models) = (lake.tables.len(), lake.models.len());
    let groups = lake.policy.groups.len();
    report.line(
        "definition",
        &format!("lake `{}`: {tables} tables, {models} models, {groups} groups", lake.name),
    );
    let progress = report.printer();
    let request = StackRequest {
        paths,
        lake,
        environment,
        mysql_url: options.mysql_url.clone(),
        mysql_flags: options.mysql_flags.clone(),
        progress: &|line| progress.print("mysql", line),
    };
    let (stack, arrivals) = tokio::select! {
        started = Stack::start(request) => started?,
        () = interrupted() => return Err(HarnessError::Interrupted),
    };
    let mysql = format!("MySQL {} from {}", stack.mysql.version(), stack.mysql.origin());
    report.step("mysql and stack", 0, 0, &mysql);
    report
        .line("endpoints", &format!("S3 {}, Glue {}", stack.s3.endpoint(), stack.glue.endpoint()));
    Ok((stack, arrivals))
}

/// The steps from an empty source to a verified lake. `ours` tells that the schemas at the source
/// are the run's own from here on.
async fn scenario(
    stack: &Stack,
    runner: &Runner,
    options: &E2eOptions,
    ours: &Cell<bool>,
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    let mut conn = connect(stack).await?;
    source::check(stack, &mut conn).await?;
    ours.set(true);
    lake(stack, runner, &mut conn, options, report).await
}

async fn lake(
    stack: &Stack,
    runner: &Runner,
    conn: &mut Conn,
    options: &E2eOptions,
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    let mut source = Source::fill(stack, conn, options, report).await?;
    let break_point = options.break_point;
    let dropped = (break_point == Some(BreakPoint::DropBronzeFile)).then(|| {
        let plan = FaultPlan::new(FAULT_PUT_DROPPED)
            .when(|key| key.contains("bronze/crm/customers/2"))
            .times(1);
        stack.s3.faults().install(plan)
    });
    let replication = source.replicate(stack, break_point, report).await?;
    source.change(conn, options, report).await?;
    let written = replication.finish(stack, conn, report).await?;
    if dropped.is_some_and(|count| count.struck() == 0) {
        return Err(HarnessError::Break {
            point: BreakPoint::DropBronzeFile.name(),
            reason: "no change file was written".to_owned(),
        });
    }
    steps::jobs_until_quiet(stack, runner, report).await?;
    if break_point == Some(BreakPoint::CorruptSilver) {
        corrupt(stack, report).await?;
    }
    steps::answer_as_persona(stack, report).await?;
    let mut found = verification::everything(stack, conn, &source, &written, report).await?;
    found.extend(program::verify(stack, report).await?);
    if !found.is_empty() {
        // What was found is told; no later step may fail and hide it.
        return Ok(found);
    }
    if options.readers {
        found.extend(readers::verify(stack, report).await?);
    }
    found.extend(poison::poison(stack, runner, report).await?);
    found.extend(steps::second_run(stack, runner, report).await?);
    found.extend(records::verify(stack, report).await?);
    if options.readers {
        found.extend(records::judge(stack, report).await?);
    }
    Ok(found)
}

async fn connect(stack: &Stack) -> Result<Conn, HarnessError> {
    let opts = Opts::from_url(stack.mysql.url())
        .map_err(|e| HarnessError::set_up("the connection to MySQL", e))?;
    // Over TCP, as the replicator: a local socket may belong to another server.
    let opts = OptsBuilder::from_opts(opts).prefer_socket(false);
    Conn::new(opts).await.map_err(|e| HarnessError::set_up("the connection to MySQL", e))
}

async fn corrupt(stack: &Stack, report: &mut Report) -> Result<(), HarnessError> {
    let contract = stack.lake.tables.iter().find(|t| t.table.to_string() == BROKEN_TABLE);
    let contract = contract.ok_or_else(|| HarnessError::Break {
        point: BreakPoint::CorruptSilver.name(),
        reason: format!("the lake has no table {BROKEN_TABLE}"),
    })?;
    let row =
        breaks::corrupt_silver(&stack.lake, contract, &stack.warehouse, BROKEN_COLUMN).await?;
    let table = contract.table.lake_table();
    report.line("broken", &format!("{}.{table} row {row} column `{BROKEN_COLUMN}`", Layer::Silver));
    Ok(())
}

/// The rows written per Bronze table, `bronze.<table>`.
fn rows_by_table(written: &[(String, u64)], stack: &Stack) -> BTreeMap<String, u64> {
    let mut rows = BTreeMap::new();
    for contract in &stack.lake.tables {
        let prefix = medallion_ingestion::layout::table_prefix(&contract.table);
        let of_table = written.iter().filter(|(key, _)| key.starts_with(&prefix));
        let sum = of_table.map(|(_, rows)| rows).sum();
        rows.insert(format!("bronze.{}", contract.table.lake_table()), sum);
    }
    rows
}
