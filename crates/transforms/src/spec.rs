//! What the Iceberg tables of the lake look like: names, places, schemas.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use medallion_definition::catalogue::{self, CatalogueTable};
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_tables::TableIdent;
use medallion_tables::schema::{FieldSpec, TableSpec, arrow_type};
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::{Warehouse, table_ident};

use crate::error::TransformError;

/// The Glue name of a table of the lake.
pub fn ident(lake: &LakeDefinition, layer: Layer, table: &str) -> TableIdent {
    table_ident(&layer.database(&lake.name), table)
}

/// The table as it is now, made as described when there is none.
///
/// # Errors
/// [`TransformError::SchemaDiffers`] when it exists and is not as described: whoever writes by the
/// description then would put values where they do not belong.
pub async fn ensure(
    warehouse: &Warehouse,
    ident: &TableIdent,
    spec: &TableSpec,
) -> Result<LakeTable, TransformError> {
    let table = warehouse.ensure_table(ident, spec).await?;
    let differences = spec.differences(&table);
    if differences.is_empty() {
        return Ok(table);
    }
    Err(TransformError::SchemaDiffers { table: ident.to_string(), differences })
}

/// An Arrow schema with these names and types, everything nullable, for rows on their way to a
/// table: the writer finds columns by name and checks what must not be NULL.
pub(crate) fn rows_schema(table: &CatalogueTable) -> SchemaRef {
    let fields = table.columns.iter().map(|c| Field::new(&c.name, arrow_type(c.lake_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
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
