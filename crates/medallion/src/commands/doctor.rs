//! `medallion doctor`: what at the source, and in a live DMS replication, would lose, reorder or
//! cut data.

mod dms;
mod report;

use std::time::Duration;

use clap::Args;
use medallion_definition::environment::Environment;
use medallion_replicator::checkpoint::{Checkpoint, CheckpointError};
use medallion_replicator::inspection::finding::Severity;
use medallion_replicator::inspection::{self, KnownBinlog, Limits};
use medallion_replicator::server::{DatabaseError, Source};
use medallion_replicator::sink::{BronzeSink, S3Sink, SinkError};

use self::dms::DmsError;
use self::report::Report;
use crate::error::CliError;
use crate::options::Place;
use crate::{exit, files, target};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// MySQL or MariaDB, `mysql://user:password@host:port`, as the user that replicates
    #[arg(long, env = "MEDALLION_SOURCE_URL", hide_env_values = true, value_name = "URL")]
    source_url: String,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    /// Replication whose checkpoint is compared with the server
    #[arg(long, value_name = "TASK")]
    checkpoint: Option<String>,
    /// Bucket of the checkpoint, if not that of the environment
    #[arg(long, requires = "checkpoint")]
    bucket: Option<String>,
    /// ARN of a DMS task or serverless configuration to judge with its endpoints
    #[arg(long = "task", value_name = "ARN")]
    task: Option<String>,
    /// How long one query over the rows of a table may run
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    query_seconds: u64,
}

/// Why a source could not be examined, or what the examination came to.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The server could not be asked (operator: the URL, the network or the user).
    #[error("the source cannot be examined")]
    Database(#[from] DatabaseError),
    /// The checkpoint could not be fetched.
    #[error("the checkpoint cannot be read")]
    Sink(#[from] SinkError),
    /// There is no checkpoint of this name (operator).
    #[error("the bucket `{bucket}` has no checkpoint of `{task}`")]
    NoCheckpoint {
        /// The bucket.
        bucket: String,
        /// The replication.
        task: String,
    },
    /// The checkpoint makes no sense (operator).
    #[error("the checkpoint of `{task}` cannot be understood")]
    Checkpoint {
        /// The replication.
        task: String,
        /// Why.
        source: CheckpointError,
    },
    /// DMS did not show the replication.
    #[error("the DMS replication cannot be examined")]
    Dms(#[from] DmsError),
    /// The report cannot be printed as JSON (bug).
    #[error("the report cannot be printed")]
    Json(#[source] serde_json::Error),
    /// Everything was looked at, and there are errors.
    #[error("errors that lose, reorder or cut data: {0}")]
    Findings(usize),
}

impl DoctorError {
    /// The exit code of [`exit`]. A source that cannot be reached is the operator's: the command
    /// was given its address.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            DoctorError::Findings(_) => exit::FINDINGS,
            DoctorError::Sink(SinkError::Unavailable { .. })
            | DoctorError::Dms(DmsError::Call { code: None, .. }) => exit::RETRYABLE,
            DoctorError::Database(DatabaseError::Answer { .. })
            | DoctorError::Dms(DmsError::Answer { .. })
            | DoctorError::Json(_) => exit::BUG,
            DoctorError::Database(_)
            | DoctorError::Sink(_)
            | DoctorError::NoCheckpoint { .. }
            | DoctorError::Checkpoint { .. }
            | DoctorError::Dms(_) => exit::OPERATOR,
        }
    }
}

pub(crate) async fn run(place: &Place, arguments: &Doctor) -> Result<(), CliError> {
    let lake = files::definition(&place.definition)?;
    let source = Source::from_url(&arguments.source_url).map_err(DoctorError::Database)?;
    let wants_aws = arguments.checkpoint.is_some() || arguments.task.is_some();
    let environment = if wants_aws { Some(files::environment(&place.environment)?) } else { None };
    let limits = Limits {
        query: Duration::from_secs(arguments.query_seconds.max(1)),
        stopped_in: stopped_in(environment.as_ref(), arguments).await?,
        ..Limits::default()
    };
    let inspected = inspection::inspect(&source, &lake.tables, &limits).await;
    let inspection = inspected.map_err(DoctorError::Database)?;
    let dms = match (&environment, &arguments.task) {
        (Some(environment), Some(task)) => {
            let config = target::sdk_config(environment).await;
            Some(dms::judge(&config, task, &lake.tables).await.map_err(DoctorError::Dms)?)
        }
        _ => None,
    };
    let report = Report { inspection: &inspection, dms: dms.as_deref() };
    if arguments.json {
        println!("{}", report.json().map_err(DoctorError::Json)?);
    } else {
        print!("{report}");
    }
    match inspection.count(Severity::Error) + dms.map_or(0, |findings| findings.len()) {
        0 => Ok(()),
        errors => Err(DoctorError::Findings(errors).into()),
    }
}

/// Where the named replication stopped.
async fn stopped_in(
    environment: Option<&Environment>,
    arguments: &Doctor,
) -> Result<Option<KnownBinlog>, DoctorError> {
    let (Some(environment), Some(task)) = (environment, arguments.checkpoint.clone()) else {
        return Ok(None);
    };
    let client = aws_sdk_s3::Client::new(&target::sdk_config(environment).await);
    let bucket = arguments.bucket.clone().unwrap_or_else(|| environment.bucket.clone());
    let sink = S3Sink { client, bucket: bucket.clone(), task: task.clone() };
    let Some((json, _)) = sink.read_checkpoint().await? else {
        return Err(DoctorError::NoCheckpoint { bucket, task });
    };
    let checkpoint =
        Checkpoint::from_json(&json).map_err(|source| DoctorError::Checkpoint { task, source })?;
    let file = checkpoint.safe.position.file().to_owned();
    Ok(Some(KnownBinlog {
        server_uuid: checkpoint.server_uuid,
        file: (!file.is_empty()).then_some(file),
        by_gtid: !checkpoint.gtid_set.is_empty(),
    }))
}
