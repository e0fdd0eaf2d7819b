//! A verification as JSON, for programs.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::report::{Against, BucketReport, Counts, RowDifference, Shown, Verification};

impl Verification {
    /// The same as the text, as one object. A value is a string, `null`, or
    /// `{"personal": true}` where it is hidden.
    pub fn to_json(&self) -> Value {
        let (silver, expected) = self.rows();
        let verified = &self.verified;
        json!({
            "table": self.table.to_string(),
            "equal": self.is_equal(),
            "silver": {
                "snapshot": verified.snapshot,
                "committed": verified.committed.map(time),
                "generation": verified.generation.as_ref().map(|generation| generation.number),
                "watermark": verified.watermark,
                "rows": silver,
                "bytes": verified.bytes,
            },
            "against": against(&self.against),
            "expected": {
                "rows": expected,
                "files": self.taken.files,
                "bytes": self.taken.bytes,
                "changes": self.taken.rows,
                "quarantined_now": self.taken.rejected,
            },
            "unapplied_files": verified.unapplied,
            "columns": self.columns,
            "differences": counts(&self.counts()),
            "shown": self.shown().count(),
            "buckets": self.buckets.iter().map(bucket).collect::<Vec<_>>(),
        })
    }
}

fn against(against: &Against) -> Value {
    match against {
        Against::Bronze { forgotten } => json!({
            "side": "bronze",
            "old_files": {
                "listed": forgotten.listed,
                "applied": forgotten.applied,
                "certain": forgotten.certain,
            },
        }),
        Against::Source(position) => json!({
            "side": "mysql",
            "address": position.address,
            "at": time(position.at),
            "binlog": position.binlog,
        }),
    }
}

fn bucket(bucket: &BucketReport) -> Value {
    json!({
        "bucket": bucket.bucket,
        "silver_rows": bucket.silver_rows,
        "expected_rows": bucket.expected_rows,
        "differences": counts(&bucket.counts),
        "columns": bucket.columns,
        "rows": bucket.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn row(row: &RowDifference) -> Value {
    let key = row.key.iter().map(|(name, value)| (name.clone(), shown(value)));
    let columns = row.columns.iter().map(|column| {
        json!({
            "column": column.column,
            "silver": shown(&column.silver),
            "expected": shown(&column.expected),
        })
    });
    json!({
        "kind": row.kind.as_str(),
        "key": key.collect::<serde_json::Map<_, _>>(),
        "tag": row.tag,
        "silver_rows": row.rows,
        "columns": columns.collect::<Vec<_>>(),
    })
}

fn counts(counts: &Counts) -> Value {
    let counters = counts.counters().into_iter();
    counters
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn shown(value: &Shown) -> Value {
    match value {
        Shown::Null => Value::Null,
        Shown::Text(text) => json!(text),
        Shown::Personal => json!({ "personal": true }),
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
