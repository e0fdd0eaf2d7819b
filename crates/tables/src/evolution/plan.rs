//! Comparing a table with its description.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use iceberg::spec::{NestedFieldRef, Transform, Type};
use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;

use super::SchemaChange;
use crate::schema::{FieldSpec, TableSpec, lake_type, personal_names};
use crate::table::LakeTable;

/// What turns the live table's schema into the described one, by column name; empty when they
/// agree. The order of columns does not matter, and neither does the number of buckets, which an
/// existing table keeps. That it is partitioned by buckets or not at all does matter, and that all
/// of its files are partitioned alike.
///
/// # Errors
/// What Iceberg or the description forbids, one line each, all at once.
pub fn plan_evolution(
    spec: &TableSpec,
    table: &LakeTable,
) -> Result<Vec<SchemaChange>, Vec<String>> {
    let mut plan = Plan::new(spec, table);
    plan.find_dropped();
    for field in &spec.fields {
        match plan.columns.get(field.name.as_str()).cloned() {
            Some(column) => plan.compare(field, &column),
            None => plan.add(field),
        }
    }
    plan.check_key();
    plan.check_partitioning();
    plan.check_personal_names();
    if plan.refused.is_empty() { Ok(plan.changes) } else { Err(plan.refused) }
}

struct Plan<'a> {
    spec: &'a TableSpec,
    table: &'a LakeTable,
    /// The table's column of each described one that it has, whatever its name there.
    columns: BTreeMap<&'a str, NestedFieldRef>,
    personal: HashSet<&'a str>,
    changes: Vec<SchemaChange>,
    refused: Vec<String>,
}

impl<'a> Plan<'a> {
    fn new(spec: &'a TableSpec, table: &'a LakeTable) -> Self {
        let personal = personal_names(table.metadata()).collect();
        let (changes, refused) = (Vec::new(), Vec::new());
        Plan { spec, table, columns: match_columns(spec, table), personal, changes, refused }
    }

    fn refuse(&mut self, reason: String) {
        self.refused.push(reason);
    }

    /// Columns of the table that the description does not have.
    fn find_dropped(&mut self) {
        let described: HashSet<i32> = self.columns.values().map(|column| column.id).collect();
        let bound = bound_columns(self.table);
        for column in self.table.metadata().current_schema().as_struct().fields() {
            let name = &column.name;
            if described.contains(&column.id) {
                continue;
            }
            if !self.spec.dropped.contains(name) {
                self.refuse(format!(
                    "column `{name}` is in the table only: describe it, let another column say \
                     that it was renamed from it, or list it as dropped"
                ));
            } else if bound.contains(&column.id) {
                self.refuse(format!(
                    "column `{name}` cannot be dropped, since key, order or buckets of the table \
                     are made of it: keep it, or make a new table"
                ));
            } else {
                self.changes.push(SchemaChange::Drop { id: column.id, column: name.clone() });
            }
        }
    }

    fn add(&mut self, field: &FieldSpec) {
        // A table that was never written has no row that would lack the value.
        if field.required && self.table.metadata().snapshots().len() > 0 {
            self.refuse(format!(
                "column `{}` is required and not in the table, whose rows have no value for it: \
                 describe it as nullable",
                field.name
            ));
            return;
        }
        self.changes.push(SchemaChange::Add { field: field.clone() });
    }

    fn compare(&mut self, field: &FieldSpec, column: &NestedFieldRef) {
        let (id, name) = (column.id, field.name.clone());
        if column.name != name {
            let from = column.name.clone();
            self.changes.push(SchemaChange::Rename { id, from, to: name.clone() });
        }
        self.compare_types(field, column);
        if !column.required && field.required {
            self.refuse(format!(
                "column `{name}` is nullable in the table, whose rows may hold NULL: describe it \
                 as nullable"
            ));
        } else if column.required && !field.required {
            self.changes.push(SchemaChange::Relax { id, column: name.clone() });
        }
        if column.doc.as_deref().unwrap_or_default() != field.doc {
            let doc = field.doc.clone();
            self.changes.push(SchemaChange::Document { id, column: name.clone(), doc });
        }
        let personal = field.sensitivity == Sensitivity::Personal;
        if personal != self.personal.contains(column.name.as_str()) {
            self.changes.push(SchemaChange::Sensitivity { id, column: name, personal });
        }
    }

    fn compare_types(&mut self, field: &FieldSpec, column: &NestedFieldRef) {
        let (name, to) = (&field.name, field.lake_type);
        let from = match column.field_type.as_ref() {
            Type::Primitive(primitive) => lake_type(primitive),
            Type::Struct(_) | Type::List(_) | Type::Map(_) => None,
        };
        match from {
            Some(from) if from == to => {}
            Some(from) if widens(from, to) => {
                let column_name = name.clone();
                let change = SchemaChange::Widen { id: column.id, column: column_name, from, to };
                self.changes.push(change);
            }
            Some(from) => self.refuse(format!(
                "column `{name}` is {from} in the table, which cannot become {to}: describe it as \
                 {from}, or add a column of another name"
            )),
            None => self.refuse(format!(
                "column `{name}` has a type in the table that the lake does not use: make a new \
                 table"
            )),
        }
    }

