//! `medallion reprocess`.

use clap::Args;
use medallion_definition::name::TableId;
use medallion_transforms::reprocess::{Point, Rebuilt, ReprocessJob, ReprocessOutcome};
use medallion_transforms::silver::SilverJob;

use crate::commands::silver::{PlanFormat, job, with_history};
use crate::error::CliError;
use crate::options::Place;
use crate::quantity::size;
use crate::{files, target};

/// Arguments of `reprocess`.
#[derive(Debug, Args)]
pub(crate) struct Reprocess {
    /// Source table, such as `crm.customers`
    #[arg(long)]
    table: TableId,
    /// `start`, a time such as `2026-11-20T10:00:00Z`, or `snapshot:<id>`: what was applied after
    /// it is applied again
    #[arg(long, value_name = "POINT")]
    from: Point,
    /// Print the next step and change nothing
    #[arg(long)]
    plan: bool,
    /// Form of the plan: for people, or for programs
    #[arg(long, value_enum, default_value = "text", requires = "plan")]
    format: PlanFormat,
    /// Memory that a batch may take before it goes to the disk
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    memory: u64,
    /// The most Bronze bytes of one batch, as stored
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    batch: u64,
}

pub(crate) async fn run(place: &Place, arguments: &Reprocess) -> Result<(), CliError> {
    let table = &arguments.table;
    let lake = files::definition(&place.definition)?;
    let environment = files::environment(&place.environment)?;
    let config = target::sdk_config(&environment).await;
    let warehouse = target::warehouse(&config, &environment);
    let silver = SilverJob {
        batch_bytes: arguments.batch,
        memory_bytes: arguments.memory,
        ..job(&lake, table, &warehouse)?
    };
    let rebuild = ReprocessJob { silver, from: arguments.from };
    if arguments.plan {
        let plan = rebuild.explain().await?;
        match arguments.format {
            PlanFormat::Text => print!("{plan}"),
            PlanFormat::Json => println!("{:#}", plan.to_json()),
        }
        return Ok(());
    }
    let outcome = rebuild.run().await?;
    let rebuilt = matches!(outcome, ReprocessOutcome::Rebuilt(_));
    for line in lines(table, arguments.from, outcome) {
        println!("{line}");
    }
    // The history follows, by the same rules; what it cannot do now it does with the next batch.
    if rebuilt && let Some(history) = rebuild.silver.run_history().await? {
        println!("reprocess {table}: {}", with_history(&history));
    }
    Ok(())
}

/// What a run did, one statement per line.
fn lines(table: &TableId, from: Point, outcome: ReprocessOutcome) -> Vec<String> {
    let done = match outcome {
        ReprocessOutcome::Nothing => {
            return vec![format!("reprocess {table}: nothing was applied after {from}")];
        }
        ReprocessOutcome::Rebuilt(done) => done,
    };
    let Rebuilt { files, balance, warnings, snapshot, rows_before, rows_after, .. } = done;
    let warning = |(rule, count)| format!("warning: {count} rows of {table} fail `{rule}`");
    let mut lines: Vec<String> = warnings.into_iter().map(warning).collect();
    let plural = if files == 1 { "" } else { "s" };
    lines.push(format!(
        "reprocess {table}: {files} file{plural} from {from}, {balance}; snapshot {snapshot}"
    ));
    if let Some(before) = rows_before {
        lines.push(format!("reprocess {table}: {before} rows before, {rows_after} now"));
    }
    let (before, after) = (done.quarantined_before, done.quarantined_after);
    if before + after > 0 {
        lines.push(format!("reprocess {table}: {before} quarantined rows before, {after} now"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use medallion_transforms::silver::{BATCH_BYTES, Balance, MEMORY_BYTES};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        reprocess: Reprocess,
    }

    fn parse(line: &str) -> Result<Reprocess, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| line.reprocess)
    }

    #[test]
    fn points_are_understood_and_other_texts_are_told_what_points_are() {
        let point = |from: &str| parse(&format!("r --table a.b --from {from}")).unwrap().from;
        assert_eq!(point("start"), Point::Start);
        assert_eq!(point("snapshot:17"), Point::Snapshot(17));
        assert_eq!(point("2026-11-20T07:00:00-03:00").to_string(), "2026-11-20T10:00:00Z");
        let error = parse("r --table a.b --from yesterday").unwrap_err().to_string();
        assert!(error.contains("`yesterday`") && error.contains("snapshot:<id>"), "{error}");
        assert!(parse("r --table a.b").is_err(), "the point has to be said");
        let line = parse("r --table a.b --from start").unwrap();
        assert_eq!((line.memory, line.batch), (MEMORY_BYTES, BATCH_BYTES));
    }

    #[test]
    fn what_became_of_rows_is_said_plainly() {
        let table: TableId = "crm.customers".parse().unwrap();
        let done = Rebuilt {
            files: 2,
            balance: Balance { read: 3, inserted: 3, ..Balance::default() },
            snapshot: 11,
            rows_before: Some(2),
            rows_after: 3,
            quarantined_before: 1,
            ..Rebuilt::default()
        };
        let expected = [
            "reprocess crm.customers: 2 files from start, read 3, inserted 3; snapshot 11",
            "reprocess crm.customers: 2 rows before, 3 now",
            "reprocess crm.customers: 1 quarantined rows before, 0 now",
        ];
        let rebuilt = ReprocessOutcome::Rebuilt(done);
        assert_eq!(lines(&table, Point::Start, rebuilt), expected);
        let nothing = lines(&table, Point::Snapshot(7), ReprocessOutcome::Nothing);
        assert_eq!(nothing, ["reprocess crm.customers: nothing was applied after snapshot:7"]);
    }
}
