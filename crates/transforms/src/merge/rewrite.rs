//! New rows of a bucket into its files, and rows that go out of them.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use medallion_tables::DataFile;
use medallion_tables::files::LiveFile;
use medallion_tables::reader::merge_sorted;
use medallion_tables::scan::BatchStream;
use medallion_tables::table::LakeTable;
use medallion_tables::writer::BucketWriter;
use roaring::RoaringTreemap;

use super::partition::Bucket;
use crate::error::TransformError;

/// A file below this part of a full one (1 MiB of 128 MiB) is rewritten rather than given deletes:
/// it is as cheap, and leaves one file less.
const SMALL_PART: u64 = 128;
/// A file of at most this part of what its bucket writes anyway is rewritten along.
const WORTH_REWRITING: u64 = 4;
/// Small files that lose nothing are written along as long as each is at most so many times as
/// large as everything before it. So a bucket has few small files at any time, and a row is
/// written anew only about once per factor by which its file grows.
const TIER: u64 = 4;
/// What the smallest file takes: footer and headers.
const LEAST_BYTES: u64 = 4096;
/// A file that loses one row of so many is rewritten: readers would carry the dead rows along.
const REWRITE_SHARE: u64 = 2;

/// What became of a bucket's files.
#[derive(Default)]
pub(crate) struct Rewritten {
    /// New data and delete files.
    pub(crate) added: Vec<DataFile>,
    /// Data and delete files that go.
    pub(crate) removed: Vec<LiveFile>,
}

/// Writes to the files of a table.
#[derive(Clone, Copy)]
pub(crate) struct Rewriter<'a> {
    pub(crate) table: &'a LakeTable,
    /// The size at which a data file is closed.
    pub(crate) file_bytes: u64,
}

impl Rewriter<'_> {
    /// Takes rows out of a bucket's files and adds new ones, which come sorted and take about
    /// `new_bytes` as stored.
    pub(crate) async fn replace(
        self,
        bucket: Bucket,
        files: &[LiveFile],
        gone: BTreeMap<usize, RoaringTreemap>,
        new_rows: Option<BatchStream>,
        new_bytes: u64,
    ) -> Result<Rewritten, TransformError> {
        let small = self.file_bytes / SMALL_PART;
        let mut fates = Fates::new(files, gone, small.max(new_bytes / WORTH_REWRITING));
        let spec_id = self.table.metadata().default_partition_spec_id();
        fates.take_along(files, spec_id, small, new_bytes);
        let mut streams: Vec<BatchStream> = new_rows.into_iter().collect();
        for (file, positions) in &fates.rewritten {
            streams.push(self.table.read_except(&files[*file], positions)?);
        }
        let mut done = Rewritten::default();
        if !streams.is_empty() {
            done.added = self.write(bucket, merge_sorted(self.table, streams)?).await?;
        }
        self.take_out(files, fates, &mut done).await?;
        Ok(done)
    }

    /// Writes rows, which come sorted, into new files.
    pub(crate) async fn write(
        self,
        bucket: Bucket,
        mut rows: BatchStream,
    ) -> Result<Vec<DataFile>, TransformError> {
        let mut writer = BucketWriter::new(self.table, bucket, self.file_bytes)?;
        while let Some(batch) = rows.try_next().await? {
            writer.write(&batch).await?;
        }
        Ok(writer.finish().await?)
    }

    async fn take_out(
        self,
        files: &[LiveFile],
        fates: Fates,
        done: &mut Rewritten,
    ) -> Result<(), TransformError> {
        let rewritten = fates.rewritten.into_iter().map(|(file, _)| file);
        done.removed.extend(rewritten.chain(fates.dropped).map(|file| files[file].clone()));
        for (file, positions) in fates.deleted {
            let (deletes, replaced) =
                self.table.write_position_deletes(&files[file], &positions).await?;
            done.added.push(deletes);
            done.removed.extend(replaced);
        }
        Ok(())
    }
}

/// What becomes of the files that lose rows.
#[derive(Default)]
struct Fates {
    /// All their rows go.
    dropped: Vec<usize>,
    /// Rows that stay are written anew.
    rewritten: Vec<(usize, RoaringTreemap)>,
    /// Rows are deleted by position.
    deleted: Vec<(usize, RoaringTreemap)>,
}

impl Fates {
    /// Chooses by cost. A file is rewritten when it is small, absolutely or beside what the bucket
    /// writes anyway, or when it loses a great share of its rows; else it gets position deletes.
    fn new(files: &[LiveFile], gone: BTreeMap<usize, RoaringTreemap>, small: u64) -> Fates {
        let mut fates = Fates::default();
        for (index, positions) in gone {
            let Some(file) = files.get(index) else { continue };
            let lost = positions.len();
            if lost == file.records() && !file.has_deletes() {
                fates.dropped.push(index);
            } else if file.size() <= small || lost * REWRITE_SHARE >= file.records() {
                fates.rewritten.push((index, positions));
            } else {
                fates.deleted.push((index, positions));
            }
        }
        fates
    }

    /// Lets small files be written along, the smallest ones first, when the bucket gets a new file
    /// anyway. Those of another partition spec stay with the engine that wrote them.
    fn take_along(&mut self, files: &[LiveFile], spec_id: i32, small: u64, new_bytes: u64) {
        if new_bytes == 0 && self.rewritten.is_empty() {
            return;
        }
        let rewritten = self.rewritten.iter().map(|(index, _)| files[*index].size());
        let mut written = new_bytes.max(LEAST_BYTES) + rewritten.sum::<u64>();
        let others = self.dropped.iter().chain(self.rewritten.iter().map(|(index, _)| index));
        let others: BTreeSet<usize> =
            others.chain(self.deleted.iter().map(|(index, _)| index)).copied().collect();
        let is_small = |index: &usize| {
            let file = &files[*index];
            file.size() <= small && file.spec_id == spec_id && !others.contains(index)
        };
        let mut along: Vec<usize> = (0..files.len()).filter(is_small).collect();
        along.sort_by_key(|index| files[*index].size());
        for index in along {
            let size = files[index].size();
            if size > written * TIER {
                break;
            }
            written += size;
            self.rewritten.push((index, RoaringTreemap::new()));
        }
    }
}
