//! A table at one metadata file.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{Field, Int32Type, Schema as ArrowSchema, SchemaRef};
use iceberg::io::FileIO;
use iceberg::spec::{
    PartitionField, Snapshot, SnapshotRef, TableMetadata, TableMetadataRef, Transform,
};
use iceberg::table::Table;
use iceberg::transform::create_transform_function;
use iceberg::{Runtime, TableIdent};

use crate::reader::Footers;
use crate::schema::personal_names;

/// Why a table could not be understood, read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Files or metadata could not be read or written; retryable when the source says so, else
    /// the operator's business.
    #[error("files of table `{table}` cannot be used")]
    Files {
        /// The table.
        table: String,
        /// What Iceberg says.
        source: Box<iceberg::Error>,
    },
    /// There is no such column: a bug of the caller.
    #[error("table `{table}` has no column `{column}`")]
    UnknownColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// There is no such snapshot, or no longer: a bug of the caller, or history that expired.
    #[error("table `{table}` has no snapshot {snapshot}")]
    UnknownSnapshot {
        /// The table.
        table: String,
        /// The snapshot's id.
        snapshot: i64,
    },
    /// There is no such branch: a bug of the caller.
    #[error("table `{table}` has no branch `{branch}`")]
    UnknownBranch {
        /// The table.
        table: String,
        /// The branch.
        branch: String,
    },
    /// A column recorded as personal is gone or renamed, so its values cannot be protected: the
    /// operator's business.
    #[error("table `{table}` records `{column}` as personal, but has no such column")]
    PersonalColumnGone {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A batch does not fit the table's schema: a bug of the caller.
    #[error("a batch does not fit table `{table}`: {reason}")]
    Misfit {
        /// The table.
        table: String,
        /// What does not fit; names and types only, no values.
        reason: String,
    },
    /// Files are partitioned in a way that is not written here: the operator's business.
    #[error("table `{table}` is partitioned by other than the bucket of one column: {reason}")]
    Partitioning {
        /// The table.
        table: String,
        /// What is not understood.
        reason: &'static str,
    },
    /// Arrow or Parquet failed on data of this table: a bug.
    #[error("rows of table `{table}` cannot be encoded or decoded")]
    Rows {
        /// The table.
        table: String,
        /// What Arrow or Parquet says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl TableError {
    /// True when the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            TableError::Files { source, .. } => source.retryable(),
            TableError::UnknownColumn { .. }
            | TableError::UnknownSnapshot { .. }
            | TableError::UnknownBranch { .. }
            | TableError::PersonalColumnGone { .. }
            | TableError::Misfit { .. }
            | TableError::Partitioning { .. }
            | TableError::Rows { .. } => false,
        }
    }
}

/// A table at one metadata file: immutable, cheap to clone, one snapshot for every reader of it.
/// That snapshot is the head of main, unless the table came from [`LakeTable::at_branch`] or
/// [`LakeTable::at_snapshot`].
#[derive(Clone, Debug)]
pub struct LakeTable {
    pub(crate) table: Table,
    location: String,
    arrow_schema: SchemaRef,
    snapshot: Option<SnapshotRef>,
    /// Shared by all views of the table.
    pub(crate) footers: Arc<Footers>,
}

impl LakeTable {
    /// A table from metadata that was read from `metadata_location`. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`TableError::Files`] when the metadata cannot be used (encryption, no runtime).
    pub fn new(
        ident: TableIdent,
        metadata: TableMetadata,
        metadata_location: impl Into<String>,
        file_io: FileIO,
    ) -> Result<Self, TableError> {
        let name = ident.to_string();
        let files = |e| TableError::Files { table: name.clone(), source: Box::new(e) };
        let location = metadata_location.into();
        let schema = iceberg::arrow::schema_to_arrow_schema(metadata.current_schema());
        let snapshot = metadata.current_snapshot().cloned();
        let table = Table::builder()
            .file_io(file_io)
            .metadata_location(location.clone())
            .metadata(metadata)
            .identifier(ident)
            .runtime(Runtime::try_current().map_err(files)?)
            .build()
            .map_err(files)?;
        let arrow_schema = plain(&schema.map_err(files)?);
        let footers = Arc::default();
        Ok(LakeTable { table, location, arrow_schema, snapshot, footers })
    }

    /// The same table read at another of its snapshots, by the table's current schema.
    ///
    /// # Errors
    /// [`TableError::UnknownSnapshot`] when there is none with this id, or none any more.
    pub fn at_snapshot(&self, id: i64) -> Result<LakeTable, TableError> {
        let snapshot = self.metadata().snapshot_by_id(id).cloned();
        let unknown = || TableError::UnknownSnapshot { table: self.name(), snapshot: id };
        Ok(LakeTable { snapshot: Some(snapshot.ok_or_else(unknown)?), ..self.clone() })
    }

    /// The same table read at the head of a branch (or at a tag).
    ///
    /// # Errors
    /// [`TableError::UnknownBranch`] when there is no branch of this name.
    pub fn at_branch(&self, name: &str) -> Result<LakeTable, TableError> {
        let snapshot = self.metadata().snapshot_for_ref(name).cloned();
        let unknown = || TableError::UnknownBranch { table: self.name(), branch: name.to_owned() };
        Ok(LakeTable { snapshot: Some(snapshot.ok_or_else(unknown)?), ..self.clone() })
    }

    /// The same table read at the head of main.
    pub fn at_main(&self) -> LakeTable {
        LakeTable { snapshot: self.metadata().current_snapshot().cloned(), ..self.clone() }
    }

