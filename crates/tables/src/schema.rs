//! Lake types as Iceberg and Arrow types, and the description from which a table is made.
//!
//! In Arrow a `timestamptz` is `Timestamp(Microsecond, "+00:00")` ([`UTC_ZONE`]), a `timestamp`
//! has no zone, a `binary` is `LargeBinary`, a `string` is `Utf8`, a decimal is `Decimal128`: the
//! mapping of the iceberg crate, so that batches pass without a cast.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use iceberg::TableCreation;
use iceberg::spec::{
    FormatVersion, NestedField, NullOrder, PrimitiveType, Schema, SortDirection, SortField,
    SortOrder, TableMetadata, TableMetadataBuilder, Transform, Type, UnboundPartitionSpec,
    UnboundPartitionSpecBuilder,
};
use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;

/// Table property: the names of the personal columns, separated by commas. Writers keep their
/// values out of manifests and Parquet statistics.
pub const PERSONAL_COLUMNS: &str = "medallion.personal-columns";

/// Properties of every new table.
const PROPERTIES: [(&str, &str); 4] = [
    ("write.format.default", "parquet"),
    ("write.parquet.compression-codec", "zstd"),
    ("write.metadata.previous-versions-max", "100"),
    ("write.metadata.delete-after-commit.enabled", "true"),
];

/// The zone of every `timestamptz` column in Arrow.
pub const UTC_ZONE: &str = iceberg::arrow::UTC_TIME_ZONE;

/// Why a description makes no table. Every variant is a mistake in the definition or in the code
/// that made the description.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// A key column is not among the fields.
    #[error("key column `{0}` is not among the fields")]
    UnknownKey(String),
    /// A key column may be NULL.
    #[error("key column `{0}` must be required")]
    OptionalKey(String),
    /// A bucketed table needs a key, and at least one bucket.
    #[error("{buckets} buckets need a key and a number between 1 and 2147483647")]
    Buckets {
        /// The number that was asked for.
        buckets: u32,
    },
    /// A name holds a comma, which separates names in [`PERSONAL_COLUMNS`].
    #[error("column name `{0}` holds a comma")]
    Comma(String),
    /// Iceberg refuses the schema, the partition or the properties.
    #[error("iceberg refuses the table")]
    Iceberg(#[source] Box<iceberg::Error>),
}

/// One column of a table to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// The name.
    pub name: String,
    /// The type.
    pub lake_type: LakeType,
    /// True when NULL is not allowed.
    pub required: bool,
    /// What it means; also the column's comment in Glue. May be empty.
    pub doc: String,
    /// How much it tells about a person.
    pub sensitivity: Sensitivity,
    /// Names that the column had before, the latest first: an existing table's column of such a
    /// name is this one.
    pub renamed_from: Vec<String>,
}

/// A table to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// The root of its files: `s3://bucket/prefix`, no slash at the end.
    pub location: String,
    /// The columns; the first has field id 1, the next 2, and so on.
    pub fields: Vec<FieldSpec>,
    /// The identifier fields, which are also the order of rows within files. Empty for a table
    /// without a key.
    pub key: Vec<String>,
    /// Hash buckets of the first key column; 1 means unpartitioned.
    pub buckets: u32,
    /// Table properties beside those that follow from the fields.
    pub properties: BTreeMap<String, String>,
    /// Names of columns that an existing table may lose.
    pub dropped: Vec<String>,
}

impl TableSpec {
    /// The metadata of a new, empty table: format version 2, personal columns recorded in
    /// [`PERSONAL_COLUMNS`] and, for other engines, in Iceberg's own write properties.
    ///
    /// # Errors
    /// A [`SpecError`] when key, buckets or names do not fit.
    pub fn metadata(&self) -> Result<TableMetadata, SpecError> {
        let key = self.key_ids()?;
        let creation = TableCreation::builder()
            .name(String::new())
            .location(self.location.clone())
            .schema(self.schema(&key)?)
            .partition_spec(self.partition(&key)?)
            .sort_order(sort_order(&key).map_err(refused)?)
            .properties(self.all_properties()?)
            .format_version(FormatVersion::V2)
            .build();
        TableMetadataBuilder::from_table_creation(creation)
            .and_then(TableMetadataBuilder::build)
            .map(|built| built.metadata)
            .map_err(refused)
    }

