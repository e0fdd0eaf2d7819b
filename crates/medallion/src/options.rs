//! Options that several commands share.

use std::path::PathBuf;

use clap::Args;

/// Which lake, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Folder of the lake definition
    #[arg(long, global = true, env = "MEDALLION_DEFINITION", default_value = "infra/lake")]
    pub(crate) definition: PathBuf,
    /// File of the environment
    #[arg(
        long,
        global = true,
        env = "MEDALLION_ENVIRONMENT",
        default_value = "infra/environments/local.toml"
    )]
    pub(crate) environment: PathBuf,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object per line.
    Json,
}
