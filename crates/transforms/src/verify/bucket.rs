//! One bucket: sums first, and only where they differ the ranges, the rows and their values.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::actual::Actual;
use super::bisect::{Differing, HashRange, HashRanges, Split};
use super::detail::{Chosen, Showing};
use super::error::VerifyError;
use super::expected::{Events, Expected, Rows};
use super::hash::{RowHasher, Sums};
use super::join::{Entry, Joined, join};
use super::report::{BucketReport, Kind};
use crate::error::TransformError;
use crate::merge::partition::Bucket;

/// Sums of ranges may take this share of the job's memory in each bucket that is looked at, and
/// so may the hashes of rows that are compared one by one.
const SHARE: u64 = 16;
/// The sides, as places in arrays.
const SILVER: usize = 0;
const EXPECTED: usize = 1;

/// Both sides of a table.
pub(super) struct Comparer {
    pub(super) expected: Expected,
    pub(super) actual: Actual,
    pub(super) hasher: RowHasher,
    pub(super) showing: Showing,
    /// The names of the source columns.
    pub(super) columns: Vec<String>,
    /// Whether the changes that made the rows are compared.
    pub(super) origins: bool,
    pub(super) memory_bytes: u64,
    /// The most rows of a bucket that are shown.
    pub(super) shown: usize,
}

impl Comparer {
    /// Compares the two sides of a bucket.
    pub(super) async fn bucket(&self, bucket: Bucket) -> Result<BucketReport, VerifyError> {
        let both = Both { all: self, bucket, events: self.expected.events(bucket)? };
        let [silver, expected] = both.sums().await?;
        let mut report = BucketReport {
            bucket,
            silver_rows: silver.rows,
            expected_rows: expected.rows,
            counts: Default::default(),
            columns: self.differing_columns(&silver, &expected),
            rows: Vec::new(),
        };
        if self.same(&silver, &expected) {
            return Ok(report);
        }
        let mut chosen = BTreeMap::new();
        let whole = Differing { range: HashRange::ALL, rows: [silver.rows, expected.rows] };
        for ranges in self.groups(both.narrow(whole).await?) {
            let Joined { counts, found, .. } = both.join(ranges).await?;
            report.counts = report.counts + counts;
            let room = self.shown.saturating_sub(chosen.len());
            chosen.extend(found.into_iter().take(room));
        }
        if !chosen.is_empty() {
            report.rows = both.details(chosen).await?;
        }
        Ok(report)
    }

    fn same(&self, silver: &Sums, expected: &Sums) -> bool {
        let values = |sums: &Sums| (sums.rows, sums.keys, sums.columns.clone());
        values(silver) == values(expected) && (!self.origins || silver.origins == expected.origins)
    }

    fn differing_columns(&self, silver: &Sums, expected: &Sums) -> Vec<String> {
        if (silver.rows, silver.keys) != (expected.rows, expected.keys) {
            return Vec::new();
        }
        let sums = silver.columns.iter().zip(&expected.columns);
        let named = self.columns.iter().zip(sums).filter(|(_, (a, b))| a != b);
        named.map(|(name, _)| name.clone()).collect()
    }

    /// Ranges together, as many as memory may hold the rows of.
    fn groups(&self, ranges: Vec<Differing>) -> Vec<Vec<HashRange>> {
        let most = self.memory_bytes / SHARE / size_of::<Entry>() as u64;
        let mut groups: Vec<Vec<HashRange>> = Vec::new();
        let mut held = u64::MAX;
        for Differing { range, rows } in ranges {
            held = held.saturating_add(rows.iter().sum());
            match groups.last_mut().filter(|_| held <= most) {
                Some(group) => group.push(range),
                None => {
                    held = rows.iter().sum();
                    groups.push(vec![range]);
                }
            }
        }
        groups
    }

    /// The rows of the table that are compared.
    fn compared<'r>(&self, rows: &'r RecordBatch) -> Result<Cow<'r, RecordBatch>, TransformError> {
        let left_out = &self.expected.left_out;
        if left_out.is_empty() {
            return Ok(Cow::Borrowed(rows));
        }
        let keys = self.hasher.keys(rows)?;
        let kept: BooleanArray = keys.iter().map(|key| Some(!left_out.contains(key))).collect();
        Ok(Cow::Owned(filter_record_batch(rows, &kept)?))
    }
}

/// Both sides of a bucket.
struct Both<'a> {
    all: &'a Comparer,
    bucket: Bucket,
    events: Events<'a>,
}

impl Both<'_> {
    /// Hands out all rows with their side.
    async fn each(
        &self,
        mut take: impl FnMut(usize, &RecordBatch) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        let all = self.all;
        self.events.each(Rows::Deciding, |rows| take(EXPECTED, rows))?;
        let actual = all.actual.each(self.bucket, |rows| take(SILVER, &*all.compared(rows)?));
        actual.await
    }

    async fn sums(&self) -> Result<[Sums; 2], VerifyError> {
        let none = || Sums { columns: vec![0; self.all.columns.len()], ..Sums::default() };
        let mut sums = [none(), none()];
        self.each(|side, rows| Ok(self.all.hasher.add(rows, &mut sums[side])?)).await?;
        Ok(sums)
    }

    /// The narrow ranges in which the sides differ. Each round reads both sides once for as many
    /// ranges as memory may hold the sums of.
    async fn narrow(&self, whole: Differing) -> Result<Vec<Differing>, VerifyError> {
        let all = self.all;
        let at_a_time = usize::try_from(all.memory_bytes / SHARE / Split::BYTES);
        let at_a_time = at_a_time.unwrap_or(usize::MAX).max(1);
        let (mut narrow, mut wide) = (Vec::new(), Vec::new());
        if whole.is_narrow() {
            narrow.push(whole);
        } else {
            wide.push(whole.range);
        }
        while !wide.is_empty() {
            let some: Vec<HashRange> = wide.drain(..at_a_time.min(wide.len())).collect();
            let mut split = Split::new(&some);
            self.each(|side, rows| {
                split.add(side, &all.hasher.rows(rows)?, all.origins);
                Ok(())
            })
            .await?;
            for part in split.differing() {
                if part.is_narrow() { narrow.push(part) } else { wide.push(part.range) }
            }
        }
        Ok(narrow)
    }

    /// Compares the rows of some ranges key by key.
    async fn join(&self, ranges: Vec<HashRange>) -> Result<Joined, VerifyError> {
        let all = self.all;
        let ranges = HashRanges::new(ranges);
        let mut entries = [Vec::new(), Vec::new()];
        self.each(|side, rows| {
            let hashes = all.hasher.rows(rows)?;
            let inside =
                (0..hashes.keys.len()).filter(|row| ranges.find(hashes.keys[*row]).is_some());
            entries[side].extend(inside.map(|row| Entry::of(&hashes, row)));
            Ok(())
        })
        .await?;
        let [silver, expected] = entries;
        let mut joined = join(silver, expected, all.origins);
        if !joined.doubtful.is_empty() {
            self.events.each::<VerifyError>(Rows::All, |rows| {
                joined.clear(&all.hasher.changes(rows)?);
                Ok(())
            })?;
        }
        joined.settle();
        Ok(joined)
    }

    async fn details(
        &self,
        kinds: BTreeMap<u128, Kind>,
    ) -> Result<Vec<super::report::RowDifference>, VerifyError> {
        let mut chosen = Chosen::new(&self.all.hasher, kinds);
        self.each(|side, rows| Ok(chosen.add(side, rows)?)).await?;
        Ok(chosen.shown(&self.all.showing)?)
    }
}
