//! Why a scenario could not be run, and the exit code that means it.

use std::error::Error;
use std::path::PathBuf;

use medallion::error::{CliError, with_causes};
use medallion::exit;
use medallion_replicator::replicate::ReplicateError;

use crate::aws::glue::GlueStartError;
use crate::aws::s3::S3Error;
use crate::mysql::MySqlError;
use crate::verify::VerifyError;
use crate::workload::WorkloadError;

type Cause = Box<dyn Error + Send + Sync>;

/// Why a scenario ended early.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// The definition, or a command of `medallion`.
    #[error(transparent)]
    Medallion(#[from] CliError),
    /// There is no MySQL.
    #[error(transparent)]
    MySql(#[from] MySqlError),
    /// The S3 endpoint did not start.
    #[error("the S3 endpoint does not start")]
    S3(#[from] S3Error),
    /// The Glue endpoint did not start.
    #[error("the Glue endpoint does not start")]
    Glue(#[from] GlueStartError),
    /// The program does not know where it lies.
    #[error("the path of this program is unknown")]
    OwnPath(#[source] std::io::Error),
    /// A file of the run cannot be written.
    #[error("`{path}` cannot be written")]
    WorkFile {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Part of the set-up was refused.
    #[error("{what} cannot be set up")]
    SetUp {
        /// The part.
        what: &'static str,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The source holds data of somebody else.
    #[error(
        "the MySQL server already has a schema `{0}`; the run would overwrite it\n    \
         hint: give a server of its own, or drop the schemas crm, kept, expected and journal"
    )]
    SchemaExists(String),
    /// The workload failed.
    #[error("the workload failed")]
    Workload(#[from] WorkloadError),
    /// The replicator stopped.
    #[error("the replicator stopped")]
    Replicator(#[from] ReplicateError),
    /// The replicator's task went away.
    #[error("the replicator ended without a word")]
    ReplicatorGone,
    /// A job was given up.
    #[error("{job} was given up: {reason}\n    hint: its log is {log}")]
    Job {
        /// The job.
        job: String,
        /// The last reason.
        reason: String,
        /// The log.
        log: String,
    },
    /// The runner's task went away.
    #[error("the runner ended without a word")]
    RunnerGone,
    /// Something took longer than it may.
    #[error("{what} took longer than {seconds} s")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// The verification could not be done.
    #[error("the verification cannot be done")]
    Verify(#[from] VerifyError),
    /// A break point cannot be applied.
    #[error("the break `{point}` cannot be applied: {reason}")]
    Break {
        /// The point.
        point: &'static str,
        /// Why.
        reason: String,
    },
    /// The readers' script failed to run.
    #[error("the outside readers cannot be run: {0}")]
    Readers(String),
    /// A program of a bench failed, or its result is wrong.
    #[error("the bench failed: {0}")]
    Bench(String),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl HarnessError {
    pub(crate) fn set_up(what: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        HarnessError::SetUp { what, source: Box::new(source) }
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            HarnessError::Medallion(error) => error.exit_code(),
            HarnessError::Interrupted => 130,
            HarnessError::Timeout { .. } => exit::RETRYABLE,
            HarnessError::OwnPath(_) | HarnessError::ReplicatorGone | HarnessError::RunnerGone => {
                exit::BUG
            }
            HarnessError::MySql(_)
            | HarnessError::S3(_)
            | HarnessError::Glue(_)
            | HarnessError::WorkFile { .. }
            | HarnessError::SetUp { .. }
            | HarnessError::SchemaExists(_)
            | HarnessError::Workload(_)
            | HarnessError::Replicator(_)
            | HarnessError::Job { .. }
            | HarnessError::Verify(_)
            | HarnessError::Break { .. }
            | HarnessError::Readers(_)
            | HarnessError::Bench(_) => exit::OPERATOR,
        }
    }

    /// The message with its causes, one line each.
    pub fn report(&self) -> String {
        with_causes(self)
    }
}
