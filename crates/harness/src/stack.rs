//! The embedded stack: a MySQL server and the local AWS endpoints, set up like a fresh account.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_glue::types::{ExecutionProperty, JobCommand};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use medallion_definition::environment::Environment;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::warehouse::Warehouse;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::aws::glue::{GlueConfig, GlueServer, JobRunner};
use crate::aws::s3::ObjectCreated;
use crate::aws::s3::{S3Config, S3Server};
use crate::failure::HarnessError;
use crate::mysql::{self, MySqlRequest, MySqlServer};

/// The access key of the local endpoints; they know no other.
const ACCESS_KEY: &str = "AKIALOCALMEDALLION00";
/// Its secret; it protects nothing but loopback.
const SECRET_KEY: &str = "local-endpoints-only-secret-key-00000000";
/// How many runs of one Glue job may be under way: one per table or model.
const CONCURRENT_RUNS: i32 = 16;

/// Where things are on this machine.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The `medallion` binary.
    pub medallion: PathBuf,
    /// Folder of the lake definition.
    pub definition: PathBuf,
    /// File of the environment.
    pub environment: PathBuf,
    /// Folder of hand-written expectations.
    pub fixtures: PathBuf,
    /// Folder that survives runs: unpacked packages, virtual environments.
    pub cache: PathBuf,
    /// Folder of this run.
    pub work: PathBuf,
}

/// A running stack. [`Stack::stop`] ends everything; dropping it does so too, less politely.
pub struct Stack {
    /// The paths.
    pub paths: Paths,
    /// The lake.
    pub lake: LakeDefinition,
    /// The environment.
    pub environment: Environment,
    /// The source.
    pub mysql: MySqlServer,
    /// S3.
    pub s3: S3Server,
    /// Glue.
    pub glue: GlueServer,
    /// An S3 client.
    pub s3_client: aws_sdk_s3::Client,
    /// A Glue client.
    pub glue_client: aws_sdk_glue::Client,
    /// The lake's tables.
    pub warehouse: Warehouse,
}

/// What to start.
pub struct StackRequest<'a> {
    /// The paths.
    pub paths: Paths,
    /// The lake, already read.
    pub lake: LakeDefinition,
    /// The environment, already read.
    pub environment: Environment,
    /// A MySQL server to use as it is.
    pub mysql_url: Option<String>,
    /// Options for a MySQL server of our own.
    pub mysql_flags: Vec<String>,
    /// Gets a line for each step that takes time.
    pub progress: &'a (dyn Fn(&str) + Send + Sync),
}

/// The Glue job that runs a command of `medallion`.
pub fn job_name(lake: &LakeDefinition, command: &str) -> String {
    format!("{}-{command}", lake.name)
}

impl Stack {
    /// Starts everything and creates bucket, databases and jobs.
    ///
    /// # Errors
    /// When a part cannot be had; what was started is ended again.
    pub async fn start(
        request: StackRequest<'_>,
    ) -> Result<(Stack, UnboundedReceiver<ObjectCreated>), HarnessError> {
        let StackRequest { paths, lake, environment, mysql_url, mysql_flags, progress } = request;
        let supervisor = std::env::current_exe().map_err(HarnessError::OwnPath)?;
        let mysql_request = MySqlRequest {
            flavor: mysql::Flavor::MySql,
            url: mysql_url,
            work_dir: paths.work.join("mysql"),
            cache_dir: paths.cache.clone(),
            supervisor: supervisor.clone(),
            extra_flags: mysql_flags,
        };
        let mysql = mysql::obtain(&mysql_request, progress).await?;
        let s3 = S3Server::start(s3_config(&paths.work, &environment)).await?;
        let events = s3.events();
        let runner = JobRunner {
            program: paths.medallion.clone(),
            env: job_variables(&paths),
            log_dir: paths.work.join("jobs"),
            supervisor,
            minute: Duration::from_secs(60),
        };
        let glue = GlueServer::start(glue_config(&environment, runner)).await?;
        write_aws_files(&paths.work, &environment.region, &s3.endpoint(), &glue.endpoint())?;
        let (s3_client, glue_client) = clients(&environment, &s3.endpoint(), &glue.endpoint());
        let warehouse =
            Warehouse::new(s3_client.clone(), glue_client.clone(), environment.bucket.clone());
        let stack =
            Stack { paths, lake, environment, mysql, s3, glue, s3_client, glue_client, warehouse };
        stack.set_up().await?;
        Ok((stack, events))
    }