    /// Field ids of the key, in key order.
    fn key_ids(&self) -> Result<Vec<i32>, SpecError> {
        let id_of = |name: &String| {
            let found = (1..).zip(&self.fields).find(|(_, field)| field.name == *name);
            match found {
                None => Err(SpecError::UnknownKey(name.clone())),
                Some((_, field)) if !field.required => Err(SpecError::OptionalKey(name.clone())),
                Some((id, _)) => Ok(id),
            }
        };
        self.key.iter().map(id_of).collect()
    }

    fn schema(&self, key: &[i32]) -> Result<Schema, SpecError> {
        let fields = (1..).zip(&self.fields).map(|(id, spec)| {
            let field = NestedField::new(
                id,
                &spec.name,
                Type::Primitive(iceberg_type(spec.lake_type)),
                spec.required,
            );
            Arc::new(if spec.doc.is_empty() { field } else { field.with_doc(&spec.doc) })
        });
        let schema = Schema::builder().with_fields(fields);
        let schema = schema.with_identifier_field_ids(key.iter().copied());
        schema.build().map_err(refused)
    }

    fn partition(&self, key: &[i32]) -> Result<UnboundPartitionSpec, SpecError> {
        let builder = UnboundPartitionSpec::builder();
        let error = SpecError::Buckets { buckets: self.buckets };
        match (self.buckets, key.first(), self.key.first()) {
            (0, _, _) => Err(error),
            (1, _, _) => Ok(builder.build()),
            (buckets, Some(id), Some(name)) if i32::try_from(buckets).is_ok() => builder
                .add_partition_field(*id, format!("{name}_bucket"), Transform::Bucket(buckets))
                .map(UnboundPartitionSpecBuilder::build)
                .map_err(refused),
            _ => Err(error),
        }
    }

    fn all_properties(&self) -> Result<HashMap<String, String>, SpecError> {
        let mut all: HashMap<String, String> =
            PROPERTIES.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        all.extend(self.properties.clone());
        let mut personal = Vec::new();
        for field in &self.fields {
            if field.sensitivity != Sensitivity::Personal {
                continue;
            }
            if field.name.contains(',') {
                return Err(SpecError::Comma(field.name.clone()));
            }
            all.extend(personal_properties(&field.name));
            personal.push(field.name.as_str());
        }
        all.insert(PERSONAL_COLUMNS.to_owned(), personal.join(","));
        Ok(all)
    }
}

/// Iceberg's own properties of a personal column, for other engines.
pub(crate) fn personal_properties(name: &str) -> [(String, String); 2] {
    [
        (format!("write.metadata.metrics.column.{name}"), "counts".to_owned()),
        (format!("write.parquet.stats-enabled.column.{name}"), "false".to_owned()),
    ]
}

/// The names that a table records as personal.
pub(crate) fn personal_names(metadata: &TableMetadata) -> impl Iterator<Item = &str> {
    let recorded = metadata.properties().get(PERSONAL_COLUMNS);
    let names = recorded.map(String::as_str).unwrap_or_default().split(',');
    names.filter(|name| !name.is_empty())
}

fn refused(source: iceberg::Error) -> SpecError {
    SpecError::Iceberg(Box::new(source))
}

fn sort_order(key: &[i32]) -> iceberg::Result<SortOrder> {
    let fields: Vec<SortField> = key
        .iter()
        .map(|id| SortField {
            source_id: *id,
            transform: Transform::Identity,
            direction: SortDirection::Ascending,
            null_order: NullOrder::First,
        })
        .collect();
    SortOrder::builder().with_fields(fields).build_unbound()
}