    /// The key decides over order and buckets of all files, so it stays.
    fn check_key(&mut self) {
        let order = &self.table.metadata().default_sort_order().fields;
        let is: Vec<Option<i32>> = order.iter().map(|field| Some(field.source_id)).collect();
        let described = self.spec.key.iter();
        let described: Vec<Option<i32>> =
            described.map(|name| self.columns.get(name.as_str()).map(|column| column.id)).collect();
        if is != described {
            let (is, key) = (self.table.key().join("`, `"), self.spec.key.join("`, `"));
            self.refuse(format!(
                "the key is `{is}` in the table and `{key}` here: keep the key, or make a new \
                 table"
            ));
        }
        for name in &self.spec.key {
            let field = self.spec.fields.iter().find(|field| field.name == *name);
            if field.is_some_and(|field| !field.required) {
                self.refuse(format!("column `{name}` is part of the key: describe it as required"));
            }
        }
    }

    /// A key is looked for in the files of its bucket only, so one in a file that is partitioned
    /// otherwise would be inserted again.
    ///
    /// The tables that [`TableSpec::metadata`] makes have one partition spec. Which specs live files
    /// are of is told by manifests, not by the metadata that is looked at here. So any other spec is
    /// refused, also one whose files are all rewritten, or one without fields, under which a table
    /// of one bucket was written before it got more. It is not where it can do no harm: without a
    /// key nothing is looked for, and a table that was never written has no files.
    fn check_partitioning(&mut self) {
        let metadata = self.table.metadata();
        let key = metadata.default_sort_order().fields.first().map(|field| field.source_id);
        let fields = metadata.default_partition_spec().fields();
        let ours = match fields {
            [] => true,
            [field] => {
                matches!(field.transform, Transform::Bucket(_)) && Some(field.source_id) == key
            }
            _ => false,
        };
        if !ours {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            self.refuse(format!(
                "the table is partitioned by `{}`, and only tables that are partitioned by the \
                 bucket of the first key column, or not at all, are written: give the table the \
                 partition spec again with which it was made, or make a new table",
                names.join("`, `")
            ));
        } else if key.is_some()
            && metadata.snapshots().len() > 0
            && metadata.partition_specs_iter().len() > 1
        {
            self.refuse(
                "the table had other partition specs before, and rows in files of another one \
                 would not be found by their key: rewrite all files by the current partition spec \
                 and remove the others (in Spark by `rewrite_data_files` with `rewrite-all`, then \
                 `expire_snapshots` with `clean_expired_metadata`), or make a new table"
                    .to_owned(),
            );
        }
    }

    fn check_personal_names(&mut self) {
        let schema = self.table.metadata().current_schema();
        let gone = self.personal.iter().filter(|name| schema.field_by_name(name).is_none());
        let gone: BTreeSet<String> = gone.map(|name| (*name).to_owned()).collect();
        for name in gone {
            self.refuse(format!(
                "the table records `{name}` as personal, but has no such column: mend property \
                 `{}` by hand",
                crate::schema::PERSONAL_COLUMNS
            ));
        }
        let personal = self.spec.fields.iter().filter(|f| f.sensitivity == Sensitivity::Personal);
        for field in personal.filter(|field| field.name.contains(',')) {
            self.refused.push(format!(
                "column name `{}` holds a comma: a personal column needs another name",
                field.name
            ));
        }
    }
}

/// Finds each described column in the table: by its name, else by a name that it had before and
/// that no other described column has.
fn match_columns<'a>(spec: &'a TableSpec, table: &LakeTable) -> BTreeMap<&'a str, NestedFieldRef> {
    let fields = table.metadata().current_schema().as_struct().fields();
    let by_name: HashMap<&str, &NestedFieldRef> =
        fields.iter().map(|field| (field.name.as_str(), field)).collect();
    let mut free: HashSet<&str> = by_name.keys().copied().collect();
    for field in &spec.fields {
        free.remove(field.name.as_str());
    }
    let mut columns = BTreeMap::new();
    for field in &spec.fields {
        let mut before = field.renamed_from.iter().map(String::as_str);
        let found = match by_name.get(field.name.as_str()) {
            Some(found) => Some(*found),
            None => {
                before.find(|name| free.remove(name)).and_then(|name| by_name.get(name).copied())
            }
        };
        if let Some(found) = found {
            columns.insert(field.name.as_str(), NestedFieldRef::clone(found));
        }
    }
    columns
}

/// Columns that files are ordered, identified or partitioned by.
fn bound_columns(table: &LakeTable) -> HashSet<i32> {
    let metadata = table.metadata();
    let order = metadata.default_sort_order().fields.iter().map(|field| field.source_id);
    let partition = metadata.default_partition_spec().fields().iter().map(|f| f.source_id);
    order.chain(partition).chain(metadata.current_schema().identifier_field_ids()).collect()
}

/// True when Iceberg reads values of the one type as the other.
fn widens(from: LakeType, to: LakeType) -> bool {
    match (from, to) {
        (LakeType::Int, LakeType::Long) | (LakeType::Float, LakeType::Double) => true,
        (
            LakeType::Decimal { precision: narrow, scale: before },
            LakeType::Decimal { precision: wide, scale: after },
        ) => wide > narrow && before == after,
        _ => false,
    }
}
