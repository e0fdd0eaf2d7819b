//! What a model reads, at the version at which it reads it.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_ingestion::layout::{BronzeKey, table_prefix};
use medallion_tables::changes::TableChanges;
use medallion_tables::provider::LakeTableProvider;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::graph::Input;
use super::session::described_schema;
use crate::bronze_table::BronzeTable;
use crate::error::TransformError;
use crate::record::BatchFile;
use crate::spec;

/// Which state of an input was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Version {
    /// An Iceberg snapshot; 0 for a table that was never written.
    Snapshot(i64),
    /// The files of a change feed, in the order of their keys.
    Files(Files),
}

/// A set of Bronze files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// How many.
    pub files: usize,
    /// The greatest key; empty without a file.
    pub last: String,
    /// SHA-256 over their keys and etags.
    pub sha256: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Snapshot(0) => write!(f, "never written"),
            Version::Snapshot(id) => write!(f, "snapshot {id}"),
            Version::Files(set) if set.files == 0 => write!(f, "no file"),
            Version::Files(set) => write!(f, "{} files up to `{}`", set.files, set.last),
        }
    }
}

/// The versions of all inputs, by table.
pub type Versions = BTreeMap<String, Version>;

/// One input as it is now.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a model has few inputs, and most are tables")]
pub(crate) enum Source {
    /// An Iceberg table at its current snapshot.
    Lake(LakeTable),
    /// A quarantine table before the first row is rejected: it is made then.
    Unwritten(SchemaRef),
    /// A change feed: the Bronze files that were listed, in the order of their keys.
    Feed { table: Arc<BronzeTable>, files: Vec<BatchFile> },
}

/// One input as it is now, for whoever only looks.
#[derive(Clone, Debug)]
pub struct Opened {
    /// How DataFusion reads it.
    pub provider: Arc<dyn TableProvider>,
    /// Which state it is.
    pub version: Version,
    /// Its rows, if they are known without reading them.
    pub rows: Option<u64>,
}

/// Opens a table as models read it; nothing when it does not exist yet.
///
/// # Errors
/// When catalog or bucket cannot be read.
pub async fn open(
    lake: &LakeDefinition,
    warehouse: &Warehouse,
    input: &Input,
) -> std::result::Result<Option<Opened>, TransformError> {
    let source = Source::load(lake, warehouse, input).await?;
    Ok(source.map(|source| Opened {
        provider: source.provider(),
        version: source.version(),
        rows: source.rows(),
    }))
}

/// What became of an input since a version.
#[derive(Clone, Debug)]
pub(crate) struct Since {
    /// The input at that version.
    pub(crate) before: Arc<dyn TableProvider>,
    /// Rows that were there then; those that were only written again are on both sides.
    pub(crate) removed: Arc<dyn TableProvider>,
    /// Rows that are there now.
    pub(crate) added: Arc<dyn TableProvider>,
    /// Rows on both sides, at most; nothing when it is not known.
    pub(crate) rows: Option<u64>,
}

impl Source {
    /// The input; nothing when the table does not exist yet. Change feeds always do, and quarantine
    /// is as good as empty before its first row.
    pub(crate) async fn load(
        lake: &LakeDefinition,
        warehouse: &Warehouse,
        input: &Input,
    ) -> std::result::Result<Option<Source>, TransformError> {
        let contract = lake.tables.iter().find(|c| c.table.lake_table() == input.table);
        let catalogue = lake.catalogue();
        let (Layer::Bronze, Some(contract)) = (input.layer, contract) else {
            let ident = spec::ident(lake, input.layer, &input.table);
            let table = warehouse.load(&ident).await?.map(Source::Lake);
            let unwritten = || {
                let facts = catalogue
                    .iter()
                    .find(|t| t.layer == Layer::Quarantine && t.name == input.table);
                facts.map(|facts| Source::Unwritten(described_schema(facts)))
            };
            return Ok(match input.layer {
                Layer::Quarantine => table.or_else(unwritten),
                // A model that was never published is not there, whatever its first build left.
                Layer::Gold => table.filter(|source| source.version() != Version::Snapshot(0)),
                Layer::Bronze | Layer::Silver => table,
            });
        };
        let bucket = warehouse.bucket();
        let objects = bucket.list(&table_prefix(&contract.table)).await?;
        let bronze = objects.into_iter().filter(|o| o.key.parse::<BronzeKey>().is_ok());
        let mut files: Vec<BatchFile> =
            bronze.map(|o| BatchFile { key: o.key, etag: o.etag, size: o.size }).collect();
        files.sort_by(|a, b| a.key.cmp(&b.key));
        let facts = catalogue.iter().find(|t| t.layer == input.layer && t.name == input.table);
        let Some(facts) = facts else { return Ok(None) };
        let table = Arc::new(BronzeTable::lower_case(contract, facts, bucket.clone()));
        Ok(Some(Source::Feed { table, files }))
    }

    /// Which state it is.
    pub(crate) fn version(&self) -> Version {
        match self {
            Source::Lake(table) => Version::Snapshot(table.snapshot_id().unwrap_or_default()),
            Source::Unwritten(_) => Version::Snapshot(0),
            Source::Feed { files, .. } => Version::Files(version_of(files)),
        }
    }