/// The Iceberg type of a lake type.
pub fn iceberg_type(lake_type: LakeType) -> PrimitiveType {
    match lake_type {
        LakeType::Boolean => PrimitiveType::Boolean,
        LakeType::Int => PrimitiveType::Int,
        LakeType::Long => PrimitiveType::Long,
        LakeType::Float => PrimitiveType::Float,
        LakeType::Double => PrimitiveType::Double,
        LakeType::Decimal { precision, scale } => {
            PrimitiveType::Decimal { precision: precision.into(), scale: scale.into() }
        }
        LakeType::Date => PrimitiveType::Date,
        LakeType::Timestamp => PrimitiveType::Timestamp,
        LakeType::TimestampTz => PrimitiveType::Timestamptz,
        LakeType::String => PrimitiveType::String,
        LakeType::Binary => PrimitiveType::Binary,
    }
}

/// The lake type of an Iceberg type, or nothing when the lake does not use it.
pub fn lake_type(iceberg_type: &PrimitiveType) -> Option<LakeType> {
    Some(match iceberg_type {
        PrimitiveType::Boolean => LakeType::Boolean,
        PrimitiveType::Int => LakeType::Int,
        PrimitiveType::Long => LakeType::Long,
        PrimitiveType::Float => LakeType::Float,
        PrimitiveType::Double => LakeType::Double,
        PrimitiveType::Decimal { precision, scale } => LakeType::Decimal {
            precision: u8::try_from(*precision).ok()?,
            scale: u8::try_from(*scale).ok()?,
        },
        PrimitiveType::Date => LakeType::Date,
        PrimitiveType::Timestamp => LakeType::Timestamp,
        PrimitiveType::Timestamptz => LakeType::TimestampTz,
        PrimitiveType::String => LakeType::String,
        PrimitiveType::Binary => LakeType::Binary,
        PrimitiveType::Time
        | PrimitiveType::TimestampNs
        | PrimitiveType::TimestamptzNs
        | PrimitiveType::Uuid
        | PrimitiveType::Fixed(_) => return None,
    })
}

/// The Arrow type in which a column of this lake type is read and written.
pub fn arrow_type(lake_type: LakeType) -> DataType {
    match lake_type {
        LakeType::Boolean => DataType::Boolean,
        LakeType::Int => DataType::Int32,
        LakeType::Long => DataType::Int64,
        LakeType::Float => DataType::Float32,
        LakeType::Double => DataType::Float64,
        // Both are checked to be at most 38 where a lake decimal is parsed.
        LakeType::Decimal { precision, scale } => {
            DataType::Decimal128(precision, scale.cast_signed())
        }
        LakeType::Date => DataType::Date32,
        LakeType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        LakeType::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC_ZONE.into())),
        LakeType::String => DataType::Utf8,
        LakeType::Binary => DataType::LargeBinary,
    }
}

