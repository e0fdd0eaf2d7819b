//! Reading a batch: Bronze files become checked events and rows for quarantine.
//!
//! Files are read side by side and their rows come in any order; every event knows its place.

use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use foldhash::fast::FixedState;
use futures::TryStreamExt;
use medallion_definition::change::Op;
use medallion_definition::contract::TableContract;
use medallion_tables::store::Bucket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::event::Events;
use super::key::KeyEncoder;
use super::quarantine::{self, Rejected};
use super::schedule::workers;
use super::verdicts::Verdicts;
use crate::bronze::{self, Changes};
use crate::error::TransformError;
use crate::quality::QualityPlan;
use crate::record::{BatchFile, FileStats};

/// Batches that wait to be taken over.
const WAITING: usize = 4;

/// What a file is read for.
#[derive(Clone)]
pub(crate) enum Purpose {
    /// It belongs to the batch.
    Apply,
    /// It was applied before; only what it says about these keys (by hash) matters.
    Recall(Arc<HashSet<u64>>),
    /// It was applied before, and what it says is computed anew.
    Recompute,
}

/// How files are read.
pub(crate) struct Intake {
    pub(crate) bucket: Bucket,
    pub(crate) contract: TableContract,
    pub(crate) quality: QualityPlan,
    pub(crate) keys: KeyEncoder,
    /// The job's own time, microseconds since the epoch.
    pub(crate) now_micros: i64,
    /// Changes before it are late.
    pub(crate) watermark_seq: String,
}

/// Rows of one file, checked.
pub(crate) struct Prepared {
    /// The file's index among those that are read.
    pub(crate) file: usize,
    /// Of these rows.
    pub(crate) stats: FileStats,
    pub(crate) events: Events,
    /// How many of the rows were rejected.
    pub(crate) quarantined: u64,
    /// Rows of the quarantine table; not those that stand there already.
    pub(crate) rejected: Option<RecordBatch>,
    /// Failures of rules that only warn, by rule.
    pub(crate) warnings: BTreeMap<String, u64>,
    pub(crate) late: Late,
}

/// Changes, normalised, with what the rules say of each.
pub(crate) struct Judged {
    pub(crate) checked: Changes,
    /// The rows that failed, with the ids of their rules.
    pub(crate) failures: Vec<Rejected>,
    /// For each row, whether it failed.
    pub(crate) rejected: Vec<bool>,
    /// Failures of rules that only warn, by rule.
    pub(crate) warnings: BTreeMap<String, u64>,
}

/// Keys with changes that are older than the watermark.
#[derive(Default)]
pub(crate) struct Late {
    /// Hashes of the keys.
    pub(crate) keys: HashSet<u64>,
    /// The oldest of these changes.
    pub(crate) from: Option<String>,
}

