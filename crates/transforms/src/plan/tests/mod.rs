//! Plans over made-up listings. Batches are committed in memory, through the JSON of their records.

mod applied;
mod cases;
mod copies;
mod histories;
mod lifetimes;
mod rebuilds;
mod records;
mod shown;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use medallion_definition::name::TableId;
use medallion_tables::store::ObjectMeta;

use super::planner::needs_earlier;
use super::{Mode, PlanOptions, SilverPlan, plan};
use crate::error::TransformError;
use crate::record::{Applied, BatchRecord, FileStats, ObjectReference};
use crate::summary;

/// When the stories of these tests begin: 2026-01-02T00:00:00Z.
const START: i64 = 1_767_312_000;

fn table() -> TableId {
    "crm.customers".parse().unwrap()
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(START + second, 0).unwrap()
}

fn load(number: u32) -> String {
    format!("bronze/crm/customers/LOAD{number:08X}.parquet")
}

/// The key of a change file written so many seconds after the start.
fn changes(second: i64) -> String {
    let written = at(second);
    format!("bronze/crm/customers/{}.parquet", written.format("%Y/%m/%d/%Y%m%d-%H%M%S000"))
}

/// A change sequence of that second.
fn seq(second: i64) -> String {
    format!("{}{:019}", at(second).format("%Y%m%d%H%M%S00"), 1)
}

/// A table with its Bronze files.
#[derive(Clone, Debug)]
struct World {
    files: BTreeMap<String, ObjectMeta>,
    applied: Applied,
    /// The list beside the newest record.
    earlier: BTreeMap<String, String>,
    options: PlanOptions,
    /// Seconds after the start.
    now: i64,
}

impl World {
    fn new() -> World {
        World {
            files: BTreeMap::new(),
            applied: Applied::nothing(),
            earlier: BTreeMap::new(),
            options: PlanOptions::default(),
            now: 0,
        }
    }

    /// Writes an object of ten bytes at this second.
    fn put(&mut self, second: i64, key: &str, etag: &str) {
        let key = key.to_owned();
        let modified_micros = (START + second) * 1_000_000;
        let object =
            ObjectMeta { key: key.clone(), etag: etag.to_owned(), size: 10, modified_micros };
        self.files.insert(key, object);
        self.now = self.now.max(second);
    }

    /// Writes the change file that is named by this second, at this second.
    fn change(&mut self, second: i64) {
        self.put(second, &changes(second), &format!("c{second}"));
    }

    fn remove(&mut self, key: &str) {
        self.files.remove(key).unwrap();
    }

    fn listing(&self) -> Vec<ObjectMeta> {
        self.files.values().cloned().collect()
    }

    fn try_plan(&self) -> Result<SilverPlan, TransformError> {
        let listing = self.listing();
        let mut applied = self.applied.clone();
        if needs_earlier(&table(), &listing, &applied, at(self.now)) {
            applied.earlier = self.earlier.clone();
        }
        plan(&table(), &listing, &applied, at(self.now), &self.options)
    }

    fn plan(&self) -> SilverPlan {
        self.try_plan().unwrap()
    }

    /// Commits the batch as its record says, each change file holding one change of its write time.
    fn commit(&mut self, plan: &SilverPlan) {
        let stats = |planned: &super::PlannedFile| {
            let written = crate::file_order::place(&planned.file.key).unwrap().0;
            let seq = written.map_or(String::new(), |w| seq(w.and_utc().timestamp() - START));
            FileStats { rows: 1, min_seq: seq.clone(), max_seq: seq }
        };
        self.commit_with(plan, &plan.files.iter().map(stats).collect::<Vec<_>>());
    }

    fn commit_with(&mut self, plan: &SilverPlan, stats: &[FileStats]) {
        assert_eq!(plan.base, self.applied.base, "planned against another snapshot");
        let record = plan.record(stats);
        let written =
            ObjectReference { key: format!("record of {}", plan.batch_id()), sha256: "s".into() };
        let entries = plan.summary(&record, &written);
        let json = serde_json::to_vec(&record).unwrap();
        let read: BatchRecord = serde_json::from_slice(&json).unwrap();
        let mut state = read.applied.unwrap();
        if let Some(earlier) = record.earlier {
            self.earlier = earlier;
            state.earlier = Some(written.clone());
        }
        self.applied = Applied {
            base: Some(plan.base.unwrap_or(0) + 1),
            empty: false,
            record: Some(written.key),
            generation: read.generation,
            watermark: Some(entries[summary::WATERMARK].clone()).filter(|w| !w.is_empty()),
            watermark_seq: entries[summary::WATERMARK_SEQ].clone(),
            state,
            earlier: BTreeMap::new(),
        };
    }

    /// Plans and commits one batch; its keys in short.
    fn step(&mut self) -> Vec<String> {
        let plan = self.plan();
        if !plan.files.is_empty() {
            self.commit(&plan);
        }
        keys(&plan)
    }
}

/// The keys of a plan without what they share: `LOAD00000001`, or the name of a change file.
fn keys(plan: &SilverPlan) -> Vec<String> {
    let short = |key: &str| {
        let name = key.rsplit('/').next().unwrap();
        name.trim_end_matches(".parquet").to_owned()
    };
    plan.files.iter().map(|file| short(&file.file.key)).collect()
}

/// The name of the change file of this second.
fn name(second: i64) -> String {
    at(second).format("%Y%m%d-%H%M%S000").to_string()
}

fn hours(hours: i64) -> i64 {
    Duration::hours(hours).num_seconds()
}
