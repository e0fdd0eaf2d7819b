//! The plan for other engines: one JSON object.
//!
//! ```json
//! {
//!   "version": 1,
//!   "table": "crm.customers",
//!   "base": 3051729675574597004,
//!   "mode": "merge",
//!   "reason": "the generation goes on",
//!   "generation": {"number": 1, "since": "2026-01-02T00:00:00Z", "loads": 2},
//!   "watermark": "bronze/crm/customers/2026/01/02/20260102-030405000.parquet",
//!   "watermark_seq": "20260102030405000000000000000000001",
//!   "look_back": "2025-12-31T03:04:05Z",
//!   "batch_id": "9f…",
//!   "files": [{"key": "…", "etag": "…", "size": 1, "kind": "changes", "late": false}],
//!   "left": 0,
//!   "ignored": {"applied": 3, "earlier_generation": 0, "before_look_back": 0, "no_bronze_key": 0},
//!   "waiting": null,
//!   "applied": [{"key": "…", "etag": "…", "size": 1, "max_seq": "…"}]
//! }
//! ```
//!
//! An engine reads `files` in this order, each only if it still has its etag, applies them in one
//! commit on the snapshot `base` (null: the table was never written), and in mode `replace` drops
//! all rows of before. A row whose `change_seq` lies below `watermark_seq` is late: later changes of
//! its key stand in those files of `applied` whose `max_seq` is greater than the row's, or missing.

use serde::{Serialize, Serializer};

use super::{Generation, Ignored, Mode, PlannedFile, SilverPlan, Waiting};

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    table: String,
    base: Option<i64>,
    mode: Mode,
    reason: &'a str,
    generation: &'a Generation,
    watermark: Option<&'a str>,
    watermark_seq: &'a str,
    look_back: Option<String>,
    batch_id: String,
    files: &'a [PlannedFile],
    left: usize,
    ignored: &'a Ignored,
    waiting: Option<&'a Waiting>,
    applied: Vec<Known<'a>>,
}

#[derive(Serialize)]
struct Known<'a> {
    key: &'a str,
    etag: &'a str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_seq: Option<&'a str>,
}

impl SilverPlan {
    /// The version of the JSON form.
    pub const VERSION: u32 = 1;

    /// The plan as one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn known(&self) -> Vec<Known<'_>> {
        let remembered = self.state.changes.values().map(|applied| Known {
            key: &applied.file.key,
            etag: &applied.file.etag,
            size: applied.file.size,
            max_seq: applied.max_seq.as_deref(),
        });
        let bound = self.state.forgotten_seq.as_deref();
        // Before the look-back it is only known that nothing is later than this.
        let forgotten = self.forgotten.iter().filter(|_| bound.is_some()).map(|file| Known {
            key: &file.key,
            etag: &file.etag,
            size: file.size,
            max_seq: bound,
        });
        let mut known: Vec<_> = remembered.chain(forgotten).collect();
        known.sort_by_cached_key(|file| crate::file_order::place(file.key));
        known
    }
}

impl Serialize for SilverPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = Document {
            version: SilverPlan::VERSION,
            table: self.table.to_string(),
            base: self.base,
            mode: self.mode,
            reason: &self.reason,
            generation: &self.generation,
            watermark: self.watermark.as_deref(),
            watermark_seq: &self.watermark_seq,
            look_back: self
                .look_back
                .map(|from| format!("{}Z", from.format("%Y-%m-%dT%H:%M:%S%.f"))),
            batch_id: self.batch_id(),
            files: &self.files,
            left: self.left,
            ignored: &self.ignored,
            waiting: self.waiting.as_ref(),
            applied: self.known(),
        };
        document.serialize(serializer)
    }
}
