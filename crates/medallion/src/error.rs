//! What a command can fail with, and which exit code that means.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use medallion_definition::finding::Findings;
use medallion_governance::enforce::{QueryError, SessionError};
use medallion_ingestion::dms::lint::DmsFinding;
use medallion_tables::warehouse::WarehouseError;
use medallion_transforms::error::{Advice, TransformError, unavailable};

use crate::commands::doctor::DoctorError;
use crate::commands::new_table::NewTableError;
use crate::exit;
use crate::source_comparison::ComparisonError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The definition is wrong.
    #[error("the definition has findings:\n{0}")]
    Findings(Findings),
    /// Unit tests of models fail.
    #[error("unit tests fail ({}):\n{}", .0.len(), .0.join("\n"))]
    UnitTests(Vec<String>),
    /// A file cannot be read.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("`{path}` cannot be written")]
    Unwritable {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The documents of a replication break rules.
    #[error("DMS would lose or expose data:{}", lines(.0))]
    Documents(Vec<DmsFinding>),
    /// Written documents are not as they would be written now.
    #[error(
        "documents are stale:\n{0}    hint: run `cargo xtask synth` and look at the difference"
    )]
    Stale(String),
    /// A name that the lake does not have.
    #[error("there is no {kind} `{name}` in this lake\n    hint: known are {}", known.join(", "))]
    Unknown {
        /// What it should have been.
        kind: &'static str,
        /// The name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The arguments of a job cannot be understood.
    #[error("the arguments cannot be understood: {0}")]
    Usage(String),
    /// A source was examined, or could not be.
    #[error(transparent)]
    Doctor(#[from] DoctorError),
    /// No contract was written.
    #[error(transparent)]
    NewTable(#[from] NewTableError),
    /// A table differs, or could not be verified.
    #[error(transparent)]
    Verify(#[from] ComparisonError),
    /// A job failed.
    #[error("the job failed")]
    Transform(#[from] TransformError),
    /// A build failed its checks; the published table is as it was.
    #[error(
        "gold {model} is not published: the table is as it was, and the build is on its branch \
         `{branch}`\n{checks}"
    )]
    Red {
        /// The model.
        model: String,
        /// The failed checks with their rows.
        checks: String,
        /// Where the build can be looked at.
        branch: &'static str,
    },
    /// The catalog failed.
    #[error("the lake cannot be read")]
    Warehouse(#[from] WarehouseError),
    /// A governed session could not be built.
    #[error("the policy cannot be enforced")]
    Session(#[from] SessionError),
    /// A query was refused or failed. Its message is all that the asker may see.
    #[error("{0}")]
    Query(QueryError),
    /// The result cannot be printed.
    #[error("the result cannot be printed")]
    Print(#[from] arrow::error::ArrowError),
}

impl From<Findings> for CliError {
    fn from(findings: Findings) -> CliError {
        CliError::Findings(findings)
    }
}

impl From<QueryError> for CliError {
    fn from(error: QueryError) -> CliError {
        CliError::Query(error)
    }
}

/// Each on a line of its own.
fn lines(findings: &[DmsFinding]) -> String {
    findings.iter().map(|finding| format!("\n{finding}")).collect()
}

fn retry_or_operator(retry: bool) -> u8 {
    if retry { exit::RETRYABLE } else { exit::OPERATOR }
}

impl CliError {
    /// The exit code of [`exit`].
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::Findings(_)
            | CliError::UnitTests(_)
            | CliError::Unknown { .. }
            | CliError::Documents(_)
            | CliError::Red { .. }
            | CliError::Stale(_) => exit::FINDINGS,
            CliError::Doctor(error) => error.exit_code(),
            CliError::NewTable(error) => error.exit_code(),
            CliError::Verify(error) => error.exit_code(),
            CliError::Usage(_) => exit::USAGE,
            CliError::Unreadable { .. } | CliError::Unwritable { .. } | CliError::Session(_) => {
                exit::OPERATOR
            }
            CliError::Transform(
                TransformError::UnknownInput { .. }
                | TransformError::Circle { .. }
                | TransformError::Query { .. }
                | TransformError::Check { .. }
                | TransformError::Quality { .. },
            ) => exit::FINDINGS,
            CliError::Transform(error) => match error.advice() {
                Advice::Retry => exit::RETRYABLE,
                Advice::Operator => exit::OPERATOR,
                Advice::Bug => exit::BUG,
            },
            CliError::Warehouse(error) => {
                retry_or_operator(error.is_retryable() || unavailable(error))
            }
            CliError::Query(error) => query_exit_code(error),
            CliError::Print(_) => exit::BUG,
        }
    }

    /// The message with its causes, one line each.
    pub fn report(&self) -> String {
        with_causes(self)
    }
}

/// An error's message and those of its causes, one line each.
pub fn with_causes(error: &dyn Error) -> String {
    let mut out = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some libraries repeat the source in their own message.
        if !out.ends_with(&text) {
            let _ = write!(out, "\n  because {text}");
        }
        cause = error.source();
    }
    out
}

fn query_exit_code(error: &QueryError) -> u8 {
    match error {
        QueryError::NotAllowed { .. }
        | QueryError::TableNotFound { .. }
        | QueryError::ColumnNotFound { .. }
        | QueryError::Invalid { .. }
        | QueryError::Failed { .. } => exit::FINDINGS,
        QueryError::ResultTooLarge { .. } | QueryError::OutOfMemory { .. } => exit::OPERATOR,
        QueryError::Scan { .. } => exit::RETRYABLE,
        QueryError::Engine { .. } => exit::BUG,
    }
}
