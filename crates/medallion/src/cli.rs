//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands;
use crate::error::CliError;
use crate::options::{Format, Place};

/// A governed Iceberg lake from a MySQL customer registry.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the lake definition; prints all findings
    Check,
    /// Merge what is new in Bronze into a Silver table
    Silver(commands::silver::Silver),
    /// Compact, expire and clean up the Silver and quarantine tables of a source table
    Maintain(commands::maintain::Maintain),
    /// Compute a Silver table anew from Bronze, beside the live one, and swap them
    Reprocess(commands::reprocess::Reprocess),
    /// Build, check and publish a Gold model
    Gold(commands::gold::Gold),
    /// Show what a Gold model returns now: inputs, plan, some rows; writes nothing
    Preview(commands::preview::Preview),
    /// Compare a Silver table with its state computed anew from Bronze, or with the source
    Verify(commands::verify::Verify),
    /// Ask a question as a group of the policy
    Query {
        /// Group, such as `marketing` or `operations-SP`
        #[arg(long = "as")]
        group: String,
        /// Form of the result
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        /// One SELECT
        sql: String,
    },
    /// Show what a group may see: tables, columns, rows
    Access {
        /// Group; all groups without it
        #[arg(long = "as")]
        group: Option<String>,
        /// Why a column is open or closed, such as `silver.crm_customers.cpf`
        #[arg(long, requires = "group", value_name = "COLUMN")]
        explain: Option<String>,
    },
    /// Write the documents from which AWS makes the environment's replication
    Synth {
        /// Folder; the documents lie in `<FOLDER>/<environment>/dms`
        #[arg(long, value_name = "FOLDER", default_value = "infra/stacks")]
        out: PathBuf,
        /// Change nothing; fail when the folder is not as it would be written
        #[arg(long)]
        check: bool,
    },
    /// Look at a live source, and at a DMS replication, for what would lose, reorder or cut data
    Doctor(commands::doctor::Doctor),
    /// Write a contract by looking at a source table
    NewTable(commands::new_table::NewTable),
    /// Entry point of Glue jobs: `--key value` pairs as Glue passes them
    #[command(hide = true)]
    Job {
        /// The arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// [`CliError`], which knows its exit code.
    pub async fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Check => commands::check::run(&self.place).await,
            Command::Silver(arguments) => commands::silver::run(&self.place, &arguments).await,
            Command::Maintain(arguments) => commands::maintain::run(&self.place, &arguments).await,
            Command::Reprocess(arguments) => {
                commands::reprocess::run(&self.place, &arguments).await
            }
            Command::Gold(arguments) => {
                Box::pin(commands::gold::run(&self.place, &arguments)).await
            }
            Command::Preview(arguments) => {
                Box::pin(commands::preview::run(&self.place, &arguments)).await
            }
            Command::Verify(arguments) => {
                Box::pin(commands::verify::run(&self.place, &arguments)).await
            }
            Command::Query { group, format, sql } => {
                commands::query::run(&self.place, &group, format, &sql).await
            }
            Command::Access { group, explain } => {
                commands::access::run(&self.place, group.as_deref(), explain.as_deref())
            }
            Command::Synth { out, check } => commands::synth::run(&self.place, &out, check),
            Command::Doctor(arguments) => commands::doctor::run(&self.place, &arguments).await,
            Command::NewTable(arguments) => commands::new_table::run(&arguments).await,
            Command::Job { arguments } => {
                let line = commands::job::line(&arguments)?;
                let cli = Cli::try_parse_from(line).map_err(|e| CliError::Usage(e.to_string()))?;
                let place = self.place.unless_given(cli.place, &arguments);
                Box::pin(Cli { place, ..cli }.run()).await
            }
        }
    }
}
