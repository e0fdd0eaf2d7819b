//! Datasets of events: tables with what the definition says about them, and what a run did.

use medallion_definition::catalogue::{CatalogueColumn, CatalogueTable, history_name};
use medallion_definition::contract::{Sensitivity, TableContract};
use medallion_definition::environment::Environment;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_ingestion::layout;
use serde_json::{Map, Value, json};

use super::facet::facet;
use super::{LineagePlace, column_lineage};
use crate::runs::{CheckResult, Outcome, RunInput, RunOutput, RunRecord, TableRef};

/// The namespace of all tables of an environment.
pub fn namespace(environment: &Environment) -> String {
    format!("arn:aws:glue:{}:{}", environment.region, environment.account)
}

/// The name of a table in that namespace.
pub fn dataset_name(lake: &LakeDefinition, table: &TableRef) -> String {
    format!("table/{}/{}", table.layer.database(&lake.name), table.table)
}

impl LineagePlace<'_> {
    /// A table that a run reads.
    pub(super) fn input(&self, input: &RunInput) -> Value {
        let mut facets = self.facets(&input.table);
        version(&mut facets, input.snapshot);
        let mut dataset = self.dataset(&input.table, facets);
        let mut told = Map::new();
        told.extend(input.rows.map(|rows| ("rowCount".to_owned(), rows.into())));
        told.extend(input.files.map(|files| ("fileCount".to_owned(), files.into())));
        if !told.is_empty() {
            let statistics = facet("1-0-0", "InputStatisticsInputDatasetFacet", told.into());
            dataset["inputFacets"] = json!({ "inputStatistics": statistics });
        }
        dataset
    }

    /// A table that a run writes. Without a record nothing is told of the run, and without a facet
    /// the column lineage is that of the contract.
    pub(super) fn output(
        &self,
        output: &RunOutput,
        record: Option<&RunRecord>,
        column_lineage: Option<Value>,
    ) -> Value {
        let mut facets = self.facets(&output.table);
        version(&mut facets, output.snapshot);
        let lineage = column_lineage.or_else(|| {
            let contract = self.contract(&output.table)?;
            (output.table.layer == Layer::Silver)
                .then(|| column_lineage::of_contract(self, contract, &output.table))
        });
        facets.extend(lineage.map(|lineage| ("columnLineage".to_owned(), lineage)));
        let own = record.filter(|record| record.job == output.table);
        if let Some(record) = own.filter(|record| !record.checks.is_empty()) {
            let assertions: Vec<Value> = record.checks.iter().map(assertion).collect();
            let assertions = json!({ "assertions": assertions });
            let assertions = facet("1-1-0", "DataQualityAssertionsDatasetFacet", assertions);
            facets.insert("dataQualityAssertions".into(), assertions);
        }
        let mut dataset = self.dataset(&output.table, facets);
        if let Some(written) = own.and_then(written) {
            let statistics = facet(
                "1-0-2",
                "OutputStatisticsOutputDatasetFacet",
                json!({ "rowCount": written }),
            );
            dataset["outputFacets"] = json!({ "outputStatistics": statistics });
        }
        dataset
    }

    fn dataset(&self, table: &TableRef, facets: Map<String, Value>) -> Value {
        json!({
            "namespace": namespace(self.environment),
            "name": dataset_name(self.lake, table),
            "facets": facets,
        })
    }

    /// The contract whose table this is.
    fn contract(&self, table: &TableRef) -> Option<&TableContract> {
        let is_history = |contract: &&TableContract| {
            contract.history
                && table.layer == Layer::Silver
                && history_name(contract) == table.table
        };
        let tables = &self.lake.tables;
        let own = tables.iter().find(|contract| contract.table.lake_table() == table.table);
        own.filter(|_| table.layer != Layer::Gold).or_else(|| tables.iter().find(is_history))
    }

    /// What the definition says about a table.
    fn facets(&self, table: &TableRef) -> Map<String, Value> {
        let mut facets = Map::new();
        let mut put = |key: &str, version: &str, name: &str, fields: Value| {
            facets.insert(key.to_owned(), facet(version, name, fields));
        };
        let catalogue = self.lake.catalogue();
        let described = catalogue.iter().find(|t| t.layer == table.layer && t.name == table.table);
        if let Some(described) = described {
            put("schema", "1-2-0", "SchemaDatasetFacet", json!({ "fields": fields(described) }));
            let tags = tags(described);
            if !tags.is_empty() {
                put("tags", "1-0-0", "TagsDatasetFacet", json!({ "tags": tags }));
            }
        }
        let model = self.lake.model(&table.table).filter(|_| table.layer == Layer::Gold);
        let contract = self.contract(table);
        let about = model.map(|m| m.description.clone());
        let about = about.or_else(|| contract.map(|contract| description(contract, table)));
        if let Some(about) = about {
            let about = json!({ "description": about });
            put("documentation", "1-1-0", "DocumentationDatasetFacet", about);
        }
        if let Some(model) = model {
            let owners = json!({ "owners": [{ "name": model.owner, "type": "OWNER" }] });
            put("ownership", "1-0-1", "OwnershipDatasetFacet", owners);
        }
        let bucket = format!("s3://{}", self.environment.bucket);
        if table.layer != Layer::Bronze {
            let storage = json!({ "storageLayer": "iceberg", "fileFormat": "parquet" });
            put("storage", "1-0-1", "StorageDatasetFacet", storage);
            let catalog = json!({
                "framework": "iceberg",
                "type": "glue",
                "name": table.layer.database(&self.lake.name),
                "metadataUri": namespace(self.environment),
                "warehouseUri": bucket,
            });
            put("catalog", "1-1-0", "CatalogDatasetFacet", catalog);
        }
        let place = match contract.filter(|_| table.layer == Layer::Bronze) {
            Some(contract) => layout::table_prefix(&contract.table).trim_end_matches('/').into(),
            None => format!("{}/{}", table.layer, table.table),
        };
        let symlink = json!({ "namespace": bucket, "name": place, "type": "TABLE" });
        put("symlinks", "1-0-1", "SymlinksDatasetFacet", json!({ "identifiers": [symlink] }));
        facets
    }
}