    /// The same table read as if it had never been written: without any row.
    pub fn at_nothing(&self) -> LakeTable {
        LakeTable { snapshot: None, ..self.clone() }
    }

    /// Database and name.
    pub fn ident(&self) -> &TableIdent {
        self.table.identifier()
    }

    /// `database.name`, for messages.
    pub fn name(&self) -> String {
        self.ident().to_string()
    }

    /// The whole metadata.
    pub fn metadata(&self) -> &TableMetadata {
        self.table.metadata()
    }

    /// The whole metadata, shared.
    pub fn metadata_ref(&self) -> TableMetadataRef {
        self.table.metadata_ref()
    }

    /// Where the metadata was read from; the base of the next commit.
    pub fn metadata_location(&self) -> &str {
        &self.location
    }

    /// The columns as Arrow types (see [`crate::schema`]); what every read returns, in this order.
    pub fn arrow_schema(&self) -> &SchemaRef {
        &self.arrow_schema
    }

    /// The snapshot that is read, or nothing for a table that was never written, or is read so.
    pub fn snapshot_id(&self) -> Option<i64> {
        self.current_snapshot().map(|snapshot| snapshot.snapshot_id())
    }

    /// The summary of that snapshot, without the operation.
    pub fn summary(&self) -> Option<&HashMap<String, String>> {
        self.current_snapshot().map(|s| &s.summary().additional_properties)
    }

    /// That snapshot and those before it along parent links, newest first; it ends where older
    /// ones have been expired.
    pub fn history(&self) -> Vec<&Snapshot> {
        let mut found: Vec<&Snapshot> = Vec::new();
        let mut seen = HashSet::new();
        let mut next = self.snapshot_id();
        while let Some(id) = next {
            let Some(snapshot) = self.metadata().snapshot_by_id(id) else { break };
            if !seen.insert(id) {
                break;
            }
            next = snapshot.parent_snapshot_id();
            found.push(snapshot);
        }
        found
    }

    /// Names of the key columns, in the order by which files are sorted; empty without a key.
    pub fn key(&self) -> Vec<&str> {
        let schema = self.metadata().current_schema();
        let fields = &self.metadata().default_sort_order().fields;
        fields.iter().filter_map(|field| schema.name_by_field_id(field.source_id)).collect()
    }

    /// Names of the personal columns.
    ///
    /// # Errors
    /// [`TableError::PersonalColumnGone`] when a recorded column is not in the current schema.
    pub fn personal_columns(&self) -> Result<BTreeSet<&str>, TableError> {
        let names: BTreeSet<&str> = personal_names(self.metadata()).collect();
        match names.iter().find(|name| self.arrow_schema.index_of(name).is_err()) {
            None => Ok(names),
            Some(gone) => Err(TableError::PersonalColumnGone {
                table: self.name(),
                column: (*gone).to_owned(),
            }),
        }
    }

    /// The bucket of each value of the partition column (the first key column), or nothing when
    /// the table is unpartitioned. NULL has no bucket.
    ///
    /// # Errors
    /// [`TableError::Files`] when the values' type is not the column's;
    /// [`TableError::Partitioning`] when the table is partitioned by other than a bucket.
    pub fn buckets_of(&self, values: &ArrayRef) -> Result<Option<Int32Array>, TableError> {
        let Some(field) = self.partition_field() else { return Ok(None) };
        let transform = create_transform_function(&field.transform);
        let buckets = transform.and_then(|transform| transform.transform(Arc::clone(values)));
        let buckets = buckets.map_err(|source| self.files_error(source))?;
        let numbers = buckets.as_primitive_opt::<Int32Type>().cloned();
        numbers.map(Some).ok_or_else(|| self.partitioning("its partitions have no numbers"))
    }

    /// The name of the column whose hash decides a row's bucket.
    pub fn bucket_column(&self) -> Option<&str> {
        let field = self.partition_field()?;
        self.metadata().current_schema().name_by_field_id(field.source_id)
    }

    /// How many buckets the table has; 1 for an unpartitioned one.
    pub fn bucket_count(&self) -> usize {
        match self.partition_field().map(|field| field.transform) {
            Some(Transform::Bucket(buckets)) => usize::try_from(buckets).unwrap_or(1).max(1),
            _ => 1,
        }
    }

    fn partition_field(&self) -> Option<&PartitionField> {
        self.metadata().default_partition_spec().fields().first()
    }

    /// The snapshot that is read.
    pub(crate) fn current_snapshot(&self) -> Option<&SnapshotRef> {
        self.snapshot.as_ref()
    }

    pub(crate) fn files_error(&self, source: iceberg::Error) -> TableError {
        TableError::Files { table: self.name(), source: Box::new(source) }
    }

    pub(crate) fn partitioning(&self, reason: &'static str) -> TableError {
        TableError::Partitioning { table: self.name(), reason }
    }

    pub(crate) fn rows_error(
        &self,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> TableError {
        TableError::Rows { table: self.name(), source: Box::new(source) }
    }
}

/// The schema without field ids and other metadata, which would make equal schemas differ.
fn plain(schema: &ArrowSchema) -> SchemaRef {
    let fields = schema.fields().iter();
    let plain = |f: &Arc<Field>| Field::new(f.name(), f.data_type().clone(), f.is_nullable());
    Arc::new(ArrowSchema::new(fields.map(plain).collect::<Vec<_>>()))
}
