//! Every Gold model on Spark: the model's own SQL over the same tables gives the published rows.

use std::path::{Path, PathBuf};

use medallion_definition::catalogue::CatalogueTable;
use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, DMS_TS, OP};
use medallion_definition::contract::{Column, Sensitivity, TableContract};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::{ColumnName, Layer};
use medallion_ingestion::layout::{BronzeKey, table_prefix};
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::spec;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Said, environment, said};
use crate::aws::s3::S3Server;
use crate::failure::HarnessError;

/// Set to `1` to let Spark run the Gold models too; needs Java 17.
pub const SPARK: &str = "MEDALLION_SPARK";
/// The script, beside the list of what it needs.
const SCRIPT: &str = "readers/spark_models.py";
const REQUIREMENTS: &str = "readers/spark-requirements.txt";
/// The virtual environment below the cache.
const ENVIRONMENT: &str = "spark-readers";

/// True when Spark is asked for.
pub fn is_asked_for() -> bool {
    std::env::var(SPARK).is_ok_and(|value| value == "1")
}

/// A lake on local endpoints whose models Spark runs.
#[derive(Clone, Copy, Debug)]
pub struct SparkModels<'a> {
    /// The lake; its models are run.
    pub lake: &'a LakeDefinition,
    /// Where it lives.
    pub warehouse: &'a Warehouse,
    /// The server that holds its bucket.
    pub s3: &'a S3Server,
    /// Folder of the scripts and of what they need.
    pub fixtures: &'a Path,
    /// Folder for virtual environments.
    pub cache: &'a Path,
    /// A folder for this run, which Spark may fill.
    pub work: &'a Path,
}

impl SparkModels<'_> {
    /// Runs all models in one session and compares them with what is published. The lake must be
    /// quiet: tables are read one after the other.
    ///
    /// # Errors
    /// [`HarnessError::Readers`] when Spark cannot be had or does not end in a verdict.
    pub async fn run(&self) -> Result<Said, HarnessError> {
        let requirements = self.fixtures.join(REQUIREMENTS);
        let python = environment(&requirements, &self.cache.join(ENVIRONMENT)).await?;
        let job = self.work.join("models.json");
        let told = self.job().await?;
        let written = std::fs::create_dir_all(self.work)
            .and_then(|()| std::fs::write(&job, told.to_string()));
        written.map_err(|source| HarnessError::WorkFile { path: job.clone(), source })?;
        let mut command = Command::new(python);
        command.arg(self.fixtures.join(SCRIPT)).arg(&job).env("PYTHONDONTWRITEBYTECODE", "1");
        let found = said(command).await?;
        let ran = format!("Spark ran {} models", self.lake.models.len());
        if !found.text.lines().any(|line| line == ran) {
            let text = format!("it does not say `{ran}`, but:\n{}", found.text);
            return Err(HarnessError::Readers(text));
        }
        Ok(found)
    }

    /// What the script is to do.
    async fn job(&self) -> Result<Value, HarnessError> {
        let bucket = self.warehouse.bucket().name();
        let objects = self.work.join("objects");
        let exported = self.s3.export(bucket, "", &objects);
        exported.map_err(|source| HarnessError::WorkFile { path: objects.clone(), source })?;
        let (mut tables, mut bronze) = (Vec::new(), Vec::new());
        for table in self.lake.catalogue() {
            match table.layer {
                Layer::Bronze => bronze.extend(self.bronze(&table, &objects).await?),
                Layer::Silver | Layer::Gold | Layer::Quarantine => {
                    tables.extend(self.table(&table, bucket, &objects).await?);
                }
            }
        }
        Ok(json!({
            "work": self.work.join("spark"), "bucket": bucket, "objects": objects,
            "tables": tables, "bronze": bronze,
            "models": self.lake.models.iter().map(model).collect::<Vec<_>>(),
        }))
    }

    /// An Iceberg table by its metadata file, if it is there.
    async fn table(
        &self,
        table: &CatalogueTable,
        bucket: &str,
        objects: &Path,
    ) -> Result<Option<Value>, HarnessError> {
        let ident = spec::ident(self.lake, table.layer, &table.name);
        let loaded = self.warehouse.load(&ident).await;
        let loaded = loaded.map_err(|e| HarnessError::set_up("a table for Spark", e))?;
        Ok(loaded.map(|loaded| {
            let location = loaded.metadata_location();
            let key = location.strip_prefix(&format!("s3://{bucket}/")).unwrap_or(location);
            json!({
                "layer": table.layer.as_str(), "name": table.name, "metadata": objects.join(key),
            })
        }))
    }

    /// The change feed of a source table.
    async fn bronze(
        &self,
        table: &CatalogueTable,
        objects: &Path,
    ) -> Result<Option<Value>, HarnessError> {
        let mut contracts = self.lake.tables.iter();
        let contract = contracts.find(|contract| contract.table.lake_table() == table.name);
        let Some(contract) = contract else { return Ok(None) };
        let listed = self.warehouse.bucket().list(&table_prefix(&contract.table)).await;
        let listed = listed.map_err(|e| HarnessError::set_up("the Bronze files for Spark", e))?;
        let keys = listed.into_iter().map(|object| object.key);
        let files: Vec<PathBuf> = keys
            .filter(|key| key.parse::<BronzeKey>().is_ok())
            .map(|key| objects.join(key))
            .collect();
        let columns = table.columns.iter().map(|column| {
            json!({
                "names": file_names(contract, &column.name), "as": column.name.to_lowercase(),
                "type": column.lake_type.to_string(),
            })
        });
        let columns: Vec<Value> = columns.collect();
        Ok(Some(json!({"name": table.name, "files": files, "columns": columns})))
    }
}

/// The names that files may have for a column of the change feed, its own first.
fn file_names(contract: &TableContract, name: &str) -> Vec<String> {
    if [OP, DMS_TS, CHANGE_SEQ].contains(&name) {
        return vec![name.to_owned()];
    }
    let named = |name: &str| contract.columns.iter().find(|column| column.name.as_str() == name);
    let (prefix, column) = match (named(name), name.strip_prefix(BEFORE_IMAGE_PREFIX)) {
        (None, Some(key)) => (BEFORE_IMAGE_PREFIX, named(key)),
        (found, _) => ("", found),
    };
    let names = column.into_iter().flat_map(Column::names);
    names.map(|name| format!("{prefix}{name}")).collect()
}

fn model(model: &GoldModel) -> Value {
    let columns = model.columns.iter().map(|column| {
        json!({
            "name": column.name.as_str(), "type": column.lake_type.to_string(),
            "personal": column.sensitivity == Sensitivity::Personal,
        })
    });
    json!({
        "name": model.name.as_str(), "sql": model.sql,
        "grain": model.grain.iter().map(ColumnName::as_str).collect::<Vec<_>>(),
        "columns": columns.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use medallion::files;

    use super::*;

    #[test]
    fn every_column_of_a_change_feed_has_a_name_in_files() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/lake");
        let lake = files::definition(&root).unwrap();
        let catalogue = lake.catalogue();
        let mut seen = 0;
        for contract in &lake.tables {
            let of = |table: &&CatalogueTable| {
                table.layer == Layer::Bronze && table.name == contract.table.lake_table()
            };
            for column in &catalogue.iter().find(of).unwrap().columns {
                assert_eq!(file_names(contract, &column.name).first(), Some(&column.name));
                seen += 1;
            }
        }
        assert!(seen > 60, "{seen}");
    }
}
