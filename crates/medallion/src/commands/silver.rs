//! `medallion silver`.

use chrono::SecondsFormat;
use clap::Args;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::{Layer, TableId};
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::history::{HistoryCommitted, HistoryOutcome};
use medallion_transforms::maintenance::{MaintenancePolicy, When};
use medallion_transforms::runs::TableRef;
use medallion_transforms::silver::{
    BATCH_BYTES, FILE_BYTES, MEMORY_BYTES, SETTLE, SilverJob, SilverOutcome, SilverRun, Waiting,
};

use crate::error::CliError;
use crate::options::Place;
use crate::quantity::{duration, instant, size};
use crate::recorder::Recorder;
use crate::{files, target};

/// Arguments of `silver`.
#[derive(Debug, Args)]
pub(crate) struct Silver {
    /// Source table, such as `crm.customers`
    #[arg(long)]
    table: TableId,
    /// Print the plan of the next batch and change nothing
    #[arg(long)]
    plan: bool,
    /// Form of the plan: for people, or for other engines
    #[arg(long, value_enum, default_value = "text", requires = "plan")]
    format: PlanFormat,
    /// How long a new full load has to rest before it replaces the table
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    settle: chrono::Duration,
    /// When the full load began, such as `2026-11-20T10:00:00Z`: for a table that was never
    /// written, over Bronze that was copied
    #[arg(long, value_name = "TIME", value_parser = instant)]
    load_began: Option<chrono::DateTime<chrono::Utc>>,
    /// Memory that a batch may take before it goes to the disk
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    memory: u64,
    /// The most Bronze bytes of one batch, as stored
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    batch: u64,
    /// About how large a new data file becomes; files far below are rewritten rather than given
    /// position deletes
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = size)]
    file_size: u64,
    /// Leave the maintenance that is due to another run
    #[arg(long)]
    no_maintenance: bool,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PlanFormat {
    /// Text for people.
    Text,
    /// One JSON object.
    Json,
}

/// The job of a table, as it is without options.
pub(crate) fn job<'a>(
    lake: &'a LakeDefinition,
    table: &TableId,
    warehouse: &'a Warehouse,
) -> Result<SilverJob<'a>, CliError> {
    let Some(contract) = lake.contract(table) else {
        let known = lake.tables.iter().map(|t| t.table.to_string()).collect();
        return Err(CliError::Unknown { kind: "table", name: table.to_string(), known });
    };
    Ok(SilverJob {
        lake,
        contract,
        warehouse,
        now_micros: chrono::Utc::now().timestamp_micros(),
        batch_bytes: BATCH_BYTES,
        settle: SETTLE,
        load_began: None,
        memory_bytes: MEMORY_BYTES,
        file_bytes: FILE_BYTES,
    })
}

pub(crate) async fn run(place: &Place, arguments: &Silver) -> Result<(), CliError> {
    let table = &arguments.table;
    let lake = files::definition(&place.definition)?;
    let environment = files::environment(&place.environment)?;
    let config = target::sdk_config(&environment).await;
    let warehouse = target::warehouse(&config, &environment);
    let job = SilverJob {
        batch_bytes: arguments.batch,
        settle: arguments.settle,
        load_began: arguments.load_began,
        memory_bytes: arguments.memory,
        file_bytes: arguments.file_size,
        ..job(&lake, table, &warehouse)?
    };
    if arguments.plan {
        return explain(&job, arguments.format).await;
    }
    let name = TableRef::new(Layer::Silver, table.lake_table());
    let recorder = Recorder::begin(&lake, &environment, &warehouse, name);
    let ((), result) = tokio::join!(recorder.started(), job.run());
    recorder.silver(job.contract, &result).await;
    let SilverRun { silver, history } = result?;
    let recorded = history.as_ref().ok().and_then(Option::as_ref);
    let history_committed = recorded.is_some_and(|history| history.committed.is_some());
    let committed = matches!(silver, SilverOutcome::Committed { .. }) || history_committed;
    let mut lines = lines(table, silver);
    if let (Some(last), Some(history)) = (lines.last_mut(), recorded) {
        last.push_str(&format!("; {}", with_history(history)));
    }
    for line in lines {
        println!("{line}");
    }
    if committed && !arguments.no_maintenance {
        maintain(&job).await;
    }
    // Silver is committed and told by now, whatever the history fails with.
    history?;
    Ok(())
}

async fn explain(job: &SilverJob<'_>, format: PlanFormat) -> Result<(), CliError> {
    let plan = job.explain().await?;
    match format {
        PlanFormat::Text => {
            print!("{plan}");
            if let Some(history) = job.explain_history().await? {
                print!("\n{history}");
            }
        }
        PlanFormat::Json => {
            let mut document = plan.to_json();
            if let Some(history) = job.explain_history().await? {
                document["history"] = history.to_json();
            }
            println!("{document:#}");
        }
    }
    Ok(())
}

