//! `medallion verify`: a Silver table beside what it should be.

use clap::Args;
use medallion_definition::name::TableId;
use medallion_replicator::server::Source;
use medallion_transforms::verify::VerifyJob;

use crate::error::CliError;
use crate::options::Place;
use crate::quantity::size;
use crate::source_comparison::{ComparisonError, against_source};
use crate::{files, target};

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Source table, such as `crm.customers`
    #[arg(long)]
    table: TableId,
    /// What the table is compared with
    #[arg(long, value_enum, default_value = "bronze")]
    against: Against,
    /// MySQL or MariaDB, `mysql://user:password@host:port`
    #[arg(
        long,
        env = "MEDALLION_SOURCE_URL",
        hide_env_values = true,
        value_name = "URL",
        required_if_eq("against", "mysql")
    )]
    source_url: Option<String>,
    /// The most differing rows that are shown; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    rows: usize,
    /// Form of the result
    #[arg(long, value_enum, default_value = "text")]
    format: VerifyFormat,
    /// Memory that the verification may take before it goes to the disk
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    memory: u64,
}

/// What a table is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Against {
    /// Its state computed anew from the Bronze files that were applied.
    Bronze,
    /// The source as it is now.
    Mysql,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum VerifyFormat {
    /// Text for people.
    Text,
    /// One JSON object.
    Json,
}

pub(crate) async fn run(place: &Place, arguments: &Verify) -> Result<(), CliError> {
    let table = &arguments.table;
    let lake = files::definition(&place.definition)?;
    let environment = files::environment(&place.environment)?;
    let Some(contract) = lake.contract(table) else {
        let known = lake.tables.iter().map(|t| t.table.to_string()).collect();
        return Err(CliError::Unknown { kind: "table", name: table.to_string(), known });
    };
    let config = target::sdk_config(&environment).await;
    let warehouse = target::warehouse(&config, &environment);
    let job = VerifyJob {
        lake: &lake,
        contract,
        warehouse: &warehouse,
        now_micros: chrono::Utc::now().timestamp_micros(),
        memory_bytes: arguments.memory,
        rows: arguments.rows,
    };
    let found = match (arguments.against, &arguments.source_url) {
        (Against::Mysql, Some(url)) => {
            let source = Source::from_url(url).map_err(ComparisonError::Source)?;
            against_source(&job, &source).await?
        }
        (Against::Mysql, None) => {
            return Err(CliError::Usage("`--against mysql` needs `--source-url`".to_owned()));
        }
        (Against::Bronze, _) => job.against_bronze().await.map_err(ComparisonError::Verify)?,
    };
    match arguments.format {
        VerifyFormat::Text => print!("{found}"),
        VerifyFormat::Json => println!("{:#}", found.to_json()),
    }
    match found.counts().total() {
        0 => Ok(()),
        differences => Err(ComparisonError::Differs { table: table.clone(), differences }.into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use medallion_transforms::plan::MEMORY_BYTES;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        verify: Verify,
    }

    fn parse(line: &str) -> Result<Verify, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| line.verify)
    }

    #[test]
    fn a_table_is_compared_with_bronze_unless_it_is_said_otherwise() {
        let plain = parse("verify --table crm.customers").unwrap();
        assert_eq!((plain.against, plain.format), (Against::Bronze, VerifyFormat::Text));
        assert_eq!((plain.rows, plain.memory), (20, MEMORY_BYTES));
        let line = "verify --table a.b --against mysql --source-url mysql://u:p@h:1 --rows 0";
        let other = parse(&format!("{line} --format json")).unwrap();
        assert_eq!((other.against, other.format), (Against::Mysql, VerifyFormat::Json));
        assert_eq!(other.source_url.as_deref(), Some("mysql://u:p@h:1"));
    }
}