    async fn set_up(&self) -> Result<(), HarnessError> {
        let region = BucketLocationConstraint::from(self.environment.region.as_str());
        let place = CreateBucketConfiguration::builder().location_constraint(region).build();
        let bucket = self.s3_client.create_bucket().bucket(&self.environment.bucket);
        let bucket = bucket.create_bucket_configuration(place);
        bucket.send().await.map_err(|e| HarnessError::set_up("the bucket", e))?;
        for layer in Layer::ALL {
            let name = layer.database(&self.lake.name);
            let about = format!("{layer} layer of {}", self.lake.name);
            self.warehouse
                .ensure_database(&name, &about)
                .await
                .map_err(|e| HarnessError::set_up("a Glue database", e))?;
        }
        for command in ["silver", "gold"] {
            let program = JobCommand::builder()
                .name("pythonshell")
                .script_location(format!("s3://{}/code/launcher.py", self.environment.bucket))
                .python_version("3.9");
            let runs = ExecutionProperty::builder().max_concurrent_runs(CONCURRENT_RUNS);
            self.glue_client
                .create_job()
                .name(job_name(&self.lake, command))
                .role(format!("arn:aws:iam::{}:role/registry-jobs", self.environment.account))
                .command(program.build())
                .default_arguments("--command", command)
                .execution_property(runs.build())
                .timeout(15)
                .send()
                .await
                .map_err(|e| HarnessError::set_up("a Glue job", e))?;
        }
        Ok(())
    }

    /// The variables by which any AWS program, and `medallion` itself, reaches the stack.
    pub fn variables(&self) -> Vec<(String, String)> {
        job_variables(&self.paths)
    }

    /// Ends everything.
    pub async fn stop(self) {
        self.glue.stop().await;
        self.s3.stop().await;
        self.mysql.stop().await;
    }
}

fn s3_config(work: &Path, environment: &Environment) -> S3Config {
    S3Config {
        root: work.join("s3"),
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        region: environment.region.clone(),
        account_id: environment.account.clone(),
    }
}

fn glue_config(environment: &Environment, runner: JobRunner) -> GlueConfig {
    GlueConfig {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        region: environment.region.clone(),
        account_id: environment.account.clone(),
        runner,
    }
}

/// What a job finds in its environment: the files that name endpoints and credentials, as a role
/// and a profile would, and the definition.
fn job_variables(paths: &Paths) -> Vec<(String, String)> {
    let text = |path: &Path| path.display().to_string();
    [
        ("AWS_CONFIG_FILE", text(&paths.work.join("aws/config"))),
        ("AWS_SHARED_CREDENTIALS_FILE", text(&paths.work.join("aws/credentials"))),
        ("AWS_PROFILE", "default".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("MEDALLION_DEFINITION", text(&paths.definition)),
        ("MEDALLION_ENVIRONMENT", text(&paths.environment)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

pub(crate) fn write_aws_files(
    work: &Path,
    region: &str,
    s3: &str,
    glue: &str,
) -> Result<(), HarnessError> {
    let folder = work.join("aws");
    let config = format!(
        "[default]\nregion = {region}\nservices = local\n\n[services local]\n\
         s3 =\n  endpoint_url = {s3}\nglue =\n  endpoint_url = {glue}\n"
    );
    let credentials = format!(
        "[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    );
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| HarnessError::WorkFile { path, source })
    };
    write("config", config)?;
    write("credentials", credentials)
}

/// The only key pair that the local endpoints know: access key and secret.
pub fn keys() -> (String, String) {
    (ACCESS_KEY.to_owned(), SECRET_KEY.to_owned())
}

/// A client of a local S3 endpoint.
pub fn s3_client(region: &str, endpoint: &str) -> aws_sdk_s3::Client {
    let base = sdk_config(region);
    let config = aws_sdk_s3::config::Builder::from(&base).endpoint_url(endpoint).build();
    aws_sdk_s3::Client::from_conf(config)
}

fn sdk_config(region: &str) -> SdkConfig {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "local stack");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// Clients of local S3 and Glue endpoints.
pub(crate) fn clients(
    environment: &Environment,
    s3: &str,
    glue: &str,
) -> (aws_sdk_s3::Client, aws_sdk_glue::Client) {
    let base = sdk_config(&environment.region);
    let glue = aws_sdk_glue::config::Builder::from(&base).endpoint_url(glue).build();
    (s3_client(&environment.region, s3), aws_sdk_glue::Client::from_conf(glue))
}
