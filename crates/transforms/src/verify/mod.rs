//! Verifying a Silver table: its rows beside what they should be, computed anew from Bronze or
//! read from the source.
//!
//! The expected side goes the way of a batch: files are read, normalised and checked, their changes
//! are collected by bucket (on local disk beyond the job's memory), and the last change of every
//! key decides. Nothing else of the merge is used: no watermark, no location of keys, no earlier
//! state of the table. Buckets are compared by sums of hashes; where these differ, ranges of keys
//! are narrowed down to the rows. Memory is bounded by the job's setting, except for 32 bytes for
//! each row that was or is rejected by a check that depends on the time.
//!
//! All source columns are compared as Silver has them. Of the technical columns, `_loaded_at` says
//! nothing about the source. `_change_seq` and `_changed_at` have to be those of an applied change
//! of the key: of the deciding one, or of an earlier one, since the merge leaves a row alone when a
//! later change carries the same values.

mod actual;
mod bisect;
mod bucket;
mod detail;
mod error;
mod expected;
#[cfg(test)]
mod fixture;
mod hash;
mod join;
mod json;
mod report;
mod text;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_ingestion::layout::{BronzeKey, table_prefix};
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;

use self::actual::Actual;
use self::bucket::Comparer;
use self::detail::Showing;
pub use self::error::VerifyError;
use self::expected::Expected;
use self::hash::RowHasher;
pub use self::report::{
    Against, BucketReport, ColumnDifference, Counts, Kind, RowDifference, Shown, SourcePosition,
    Taken, Verification, Verified,
};
use crate::bronze;
use crate::error::TransformError;
use crate::merge::intake::{Intake, Purpose};
use crate::merge::key::KeyEncoder;
use crate::merge::partition::{Bucket, Collector};
use crate::merge::schedule::Tasks;
use crate::merge::verdicts::rejected_by_time;
use crate::merge::{COLLECTED, event};
use crate::plan::{AppliedFiles, applied_files};
use crate::quality::QualityPlan;
use crate::record::Applied;
use crate::spec;

/// A key that is not compared takes about so many bytes of memory, and all of them together an
/// eighth of the job's.
const LEFT_OUT: (u64, u64) = (32, 8);

/// The verification of one table. Nothing is written to the lake.
pub struct VerifyJob<'a> {
    /// The lake.
    pub lake: &'a LakeDefinition,
    /// The table's contract.
    pub contract: &'a TableContract,
    /// Where the lake lives.
    pub warehouse: &'a Warehouse,
    /// The job's own time, microseconds since the epoch; `not_future` uses it.
    pub now_micros: i64,
    /// The memory that the job may take, in bytes, before it goes to the disk.
    pub memory_bytes: u64,
    /// The most differing rows that are shown; all are counted.
    pub rows: usize,
}

/// The table as it was when the verification began.
struct Base {
    table: LakeTable,
    applied: AppliedFiles,
}

