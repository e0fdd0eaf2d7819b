//! What changed in a table between two of its snapshots, row by row.
//!
//! Files are immutable, so only files and deletes that the two snapshots do not share are read. A
//! row that a commit wrote again as it was, such as compaction does, comes out on both sides; so
//! readers take the difference of the two bags.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use roaring::RoaringTreemap;

use crate::files::LiveFile;
use crate::scan::BatchStream;
use crate::table::{LakeTable, TableError};

/// Rows that are in one of two snapshots only, or were written anew.
#[derive(Clone, Debug)]
pub struct TableChanges {
    old: Side,
    new: Side,
}

/// Rows of one snapshot.
#[derive(Clone, Debug)]
struct Side {
    table: LakeTable,
    /// Files all of whose live rows count.
    whole: Vec<LiveFile>,
    /// Rows of files that both snapshots have.
    parts: Vec<(LiveFile, Vec<u64>)>,
}

impl LakeTable {
    /// The files and positions in which this snapshot differs from that of `old`, which is the same
    /// table read at another snapshot. Delete files that the two do not share are read for it.
    ///
    /// # Errors
    /// [`TableError::Files`] when manifests or delete files cannot be read.
    pub async fn changes_since(&self, old: &LakeTable) -> Result<TableChanges, TableError> {
        let mut before: HashMap<String, LiveFile> =
            old.live_files().await?.into_iter().map(|f| (f.path().to_owned(), f)).collect();
        let side =
            |table: &LakeTable| Side { table: table.clone(), whole: Vec::new(), parts: Vec::new() };
        let (mut gone, mut came) = (side(old), side(self));
        for file in self.live_files().await? {
            let Some(earlier) = before.remove(file.path()) else {
                came.whole.push(file);
                continue;
            };
            if same_deletes(&earlier, &file) {
                continue;
            }
            let was = old.deleted_positions(&earlier).await?;
            let is = self.deleted_positions(&file).await?;
            gone.part(earlier, &is - &was);
            came.part(file, was - is);
        }
        gone.whole.extend(before.into_values());
        gone.whole.sort_by(|a, b| a.path().cmp(b.path()));
        Ok(TableChanges { old: gone, new: came })
    }
}

fn same_deletes(a: &LiveFile, b: &LiveFile) -> bool {
    let paths = |file: &LiveFile| {
        let mut paths: Vec<String> = file.deletes.iter().map(|d| d.path().to_owned()).collect();
        paths.sort();
        paths
    };
    paths(a) == paths(b)
}

impl Side {
    fn part(&mut self, file: LiveFile, positions: RoaringTreemap) {
        if !positions.is_empty() {
            self.parts.push((file, positions.into_iter().collect()));
        }
    }

    fn rows(&self) -> u64 {
        let whole = self.whole.iter().map(LiveFile::records).sum::<u64>();
        whole + self.parts.iter().map(|(_, positions)| positions.len() as u64).sum::<u64>()
    }

    fn bytes(&self) -> u64 {
        let parts = self.parts.iter().map(|(file, _)| file);
        self.whole.iter().chain(parts).map(LiveFile::size).sum()
    }

    /// File after file.
    fn read(&self, columns: Vec<String>) -> BatchStream {
        let whole = {
            let (table, columns) = (self.table.clone(), columns.clone());
            let read = move |file: LiveFile| {
                let (table, columns) = (table.clone(), columns.clone());
                async move { table.stream_file(&file, &columns) }
            };
            futures::stream::iter(self.whole.clone()).then(read).try_flatten()
        };
        let table = self.table.clone();
        let parts = futures::stream::iter(self.parts.clone()).then(move |(file, positions)| {
            let (table, columns) = (table.clone(), columns.clone());
            async move {
                let batches = table.read_positions(&file, &positions, &columns).await?;
                Ok(futures::stream::iter(batches.into_iter().map(Ok)))
            }
        });
        whole.chain(parts.try_flatten()).boxed()
    }
}

impl TableChanges {
    /// True when no row can have changed.
    pub fn is_empty(&self) -> bool {
        self.old.rows() == 0 && self.new.rows() == 0
    }

    /// The rows of both sides, deleted ones of whole files included: an upper bound.
    pub fn rows(&self) -> u64 {
        self.old.rows() + self.new.rows()
    }

    /// The sizes of the files that hold them.
    pub fn bytes(&self) -> u64 {
        self.old.bytes() + self.new.bytes()
    }

    /// The rows that the older snapshot has.
    ///
    /// # Errors
    /// None now; those of reading come through the stream: [`TableError::Files`].
    pub fn removed(&self, columns: &[String]) -> BatchStream {
        self.old.read(columns.to_vec())
    }

    /// The rows that the newer snapshot has.
    ///
    /// # Errors
    /// As [`TableChanges::removed`].
    pub fn added(&self, columns: &[String]) -> BatchStream {
        self.new.read(columns.to_vec())
    }
}
