//! What the Iceberg tables of the lake look like: names, places, schemas.

use medallion_definition::catalogue::{self, CatalogueTable};
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_tables::TableIdent;
use medallion_tables::schema::{FieldSpec, TableSpec};
use medallion_tables::warehouse::table_ident;

/// The Glue name of a table of the lake.
pub fn ident(lake: &LakeDefinition, layer: Layer, table: &str) -> TableIdent {
    table_ident(&layer.database(&lake.name), table)
}

fn spec(bucket: &str, table: &CatalogueTable, key: Vec<String>, buckets: u32) -> TableSpec {
    let fields = table.columns.iter().map(|c| FieldSpec {
        name: c.name.clone(),
        lake_type: c.lake_type,
        required: !c.nullable,
        doc: c.description.clone(),
        sensitivity: c.sensitivity,
    });
    TableSpec {
        location: format!("s3://{bucket}/{}/{}", table.layer, table.name),
        fields: fields.collect(),
        key,
        buckets,
        properties: std::collections::BTreeMap::new(),
    }
}

/// The Silver table of a contract: sorted by key, bucketed by its first column.
pub fn silver(bucket: &str, contract: &TableContract) -> TableSpec {
    let key = contract.key.iter().map(ToString::to_string).collect();
    spec(bucket, &catalogue::silver(contract), key, contract.buckets)
}

/// The quarantine table of a contract.
pub fn quarantine(bucket: &str, contract: &TableContract) -> TableSpec {
    spec(bucket, &catalogue::quarantine(contract), Vec::new(), 1)
}

/// The Gold table of a model.
pub fn gold(bucket: &str, model: &GoldModel) -> TableSpec {
    spec(bucket, &catalogue::gold(model), Vec::new(), 1)
}
