//! Making the changes of a plan.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use iceberg::spec::{NestedField, Schema, Type};
use medallion_definition::contract::Sensitivity;

use super::SchemaChange;
use crate::commit::{CommitError, publish_metadata};
use crate::schema::{PERSONAL_COLUMNS, iceberg_type, personal_names, personal_properties};
use crate::table::LakeTable;
use crate::warehouse::Warehouse;

/// Makes the changes, which were planned on `base`, as one commit of the metadata: new schema,
/// and properties of personal columns. There is no new snapshot. What comes back is read at main.
///
/// # Errors
/// [`CommitError::Conflict`] when `base` is no longer current: load and plan again. Or another
/// [`CommitError`].
pub async fn evolve(
    warehouse: &Warehouse,
    base: &LakeTable,
    changes: &[SchemaChange],
) -> Result<LakeTable, CommitError> {
    if changes.is_empty() {
        return Ok(base.at_main());
    }
    let mut next = Evolution::of(base);
    for change in changes {
        next.apply(base, change)?;
    }
    let properties = next.properties(base);
    let schema = next.schema(base).map_err(|source| CommitError::staging(base, source))?;
    publish_metadata(warehouse, base, |builder| {
        let builder = builder.add_current_schema(schema)?;
        builder.remove_properties(&properties.removed)?.set_properties(properties.set)
    })
    .await
}

/// A schema on its way.
struct Evolution {
    fields: Vec<NestedField>,
    personal: HashSet<i32>,
    last_id: i32,
}

/// Properties of personal columns that are no longer right, and those that are.
struct Properties {
    removed: Vec<String>,
    set: HashMap<String, String>,
}

impl Evolution {
    fn of(base: &LakeTable) -> Self {
        let schema = base.metadata().current_schema();
        let fields = schema.as_struct().fields().iter().map(|f| f.as_ref().clone()).collect();
        let ids = personal_names(base.metadata()).filter_map(|name| schema.field_id_by_name(name));
        let last_id = base.metadata().last_column_id();
        Evolution { fields, personal: ids.collect(), last_id }
    }

    fn field(&mut self, base: &LakeTable, id: i32) -> Result<&mut NestedField, CommitError> {
        let found = self.fields.iter_mut().find(|field| field.id == id);
        found.ok_or_else(|| CommitError::NoColumn { table: base.name(), id })
    }

    fn apply(&mut self, base: &LakeTable, change: &SchemaChange) -> Result<(), CommitError> {
        match change {
            SchemaChange::Add { field } => {
                self.last_id += 1;
                let (id, kind) = (self.last_id, Type::Primitive(iceberg_type(field.lake_type)));
                let new = NestedField::new(id, &field.name, kind, field.required);
                let doc = &field.doc;
                self.fields.push(if doc.is_empty() { new } else { new.with_doc(doc) });
                if field.sensitivity == Sensitivity::Personal {
                    self.personal.insert(id);
                }
            }
            SchemaChange::Drop { id, .. } => {
                self.field(base, *id)?;
                self.fields.retain(|field| field.id != *id);
                self.personal.remove(id);
            }
            SchemaChange::Rename { id, to, .. } => to.clone_into(&mut self.field(base, *id)?.name),
            SchemaChange::Widen { id, to, .. } => {
                let wide = Type::Primitive(iceberg_type(*to));
                *self.field(base, *id)?.field_type = wide;
            }
            SchemaChange::Relax { id, .. } => self.field(base, *id)?.required = false,
            SchemaChange::Document { id, doc, .. } => {
                self.field(base, *id)?.doc = (!doc.is_empty()).then(|| doc.clone());
            }
            SchemaChange::Sensitivity { id, personal, .. } => {
                self.field(base, *id)?;
                if *personal {
                    self.personal.insert(*id)
                } else {
                    self.personal.remove(id)
                };
            }
        }
        Ok(())
    }

    fn properties(&self, base: &LakeTable) -> Properties {
        let personal = self.fields.iter().filter(|field| self.personal.contains(&field.id));
        let names: BTreeSet<&str> = personal.map(|field| field.name.as_str()).collect();
        let mut set: HashMap<String, String> =
            names.iter().flat_map(|name| personal_properties(name)).collect();
        let list = names.iter().copied().collect::<Vec<_>>().join(",");
        set.insert(PERSONAL_COLUMNS.to_owned(), list);
        let before = personal_names(base.metadata()).flat_map(personal_properties);
        let removed = before.map(|(key, _)| key).filter(|key| !set.contains_key(key)).collect();
        Properties { removed, set }
    }

    fn schema(self, base: &LakeTable) -> iceberg::Result<Schema> {
        let identifiers = base.metadata().current_schema().identifier_field_ids();
        Schema::builder()
            .with_fields(self.fields.into_iter().map(Arc::new))
            .with_identifier_field_ids(identifiers)
            .build()
    }
}