fn version(facets: &mut Map<String, Value>, snapshot: Option<i64>) {
    if let Some(snapshot) = snapshot {
        let version = json!({ "datasetVersion": snapshot.to_string() });
        facets.insert("version".into(), facet("1-0-1", "DatasetVersionDatasetFacet", version));
    }
}

fn description(contract: &TableContract, table: &TableRef) -> String {
    let source = &contract.table;
    match table.layer {
        Layer::Bronze => format!("Every change of {source}: {}", contract.description),
        Layer::Quarantine => format!("Changes of {source} that failed a check"),
        Layer::Silver if table.table != source.lake_table() => {
            format!("Every state of {source}: {}", contract.description)
        }
        Layer::Silver | Layer::Gold => contract.description.clone(),
    }
}

/// A column as Glue and Athena name it: in lower case, also where the Bronze files have capitals.
pub(super) fn column_name(name: &str) -> String {
    name.to_lowercase()
}

fn fields(table: &CatalogueTable) -> Vec<Value> {
    let field = |column: &CatalogueColumn| {
        json!({
            "name": column_name(&column.name),
            "type": column.lake_type.to_string(),
            "description": column.description,
        })
    };
    table.columns.iter().map(field).collect()
}

/// The columns that tell something about a person.
fn tags(table: &CatalogueTable) -> Vec<Value> {
    let personal = table.columns.iter().filter(|c| c.sensitivity == Sensitivity::Personal);
    let tag = |column: &CatalogueColumn| {
        json!({
            "key": "sensitivity",
            "value": column.sensitivity.as_str(),
            "source": "MEDALLION",
            "field": column_name(&column.name),
        })
    };
    personal.map(tag).collect()
}

/// The rows that the run wrote, if it wrote any and their number is known.
fn written(record: &RunRecord) -> Option<u64> {
    match &record.outcome {
        Outcome::Committed => {
            let count = |name: &str| record.counters.get(name).copied();
            Some(count("inserted")? + count("updated")?)
        }
        Outcome::Published => record.output.rows_inserted,
        Outcome::UpToDate
        | Outcome::Waiting { .. }
        | Outcome::Red { .. }
        | Outcome::Failed { .. } => None,
    }
}

fn assertion(check: &CheckResult) -> Value {
    let mut assertion = json!({
        "assertion": check.kind,
        "success": check.passed,
        "name": check.name,
        "severity": check.severity.as_str(),
    });
    if let Some(column) = &check.column {
        assertion["column"] = column.as_str().into();
    }
    if let Some(rows) = check.failing_rows {
        assertion["expected"] = "0".into();
        assertion["actual"] = rows.to_string().into();
    }
    assertion
}

/// The check as a test of the run.
pub(super) fn test(check: &CheckResult) -> Value {
    let mut test = json!({
        "name": check.name,
        "status": if check.passed { "pass" } else { "fail" },
        "severity": check.severity.as_str(),
        "type": check.kind,
    });
    if let Some(rows) = check.failing_rows {
        test["expected"] = "0".into();
        test["actual"] = rows.to_string().into();
    }
    test
}
