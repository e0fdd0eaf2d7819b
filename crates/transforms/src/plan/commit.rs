//! What a commit of the plan says about itself: its record and its entries in the summary.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDateTime};

use super::{FileKind, LOOK_BACK, SilverPlan};
use crate::file_order::place;
use crate::record::{AppliedFile, AppliedState, BatchRecord, FileStats, ObjectReference};
use crate::summary;

/// Change files are remembered for so much longer than they are looked for.
pub(super) const MARGIN: Duration = Duration::days(1);

impl SilverPlan {
    /// The record of the batch, once it is known what the files hold; `stats` are in plan order.
    pub fn record(&self, stats: &[FileStats]) -> BatchRecord {
        let files = self.files.iter().enumerate().map(|(i, planned)| {
            let stats = stats.get(i);
            AppliedFile {
                file: planned.file.clone(),
                modified_micros: Some(planned.modified_micros),
                rows: stats.map(|s| s.rows),
                min_seq: stats.map(|s| s.min_seq.clone()),
                max_seq: stats.map(|s| s.max_seq.clone()),
            }
        });
        let mut record = BatchRecord::new(&self.table, files.collect());
        record.generation = Some(self.generation.clone());
        record.mode = Some(self.mode);
        record.base = self.base;
        record.restarts = self.restarts;
        record.applied = Some(self.state_after(&record.files));
        record.earlier = Some(self.earlier.clone()).filter(|earlier| !earlier.is_empty());
        record
    }

    /// The entries of the commit's summary; row counters and warnings come on top.
    pub fn summary(
        &self,
        record: &BatchRecord,
        written: &ObjectReference,
    ) -> BTreeMap<String, String> {
        let mut entries = BTreeMap::from([
            (summary::BATCH.to_owned(), self.batch_id()),
            (summary::BATCH_RECORD.to_owned(), written.key.clone()),
            (summary::BATCH_SHA256.to_owned(), written.sha256.clone()),
            (summary::MODE.to_owned(), self.mode.to_string()),
            (summary::GENERATION.to_owned(), self.generation.number.to_string()),
            (summary::WATERMARK.to_owned(), self.watermark_after().unwrap_or_default()),
            (summary::WATERMARK_SEQ.to_owned(), self.watermark_seq_after(&record.files)),
            (summary::CODE_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        if let Some(since) = self.generation.since {
            let since = since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            entries.insert(summary::GENERATION_SINCE.to_owned(), since);
        }
        entries
    }

    /// The greatest key in file order once the batch is applied.
    fn watermark_after(&self) -> Option<String> {
        let last = self.files.last().map(|f| f.file.key.clone());
        self.watermark.iter().cloned().chain(last).max_by_key(|key| place(key))
    }

    fn watermark_seq_after(&self, files: &[AppliedFile]) -> String {
        let seqs = files.iter().filter_map(|f| f.max_seq.as_ref());
        seqs.chain([&self.watermark_seq]).max().cloned().unwrap_or_default()
    }

    fn state_after(&self, files: &[AppliedFile]) -> AppliedState {
        let mut state = self.state.clone();
        for (planned, applied) in self.files.iter().zip(files) {
            let mut applied = applied.clone();
            let key = applied.file.key.clone();
            match planned.kind {
                FileKind::Load => state.loads.insert(key, applied),
                FileKind::Changes => {
                    let oldest = state.first_change_micros.into_iter();
                    state.first_change_micros = oldest.chain([planned.modified_micros]).min();
                    applied.min_seq = None;
                    state.changes.insert(key, applied)
                }
            };
        }
        state.seen_micros = Some(self.seen.timestamp_micros());
        self.forget(&mut state);
        state
    }

    /// Drops change files that no plan will look for any more.
    fn forget(&self, state: &mut AppliedState) {
        let reached = self.watermark_after().and_then(|key| place(&key)?.0);
        let Some(reached) = reached else { return };
        let limit = reached.min(self.seen.naive_utc()) - LOOK_BACK - MARGIN;
        let old = |file: &AppliedFile| {
            let written = place(&file.file.key).and_then(|p| p.0);
            let modified = file.modified_micros.and_then(DateTime::from_timestamp_micros);
            let before = |time: Option<NaiveDateTime>| time.is_none_or(|time| time < limit);
            before(written) && before(modified.map(|m| m.naive_utc()))
        };
        let AppliedState { changes, forgotten_seq, forgotten_files, .. } = state;
        // Records of older versions forgot files without counting them.
        let counts = forgotten_seq.is_none() || forgotten_files.is_some();
        changes.retain(|_, file| {
            let keep = !old(file);
            if !keep {
                if counts {
                    forgotten_files.get_or_insert_default().add(&file.file);
                }
                // Where no record tells: no file applied before this batch held anything later.
                let seq = file.max_seq.as_ref().unwrap_or(&self.watermark_seq).clone();
                *forgotten_seq = forgotten_seq.take().into_iter().chain([seq]).max();
            }
            keep
        });
    }
}
