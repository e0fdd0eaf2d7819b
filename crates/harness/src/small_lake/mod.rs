//! Lakes of one small table on local endpoints: what the conformance cases and the random
//! histories of the Silver engine happen in.

pub mod bronze;
pub mod contents;

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;
use medallion_definition::contract::TableContract;
use medallion_definition::finding::Findings;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::name::Layer;
use medallion_tables::warehouse::Warehouse;
use tempfile::TempDir;

use crate::aws::faults::{Fault, FaultCount, FaultPlan, Faults};
use crate::aws::glue::{GlueConfig, GlueServer, JobRunner};
use crate::aws::s3::{S3Config, S3Server};
use crate::failure::HarnessError;
use crate::stack;

/// The region of the endpoints.
pub const REGION: &str = "us-east-1";
/// The account behind them.
pub const ACCOUNT: &str = "000000000000";
/// What the SDK waits before its first repetition; its own second would only cost time.
const FIRST_REPETITION: Duration = Duration::from_millis(1);

/// An S3 and a Glue endpoint for any number of lakes. Faults strike all of them, so whoever plans
/// faults has endpoints of its own.
#[derive(Debug)]
pub struct Endpoints {
    s3: S3Server,
    glue: GlueServer,
    quick: Clients,
    once: Clients,
    _contents: TempDir,
}

/// Clients are made once: each has an HTTP client of its own, which takes its time.
type Clients = (aws_sdk_s3::Client, aws_sdk_glue::Client);

/// Repetitions of requests that fail, by the SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// As in production, but without the waiting.
    Quick,
    /// None: every refusal reaches the job.
    Off,
}

impl Endpoints {
    /// Starts both.
    ///
    /// # Errors
    /// When a folder or a port cannot be had.
    pub async fn start() -> Result<Endpoints, HarnessError> {
        let folder =
            tempfile::tempdir().map_err(|e| HarnessError::set_up("the folder of objects", e))?;
        let (access_key, secret_key) = stack::keys();
        let s3 = S3Server::start(S3Config {
            root: folder.path().join("s3"),
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
            region: REGION.to_owned(),
            account_id: ACCOUNT.to_owned(),
        })
        .await?;
        let glue = GlueServer::start(GlueConfig {
            access_key,
            secret_key,
            region: REGION.to_owned(),
            account_id: ACCOUNT.to_owned(),
            runner: JobRunner {
                program: "no Glue job runs here".into(),
                env: Vec::new(),
                log_dir: folder.path().join("jobs"),
                supervisor: std::env::current_exe().map_err(HarnessError::OwnPath)?,
                minute: Duration::from_secs(60),
            },
        })
        .await?;
        let (quick, once) = (clients(&s3, &glue, true), clients(&s3, &glue, false));
        Ok(Endpoints { s3, glue, quick, once, _contents: folder })
    }

    /// The addresses of S3 and Glue.
    pub fn addresses(&self) -> (String, String) {
        (self.s3.endpoint(), self.glue.endpoint())
    }

    /// The server that holds the buckets.
    pub fn s3(&self) -> &S3Server {
        &self.s3
    }

    /// Plans a fault at the endpoint to which it belongs.
    pub fn plan_fault(&self, fault: Fault, plan: FaultPlan) -> FaultCount {
        self.faults_of(fault).install(plan)
    }

    fn faults_of(&self, fault: Fault) -> &Faults {
        if fault.name().starts_with("glue-") { self.glue.faults() } else { self.s3.faults() }
    }

    /// The faults of S3 and of Glue.
    pub fn faults(&self) -> [&Faults; 2] {
        [self.s3.faults(), self.glue.faults()]
    }

    /// Removes all planned faults.
    pub fn clear_faults(&self) {
        for faults in self.faults() {
            faults.clear();
        }
    }

