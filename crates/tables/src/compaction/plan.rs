//! Which files are worth rewriting.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use iceberg::spec::DataContentType;

use crate::files::LiveFile;
use crate::table::{LakeTable, TableError};

/// What of a file is in memory while it is merged with others: one row group that is decoded and
/// one that is fetched.
pub const FILE_MEMORY: u64 = 64 * 1024 * 1024;

/// What is worth rewriting, and how much of it in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactionOptions {
    /// New files have about this size in bytes.
    pub target_bytes: u64,
    /// Files with fewer bytes than this are small.
    pub small_bytes: u64,
    /// So many small files of one bucket are worth being merged.
    pub small_files: usize,
    /// A small file is merged with smaller ones only if it is at most so many times as large as
    /// they are together. Otherwise every few new rows would take a large file along: so, a row
    /// is written anew about once per factor by which its file grows.
    pub tier: u64,
    /// A file of which this share of rows is deleted, between 0 and 1, is worth rewriting.
    pub deleted_share: f64,
    /// The most bytes of old files in one run.
    pub max_bytes: u64,
    /// The most old files in one run.
    pub max_files: usize,
    /// The most bytes of old files in memory. All planned files of a bucket are merged at once,
    /// with [`FILE_MEMORY`] bytes of each at most.
    pub memory_bytes: u64,
}

impl Default for CompactionOptions {
    fn default() -> Self {
        let mib = 1024 * 1024;
        CompactionOptions {
            target_bytes: 256 * mib,
            small_bytes: 128 * mib,
            small_files: 4,
            tier: 4,
            deleted_share: 0.1,
            max_bytes: 4096 * mib,
            max_files: 64,
            memory_bytes: 512 * mib,
        }
    }
}

/// Why a file is rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its manifest entry tells bounds of columns that are personal by now.
    PersonalBounds {
        /// The columns.
        columns: Vec<String>,
    },
    /// Many of its rows are deleted.
    Deletes {
        /// Deleted rows; an estimate where another engine deleted from several files at once.
        rows: u64,
    },
    /// It is small, and there are others to merge it with.
    Small,
}

/// A file to be rewritten.
#[derive(Clone, Debug)]
pub struct PlannedFile {
    /// The file.
    pub file: LiveFile,
    /// Why.
    pub reason: Reason,
}

/// The files of one bucket that become one sorted sequence of new files.
#[derive(Clone, Debug)]
pub struct BucketPlan {
    /// The bucket, or nothing in an unpartitioned table.
    pub bucket: Option<i32>,
    /// The files to be rewritten, never none.
    pub files: Vec<PlannedFile>,
}

impl BucketPlan {
    /// Bytes of the old files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|planned| planned.file.size()).sum()
    }
}

/// What one run of compaction rewrites.
#[derive(Clone, Debug)]
pub struct CompactionPlan {
    /// The table, for messages.
    pub table: String,
    /// The snapshot that was planned on.
    pub snapshot: Option<i64>,
    /// Bytes of a new file.
    pub target_bytes: u64,
    /// The buckets that are worth it, those with most to gain first.
    pub buckets: Vec<BucketPlan>,
    /// Files that are worth it too, but beyond the bounds of one run.
    pub left: usize,
    /// Files that are left to the engine that wrote them: they have equality deletes or another
    /// partition spec than the table.
    pub foreign: usize,
}

impl CompactionPlan {
    /// True when there is nothing to do now.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

impl fmt::Display for CompactionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.buckets.iter().map(|bucket| bucket.files.len()).sum();
        let bytes: u64 = self.buckets.iter().map(BucketPlan::bytes).sum();
        write!(f, "compaction of `{}`: {files} files, {bytes} bytes", self.table)?;
        if self.left > 0 {
            write!(f, "; {} files left for later runs", self.left)?;
        }
        if self.foreign > 0 {
            write!(f, "; {} files left to the engine that wrote them", self.foreign)?;
        }
        for bucket in &self.buckets {
            match bucket.bucket {
                Some(number) => write!(f, "\n  bucket {number}:")?,
                None => write!(f, "\n  the table:")?,
            }
            for PlannedFile { file, reason } in &bucket.files {
                let (path, rows, bytes) = (file.path(), file.records(), file.size());
                write!(f, "\n    `{path}` ({rows} rows, {bytes} bytes): {reason}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::PersonalBounds { columns } => {
                write!(f, "has bounds of `{}`, which is personal", columns.join("`, `"))
            }
            Reason::Deletes { rows } => write!(f, "{rows} rows are deleted"),
            Reason::Small => write!(f, "is small"),
        }
    }
}