    /// Its columns: what a snapshot id does not tell, since a table's columns change without one.
    pub(crate) fn columns(&self) -> String {
        match self {
            Source::Lake(table) => {
                let fields = table.metadata().current_schema().as_struct().fields();
                fields.iter().map(|f| format!("{} {} {}\n", f.id, f.name, f.field_type)).collect()
            }
            Source::Unwritten(schema) => arrow_columns(schema),
            Source::Feed { table, .. } => arrow_columns(&table.schema()),
        }
    }

    /// Its rows, if they are known without reading them.
    pub(crate) fn rows(&self) -> Option<u64> {
        let table = match self {
            Source::Lake(table) => table,
            Source::Unwritten(_) => return Some(0),
            Source::Feed { .. } => return None,
        };
        let Some(summary) = table.summary() else { return Some(0) };
        let number = |key: &str| summary.get(key)?.parse::<u64>().ok();
        let deleted = number("total-position-deletes").unwrap_or_default();
        Some(number("total-records")?.saturating_sub(deleted))
    }

    /// The Iceberg table, if it is one.
    pub(crate) fn lake_table(&self) -> Option<&LakeTable> {
        match self {
            Source::Lake(table) => Some(table),
            Source::Unwritten(_) | Source::Feed { .. } => None,
        }
    }

    /// The input as DataFusion reads it.
    pub(crate) fn provider(&self) -> Arc<dyn TableProvider> {
        match self {
            Source::Lake(table) => Arc::new(LakeTableProvider::new(table.clone())),
            Source::Unwritten(schema) => Arc::new(EmptyTable::new(Arc::clone(schema))),
            Source::Feed { table, files } => Arc::new(table.with_files(files.clone())),
        }
    }

    /// What changed since a version, or why that cannot be known.
    pub(crate) async fn since(
        &self,
        old: &Version,
    ) -> std::result::Result<std::result::Result<Since, String>, TransformError> {
        match (self, old) {
            (Source::Lake(table), Version::Snapshot(id)) => lake_since(table, *id).await,
            (Source::Feed { table, files }, Version::Files(old)) => {
                Ok(feed_since(table, files, old))
            }
            _ => Ok(Err("it was read in another way before".to_owned())),
        }
    }
}

async fn lake_since(
    table: &LakeTable,
    id: i64,
) -> std::result::Result<std::result::Result<Since, String>, TransformError> {
    let before = match id {
        0 => table.at_nothing(),
        id => match table.at_snapshot(id) {
            Ok(before) => before,
            Err(_) => return Ok(Err(format!("snapshot {id} has expired"))),
        },
    };
    let changes = Arc::new(table.changes_since(&before).await?);
    let side = |is_new| -> Arc<dyn TableProvider> {
        let schema = Arc::clone(table.arrow_schema());
        Arc::new(Changed { changes: Arc::clone(&changes), is_new, schema })
    };
    Ok(Ok(Since {
        removed: side(false),
        added: side(true),
        rows: Some(changes.rows()),
        before: Arc::new(LakeTableProvider::new(before)),
    }))
}

fn arrow_columns(schema: &SchemaRef) -> String {
    schema.fields().iter().map(|f| format!("{} {}\n", f.name(), f.data_type())).collect()
}

/// Files only come. The old ones are known by their number and the hash over them; a file that came
/// late stands among them, and makes the hash another.
fn feed_since(
    table: &BronzeTable,
    files: &[BatchFile],
    old: &Files,
) -> std::result::Result<Since, String> {
    let until = files.partition_point(|file| file.key <= old.last);
    let (before, new) = files.split_at(until);
    if version_of(before) != *old {
        return Err("files came late or were replaced".to_owned());
    }
    let rows = new.is_empty().then_some(0);
    Ok(Since {
        before: Arc::new(table.with_files(before.to_vec())),
        removed: Arc::new(EmptyTable::new(table.schema())),
        added: Arc::new(table.with_files(new.to_vec())),
        rows,
    })
}

fn version_of(files: &[BatchFile]) -> Files {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(format!("{}\n{}\n", file.key, file.etag));
    }
    let last = files.last().map(|file| file.key.clone()).unwrap_or_default();
    Files { files: files.len(), last, sha256: hex::encode(hash.finalize()) }
}

/// One side of the changes of a table.
#[derive(Debug)]
struct Changed {
    changes: Arc<TableChanges>,
    is_new: bool,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for Changed {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.schema.project(&columns)?);
        let read = Read {
            changes: Arc::clone(&self.changes),
            is_new: self.is_new,
            schema: Arc::clone(&schema),
        };
        let streams: Vec<Arc<dyn PartitionStream>> = vec![Arc::new(read)];
        Ok(Arc::new(StreamingTableExec::try_new(schema, streams, None, [], false, limit)?))
    }
}

#[derive(Debug)]
struct Read {
    changes: Arc<TableChanges>,
    is_new: bool,
    schema: SchemaRef,
}

impl PartitionStream for Read {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let names: Vec<String> = self.schema.fields().iter().map(|f| f.name().clone()).collect();
        let rows =
            if self.is_new { self.changes.added(&names) } else { self.changes.removed(&names) };
        let rows = rows.map_err(|e| DataFusionError::External(Box::new(e))).boxed();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
