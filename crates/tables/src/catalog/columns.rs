//! The columns of a Glue table, which mirror the Iceberg schema for Athena, crawlers and people.
//!
//! Types and parameters as in Iceberg's Java implementation (`IcebergToGlueConverter`).

use std::collections::{HashMap, HashSet};

use aws_sdk_glue::error::BuildError;
use aws_sdk_glue::types::Column;
use iceberg::spec::{NestedFieldRef, PrimitiveType, TableMetadata, Type};

/// The current schema's columns, and after them those of older schemas that are gone. A field
/// without documentation keeps the comment that the column has in Glue, unless that is what the
/// field's documentation was before.
pub(super) fn columns(
    metadata: &TableMetadata,
    existing: &[Column],
) -> Result<Vec<Column>, BuildError> {
    let comments: HashMap<&str, &str> =
        existing.iter().filter_map(|c| Some((c.name(), c.comment()?))).collect();
    let mut seen = HashSet::new();
    let mut columns = Vec::new();
    let current = metadata.current_schema();
    let older = metadata.schemas_iter().filter(|s| s.schema_id() != current.schema_id());
    for schema in std::iter::once(current).chain(older) {
        let is_current = schema.schema_id() == current.schema_id();
        for field in schema.as_struct().fields() {
            if seen.insert(field.name.clone()) {
                let comment = comments.get(field.name.as_str()).copied();
                let comment = comment.filter(|comment| !was_documented(metadata, field, comment));
                columns.push(column(field, is_current, comment)?);
            }
        }
    }
    Ok(columns)
}

/// True when the comment is the documentation that the field, or one of its name, had in some
/// schema of the table.
fn was_documented(metadata: &TableMetadata, field: &NestedFieldRef, comment: &str) -> bool {
    let known = metadata.schemas_iter().flat_map(|schema| schema.as_struct().fields());
    let mut same = known.filter(|known| known.id == field.id || known.name == field.name);
    same.any(|known| known.doc.as_deref().map(shorten).as_deref() == Some(comment))
}

fn column(
    field: &NestedFieldRef,
    is_current: bool,
    comment: Option<&str>,
) -> Result<Column, BuildError> {
    let comment = field.doc.as_deref().or(comment).map(shorten);
    Column::builder()
        .name(&field.name)
        .r#type(glue_type(&field.field_type))
        .set_comment(comment)
        .parameters("iceberg.field.id", field.id.to_string())
        .parameters("iceberg.field.optional", (!field.required).to_string())
        .parameters("iceberg.field.current", is_current.to_string())
        .build()
}

/// Glue allows 255 characters in a comment.
fn shorten(comment: &str) -> String {
    comment.chars().take(255).collect()
}

fn glue_type(field_type: &Type) -> String {
    match field_type {
        Type::Primitive(primitive) => glue_primitive(primitive),
        Type::List(list) => format!("array<{}>", glue_type(&list.element_field.field_type)),
        Type::Map(map) => format!(
            "map<{},{}>",
            glue_type(&map.key_field.field_type),
            glue_type(&map.value_field.field_type)
        ),
        Type::Struct(fields) => {
            let fields = fields.fields().iter();
            let fields = fields.map(|f| format!("{}:{}", f.name, glue_type(&f.field_type)));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(","))
        }
    }
}

fn glue_primitive(primitive: &PrimitiveType) -> String {
    match primitive {
        PrimitiveType::Boolean => "boolean".to_owned(),
        PrimitiveType::Int => "int".to_owned(),
        PrimitiveType::Long => "bigint".to_owned(),
        PrimitiveType::Float => "float".to_owned(),
        PrimitiveType::Double => "double".to_owned(),
        PrimitiveType::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        PrimitiveType::Date => "date".to_owned(),
        PrimitiveType::Timestamp
        | PrimitiveType::Timestamptz
        | PrimitiveType::TimestampNs
        | PrimitiveType::TimestamptzNs => "timestamp".to_owned(),
        PrimitiveType::Time | PrimitiveType::String | PrimitiveType::Uuid => "string".to_owned(),
        PrimitiveType::Fixed(_) | PrimitiveType::Binary => "binary".to_owned(),
    }
}