/// Looks for files that are worth rewriting, by manifests alone. Buckets where nothing pays are
/// left as they are: a few small files cost readers less than writing them again.
///
/// # Errors
/// [`TableError::Files`] when manifests cannot be read, [`TableError::PersonalColumnGone`].
pub async fn plan_compaction(
    table: &LakeTable,
    options: &CompactionOptions,
) -> Result<CompactionPlan, TableError> {
    let files = table.live_files().await?;
    let shared = Shared::of(&files);
    let mut foreign = 0;
    let mut buckets: BTreeMap<Option<i32>, Vec<PlannedFile>> = BTreeMap::new();
    for file in files {
        if is_foreign(table, &file) {
            foreign += 1;
            continue;
        }
        let bucket = buckets.entry(file.bucket()).or_default();
        if let Some(reason) = reason(table, options, &shared, &file)? {
            bucket.push(PlannedFile { file, reason });
        }
    }
    let mut worth: Vec<BucketPlan> =
        buckets.into_iter().filter_map(|(bucket, files)| worth(options, bucket, files)).collect();
    worth.sort_by_key(|bucket| std::cmp::Reverse(gain(bucket)));
    let found: usize = worth.iter().map(|bucket| bucket.files.len()).sum();
    let buckets = within(options, worth);
    let taken: usize = buckets.iter().map(|bucket| bucket.files.len()).sum();
    Ok(CompactionPlan {
        table: table.name(),
        snapshot: table.snapshot_id(),
        target_bytes: options.target_bytes,
        buckets,
        left: found - taken,
        foreign,
    })
}

/// Data files that each delete file for a whole partition applies to.
struct Shared(BTreeMap<String, u64>);

impl Shared {
    fn of(files: &[LiveFile]) -> Self {
        let mut counts = BTreeMap::new();
        for delete in files.iter().flat_map(|file| &file.deletes) {
            *counts.entry(delete.path().to_owned()).or_default() += 1;
        }
        Shared(counts)
    }

    /// Rows of the file that are deleted; those of a shared delete file are dealt out evenly.
    fn deleted_rows(&self, file: &LiveFile) -> u64 {
        let rows = file.deletes.iter().map(|delete| {
            delete.records() / self.0.get(delete.path()).copied().unwrap_or(1).max(1)
        });
        rows.sum::<u64>().min(file.records())
    }
}

/// Files that this code cannot rewrite.
fn is_foreign(table: &LakeTable, file: &LiveFile) -> bool {
    let by_equality = |d: &LiveFile| d.data_file.content_type() == DataContentType::EqualityDeletes;
    file.spec_id != table.metadata().default_partition_spec_id()
        || file.deletes.iter().any(|delete| by_equality(delete))
}

fn reason(
    table: &LakeTable,
    options: &CompactionOptions,
    shared: &Shared,
    file: &LiveFile,
) -> Result<Option<Reason>, TableError> {
    let columns = personal_bounds(table, file)?;
    if !columns.is_empty() {
        return Ok(Some(Reason::PersonalBounds { columns }));
    }
    let rows = shared.deleted_rows(file);
    if rows > 0 && rows as f64 >= options.deleted_share * file.records() as f64 {
        return Ok(Some(Reason::Deletes { rows }));
    }
    Ok((file.size() < options.small_bytes).then_some(Reason::Small))
}