    /// A new, empty lake: bucket and databases by its name.
    ///
    /// # Errors
    /// When an endpoint refuses.
    pub async fn lake(&self, name: &str) -> Result<SmallLake<'_>, HarnessError> {
        let lake = SmallLake { endpoints: self, name: name.to_owned() };
        let (s3, _) = self.clients(Repetition::Quick);
        let made = s3.create_bucket().bucket(name).send().await;
        made.map_err(|e| HarnessError::set_up("the bucket", e))?;
        let warehouse = lake.warehouse(Repetition::Quick);
        for layer in Layer::ALL {
            let database = format!("{name}_{layer}");
            let made = warehouse.ensure_database(&database, "").await;
            made.map_err(|e| HarnessError::set_up("a Glue database", e))?;
        }
        Ok(lake)
    }

    fn clients(&self, repetition: Repetition) -> Clients {
        match repetition {
            Repetition::Quick => self.quick.clone(),
            Repetition::Off => self.once.clone(),
        }
    }

    /// Ends both.
    pub async fn stop(self) {
        self.glue.stop().await;
        self.s3.stop().await;
    }
}

fn clients(s3: &S3Server, glue: &GlueServer, repeats: bool) -> Clients {
    let (access_key, secret_key) = stack::keys();
    let credentials = Credentials::new(access_key, secret_key, None, None, "local endpoints");
    let quick = RetryConfig::standard().with_initial_backoff(FIRST_REPETITION);
    let retries = if repeats { quick.with_max_attempts(4) } else { RetryConfig::disabled() };
    let base = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retries)
        .build();
    let of_s3 = aws_sdk_s3::config::Builder::from(&base).endpoint_url(s3.endpoint());
    let of_glue = aws_sdk_glue::config::Builder::from(&base).endpoint_url(glue.endpoint());
    (aws_sdk_s3::Client::from_conf(of_s3.build()), aws_sdk_glue::Client::from_conf(of_glue.build()))
}

/// A lake with a bucket and databases of its own.
#[derive(Debug)]
pub struct SmallLake<'a> {
    endpoints: &'a Endpoints,
    name: String,
}

impl SmallLake<'_> {
    /// Its name and that of its bucket.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The endpoints it lives on.
    pub fn endpoints(&self) -> &Endpoints {
        self.endpoints
    }

    /// The files of its definition with one contract.
    pub fn definition_files(&self, contract: &str) -> Vec<SourceFile> {
        let lake =
            format!("version = 1\nname = \"{}\"\ndescription = \"one small table\"\n", self.name);
        let files = [
            ("lake.toml", lake.as_str()),
            ("tables/contract.toml", contract),
            ("policy.toml", "version = 1\n"),
        ];
        files.map(|(path, text)| SourceFile { path: path.into(), text: text.into() }).to_vec()
    }

    /// Its definition with one contract.
    ///
    /// # Errors
    /// All findings of the contract.
    pub fn definition(&self, contract: &str) -> Result<LakeDefinition, Findings> {
        LakeDefinition::read(&self.definition_files(contract))
    }

    /// Access to its tables and its bucket.
    pub fn warehouse(&self, repetition: Repetition) -> Warehouse {
        let (s3, glue) = self.endpoints.clients(repetition);
        Warehouse::new(s3, glue, self.name.clone())
    }

    /// Puts an object and sets when it was modified.
    ///
    /// # Errors
    /// When S3 refuses.
    pub async fn put(
        &self,
        warehouse: &Warehouse,
        key: &str,
        content: Bytes,
        modified: SystemTime,
    ) -> Result<(), HarnessError> {
        let put = warehouse.bucket().put(key, content).await;
        put.map_err(|e| HarnessError::set_up("a Bronze file", e))?;
        self.touch(key, modified);
        Ok(())
    }

    /// Sets when an object was modified; false when there is none.
    pub fn touch(&self, key: &str, modified: SystemTime) -> bool {
        self.endpoints.s3.set_modified(&self.name, key, modified)
    }
}

/// The table of a lake's only contract.
pub fn only_contract(definition: &LakeDefinition) -> Result<&TableContract, HarnessError> {
    definition.tables.first().ok_or_else(|| {
        HarnessError::set_up("the lake", std::io::Error::other("the definition has no table"))
    })
}