impl VerifyJob<'_> {
    /// Compares the table with its state computed anew from Bronze: from the files of the load
    /// generation in force that were applied, which the newest batch record names. Files that wait
    /// to be applied are left out.
    ///
    /// Rows that were quarantined for `not_future` stay rejected, although their time may have
    /// come since.
    ///
    /// # Errors
    /// [`VerifyError::Lost`] when an applied file is gone or was overwritten: what was in it
    /// cannot be known. [`TransformError::SchemaDiffers`] when the table is not as the contract
    /// describes it, as before the first run by a changed contract; or what cannot be read.
    pub async fn against_bronze(&self) -> Result<Verification, VerifyError> {
        let base = self.base().await?;
        if !base.applied.lost.is_empty() {
            let files = base.applied.lost.clone();
            return Err(VerifyError::Lost { table: self.contract.table.clone(), files });
        }
        let intake = Arc::new(self.intake()?);
        let files = base.applied.files.clone();
        let mut taken = Taken {
            files: files.len(),
            bytes: files.iter().map(|file| file.size).sum(),
            ..Taken::default()
        };
        let before = rejected_by_time(self.lake, self.warehouse, self.contract, &files).await?;
        let mut events = self.collector(&base.table);
        let mut prepared = intake.read(files, &Purpose::Recompute, &before);
        while let Some(rows) = prepared.next().await {
            let rows = rows?;
            taken.rows += rows.stats.rows;
            events.add(&intake.keys, rows.events)?;
        }
        let against = Against::Bronze { forgotten: base.applied.forgotten };
        self.compare(base, &intake, events, HashSet::new(), taken, against).await
    }

    /// Begins to compare the table with the source: takes the table's snapshot, so that a
    /// snapshot of the source that is taken afterwards is no older.
    ///
    /// # Errors
    /// As [`VerifyJob::against_bronze`], but Bronze files are not read.
    pub async fn against_source(&self) -> Result<SourceComparison<'_>, VerifyError> {
        let base = self.base().await?;
        let events = self.collector(&base.table);
        Ok(SourceComparison {
            job: self,
            intake: Arc::new(self.intake()?),
            hasher: RowHasher::new(self.contract)?,
            events,
            left_out: HashSet::new(),
            taken: Taken::default(),
            base,
        })
    }

    async fn base(&self) -> Result<Base, VerifyError> {
        let (source, bucket) = (&self.contract.table, self.warehouse.bucket());
        let ident = spec::ident(self.lake, Layer::Silver, &source.lake_table());
        let table = self.warehouse.load(&ident).await.map_err(TransformError::from)?;
        let table = table.ok_or_else(|| VerifyError::NoTable { table: source.clone() })?;
        let differences = spec::silver(bucket.name(), self.contract).differences(&table);
        if !differences.is_empty() {
            let table = ident.to_string();
            return Err(TransformError::SchemaDiffers { table, differences }.into());
        }
        let mut applied = Applied::read(bucket, source, &table).await?;
        applied.read_earlier(bucket).await?;
        let listing = bucket.list(&table_prefix(source)).await.map_err(TransformError::from)?;
        Ok(Base { applied: applied_files(source, &listing, &applied), table })
    }

    fn intake(&self) -> Result<Intake, TransformError> {
        let quality = QualityPlan::new(self.contract)
            .map_err(|source| TransformError::quality(&self.contract.table, source))?;
        Ok(Intake {
            bucket: self.warehouse.bucket().clone(),
            contract: self.contract.clone(),
            quality,
            keys: KeyEncoder::new(self.contract)?,
            now_micros: self.now_micros,
            watermark_seq: String::new(),
        })
    }

    fn collector(&self, table: &LakeTable) -> Collector {
        let limit = usize::try_from(self.memory_bytes * COLLECTED.0 / COLLECTED.1);
        Collector::new(table, event::schema(self.contract), limit.unwrap_or(usize::MAX))
    }

    async fn compare(
        &self,
        base: Base,
        intake: &Arc<Intake>,
        events: Collector,
        left_out: HashSet<u128>,
        taken: Taken,
        against: Against,
    ) -> Result<Verification, VerifyError> {
        let Base { table, applied } = base;
        let events = events.finish(&intake.keys)?;
        let origins = matches!(against, Against::Bronze { .. });
        let comparer = Comparer {
            expected: Expected::new(intake, &table, events, left_out, self.memory_bytes)?,
            actual: Actual::new(self.contract, &table).await?,
            hasher: RowHasher::new(self.contract)?,
            showing: Showing::new(self.contract, origins),
            columns: self.contract.columns.iter().map(|c| c.name.to_string()).collect(),
            origins,
            memory_bytes: self.memory_bytes,
            shown: self.rows,
        };
        let verified = verified(&table, &applied, &comparer.actual);
        Ok(Verification {
            table: self.contract.table.clone(),
            verified,
            against,
            taken,
            columns: comparer.columns.len(),
            buckets: buckets(comparer, self.rows).await?,
        })
    }
}

