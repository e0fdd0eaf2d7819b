//! The Silver job: which Bronze files are new, and one atomic commit that merges them.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Duration, NaiveDateTime};
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::{Layer, TableId};
use medallion_ingestion::layout::{BronzeKey, table_prefix};
use medallion_tables::commit::CommitError;
use medallion_tables::store::ObjectMeta;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;

use crate::error::TransformError;
use crate::merge;
pub use crate::merge::Balance;
use crate::quality::QualityPlan;
use crate::spec;
use crate::summary::{self, Applied, BatchFile};

/// How far back a file that sorts before the watermark is still looked for.
pub const LOOK_BACK: Duration = Duration::days(2);
/// How often a batch is planned again after losing a race.
const ATTEMPTS: usize = 5;

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

/// What a run did.
#[derive(Clone, Debug)]
pub enum SilverOutcome {
    /// No new file: nothing was written.
    UpToDate,
    /// One batch was committed.
    Committed {
        /// The number of Bronze files.
        files: usize,
        /// Where each row went.
        balance: Balance,
        /// The new snapshot.
        snapshot: i64,
    },
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
}

/// The place of a Bronze object in file order: full load first, then by write time.
pub(crate) fn place(key: &str) -> Option<(Option<NaiveDateTime>, String)> {
    match key.parse::<BronzeKey>().ok()? {
        BronzeKey::Load { .. } => Some((None, key.to_owned())),
        BronzeKey::Changes { written, .. } => Some((Some(written), key.to_owned())),
    }
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
        Ok(self.warehouse.ensure_table(&ident, &spec).await?)
    }

    /// Finds the files that have not been applied, by listing Bronze; events are only hints.
    ///
    /// # Errors
    /// [`TransformError::Reloaded`] when an applied file has another etag now.
    pub async fn plan(&self, base: &LakeTable) -> Result<SilverPlan, TransformError> {
        let bucket = self.warehouse.bucket();
        let listed = bucket.list(&table_prefix(&self.contract.table)).await?;
        let newest = base.summary().and_then(|s| s.get(summary::WATERMARK)).and_then(|k| place(k));
        let limit = newest.as_ref().and_then(|(time, _)| time.map(|t| t - LOOK_BACK));
        let young = |key: &str| match (place(key), limit) {
            (Some((Some(time), _)), Some(limit)) => time >= limit,
            _ => true,
        };
        let applied = summary::applied(bucket, base, young).await?;
        let files = self.new_files(listed, &applied, young)?;
        Ok(SilverPlan {
            table: self.contract.table.clone(),
            base: base.snapshot_id(),
            files,
            applied,
        })
    }

    fn new_files(
        &self,
        listed: Vec<ObjectMeta>,
        applied: &Applied,
        young: impl Fn(&str) -> bool,
    ) -> Result<Vec<BatchFile>, TransformError> {
        let mut files = BTreeMap::new();
        for object in listed {
            let Some(place) = place(&object.key) else { continue };
            match applied.files.get(&object.key) {
                Some(etag) if *etag == object.etag => {}
                Some(_) => return Err(TransformError::Reloaded { key: object.key }),
                None if young(&object.key) => {
                    let ObjectMeta { key, etag, size, .. } = object;
                    files.insert(place, BatchFile { key, etag, size });
                }
                None => {}
            }
        }
        Ok(files.into_values().collect())
    }

    /// Plans and applies batches until the commit succeeds; a lost race is planned again.
    ///
    /// # Errors
    /// Any [`TransformError`]; the table is then as it was.
    pub async fn run(&self) -> Result<SilverOutcome, TransformError> {
        let quality = QualityPlan::new(self.contract)
            .map_err(|source| TransformError::quality(&self.contract.table, source))?;
        let mut attempt = 1;
        loop {
            let base = self.table().await?;
            let plan = self.plan(&base).await?;
            if plan.files.is_empty() {
                return Ok(SilverOutcome::UpToDate);
            }
            match merge::apply(self, &quality, &base, &plan).await {
                Err(TransformError::Commit { source, .. })
                    if attempt < ATTEMPTS && matches!(*source, CommitError::Conflict { .. }) =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}