/// Personal columns of which the manifest tells bounds.
fn personal_bounds(table: &LakeTable, file: &LiveFile) -> Result<Vec<String>, TableError> {
    let (low, high) = (file.data_file.lower_bounds(), file.data_file.upper_bounds());
    let bounded: HashSet<i32> = low.keys().chain(high.keys()).copied().collect();
    let schema = table.metadata().current_schema();
    let is_bounded =
        |name: &&str| schema.field_id_by_name(name).is_some_and(|id| bounded.contains(&id));
    let personal = table.personal_columns()?;
    Ok(personal.into_iter().filter(is_bounded).map(str::to_owned).collect())
}

/// The bucket if it is worth it: a file has a reason of its own, or small ones are many. Small
/// files are merged whenever another file of the bucket is rewritten anyway.
fn worth(
    options: &CompactionOptions,
    bucket: Option<i32>,
    files: Vec<PlannedFile>,
) -> Option<BucketPlan> {
    let is_small = |planned: &PlannedFile| planned.reason == Reason::Small;
    let (mut small, mut files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_small);
    small.sort_by_key(|planned| planned.file.size());
    let before = files.iter().map(|planned| planned.file.size()).sum();
    small.truncate(tier(options.tier, before, small.iter().map(|planned| planned.file.size())));
    let pays = !files.is_empty() || small.len() >= options.small_files.max(2);
    files.extend(small);
    pays.then_some(BucketPlan { bucket, files })
}

/// How many of the sizes, in ascending order, are merged: as long as the next one is at most
/// `factor` times those before it, and `before`, together. The smallest one always is.
fn tier(factor: u64, before: u64, sizes: impl Iterator<Item = u64>) -> usize {
    let mut sum = before;
    let fits = |size: &u64| {
        let fits = sum == 0 || *size <= sum.saturating_mul(factor);
        sum = sum.saturating_add(*size);
        fits
    };
    sizes.take_while(fits).count()
}

/// What is gained by rewriting a bucket: personal bounds go first, then deleted rows, then files.
fn gain(bucket: &BucketPlan) -> (usize, u64, usize) {
    let personal = |reason: &Reason| matches!(reason, Reason::PersonalBounds { .. });
    let deleted = bucket.files.iter().map(|planned| match planned.reason {
        Reason::Deletes { rows } => rows,
        Reason::PersonalBounds { .. } | Reason::Small => 0,
    });
    let exposed = bucket.files.iter().filter(|planned| personal(&planned.reason)).count();
    (exposed, deleted.sum(), bucket.files.len())
}

/// As much as one run may do. Of a bucket that does not fit as a whole, the files with the best
/// reasons are taken; one file alone only if it is not just small. The first file is always taken,
/// so that every run gets on.
fn within(options: &CompactionOptions, worth: Vec<BucketPlan>) -> Vec<BucketPlan> {
    let (mut bytes, mut count) = (0, 0);
    let mut buckets = Vec::new();
    for mut bucket in worth {
        let small = |planned: &PlannedFile| planned.reason == Reason::Small;
        bucket.files.sort_by_key(|planned| (small(planned), planned.file.size()));
        let (before, mut fits, mut memory) = ((bytes, count), 0, 0);
        for planned in &bucket.files {
            let next = bytes + planned.file.size();
            memory += planned.file.size().min(FILE_MEMORY);
            let full = next > options.max_bytes || count >= options.max_files;
            if (count > 0 && full) || (fits > 0 && memory > options.memory_bytes) {
                break;
            }
            (bytes, count, fits) = (next, count + 1, fits + 1);
        }
        bucket.files.truncate(fits);
        match bucket.files.as_slice() {
            [] => {}
            [only] if small(only) => (bytes, count) = before,
            _ => buckets.push(bucket),
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::tier;

    #[test]
    fn small_files_take_a_large_one_along_only_when_they_are_worth_it() {
        let count = |before, sizes: &[u64]| tier(4, before, sizes.iter().copied());
        assert_eq!(count(0, &[5, 5, 5, 5]), 4);
        assert_eq!(count(0, &[1, 1, 1, 13]), 3, "13 is more than 4 times 3");
        assert_eq!(count(0, &[1, 1, 1, 12, 60, 61]), 6);
        assert_eq!(count(0, &[100, 401]), 1);
        assert_eq!(count(100, &[400, 2_001]), 1);
        assert_eq!(count(0, &[]), 0);
    }
}