fn verified(table: &LakeTable, applied: &AppliedFiles, actual: &Actual) -> Verified {
    let history = table.history();
    let committed = history.first().map(|snapshot| snapshot.timestamp_ms());
    Verified {
        snapshot: table.snapshot_id(),
        committed: committed.and_then(DateTime::from_timestamp_millis),
        generation: applied.generation.clone(),
        watermark: applied.watermark.clone(),
        unapplied: applied.unapplied,
        bytes: actual.bytes(),
    }
}

/// All buckets, as many at a time as there are processors; `shown` rows of all of them together.
async fn buckets(comparer: Comparer, shown: usize) -> Result<Vec<BucketReport>, VerifyError> {
    let found: BTreeSet<Bucket> =
        comparer.actual.buckets().chain(comparer.expected.buckets()).collect();
    let comparer = Arc::new(comparer);
    let mut tasks = Tasks::<BucketReport, VerifyError>::new();
    for bucket in found {
        let comparer = Arc::clone(&comparer);
        tasks.spawn(async move { comparer.bucket(bucket).await });
    }
    let mut reports = tasks.finish().await?;
    reports.sort_by_key(|report| report.bucket);
    let mut room = shown;
    for report in &mut reports {
        report.rows.truncate(room);
        room -= report.rows.len();
    }
    Ok(reports)
}

/// A comparison with the source that is under way.
pub struct SourceComparison<'a> {
    job: &'a VerifyJob<'a>,
    base: Base,
    intake: Arc<Intake>,
    hasher: RowHasher,
    events: Collector,
    left_out: HashSet<u128>,
    taken: Taken,
}

impl SourceComparison<'_> {
    /// Takes some rows of the source table, in the form of a Bronze file of a full load. Rows that
    /// fail a check are counted, and their keys are not compared: Silver keeps their last valid
    /// state.
    ///
    /// # Errors
    /// [`VerifyError::SourceRows`] when they do not fit the contract;
    /// [`VerifyError::TooManyRejected`].
    pub fn add(&mut self, file: Bytes) -> Result<(), VerifyError> {
        let contract = self.job.contract;
        let number = self.taken.files as u64;
        let key = BronzeKey::Load { table: contract.table.clone(), segment: None, number: 1 };
        let raw = bronze::read(contract, &key.to_string(), number, file);
        let raw = raw.map_err(|error| match error {
            TransformError::BronzeFile { reason, .. } => {
                VerifyError::SourceRows { table: contract.table.clone(), reason }
            }
            error => VerifyError::Lake(error),
        })?;
        let judged = self.intake.judge(&raw)?;
        let keys = self.hasher.keys(&judged.checked.source)?;
        self.left_out.extend(judged.failures.iter().map(|(row, _)| keys[*row]));
        let limit = usize::try_from(self.job.memory_bytes / LEFT_OUT.0 / LEFT_OUT.1);
        let limit = limit.unwrap_or(usize::MAX);
        if self.left_out.len() > limit {
            return Err(VerifyError::TooManyRejected { table: contract.table.clone(), limit });
        }
        self.taken.files += 1;
        self.taken.rows += raw.len() as u64;
        self.taken.rejected += judged.failures.len() as u64;
        let (keys, rejected) = (&self.intake.keys, &judged.rejected);
        let events = event::Events::new(keys, contract, &judged.checked, rejected, true)?;
        Ok(self.events.add(keys, events)?)
    }

    /// Compares, once all rows were taken.
    ///
    /// # Errors
    /// What cannot be read.
    pub async fn finish(self, position: SourcePosition) -> Result<Verification, VerifyError> {
        let SourceComparison { job, base, intake, events, left_out, taken, .. } = self;
        let against = Against::Source(position);
        job.compare(base, &intake, events, left_out, taken, against).await
    }
}
