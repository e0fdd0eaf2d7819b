//! Local S3 and Glue endpoints in this process, with the bucket and the databases of a lake, and
//! their state at some moment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use medallion_definition::environment::Environment;
use medallion_definition::name::{LakeName, Layer};
use medallion_tables::warehouse::Warehouse;

use crate::aws::glue::{CatalogState, GlueConfig, GlueServer, JobRunner};
use crate::aws::s3::{BucketState, S3Config, S3Server};
use crate::failure::HarnessError;
use crate::stack;

/// The endpoints of one lake.
pub(super) struct Endpoints {
    pub(super) s3: S3Server,
    pub(super) glue: GlueServer,
    pub(super) warehouse: Warehouse,
    pub(super) environment: Environment,
    work: PathBuf,
}

/// Bucket and catalog at some moment.
pub(super) struct EndpointsState {
    pub(super) bucket: BucketState,
    catalog: CatalogState,
}

impl Endpoints {
    /// Starts them with an empty bucket and empty databases; everything lies in the folder.
    pub(super) async fn start(
        work: &Path,
        environment: Environment,
        lake: &LakeName,
    ) -> Result<Endpoints, HarnessError> {
        let (access_key, secret_key) = stack::keys();
        let s3 = S3Server::start(S3Config {
            root: work.join("s3"),
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
            region: environment.region.clone(),
            account_id: environment.account.clone(),
        })
        .await?;
        let glue = GlueServer::start(GlueConfig {
            access_key,
            secret_key,
            region: environment.region.clone(),
            account_id: environment.account.clone(),
            runner: JobRunner {
                program: "no Glue job runs here".into(),
                env: Vec::new(),
                log_dir: work.join("jobs"),
                supervisor: std::env::current_exe().map_err(HarnessError::OwnPath)?,
                minute: Duration::from_secs(60),
            },
        })
        .await?;
        let (s3_address, glue_address) = (s3.endpoint(), glue.endpoint());
        stack::write_aws_files(work, &environment.region, &s3_address, &glue_address)?;
        let (s3_client, glue_client) = stack::clients(&environment, &s3_address, &glue_address);
        let warehouse = Warehouse::new(s3_client.clone(), glue_client, environment.bucket.clone());
        let endpoints = Endpoints { s3, glue, warehouse, environment, work: work.to_owned() };
        endpoints.set_up(&s3_client, lake).await?;
        Ok(endpoints)
    }

    async fn set_up(
        &self,
        client: &aws_sdk_s3::Client,
        lake: &LakeName,
    ) -> Result<(), HarnessError> {
        let Environment { region, bucket, .. } = &self.environment;
        // The oldest region knows no constraint, every other demands it.
        let place = BucketLocationConstraint::from(region.as_str());
        let place = CreateBucketConfiguration::builder().location_constraint(place).build();
        let place = (region != "us-east-1").then_some(place);
        let made = client.create_bucket().bucket(bucket).set_create_bucket_configuration(place);
        made.send().await.map_err(|e| HarnessError::set_up("the bucket", e))?;
        for layer in Layer::ALL {
            let made = self.warehouse.ensure_database(&layer.database(lake), "").await;
            made.map_err(|e| HarnessError::set_up("a Glue database", e))?;
        }
        Ok(())
    }

    /// The variables by which `medallion` reaches the lake.
    pub(super) fn variables(&self, definition: &Path, environment: &Path) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        [
            ("AWS_CONFIG_FILE", text(&self.work.join("aws/config"))),
            ("AWS_SHARED_CREDENTIALS_FILE", text(&self.work.join("aws/credentials"))),
            ("AWS_PROFILE", "default".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("MEDALLION_DEFINITION", text(definition)),
            ("MEDALLION_ENVIRONMENT", text(environment)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Where S3 answers, and its region.
    pub(super) fn s3_address(&self) -> [String; 2] {
        [self.s3.endpoint(), self.environment.region.clone()]
    }

    pub(super) fn state(&self) -> Result<EndpointsState, HarnessError> {
        let bucket = self.s3.state(&self.environment.bucket);
        let bucket = bucket.ok_or_else(|| HarnessError::Bench("the bucket is gone".to_owned()))?;
        Ok(EndpointsState { bucket, catalog: self.glue.state() })
    }

    /// As if nothing had happened since.
    pub(super) fn restore(&self, state: &EndpointsState) {
        self.s3.restore(&self.environment.bucket, &state.bucket);
        self.glue.restore(&state.catalog);
    }

    pub(super) async fn stop(self) {
        self.glue.stop().await;
        self.s3.stop().await;
    }
}
