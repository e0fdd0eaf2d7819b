//! What a verification found.

use chrono::{DateTime, Utc};
use medallion_definition::name::TableId;

use crate::merge::partition::Bucket;
use crate::plan::{Forgotten, Generation};

/// How a row of the table and what is expected disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The key should be in the table and is not.
    Missing,
    /// The key is in the table and should not be.
    Unexpected,
    /// The key has other values.
    Differs,
    /// The key is in the table more than once.
    Repeated,
    /// The values are as expected, but no applied change of the key has the row's `_change_seq`
    /// and `_changed_at`.
    Untold,
}

impl Kind {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Unexpected => "unexpected",
            Kind::Differs => "differs",
            Kind::Repeated => "repeated",
            Kind::Untold => "untold",
        }
    }
}

/// How many keys disagree, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys that are missing.
    pub missing: u64,
    /// Keys that should not be there.
    pub unexpected: u64,
    /// Keys with other values.
    pub differing: u64,
    /// Rows too many of keys that are there more than once.
    pub repeated: u64,
    /// Rows that no applied change made.
    pub untold: u64,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.missing + self.unexpected + self.differing + self.repeated + self.untold
    }

    /// The counters by name.
    pub fn counters(&self) -> [(&'static str, u64); 5] {
        [
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("differing", self.differing),
            ("repeated", self.repeated),
            ("untold", self.untold),
        ]
    }
}

impl std::ops::Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            missing: self.missing + other.missing,
            unexpected: self.unexpected + other.unexpected,
            differing: self.differing + other.differing,
            repeated: self.repeated + other.repeated,
            untold: self.untold + other.untold,
        }
    }
}

/// A value as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// NULL.
    Null,
    /// The value as text.
    Text(String),
    /// A value of a personal column, NULL or not.
    Personal,
}

/// One column of a row that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDifference {
    /// Its name.
    pub column: String,
    /// What the table holds.
    pub silver: Shown,
    /// What it should hold.
    pub expected: Shown,
}

/// One key that disagrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowDifference {
    /// How.
    pub kind: Kind,
    /// The key columns with their values. Where one is personal, it is hidden, and
    /// [`RowDifference::tag`] tells rows apart.
    pub key: Vec<(String, Shown)>,
    /// A number for the key that means something within this report only.
    pub tag: Option<String>,
    /// How many rows the table has of the key.
    pub rows: usize,
    /// The columns that differ, where both sides have the key.
    pub columns: Vec<ColumnDifference>,
}

/// One bucket of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketReport {
    /// Its number; nothing where the table has no buckets.
    pub bucket: Bucket,
    /// Rows in the table.
    pub silver_rows: u64,
    /// Rows that should be there.
    pub expected_rows: u64,
    /// What disagrees.
    pub counts: Counts,
    /// The columns whose sums differ, where both sides have the same keys.
    pub columns: Vec<String>,
    /// Some of the keys that disagree.
    pub rows: Vec<RowDifference>,
}

/// What the table is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// Its state computed anew from Bronze.
    Bronze {
        /// What is known of files that the record no longer names.
        forgotten: Forgotten,
    },
    /// The rows of the source.
    Source(SourcePosition),
}

/// When the source was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePosition {
    /// Host and port.
    pub address: String,
    /// When its snapshot was taken, by our clock.
    pub at: DateTime<Utc>,
    /// The end of its binlog just before; nothing where the user may not see it.
    pub binlog: Option<String>,
}

/// What was read on the expected side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bronze files, or parts of the source table.
    pub files: usize,
    /// Their bytes as stored; nothing is stored of a source table.
    pub bytes: u64,
    /// Changes, or rows of the source.
    pub rows: u64,
    /// Rows of the source that fail a check now: their keys are not compared.
    pub rejected: u64,
}

/// The snapshot of the table that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its id; nothing where the table was never written.
    pub snapshot: Option<i64>,
    /// When it was committed.
    pub committed: Option<DateTime<Utc>>,
    /// Its load generation.
    pub generation: Option<Generation>,
    /// The greatest Bronze key applied, in file order.
    pub watermark: Option<String>,
    /// Bronze files that are not applied.
    pub unapplied: usize,
    /// Bytes of its data files.
    pub bytes: u64,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The source table.
    pub table: TableId,
    /// The snapshot.
    pub verified: Verified,
    /// What it was compared with.
    pub against: Against,
    /// What was read for that.
    pub taken: Taken,
    /// How many columns were compared.
    pub columns: usize,
    /// All buckets, in order.
    pub buckets: Vec<BucketReport>,
}

impl Verification {
    /// True when nothing disagrees.
    pub fn is_equal(&self) -> bool {
        self.counts().total() == 0
    }

    /// What disagrees, over all buckets.
    pub fn counts(&self) -> Counts {
        self.buckets.iter().fold(Counts::default(), |sum, bucket| sum + bucket.counts)
    }

    /// Rows in the table, and rows expected.
    pub fn rows(&self) -> (u64, u64) {
        let sum = |(silver, expected): (u64, u64), bucket: &BucketReport| {
            (silver + bucket.silver_rows, expected + bucket.expected_rows)
        };
        self.buckets.iter().fold((0, 0), sum)
    }

    /// The keys that are shown.
    pub fn shown(&self) -> impl Iterator<Item = &RowDifference> {
        self.buckets.iter().flat_map(|bucket| &bucket.rows)
    }
}
