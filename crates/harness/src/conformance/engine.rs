//! What can be scored: this project's engine in process, or any program.

use std::fmt::Debug;
use std::path::Path;

use async_trait::async_trait;
use medallion::exit;
use medallion_definition::lake::LakeDefinition;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::error::{Advice, TransformError};
use medallion_transforms::maintenance::{MaintenancePolicy, When};
use medallion_transforms::silver::{
    BATCH_BYTES, FILE_BYTES, MEMORY_BYTES, SETTLE, SilverJob, SilverRun,
};

use crate::failure::HarnessError;
use crate::small_lake::contents::causes;
use crate::small_lake::{ACCOUNT, REGION, Repetition, SmallLake, only_contract};
use crate::stack;

/// The batch size can be chosen.
pub const BATCH_SIZE: &str = "batch_bytes";
/// The size of data files can be chosen.
pub const FILE_SIZE: &str = "file_bytes";
/// Maintenance can be asked for.
pub const MAINTENANCE: &str = "maintenance";
/// Every commit of a batch counts its rows and states the totals of the table. No case requires
/// it; where an engine provides it, what is missing is a difference.
pub const BALANCE: &str = "balance";

/// One run that is asked for.
#[derive(Debug)]
pub struct Job<'a> {
    /// The lake.
    pub lake: &'a SmallLake<'a>,
    /// Its definition.
    pub definition: &'a LakeDefinition,
    /// The same as text: the contract.
    pub contract: &'a str,
    /// The most bytes of Bronze files in one batch.
    pub batch_bytes: Option<u64>,
    /// About the size of a new data file.
    pub file_bytes: Option<u64>,
}

/// Whose turn it is after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Running again may do.
    Retry,
    /// Somebody has to decide or repair something.
    Operator,
    /// Nobody foresaw it.
    Bug,
}

/// How a run ended, as the engine says.
#[derive(Clone, Debug)]
pub enum Ended {
    /// Well: whether anything was committed, the table tells.
    Done {
        /// Everything that was said.
        printed: String,
    },
    /// Refused.
    Failed {
        /// Whose turn it is.
        class: Class,
        /// The message with its causes.
        text: String,
        /// Everything that was said.
        printed: String,
    },
}

impl Ended {
    /// Everything that was said.
    pub fn printed(&self) -> &str {
        match self {
            Ended::Done { printed } | Ended::Failed { printed, .. } => printed,
        }
    }

    fn failed(class: Class, text: String) -> Ended {
        Ended::Failed { class, printed: text.clone(), text }
    }
}

/// An engine that merges Bronze into Silver.
#[async_trait]
pub trait Engine: Sync {
    /// Its name on the scoreboard.
    fn name(&self) -> String;

    /// True when it provides what a case requires beside a run ([`BATCH_SIZE`], [`FILE_SIZE`],
    /// [`MAINTENANCE`]), or what is then required of it ([`BALANCE`]).
    fn provides(&self, requirement: &str) -> bool;

    /// One run.
    ///
    /// # Errors
    /// When the engine could not be started at all.
    async fn run(&self, job: &Job<'_>) -> Result<Ended, HarnessError>;

    /// Maintenance of the table, for engines that provide it.
    ///
    /// # Errors
    /// When the engine could not be started at all.
    async fn maintain(&self, job: &Job<'_>) -> Result<Ended, HarnessError>;
}

/// This project's engine, in process.
#[derive(Clone, Copy, Debug)]
pub struct InProcess;

#[async_trait]
impl Engine for InProcess {
    fn name(&self) -> String {
        "medallion, in process".to_owned()
    }

    fn provides(&self, requirement: &str) -> bool {
        [BATCH_SIZE, FILE_SIZE, MAINTENANCE, BALANCE].contains(&requirement)
    }

    async fn run(&self, job: &Job<'_>) -> Result<Ended, HarnessError> {
        let warehouse = job.lake.warehouse(Repetition::Quick);
        let run = silver(job, &warehouse)?.run().await;
        Ok(ended(run.and_then(|SilverRun { silver, history }| Ok((silver, history?)))))
    }

    async fn maintain(&self, job: &Job<'_>) -> Result<Ended, HarnessError> {
        let warehouse = job.lake.warehouse(Repetition::Quick);
        let mut policy = MaintenancePolicy::new(FILE_BYTES, MEMORY_BYTES);
        policy.compaction.small_files = 2;
        Ok(ended(silver(job, &warehouse)?.maintain(policy, When::Now).await))
    }
}

fn silver<'a>(job: &'a Job<'_>, warehouse: &'a Warehouse) -> Result<SilverJob<'a>, HarnessError> {
    Ok(SilverJob {
        lake: job.definition,
        contract: only_contract(job.definition)?,
        warehouse,
        now_micros: chrono::Utc::now().timestamp_micros(),
        batch_bytes: job.batch_bytes.unwrap_or(BATCH_BYTES),
        settle: SETTLE,
        load_began: None,
        memory_bytes: MEMORY_BYTES,
        file_bytes: job.file_bytes.unwrap_or(FILE_BYTES),
    })
}

