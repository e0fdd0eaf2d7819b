//! Planning a Silver batch: which Bronze files are new.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Duration, NaiveDateTime};
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::{Layer, TableId};
use medallion_ingestion::layout::table_prefix;
use medallion_tables::store::ObjectMeta;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;

use crate::error::TransformError;
use crate::file_order::place;
use crate::spec;
use crate::summary::{self, Applied, BatchFile};

/// How far back a file that sorts before the watermark is still looked for.
pub const LOOK_BACK: Duration = Duration::days(2);
/// The most Bronze bytes, as stored, that one batch applies unless the job says otherwise.
pub const BATCH_BYTES: u64 = 256 << 20;

/// A batch: the Bronze files that the next commit will apply, in order. Printable.
#[derive(Clone, Debug)]
pub struct SilverPlan {
    /// The source table.
    pub table: TableId,
    /// The snapshot that the batch is planned against.
    pub base: Option<i64>,
    /// The new files in the order of application: full load first, then by write time.
    pub files: Vec<BatchFile>,
    pub(crate) applied: Applied,
}

impl fmt::Display for SilverPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = self.base.map_or("none".to_owned(), |id| id.to_string());
        let watermark = self.applied.watermark.as_deref().unwrap_or("none");
        writeln!(f, "silver plan for {}", self.table)?;
        writeln!(f, "  base snapshot  {base}")?;
        writeln!(f, "  watermark      {watermark}")?;
        writeln!(f, "  new files      {}", self.files.len())?;
        for file in &self.files {
            writeln!(f, "    {} ({} bytes)", file.key, file.size)?;
        }
        Ok(())
    }
}

/// The job of one table.
pub struct SilverJob<'a> {
    /// The lake.
    pub lake: &'a LakeDefinition,
    /// The table's contract.
    pub contract: &'a TableContract,
    /// Where the lake lives.
    pub warehouse: &'a Warehouse,
    /// The job's own time, microseconds since the epoch; `_loaded_at` and `not_future` use it.
    pub now_micros: i64,
    /// The most Bronze bytes, as stored, that one batch applies; a larger file is a batch of its
    /// own. Further batches follow in the same run.
    pub batch_bytes: u64,
}

impl SilverJob<'_> {
    /// The Silver table, created when it is not there yet.
    ///
    /// # Errors
    /// When the catalog or the bucket refuses.
    pub async fn table(&self) -> Result<LakeTable, TransformError> {
        let name = self.contract.table.lake_table();
        let ident = spec::ident(self.lake, Layer::Silver, &name);
        let spec = spec::silver(self.warehouse.bucket().name(), self.contract);
        spec::ensure(self.warehouse, &ident, &spec).await
    }

    /// The plan as a text for people; nothing is created or changed.
    ///
    /// # Errors
    /// As [`SilverJob::plan`].
    pub async fn explain(&self) -> Result<String, TransformError> {
        let ident = spec::ident(self.lake, Layer::Silver, &self.contract.table.lake_table());
        let base = self.warehouse.load(&ident).await?;
        Ok(self.plan(base.as_ref()).await?.to_string())
    }

    /// Finds the files that have not been applied, by listing Bronze; events are only hints.
    ///
    /// # Errors
    /// [`TransformError::Reloaded`] when an applied file has another etag now.
    pub async fn plan(&self, base: Option<&LakeTable>) -> Result<SilverPlan, TransformError> {
        let bucket = self.warehouse.bucket();
        let listed = bucket.list(&table_prefix(&self.contract.table)).await?;
        let watermark = base.and_then(summary::watermark).and_then(|key| place(&key)?.0);
        // A name from the future must not make everything that really comes look too old.
        let now = chrono::DateTime::from_timestamp_micros(self.now_micros).map(|t| t.naive_utc());
        let newest = watermark.map(|w| now.map_or(w, |now| w.min(now)));
        let limit = newest.map(|newest| newest - LOOK_BACK);
        let applied = match base {
            Some(base) => summary::applied(bucket, base, limit).await?,
            None => Applied::default(),
        };
        let files = self.new_files(listed, &applied, limit)?;
        let base = base.and_then(LakeTable::snapshot_id);
        Ok(SilverPlan { table: self.contract.table.clone(), base, files, applied })
    }

    fn new_files(
        &self,
        listed: Vec<ObjectMeta>,
        applied: &Applied,
        limit: Option<NaiveDateTime>,
    ) -> Result<Vec<BatchFile>, TransformError> {
        let mut files = BTreeMap::new();
        for object in listed {
            let Some(place) = place(&object.key) else { continue };
            // Young by its name or by its arrival: a file that is put back later is found too.
            let arrived = chrono::DateTime::from_timestamp_micros(object.modified_micros);
            let young = match (place.0, limit) {
                (Some(time), Some(limit)) => {
                    time >= limit || arrived.is_none_or(|a| a.naive_utc() >= limit)
                }
                _ => true,
            };
            match applied.files.get(&object.key) {
                Some(etag) if *etag == object.etag => {}
                Some(_) => return Err(TransformError::Reloaded { key: object.key }),
                None if young => {
                    let ObjectMeta { key, etag, size, .. } = object;
                    files.insert(place, BatchFile { key, etag, size });
                }
                None => {}
            }
        }
        // As many as one batch may hold, in order; the next batch takes the rest.
        let mut bytes = 0;
        let mut batch = Vec::new();
        for file in files.into_values() {
            bytes += file.size;
            if bytes > self.batch_bytes && !batch.is_empty() {
                break;
            }
            batch.push(file);
        }
        Ok(batch)
    }
}
