//! Facets of jobs.

use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use serde_json::{Map, Value, json};

use super::facet::facet;
use crate::runs::TableRef;

/// What the definition says about a job.
pub(super) fn facets(lake: &LakeDefinition, job: &TableRef) -> Value {
    let mut facets = Map::new();
    let model = lake.model(&job.table).filter(|_| job.layer == Layer::Gold);
    let kind = json!({
        "processingType": "BATCH",
        "integration": "MEDALLION",
        "jobType": if model.is_some() { "MODEL" } else { "JOB" },
    });
    facets.insert("jobType".into(), facet("2-0-4", "JobTypeJobFacet", kind));
    let mut describe = |text: &str| {
        let text = json!({ "description": text });
        facets.insert("documentation".into(), facet("1-1-0", "DocumentationJobFacet", text));
    };
    if let Some(model) = model {
        describe(&model.description);
        let owners = json!({ "owners": [{ "name": model.owner, "type": "OWNER" }] });
        facets.insert("ownership".into(), facet("1-0-1", "OwnershipJobFacet", owners));
        let sql = json!({ "query": model.sql, "dialect": "datafusion" });
        facets.insert("sql".into(), facet("1-1-0", "SQLJobFacet", sql));
    } else if let Some(contract) = lake.tables.iter().find(|t| t.table.lake_table() == job.table) {
        describe(&format!("Merges the changes of {} from Bronze by their order", contract.table));
    }
    facets.into()
}
