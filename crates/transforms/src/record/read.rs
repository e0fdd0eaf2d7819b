//! Reading back what a table's snapshots say was applied.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDateTime};
use futures::StreamExt;
use medallion_definition::name::TableId;
use medallion_tables::store::Bucket;
use medallion_tables::table::LakeTable;

use super::{AppliedFile, AppliedState, BatchRecord, load};
use crate::error::TransformError;
use crate::file_order::place;
use crate::plan::{Generation, LOOK_BACK};
use crate::summary;

/// How many batch records are read at a time.
const PARALLEL: usize = 16;

/// What has been applied to a Silver table so far, as a plan needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The table's snapshot.
    pub base: Option<i64>,
    /// True when the table holds no row.
    pub empty: bool,
    /// The record of the newest batch.
    pub record: Option<String>,
    /// The generation of the newest batch; nothing when there is no batch.
    pub generation: Option<Generation>,
    /// The greatest key of the generation in file order.
    pub watermark: Option<String>,
    /// The greatest sequence of the generation.
    pub watermark_seq: String,
    /// The files.
    pub(crate) state: AppliedState,
    /// The change files of earlier generations, key to etag; read only when a plan needs them.
    pub(crate) earlier: BTreeMap<String, String>,
}

/// The key of the newest batch record in a table's history. A snapshot of somebody else, such as a
/// compaction, says nothing about batches and stands in nobody's way.
pub fn newest_record(table: &LakeTable) -> Option<String> {
    let mut history = table.history().into_iter();
    history.find_map(|s| s.summary().additional_properties.get(summary::BATCH_RECORD).cloned())
}

impl Applied {
    /// Nothing: there is no table yet.
    pub fn nothing() -> Applied {
        Applied { empty: true, ..Applied::default() }
    }

    /// As if nothing of the generation were applied yet. What is known of earlier ones stays.
    pub(crate) fn restarted(&self) -> Applied {
        let state = AppliedState {
            earlier_loads: self.state.earlier_loads.clone(),
            earlier: self.state.earlier.clone(),
            ..AppliedState::default()
        };
        let (generation, earlier) = (self.generation.clone(), self.earlier.clone());
        Applied { generation, earlier, state, ..Applied::nothing() }
    }

    /// Reads it by one request for the newest record. Below records of older versions, which tell
    /// only of their own batch, all within the look-back are read.
    ///
    /// # Errors
    /// When a batch record is missing or was tampered with, or the table holds rows and no snapshot
    /// names a record.
    pub async fn read(
        bucket: &Bucket,
        table: &TableId,
        base: &LakeTable,
    ) -> Result<Applied, TransformError> {
        let mut applied =
            Applied { base: base.snapshot_id(), empty: holds_no_row(base), ..Applied::default() };
        let newest = base.history().into_iter().find_map(|snapshot| {
            let summary = &snapshot.summary().additional_properties;
            Some((summary, summary.get(summary::BATCH_RECORD)?))
        });
        let Some((summary, key)) = newest else {
            if applied.empty {
                return Ok(applied);
            }
            let reason =
                "the table holds rows, but none of its snapshots names a record".to_owned();
            return Err(TransformError::BatchRecord { key: format!("batches/{table}/"), reason });
        };
        applied.record = Some(key.clone());
        applied.watermark = summary.get(summary::WATERMARK).filter(|w| !w.is_empty()).cloned();
        applied.watermark_seq = summary.get(summary::WATERMARK_SEQ).cloned().unwrap_or_default();
        let sha256 = summary.get(summary::BATCH_SHA256).map(String::as_str);
        let record: BatchRecord = load(bucket, key, sha256).await?;
        match (record.applied, record.generation) {
            (Some(state), Some(generation)) => {
                applied.state = state;
                applied.generation = Some(generation);
            }
            _ => applied.read_older(bucket, base).await?,
        }
        Ok(applied)
    }

    /// Reads the list of the change files of earlier generations.
    ///
    /// # Errors
    /// When it is missing or was tampered with.
    pub async fn read_earlier(&mut self, bucket: &Bucket) -> Result<(), TransformError> {
        if let Some(earlier) = &self.state.earlier {
            self.earlier = load(bucket, &earlier.key, Some(&earlier.sha256)).await?;
        }
        Ok(())
    }

    /// Records of older versions hold keys and etags of one batch: they are read as far back as
    /// the look-back, and those of the full load.
    async fn read_older(
        &mut self,
        bucket: &Bucket,
        base: &LakeTable,
    ) -> Result<(), TransformError> {
        let records = older_records(base, self.look_back());
        let load = |(key, sha256): (String, Option<String>)| async move {
            load::<BatchRecord>(bucket, &key, sha256.as_deref()).await
        };
        let mut loaded = futures::stream::iter(records.into_iter().map(load)).buffered(PARALLEL);
        while let Some(record) = loaded.next().await {
            for file in record?.files {
                let full_load = place(&file.file.key).is_some_and(|p| p.0.is_none());
                let files = if full_load { &mut self.state.loads } else { &mut self.state.changes };
                files.insert(file.file.key.clone(), file);
            }
        }
        // Whatever was applied before the look-back holds nothing later.
        self.state.forgotten_seq = Some(self.watermark_seq.clone());
        let loads = self.state.loads.len();
        self.generation = Some(Generation { number: 1, since: None, loads });
        Ok(())
    }

    /// The beginning of the look-back as far as the watermark tells it.
    fn look_back(&self) -> Option<NaiveDateTime> {
        let reached = self.watermark.as_deref().and_then(place).and_then(|p| p.0);
        reached.map(|reached| reached - LOOK_BACK - Duration::days(1))
    }

    /// The change files remembered.
    pub fn changes(&self) -> impl Iterator<Item = &AppliedFile> {
        self.state.changes.values()
    }
}

fn holds_no_row(table: &LakeTable) -> bool {
    match table.summary() {
        None => true,
        Some(summary) => summary.get("total-records").is_some_and(|records| records == "0"),
    }
}

/// Keys and SHA-256 of the records that matter: those of the full load, and those committed
/// within the look-back or reaching into it.
fn older_records(
    table: &LakeTable,
    look_back: Option<NaiveDateTime>,
) -> BTreeMap<String, Option<String>> {
    let mut records: BTreeMap<String, Option<String>> = BTreeMap::new();
    for snapshot in table.history() {
        let summary = &snapshot.summary().additional_properties;
        let Some(record) = summary.get(summary::BATCH_RECORD) else { continue };
        if records.is_empty() {
            let loads = summary.get(summary::LOAD_RECORDS).map_or("", String::as_str);
            let loads = loads.split(',').filter(|l| !l.is_empty());
            records.extend(loads.map(|l| (l.to_owned(), None)));
        }
        let reached = summary.get(summary::WATERMARK).and_then(|w| place(w)?.0);
        let committed = DateTime::from_timestamp_millis(snapshot.timestamp_ms());
        let before = |time: Option<NaiveDateTime>| {
            time.zip(look_back).is_some_and(|(time, look_back)| time < look_back)
        };
        if before(reached) && before(committed.map(|c| c.naive_utc())) {
            break;
        }
        records.insert(record.clone(), summary.get(summary::BATCH_SHA256).cloned());
    }
    records
}
