//! What the Iceberg tables of the lake look like: names, places, schemas.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use medallion_definition::catalogue::{self, CatalogueTable};
use medallion_definition::change::SILVER_CHANGE_SEQ;
use medallion_definition::contract::{Sensitivity, TableContract};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::{GoldModel, Partitioning};
use medallion_definition::name::Layer;
use medallion_tables::TableIdent;
use medallion_tables::commit::CommitError;
use medallion_tables::evolution::{evolve, plan_evolution};
use medallion_tables::schema::{FieldSpec, TableSpec, arrow_type, lake_type_of_arrow};
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::{Warehouse, table_ident};

use crate::error::TransformError;

/// The Glue name of a table of the lake.
pub fn ident(lake: &LakeDefinition, layer: Layer, table: &str) -> TableIdent {
    table_ident(&layer.database(&lake.name), table)
}

/// How often the change of a schema is tried against other writers.
const ATTEMPTS: usize = 5;

/// The table as described: made when there is none, its schema evolved when it differs and the
/// description allows that.
///
/// # Errors
/// [`TransformError::SchemaDiffers`] when Iceberg or the description forbids to make the table as
/// described; nothing was changed then. Whoever writes by the description would put values where
/// they do not belong.
pub async fn ensure(
    warehouse: &Warehouse,
    ident: &TableIdent,
    spec: &TableSpec,
) -> Result<LakeTable, TransformError> {
    let mut attempt = 1;
    loop {
        let table = warehouse.ensure_table(ident, spec).await?;
        let changes = plan_evolution(spec, &table).map_err(|differences| {
            TransformError::SchemaDiffers { table: ident.to_string(), differences }
        })?;
        match evolve(warehouse, &table, &changes).await {
            Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            evolved => return evolved.map_err(|e| TransformError::commit(ident.to_string(), e)),
        }
    }
}

