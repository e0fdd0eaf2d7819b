//! What the table holds: the live rows of its files, bucket by bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use futures::TryStreamExt;
use medallion_definition::change::{SILVER_CHANGE_SEQ, SILVER_CHANGED_AT};
use medallion_definition::contract::TableContract;
use medallion_tables::files::LiveFile;
use medallion_tables::table::LakeTable;
use roaring::RoaringTreemap;

use super::error::VerifyError;
use super::hash::{AT, SEQ, compared_schema};
use crate::error::TransformError;
use crate::merge::partition::Bucket;

/// The live files of a table, by bucket.
pub(super) struct Actual {
    table: LakeTable,
    schema: SchemaRef,
    files: BTreeMap<Bucket, Vec<LiveFile>>,
}

impl Actual {
    pub(super) async fn new(
        contract: &TableContract,
        table: &LakeTable,
    ) -> Result<Actual, TransformError> {
        let mut files: BTreeMap<Bucket, Vec<LiveFile>> = BTreeMap::new();
        for file in table.live_files().await? {
            files.entry(file.bucket()).or_default().push(file);
        }
        Ok(Actual { table: table.clone(), schema: compared_schema(contract), files })
    }

    /// The buckets that have files.
    pub(super) fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.files.keys().copied()
    }

    /// Bytes of the live data files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().flatten().map(LiveFile::size).sum()
    }

    /// Hands out the live rows of a bucket, in no order, as batches of [`compared_schema`].
    pub(super) async fn each(
        &self,
        bucket: Bucket,
        mut take: impl FnMut(&RecordBatch) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        for file in self.files.get(&bucket).into_iter().flatten() {
            let none = RoaringTreemap::new();
            let rows = self.table.read_except(file, &none).map_err(TransformError::from)?;
            let mut rows = rows.map_err(TransformError::from);
            while let Some(rows) = rows.try_next().await? {
                take(&self.fit(&rows)?)?;
            }
        }
        Ok(())
    }

    fn fit(&self, rows: &RecordBatch) -> Result<RecordBatch, TransformError> {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let column = |name: &str| -> Result<ArrayRef, TransformError> {
            Ok(Arc::clone(rows.column(rows.schema().index_of(name)?)))
        };
        let columns = self.schema.fields().iter().map(|field| match field.name().as_str() {
            SEQ => column(SILVER_CHANGE_SEQ),
            AT => {
                let times = column(SILVER_CHANGED_AT)?;
                let times = times.as_primitive::<TimestampMicrosecondType>().clone();
                Ok(Arc::new(times.with_timezone_opt(None::<Arc<str>>)) as ArrayRef)
            }
            name => {
                let values = column(name)?;
                if values.data_type() == field.data_type() {
                    return Ok(values);
                }
                Ok(cast_with_options(&values, field.data_type(), &strict)?)
            }
        });
        let columns = columns.collect::<Result<Vec<_>, TransformError>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
