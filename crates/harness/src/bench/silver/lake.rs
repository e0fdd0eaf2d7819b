//! The lake that is measured: local endpoints in this process, and their state before a merge.

use std::path::{Path, PathBuf};

use medallion::files;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::{LakeName, Layer};
use medallion_tables::files::LiveFile;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::table_ident;

use super::super::endpoints::{Endpoints, EndpointsState};
use super::bronze::Files;
use crate::aws::s3::Traffic;
use crate::failure::HarnessError;
use crate::small_lake;

/// The definition and the environment, below the fixtures.
const DEFINITION: &str = "bench/silver/lake";
const ENVIRONMENT: &str = "bench/silver/environment.toml";
/// The contract's line that the bench replaces.
const BUCKETS: &str = "\nbuckets = 1\n";

/// Endpoints and a lake with one table.
pub(super) struct Lake {
    pub(super) contract: TableContract,
    endpoints: Endpoints,
    name: LakeName,
    work: PathBuf,
}

/// Bucket and catalog at some moment.
pub(super) type LakeState = EndpointsState;

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
        let name = definition.name;
        let endpoints = Endpoints::start(&work, environment, &name).await?;
        Ok(Lake { contract, endpoints, name, work })
    }

    /// The variables by which `medallion` reaches the lake.
    pub(super) fn variables(&self, fixtures: &Path) -> Vec<(String, String)> {
        self.endpoints.variables(&self.work.join("definition"), &fixtures.join(ENVIRONMENT))
    }

    /// Where S3 answers, and its region.
    pub(super) fn s3_address(&self) -> [String; 2] {
        self.endpoints.s3_address()
    }

    /// Puts Bronze files of a folder into the bucket.
    pub(super) fn take(&self, folder: &Path, files: &Files) -> Result<(), HarnessError> {
        let Endpoints { s3, environment, .. } = &self.endpoints;
        for key in &files.keys {
            let taken = s3.adopt(&environment.bucket, key, &folder.join(key));
            taken.map_err(failed("a Bronze file"))?;
        }
        Ok(())
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.endpoints.s3.traffic()
    }

    pub(super) fn state(&self) -> Result<LakeState, HarnessError> {
        self.endpoints.state()
    }

    /// As if nothing had happened since.
    pub(super) fn restore(&self, state: &LakeState) {
        self.endpoints.restore(state);
    }

    /// The Silver table.
    pub(super) async fn table(&self) -> Result<LakeTable, HarnessError> {
        let database = Layer::Silver.database(&self.name);
        let ident = table_ident(&database, &self.contract.table.lake_table());
        let table = self.endpoints.warehouse.load(&ident).await;
        let table = table.map_err(|e| HarnessError::set_up("the Silver table", e))?;
        table.ok_or_else(|| HarnessError::Bench("there is no Silver table".to_owned()))
    }

    /// The local files that hold the table's data files, and their bytes.
    pub(super) async fn data_files(&self) -> Result<(Vec<PathBuf>, u64), HarnessError> {
        let live = self.table().await?.live_files().await;
        let live = live.map_err(|e| HarnessError::set_up("the Silver table's files", e))?;
        let Endpoints { s3, environment, .. } = &self.endpoints;
        let prefix = format!("s3://{}/", environment.bucket);
        let bytes = live.iter().map(LiveFile::size).sum();
        let local = live.iter().map(|file| {
            let key = file.path().strip_prefix(&prefix).unwrap_or(file.path());
            s3.file_of(&environment.bucket, key).ok_or_else(|| {
                HarnessError::Bench(format!("the data file `{key}` is not in the bucket"))
            })
        });
        Ok((local.collect::<Result<Vec<_>, _>>()?, bytes))
    }

    pub(super) async fn stop(self) {
        self.endpoints.stop().await;
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