/// An Arrow schema with these names and types, everything nullable, for rows on their way to a
/// table: the writer finds columns by name and checks what must not be NULL.
pub(crate) fn rows_schema(table: &CatalogueTable) -> SchemaRef {
    let fields = table.columns.iter().map(|c| Field::new(&c.name, arrow_type(c.lake_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The table as the catalogue has it, without a key.
fn spec(bucket: &str, table: &CatalogueTable) -> TableSpec {
    let fields = table.columns.iter().map(|c| FieldSpec {
        name: c.name.clone(),
        lake_type: c.lake_type,
        required: !c.nullable,
        doc: c.description.clone(),
        sensitivity: c.sensitivity,
        renamed_from: Vec::new(),
    });
    TableSpec {
        location: format!("s3://{bucket}/{}/{}", table.layer, table.name),
        fields: fields.collect(),
        key: Vec::new(),
        buckets: 1,
        properties: std::collections::BTreeMap::new(),
        dropped: Vec::new(),
    }
}

/// The Silver table of a contract: sorted by key, bucketed by its first column. A column that the
/// contract renames or drops may be renamed or dropped in the table too.
pub fn silver(bucket: &str, contract: &TableContract) -> TableSpec {
    let mut described = spec(bucket, &catalogue::silver(contract));
    for (field, column) in described.fields.iter_mut().zip(&contract.columns) {
        field.renamed_from = column.renamed_from.iter().map(ToString::to_string).collect();
    }
    TableSpec {
        key: contract.key.iter().map(ToString::to_string).collect(),
        buckets: contract.buckets,
        dropped: contract.dropped.iter().map(ToString::to_string).collect(),
        ..described
    }
}

/// The history table of a contract, when it has one. A key has many states, so a row is identified
/// by the key and the change that began the state; files are sorted by the same columns.
pub fn history(bucket: &str, contract: &TableContract) -> Option<TableSpec> {
    let mut described = spec(bucket, &catalogue::history(contract)?);
    for (field, column) in described.fields.iter_mut().zip(&contract.columns) {
        field.renamed_from = column.renamed_from.iter().map(ToString::to_string).collect();
    }
    let began = [catalogue::HISTORY_GENERATION, SILVER_CHANGE_SEQ].map(str::to_owned);
    Some(TableSpec {
        key: contract.key.iter().map(ToString::to_string).chain(began).collect(),
        buckets: contract.buckets,
        dropped: contract.dropped.iter().map(ToString::to_string).collect(),
        ..described
    })
}

/// The quarantine table of a contract.
pub fn quarantine(bucket: &str, contract: &TableContract) -> TableSpec {
    spec(bucket, &catalogue::quarantine(contract))
}

/// The Gold table of a model: sorted by the model's key and split by its first column where the
/// header says so. Only key columns are required; what else must not be NULL is checked before
/// publishing, so that a build that fails can be looked at.
pub fn gold(bucket: &str, model: &GoldModel) -> TableSpec {
    let mut described = spec(bucket, &catalogue::gold(model));
    let key: Vec<String> = model.key().into_iter().map(ToString::to_string).collect();
    for field in &mut described.fields {
        field.required = key.contains(&field.name);
    }
    let buckets = match &model.partitioning {
        Partitioning::None => 1,
        Partitioning::Bucket { buckets, .. } => *buckets,
    };
    TableSpec { key, buckets, ..described }
}

/// The names of a table's columns that the description does not have.
pub(crate) fn others(described: &TableSpec, table: &LakeTable) -> Vec<String> {
    let ours = |name: &str| described.fields.iter().any(|field| field.name == name);
    let names = table.arrow_schema().fields().iter().map(|field| field.name());
    names.filter(|name| !ours(name)).cloned().collect()
}

/// The names of columns that the table protects as personal and the description does not.
pub(crate) fn opened(described: &TableSpec, table: &LakeTable) -> Vec<String> {
    let personal = table.personal_columns().unwrap_or_default();
    let fields = described.fields.iter().filter(|f| f.sensitivity != Sensitivity::Personal);
    fields.filter(|f| personal.contains(f.name.as_str())).map(|f| f.name.clone()).collect()
}

/// Adds a table's other columns to the description, so that they stay for the time being, and
/// leaves those personal that are: the rows that readers see are still the old ones.
pub(crate) fn keep_others(described: &mut TableSpec, table: &LakeTable) {
    let opened = opened(described, table);
    for field in described.fields.iter_mut().filter(|f| opened.contains(&f.name)) {
        field.sensitivity = Sensitivity::Personal;
    }
    let personal = table.personal_columns().unwrap_or_default();
    let fields = table.metadata().current_schema().as_struct().fields();
    for name in others(described, table) {
        let field = fields.iter().find(|field| field.name == name);
        let known = table.arrow_schema().field_with_name(&name).ok();
        let lake_type = known.and_then(|field| lake_type_of_arrow(field.data_type()));
        let (Some(field), Some(lake_type)) = (field, lake_type) else { continue };
        let sensitivity = match personal.contains(name.as_str()) {
            true => Sensitivity::Personal,
            false => Sensitivity::Internal,
        };
        described.fields.push(FieldSpec {
            name,
            lake_type,
            required: false,
            doc: field.doc.clone().unwrap_or_default(),
            sensitivity,
            renamed_from: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use medallion_definition::contract::{Column, Engine};

    use super::*;

    #[test]
    fn what_the_contract_renames_and_drops_reaches_the_table() {
        let column = |name: &str, renamed_from: &[&str]| Column {
            name: name.parse().unwrap(),
            source_type: "int".parse().unwrap(),
            nullable: false,
            sensitivity: Sensitivity::Internal,
            description: String::new(),
            normalisers: Vec::new(),
            checks: Vec::new(),
            added: false,
            renamed_from: renamed_from.iter().map(|old| old.parse().unwrap()).collect(),
        };
        let contract = TableContract {
            table: "crm.orders".parse().unwrap(),
            description: String::new(),
            key: vec!["id".parse().unwrap()],
            columns: vec![column("total", &["sum", "amount"]), column("id", &[])],
            row_rules: Vec::new(),
            buckets: 4,
            engine: Engine::Native,
            load: Default::default(),
            dropped: vec!["note".parse().unwrap()],
            history: false,
            file: "crm_orders.toml".to_owned(),
        };
        let spec = silver("lake", &contract);
        let renamed: Vec<(&str, &[String])> =
            spec.fields.iter().map(|f| (f.name.as_str(), f.renamed_from.as_slice())).collect();
        assert_eq!(renamed[0], ("total", ["sum".to_owned(), "amount".to_owned()].as_slice()));
        assert!(renamed[1..].iter().all(|(_, old)| old.is_empty()), "{renamed:?}");
        assert_eq!(
            (spec.dropped, spec.key, spec.buckets),
            (vec!["note".into()], vec!["id".into()], 4)
        );
        assert!(quarantine("lake", &contract).dropped.is_empty());
        assert_eq!(history("lake", &contract), None);
        let contract = TableContract { history: true, ..contract };
        let spec = history("lake", &contract).unwrap();
        assert_eq!(spec.key, ["id", "_generation", "_change_seq"]);
        assert_eq!((spec.dropped, spec.buckets), (vec!["note".into()], 4));
        assert_eq!(spec.fields[0].renamed_from, ["sum", "amount"]);
        assert_eq!(spec.location, "s3://lake/silver/crm_orders_history");
    }
}