/// The lake type that holds every value of this Arrow type, or nothing when there is none and the
/// column must be cast first. Writers cast to [`arrow_type`] of it: layouts of text and binary,
/// small integers, other zones of the same instant, other units of time (Iceberg v2 keeps
/// microseconds; nanoseconds are cut).
pub fn lake_type_of_arrow(arrow: &DataType) -> Option<LakeType> {
    Some(match arrow {
        DataType::Boolean => LakeType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            LakeType::Int
        }
        DataType::Int64 | DataType::UInt32 => LakeType::Long,
        DataType::UInt64 => LakeType::Decimal { precision: 20, scale: 0 },
        DataType::Float32 => LakeType::Float,
        DataType::Float64 => LakeType::Double,
        DataType::Decimal128(precision, scale) => {
            LakeType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
        }
        DataType::Date32 => LakeType::Date,
        DataType::Timestamp(_, None) => LakeType::Timestamp,
        DataType::Timestamp(_, Some(_)) => LakeType::TimestampTz,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => LakeType::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => LakeType::Binary,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [LakeType; 12] = [
        LakeType::Boolean,
        LakeType::Int,
        LakeType::Long,
        LakeType::Float,
        LakeType::Double,
        LakeType::Decimal { precision: 20, scale: 0 },
        LakeType::Decimal { precision: 38, scale: 9 },
        LakeType::Date,
        LakeType::Timestamp,
        LakeType::TimestampTz,
        LakeType::String,
        LakeType::Binary,
    ];

    #[test]
    fn every_lake_type_survives_iceberg_and_arrow() {
        for lake in ALL {
            let iceberg = iceberg_type(lake);
            assert_eq!(lake_type(&iceberg), Some(lake));
            let arrow = iceberg::arrow::type_to_arrow_type(&Type::Primitive(iceberg)).unwrap();
            assert_eq!(arrow_type(lake), arrow, "{lake}");
            assert_eq!(lake_type_of_arrow(&arrow), Some(lake));
        }
    }

    fn field(name: &str, required: bool) -> FieldSpec {
        FieldSpec {
            name: name.to_owned(),
            lake_type: LakeType::Long,
            required,
            doc: format!("The {name}."),
            sensitivity: Sensitivity::Internal,
            renamed_from: Vec::new(),
        }
    }

    fn spec(fields: Vec<FieldSpec>, key: &[&str], buckets: u32) -> TableSpec {
        TableSpec {
            location: "memory://lake/t".to_owned(),
            fields,
            key: key.iter().map(|&name| name.to_owned()).collect(),
            buckets,
            properties: BTreeMap::new(),
            dropped: Vec::new(),
        }
    }

    #[test]
    fn field_ids_follow_the_order_of_the_fields_from_one() {
        let fields = vec![field("a", false), field("b", true), field("c", true)];
        let metadata = spec(fields, &["c", "b"], 4).metadata().unwrap();
        let schema = metadata.current_schema();
        let ids: Vec<_> = ["a", "b", "c"].map(|n| schema.field_id_by_name(n).unwrap()).into();
        assert_eq!(ids, [1, 2, 3]);
        let mut identifiers: Vec<_> = schema.identifier_field_ids().collect();
        identifiers.sort_unstable();
        assert_eq!(identifiers, [2, 3]);
        let order: Vec<_> =
            metadata.default_sort_order().fields.iter().map(|f| f.source_id).collect();
        assert_eq!(order, [3, 2]);
        let partition = &metadata.default_partition_spec().fields()[0];
        assert_eq!((partition.source_id, partition.transform), (3, Transform::Bucket(4)));
        assert_eq!(metadata.format_version(), FormatVersion::V2);
    }

    #[test]
    fn a_key_that_cannot_identify_rows_is_refused() {
        let fields = || vec![field("a", false), field("b", true)];
        let metadata = |key, buckets| spec(fields(), key, buckets).metadata();
        assert!(matches!(metadata(&["x"], 1), Err(SpecError::UnknownKey(name)) if name == "x"));
        assert!(matches!(metadata(&["a"], 1), Err(SpecError::OptionalKey(name)) if name == "a"));
        assert!(matches!(metadata(&["b"], 0), Err(SpecError::Buckets { buckets: 0 })));
        assert!(matches!(metadata(&[], 4), Err(SpecError::Buckets { buckets: 4 })));
        assert!(metadata(&[], 1).unwrap().default_sort_order().is_unsorted());
    }

    #[test]
    fn personal_columns_are_recorded_for_every_writer() {
        let mut personal = field("cpf", false);
        personal.sensitivity = Sensitivity::Personal;
        let metadata = spec(vec![field("b", true), personal], &["b"], 1).metadata().unwrap();
        let property = |name: &str| metadata.properties().get(name).map(String::as_str);
        assert_eq!(property(PERSONAL_COLUMNS), Some("cpf"));
        assert_eq!(property("write.metadata.metrics.column.cpf"), Some("counts"));
        assert_eq!(property("write.metadata.metrics.column.b"), None);
    }
}