impl Late {
    pub(crate) fn merge(&mut self, other: Late) {
        self.keys.extend(other.keys);
        self.from = match (self.from.take(), other.from) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// Hands out prepared rows until every file is read or one fails. Dropping it stops the readers.
pub(crate) struct Prepares {
    rows: mpsc::Receiver<Result<Prepared, TransformError>>,
    readers: JoinSet<()>,
}

impl Prepares {
    /// The next rows. Nothing comes only when every reader has ended well: the files of a reader
    /// that panicked were not read, whatever the others handed on.
    pub(crate) async fn next(&mut self) -> Option<Result<Prepared, TransformError>> {
        if let Some(rows) = self.rows.recv().await {
            return Some(rows);
        }
        while let Some(ended) = self.readers.join_next().await {
            if let Err(source) = ended {
                return Some(Err(TransformError::Task { source }));
            }
        }
        None
    }
}

impl Intake {
    /// Begins to read the files. The verdicts are about the same files.
    pub(crate) fn read(
        self: &Arc<Self>,
        files: Vec<BatchFile>,
        purpose: &Purpose,
        before: &Verdicts,
    ) -> Prepares {
        let (sender, rows) = mpsc::channel(WAITING);
        let files = Arc::new(files);
        let next = Arc::new(AtomicUsize::new(0));
        let mut readers = JoinSet::new();
        for _ in 0..workers().min(files.len()) {
            let (intake, files, next) = (Arc::clone(self), Arc::clone(&files), Arc::clone(&next));
            let (sender, purpose, before) = (sender.clone(), purpose.clone(), Arc::clone(before));
            readers.spawn(async move {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(index) else { return };
                    let read = intake.read_file((file, index), &purpose, &before, &sender).await;
                    if let Err(error) = read {
                        // Nobody listens any more when another file has failed.
                        drop(sender.send(Err(error)).await);
                        return;
                    }
                }
            });
        }
        Prepares { rows, readers }
    }

    async fn read_file(
        &self,
        (file, index): (&BatchFile, usize),
        purpose: &Purpose,
        before: &Verdicts,
        sender: &mpsc::Sender<Result<Prepared, TransformError>>,
    ) -> Result<(), TransformError> {
        let mut changes = bronze::open(&self.bucket, &self.contract, file, index as u64).await?;
        while let Some(changes) = changes.try_next().await? {
            let prepare = || self.prepare((file, index), &changes, purpose, before);
            // Functions of SQL may panic on values at the end of their types.
            let prepared = catch_unwind(AssertUnwindSafe(prepare));
            let prepared = prepared
                .map_err(|_| TransformError::RulesBroke { key: file.key.clone() })
                .flatten()?;
            if sender.send(Ok(prepared)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    fn prepare(
        &self,
        (file, index): (&BatchFile, usize),
        raw: &Changes,
        purpose: &Purpose,
        before: &Verdicts,
    ) -> Result<Prepared, TransformError> {
        let Judged { checked, failures, mut rejected, warnings } = self.judge(raw)?;
        if !before.is_empty() {
            let rows = raw.row.values().iter().zip(&mut rejected);
            rows.for_each(|(row, rejected)| *rejected |= before.contains(&(index, *row)));
        }
        let quarantined = rejected.iter().filter(|rejected| **rejected).count() as u64;
        let own = !matches!(purpose, Purpose::Recall(_));
        let events = Events::new(&self.keys, &self.contract, &checked, &rejected, own)?;
        let stats = stats(raw);
        let (rejected, late) = (None, Late::default());
        let read = Prepared { file: index, stats, events, quarantined, rejected, warnings, late };
        match purpose {
            Purpose::Apply => {
                let time = self.now_micros;
                let rejected = quarantine::rows(&self.contract, file, raw, &failures, time)?;
                let late = self.late(&read.events)?;
                Ok(Prepared { rejected, late, ..read })
            }
            Purpose::Recall(wanted) => {
                let events = self.about(&read.events, wanted)?;
                Ok(Prepared { events, warnings: BTreeMap::new(), ..read })
            }
            Purpose::Recompute => Ok(Prepared { warnings: BTreeMap::new(), ..read }),
        }
    }

    /// Normalises changes and judges them by the contract's rules.
    pub(crate) fn judge(&self, raw: &Changes) -> Result<Judged, TransformError> {
        let outcome = self
            .quality
            .apply(&raw.source, self.now_micros)
            .map_err(|source| TransformError::quality(&self.contract.table, source))?;
        // A delete carries only its key for certain.
        let mut failures = outcome.failures;
        failures.retain(|(row, _)| raw.op(*row) != Op::Delete);
        let mut rejected = vec![false; raw.len()];
        failures.iter().for_each(|(row, _)| rejected[*row] = true);
        let checked = Changes { source: outcome.batch, ..raw.clone() };
        Ok(Judged { checked, failures, rejected, warnings: outcome.warnings })
    }

    fn late(&self, events: &Events) -> Result<Late, TransformError> {
        let seqs = events.seqs();
        let old = |row: &usize| seqs.value(*row) < self.watermark_seq.as_str();
        let rows: Vec<usize> = (0..events.len()).filter(old).collect();
        if rows.is_empty() {
            return Ok(Late::default());
        }
        let encoded = self.keys.encode(&events.batch)?;
        let keys = rows.iter().map(|row| hash(encoded.row(*row).data())).collect();
        let from = rows.iter().map(|row| seqs.value(*row)).min().map(str::to_owned);
        Ok(Late { keys, from })
    }

    fn about(&self, events: &Events, wanted: &HashSet<u64>) -> Result<Events, TransformError> {
        let encoded = self.keys.encode(&events.batch)?;
        let mask = encoded.iter().map(|key| Some(wanted.contains(&hash(key.data())))).collect();
        Ok(Events { batch: filter_record_batch(&events.batch, &mask)? })
    }
}

fn hash(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

fn stats(changes: &Changes) -> FileStats {
    let seqs = || changes.seq.iter().flatten();
    FileStats {
        rows: changes.len() as u64,
        min_seq: seqs().min().unwrap_or_default().to_owned(),
        max_seq: seqs().max().unwrap_or_default().to_owned(),
    }
}
