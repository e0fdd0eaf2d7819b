//! Lineage as OpenLineage's facet of an output dataset.

use serde_json::{Map, Value, json};

use super::ColumnLineage;
use super::source::{SourceColumn, Sources, Transformation};

/// The facet's schema:
/// <https://openlineage.io/docs/spec/facets/dataset-facets/column_lineage_facet>.
pub const COLUMN_LINEAGE_SCHEMA: &str = "https://openlineage.io/spec/facets/1-2-0/\
     ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet";

/// Who made the facet, as OpenLineage wants to know in `_producer`: this program in this version.
pub const PRODUCER: &str = concat!("urn:medallion:", env!("CARGO_PKG_VERSION"));

impl ColumnLineage {
    /// The facet `columnLineage` of the model's dataset. Source tables are datasets of `namespace`
    /// by the name `layer.table`; columns that return a name twice are one field.
    pub fn to_facet(&self, namespace: &str) -> Value {
        let mut fields: Map<String, Value> = Map::new();
        for column in &self.columns {
            let mut sources = Sources::default();
            self.named(&column.name).for_each(|c| sources.extend(c.sources.clone()));
            let field = json!({ "inputFields": input_fields(namespace, &sources) });
            fields.insert(column.name.clone(), field);
        }
        json!({
            "_producer": PRODUCER,
            "_schemaURL": COLUMN_LINEAGE_SCHEMA,
            "fields": fields,
            "dataset": input_fields(namespace, &self.rows),
        })
    }
}

fn input_fields(namespace: &str, sources: &Sources) -> Vec<Value> {
    let field = |(source, ways): (&SourceColumn, _)| {
        json!({
            "namespace": namespace,
            "name": source.input.to_string(),
            "field": source.column,
            "transformations": transformations(ways),
        })
    };
    sources.iter().map(field).collect()
}

fn transformations<'t>(ways: impl IntoIterator<Item = &'t Transformation>) -> Vec<Value> {
    let one = |way: &Transformation| {
        json!({
            "type": if way.subtype.is_direct() { "DIRECT" } else { "INDIRECT" },
            "subtype": way.subtype.as_str(),
            "description": way.subtype.description(),
            "masking": way.masking,
        })
    };
    ways.into_iter().map(one).collect()
}
