//! `medallion gold`.

use clap::Args;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::CheckSeverity;
use medallion_definition::name::{Layer, ModelName};
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::error::TransformError;
use medallion_transforms::gold::lineage::lineage;
use medallion_transforms::gold::{CheckResult, GoldJob, GoldOutcome, GoldReport};
use medallion_transforms::maintenance::{MaintenancePolicy, When};
use medallion_transforms::runs::{Outcome, TableRef};
use medallion_transforms::silver::{FILE_BYTES, MEMORY_BYTES};

use super::silver::PlanFormat;
use crate::error::CliError;
use crate::options::Place;
use crate::quantity::size;
use crate::recorder::Recorder;
use crate::{files, target};

/// Arguments of `gold`.
#[derive(Debug, Args)]
pub(crate) struct Gold {
    /// Model, such as `customers_by_region`
    #[arg(long)]
    model: ModelName,
    /// Print the plan and change nothing
    #[arg(long)]
    plan: bool,
    /// Form of the plan: for people, or for other engines
    #[arg(long, value_enum, default_value = "text", requires = "plan")]
    format: PlanFormat,
    /// Build in full, whatever changed
    #[arg(long)]
    full: bool,
    /// Memory that the query may take before it goes to the disk
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    memory: u64,
    /// About how large a new data file becomes
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = size)]
    file_size: u64,
    /// Leave the maintenance that is due to another run
    #[arg(long)]
    no_maintenance: bool,
}

/// The job of a model, as it is without options.
pub(crate) fn job<'a>(
    lake: &'a LakeDefinition,
    name: &ModelName,
    warehouse: &'a Warehouse,
) -> Result<GoldJob<'a>, CliError> {
    let Some(model) = lake.model(name.as_str()) else {
        let known = lake.models.iter().map(|m| m.name.to_string()).collect();
        return Err(CliError::Unknown { kind: "model", name: name.to_string(), known });
    };
    Ok(GoldJob {
        lake,
        model,
        warehouse,
        now_micros: chrono::Utc::now().timestamp_micros(),
        memory_bytes: MEMORY_BYTES,
        file_bytes: FILE_BYTES,
        full: false,
    })
}

pub(crate) async fn run(place: &Place, arguments: &Gold) -> Result<(), CliError> {
    let name = &arguments.model;
    let lake = files::definition(&place.definition)?;
    let environment = files::environment(&place.environment)?;
    let config = target::sdk_config(&environment).await;
    let warehouse = target::warehouse(&config, &environment);
    let job = GoldJob {
        memory_bytes: arguments.memory,
        file_bytes: arguments.file_size,
        full: arguments.full,
        ..job(&lake, name, &warehouse)?
    };
    if arguments.plan {
        let plan = job.explain().await?;
        match arguments.format {
            PlanFormat::Text => print!("{plan}"),
            PlanFormat::Json => println!("{:#}", plan.to_json()),
        }
        return Ok(());
    }
    let table = TableRef::new(Layer::Gold, name.as_str());
    let recorder = Recorder::begin(&lake, &environment, &warehouse, table);
    let ((), result) = tokio::join!(recorder.started(), job.run());
    let (outcome, report) = recorded(&result);
    let columns = lineage(&lake, job.model).await.ok().map(|found| found.to_facet(""));
    recorder.gold(job.model, outcome, report, columns).await;
    match result? {
        GoldOutcome::UpToDate => println!("gold {name}: inputs and query are unchanged"),
        GoldOutcome::Waiting(inputs) => println!("gold {name}: waiting for {}", inputs.join(", ")),
        GoldOutcome::Published(report) => {
            for check in report.failed() {
                println!("warning: gold {name}: {}", told(check));
            }
            if let Some(because) = &report.because {
                println!("gold {name}: built in full, since {because}");
            }
            println!("gold {name}: {report}");
            if !arguments.no_maintenance {
                maintain(&job).await;
            }
        }
        GoldOutcome::Red(report) => return Err(red(name, &report)),
    }
    Ok(())
}

/// How a run ended, for its record.
fn recorded(result: &Result<GoldOutcome, TransformError>) -> (Outcome, Option<&GoldReport>) {
    match result {
        Ok(GoldOutcome::UpToDate) => (Outcome::UpToDate, None),
        Ok(GoldOutcome::Waiting(inputs)) => {
            (Outcome::Waiting { waiting_for: inputs.clone() }, None)
        }
        Ok(GoldOutcome::Published(report)) => (Outcome::Published, Some(report)),
        Ok(GoldOutcome::Red(report)) => {
            let names: Vec<String> =
                report.checks.iter().filter(|c| c.is_red()).map(|c| c.name.clone()).collect();
            let reason = format!("checks fail: {}", names.join(", "));
            (Outcome::Red { reason }, Some(report))
        }
        Err(error) => (error.into(), None),
    }
}

/// The build is published whatever becomes of maintenance, so that its errors are warnings.
async fn maintain(job: &GoldJob<'_>) {
    let policy = MaintenancePolicy::new(job.file_bytes, job.memory_bytes);
    match job.maintain(policy, When::Due).await {
        Ok(Some(report)) if !report.is_empty() => println!("{report}"),
        Ok(_) => {}
        Err(error) => {
            eprintln!("warning: the build is published, but maintenance is left for later");
            eprintln!("{}", CliError::from(error).report());
        }
    }
}

/// What a check found, its rows on lines of their own.
fn told(check: &CheckResult) -> String {
    let plural = if check.failing == 1 { "" } else { "s" };
    let mut text = match check.kind {
        "row_count_change" | "freshness" => format!("check `{}` fails", check.name),
        _ => format!("check `{}` fails for {} row{plural}", check.name, check.failing),
    };
    for row in &check.shown {
        text.push_str("\n    ");
        text.push_str(row);
    }
    let more = check.failing.saturating_sub(check.shown.len() as u64);
    if more > 0 {
        text.push_str(&format!("\n    and {more} more"));
    }
    text
}

fn red(name: &ModelName, report: &GoldReport) -> CliError {
    let said = report.failed().map(|check| {
        let warns = check.severity == CheckSeverity::Warn;
        format!("  {}{}", if warns { "warning: " } else { "" }, told(check))
    });
    CliError::Red {
        model: name.to_string(),
        checks: said.collect::<Vec<_>>().join("\n"),
        branch: report.branch.unwrap_or_default(),
    }
}