/// What is due after a batch. The batch is committed whatever becomes of it, so that its errors
/// are warnings; what stays undone is due after the next batch too.
async fn maintain(job: &SilverJob<'_>) {
    let policy = MaintenancePolicy::new(job.file_bytes, job.memory_bytes);
    match job.maintain(policy, When::Due).await {
        Ok(reports) => {
            for report in reports.iter().filter(|report| !report.is_empty()) {
                println!("{report}");
            }
        }
        Err(error) => {
            eprintln!("warning: the batch is committed, but maintenance is left for later");
            eprintln!("{}", CliError::from(error).report());
        }
    }
}

/// What a run did, one statement per line.
fn lines(table: &TableId, outcome: SilverOutcome) -> Vec<String> {
    match outcome {
        SilverOutcome::UpToDate => vec![format!("silver {table}: nothing new")],
        SilverOutcome::Waiting(waiting) => vec![waits(table, &waiting)],
        SilverOutcome::Committed { files, balance, warnings, snapshot, waiting } => {
            let warning = |(rule, count)| format!("warning: {count} rows of {table} fail `{rule}`");
            let mut lines: Vec<String> = warnings.into_iter().map(warning).collect();
            let plural = if files == 1 { "" } else { "s" };
            lines.push(format!(
                "silver {table}: {files} file{plural}, {balance}; snapshot {snapshot}"
            ));
            if balance.replaced > 0 {
                let rows = balance.replaced;
                lines.push(format!("silver {table}: a new full load replaced {rows} rows"));
            }
            lines.extend(waiting.iter().map(|waiting| waits(table, waiting)));
            lines
        }
    }
}

/// What a run did to the history: the rest of the last line.
pub(super) fn with_history(outcome: &HistoryOutcome) -> String {
    let HistoryOutcome { committed, waiting } = outcome;
    let committed = committed.map(|HistoryCommitted { files, balance, snapshot }| {
        let plural = if files == 1 { "" } else { "s" };
        format!("{files} file{plural}, {balance}; snapshot {snapshot}")
    });
    let waiting = waiting.as_ref().map(|_| "waits for a new full load too".to_owned());
    let parts: Vec<String> = committed.into_iter().chain(waiting).collect();
    let said = if parts.is_empty() { "nothing new".to_owned() } else { parts.join("; ") };
    format!("history: {said}")
}

fn waits(table: &TableId, waiting: &Waiting) -> String {
    let until = waiting.until.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!(
        "silver {table}: waits for a new full load to be complete, until {until} unless a change \
         file follows before"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use clap::Parser;
    use medallion_transforms::history::HistoryBalance;
    use medallion_transforms::silver::Balance;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        silver: Silver,
    }

    #[test]
    fn without_options_the_job_has_the_defaults_of_the_library() {
        let line = Line::parse_from(["silver", "--table", "crm.customers"]).silver;
        assert_eq!((line.settle, line.memory, line.batch), (SETTLE, MEMORY_BYTES, BATCH_BYTES));
        assert_eq!(line.file_size, FILE_BYTES);
        assert_eq!((line.plan, line.format), (false, PlanFormat::Text));
    }

    #[test]
    fn a_form_is_the_form_of_a_plan() {
        let parse = |line: &str| Line::try_parse_from(line.split(' ')).map(|l| l.silver.format);
        assert_eq!(parse("s --table a.b --plan --format json").unwrap(), PlanFormat::Json);
        assert!(parse("s --table a.b --format json").is_err());
        let error = parse("s --table a.b --settle 5").unwrap_err().to_string();
        assert!(error.contains("`90s`"), "{error}");
    }

    #[test]
    fn replaced_rows_and_waiting_tables_are_said_plainly() {
        let table: TableId = "crm.customers".parse().unwrap();
        let waiting =
            Waiting { newest: DateTime::UNIX_EPOCH, until: DateTime::UNIX_EPOCH + SETTLE };
        let outcome = SilverOutcome::Committed {
            files: 1,
            balance: Balance { read: 3, inserted: 3, replaced: 7, ..Balance::default() },
            warnings: BTreeMap::from([("name.length".to_owned(), 2)]),
            snapshot: 11,
            waiting: Some(waiting),
        };
        let expected = [
            "warning: 2 rows of crm.customers fail `name.length`",
            "silver crm.customers: 1 file, read 3, inserted 3, replaced 7; snapshot 11",
            "silver crm.customers: a new full load replaced 7 rows",
            "silver crm.customers: waits for a new full load to be complete, until \
             1970-01-01T00:05:00Z unless a change file follows before",
        ];
        assert_eq!(lines(&table, outcome), expected);
    }

    #[test]
    fn what_the_history_did_stands_at_the_end() {
        let balance =
            HistoryBalance { read: 3, began: 2, ended: 1, moved: 1, ..Default::default() };
        let committed = Some(HistoryCommitted { files: 2, balance, snapshot: 12 });
        let waiting =
            Waiting { newest: DateTime::UNIX_EPOCH, until: DateTime::UNIX_EPOCH + SETTLE };
        let mut outcome = HistoryOutcome { committed, waiting: None };
        let said = "history: 2 files, read 3, began 2, ended 1, moved 1; snapshot 12";
        assert_eq!(with_history(&outcome), said);
        outcome.waiting = Some(waiting);
        assert_eq!(with_history(&outcome), format!("{said}; waits for a new full load too"));
        assert_eq!(with_history(&HistoryOutcome::default()), "history: nothing new");
    }
}
