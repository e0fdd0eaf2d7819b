//! The lake that is measured: local endpoints in this process, and their state before a merge.

use std::path::{Path, PathBuf};
use std::time::Duration;

use medallion::files;
use medallion_definition::contract::TableContract;
use medallion_definition::environment::Environment;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::{LakeName, Layer};
use medallion_tables::files::LiveFile;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::{Warehouse, table_ident};

use super::bronze::Files;
use crate::aws::glue::{CatalogState, GlueConfig, GlueServer, JobRunner};
use crate::aws::s3::{BucketState, S3Config, S3Server, Traffic};
use crate::failure::HarnessError;
use crate::{small_lake, stack};

/// The definition and the environment, below the fixtures.
const DEFINITION: &str = "bench/silver/lake";
const ENVIRONMENT: &str = "bench/silver/environment.toml";
/// The contract's line that the bench replaces.
const BUCKETS: &str = "\nbuckets = 1\n";

/// Endpoints and a lake with one table.
pub(super) struct Lake {
    pub(super) contract: TableContract,
    s3: S3Server,
    glue: GlueServer,
    warehouse: Warehouse,
    environment: Environment,
    name: LakeName,
    work: PathBuf,
}

/// Bucket and catalog at some moment.
pub(super) struct LakeState {
    bucket: BucketState,
    catalog: CatalogState,
}

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> HarnessError {
    move |error| HarnessError::set_up(what, error)
}

/// Writes the definition with so many buckets, and reads it as the job will.
fn definition(fixtures: &Path, work: &Path, buckets: u32) -> Result<LakeDefinition, HarnessError> {
    let (from, to) = (fixtures.join(DEFINITION), work.join("definition"));
    for file in ["lake.toml", "policy.toml", "tables/crm_customers.toml"] {
        let text = std::fs::read_to_string(from.join(file)).map_err(failed("the definition"))?;
        let text = text.replace(BUCKETS, &format!("\nbuckets = {buckets}\n"));
        let path = to.join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(&to))
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| HarnessError::WorkFile { path, source })?;
    }
    Ok(files::definition(&to)?)
}

impl Lake {
    /// Starts the endpoints of an empty lake; everything lies in the folder.
    pub(super) async fn start(
        fixtures: &Path,
        work: PathBuf,
        buckets: u32,
    ) -> Result<Lake, HarnessError> {
        let definition = definition(fixtures, &work, buckets)?;
        let environment = files::environment(&fixtures.join(ENVIRONMENT))?;
        let contract = small_lake::only_contract(&definition)?.clone();
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
        stack::write_aws_files(&work, &environment.region, &s3_address, &glue_address)?;
        let (s3_client, glue_client) = stack::clients(&environment, &s3_address, &glue_address);
        let made = s3_client.create_bucket().bucket(&environment.bucket).send().await;
        made.map_err(|e| HarnessError::set_up("the bucket", e))?;
        let warehouse = Warehouse::new(s3_client, glue_client, environment.bucket.clone());
        for layer in Layer::ALL {
            let made = warehouse.ensure_database(&layer.database(&definition.name), "").await;
            made.map_err(|e| HarnessError::set_up("a Glue database", e))?;
        }
        let name = definition.name;
        Ok(Lake { contract, s3, glue, warehouse, environment, name, work })
    }

    /// The variables by which `medallion` reaches the lake.
    pub(super) fn variables(&self, fixtures: &Path) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.display().to_string();
        [
            ("AWS_CONFIG_FILE", text(self.work.join("aws/config"))),
            ("AWS_SHARED_CREDENTIALS_FILE", text(self.work.join("aws/credentials"))),
            ("AWS_PROFILE", "default".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("MEDALLION_DEFINITION", text(self.work.join("definition"))),
            ("MEDALLION_ENVIRONMENT", text(fixtures.join(ENVIRONMENT))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Where S3 answers, and its region.
    pub(super) fn s3_address(&self) -> [String; 2] {
        [self.s3.endpoint(), self.environment.region.clone()]
    }

    /// Puts Bronze files of a folder into the bucket.
    pub(super) fn take(&self, folder: &Path, files: &Files) -> Result<(), HarnessError> {
        for key in &files.keys {
            let taken = self.s3.adopt(&self.environment.bucket, key, &folder.join(key));
            taken.map_err(failed("a Bronze file"))?;
        }
        Ok(())
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.s3.traffic()
    }

    pub(super) fn state(&self) -> Result<LakeState, HarnessError> {
        let bucket = self.s3.state(&self.environment.bucket);
        let bucket = bucket.ok_or_else(|| HarnessError::Bench("the bucket is gone".to_owned()))?;
        Ok(LakeState { bucket, catalog: self.glue.state() })
    }

    /// As if nothing had happened since.
    pub(super) fn restore(&self, state: &LakeState) {
        self.s3.restore(&self.environment.bucket, &state.bucket);
        self.glue.restore(&state.catalog);
    }

    /// The Silver table.
    pub(super) async fn table(&self) -> Result<LakeTable, HarnessError> {
        let database = Layer::Silver.database(&self.name);
        let ident = table_ident(&database, &self.contract.table.lake_table());
        let table = self.warehouse.load(&ident).await;
        let table = table.map_err(|e| HarnessError::set_up("the Silver table", e))?;
        table.ok_or_else(|| HarnessError::Bench("there is no Silver table".to_owned()))
    }

    /// The local files that hold the table's data files, and their bytes.
    pub(super) async fn data_files(&self) -> Result<(Vec<PathBuf>, u64), HarnessError> {
        let live = self.table().await?.live_files().await;
        let live = live.map_err(|e| HarnessError::set_up("the Silver table's files", e))?;
        let prefix = format!("s3://{}/", self.environment.bucket);
        let bytes = live.iter().map(LiveFile::size).sum();
        let local = live.iter().map(|file| {
            let key = file.path().strip_prefix(&prefix).unwrap_or(file.path());
            self.s3.file_of(&self.environment.bucket, key).ok_or_else(|| {
                HarnessError::Bench(format!("the data file `{key}` is not in the bucket"))
            })
        });
        Ok((local.collect::<Result<Vec<_>, _>>()?, bytes))
    }

    pub(super) async fn stop(self) {
        self.glue.stop().await;
        self.s3.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bench_sets_the_number_of_buckets() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let work = tempfile::tempdir().unwrap();
        let lake = definition(&fixtures, work.path(), 16).unwrap();
        assert_eq!(lake.tables[0].buckets, 16);
        assert_eq!(lake.tables[0].key, ["id".parse().unwrap()]);
    }
}