fn ended<T: Debug>(outcome: Result<T, TransformError>) -> Ended {
    let error = match outcome {
        Ok(done) => return Ended::Done { printed: format!("{done:?}") },
        Err(error) => error,
    };
    let class = match error.advice() {
        Advice::Retry => Class::Retry,
        Advice::Operator => Class::Operator,
        Advice::Bug => Class::Bug,
    };
    Ended::failed(class, causes(&error))
}

/// A program that merges one table: exit code 0 when it is done, 4 when a repetition may help,
/// 3 or 5 when somebody has to do something. Words of its command lines are apart by spaces;
/// `{table}`, `{definition}` (folder) and `{environment}` (file) are filled in.
#[derive(Clone, Debug)]
pub struct Program {
    /// Merges; with `{batch}`, the most bytes of Bronze files in one batch can be chosen, with
    /// `{file}`, about how many bytes a new data file takes.
    pub command: String,
    /// Maintains the table, if it can be asked to.
    pub maintenance: Option<String>,
    /// It is this project's own, of which more is known than what the command lines tell.
    pub ours: bool,
}

#[async_trait]
impl Engine for Program {
    fn name(&self) -> String {
        self.command.clone()
    }

    fn provides(&self, requirement: &str) -> bool {
        match requirement {
            BATCH_SIZE => self.command.contains("{batch}"),
            FILE_SIZE => self.command.contains("{file}"),
            MAINTENANCE => self.maintenance.is_some(),
            BALANCE => self.ours,
            _ => false,
        }
    }

    async fn run(&self, job: &Job<'_>) -> Result<Ended, HarnessError> {
        start(&self.command, job).await
    }

    async fn maintain(&self, job: &Job<'_>) -> Result<Ended, HarnessError> {
        match &self.maintenance {
            Some(command) => start(command, job).await,
            None => Ok(Ended::failed(Class::Bug, "there is no maintenance".to_owned())),
        }
    }
}

/// Runs a command line for a job.
async fn start(line: &str, job: &Job<'_>) -> Result<Ended, HarnessError> {
    let folder = tempfile::tempdir().map_err(|e| HarnessError::set_up("the definition", e))?;
    write_definition(folder.path(), job)?;
    let table = only_contract(job.definition)?.table.to_string();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let batch = job.batch_bytes.unwrap_or(BATCH_BYTES).to_string();
    let file = job.file_bytes.unwrap_or(FILE_BYTES).to_string();
    let fill = |word: &str| {
        let word = word.replace("{table}", &table).replace("{batch}", &batch);
        let word = word.replace("{file}", &file);
        let word = word.replace("{definition}", &path("lake"));
        word.replace("{environment}", &path("environment.toml"))
    };
    let words: Vec<String> = line.split_whitespace().map(fill).collect();
    let (program, arguments) = words.split_first().ok_or_else(|| {
        HarnessError::set_up("the engine", std::io::Error::other("its command is empty"))
    })?;
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).kill_on_drop(true).envs(variables(folder.path()));
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        command.env_remove(name);
    }
    let output = command.output().await.map_err(|e| HarnessError::set_up("the engine", e))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = format!("{}\n{text}", String::from_utf8_lossy(&output.stdout));
    let code = output.status.code().and_then(|code| u8::try_from(code).ok());
    let class = match code {
        Some(exit::OK) => return Ok(Ended::Done { printed }),
        Some(exit::RETRYABLE) => Class::Retry,
        Some(exit::FINDINGS | exit::OPERATOR) => Class::Operator,
        _ => Class::Bug,
    };
    Ok(Ended::Failed { class, text, printed })
}

fn variables(folder: &Path) -> Vec<(&'static str, String)> {
    let path = |name: &str| folder.join(name).display().to_string();
    vec![
        ("AWS_CONFIG_FILE", path("aws/config")),
        ("AWS_SHARED_CREDENTIALS_FILE", path("aws/credentials")),
        ("AWS_PROFILE", "default".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

/// The definition, an environment and the AWS files that name endpoints and credentials.
fn write_definition(folder: &Path, job: &Job<'_>) -> Result<(), HarnessError> {
    let (s3, glue) = job.lake.endpoints().addresses();
    stack::write_aws_files(folder, REGION, &s3, &glue)?;
    let environment = format!(
        "version = 1\nname = \"local\"\nregion = \"{REGION}\"\naccount = \"{ACCOUNT}\"\n\
         bucket = \"{}\"\n",
        job.lake.name()
    );
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| HarnessError::WorkFile { path: path.clone(), source })
    };
    write("environment.toml", &environment)?;
    for file in job.lake.definition_files(job.contract) {
        write(&format!("lake/{}", file.path), &file.text)?;
    }
    Ok(())
}
