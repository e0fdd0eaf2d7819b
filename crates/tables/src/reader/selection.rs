//! Rows of a file as ranges of positions, cut at row groups.

use std::ops::Range;

use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::ParquetMetaData;
use roaring::RoaringTreemap;

/// Rows of one row group that are to be decoded: ranges of positions in the file, ascending,
/// apart and not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupRows {
    pub(super) group: usize,
    /// All positions of the row group.
    pub(super) all: Range<u64>,
    pub(super) ranges: Vec<Range<u64>>,
}

impl GroupRows {
    /// The selection for the decoder, or nothing when all rows are wanted.
    pub(super) fn selection(&self) -> Option<RowSelection> {
        if self.ranges.as_slice() == std::slice::from_ref(&self.all) {
            return None;
        }
        let place = |at: u64| usize::try_from(at - self.all.start).unwrap_or(usize::MAX);
        let ranges = self.ranges.iter().map(|range| place(range.start)..place(range.end));
        Some(RowSelection::from_consecutive_ranges(ranges, place(self.all.end)))
    }
}

/// The positions of each row group.
pub(super) fn groups(metadata: &ParquetMetaData) -> Vec<Range<u64>> {
    let mut start = 0;
    let groups = metadata.row_groups().iter().map(|group| {
        let end = start + u64::try_from(group.num_rows()).unwrap_or_default();
        let rows = start..end;
        start = end;
        rows
    });
    groups.collect()
}

/// Ascending positions as ranges of neighbours.
pub(super) fn ranges(positions: impl IntoIterator<Item = u64>) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for position in positions {
        match ranges.last_mut() {
            Some(last) if last.end == position => last.end += 1,
            _ => ranges.push(position..position + 1),
        }
    }
    ranges
}

/// Cuts ascending ranges at the borders of row groups; groups without rows are left out.
pub(super) fn cut(groups: &[Range<u64>], ranges: &[Range<u64>]) -> Vec<GroupRows> {
    let mut left = ranges;
    let mut found = Vec::new();
    for (group, all) in groups.iter().enumerate() {
        let mut inside = Vec::new();
        while let Some(range) = left.first().filter(|range| range.start < all.end) {
            inside.push(range.start.max(all.start)..range.end.min(all.end));
            if range.end > all.end {
                break;
            }
            left = &left[1..];
        }
        if !inside.is_empty() {
            found.push(GroupRows { group, all: all.clone(), ranges: inside });
        }
    }
    found
}

/// The rows of one row group but those in the bitmap.
pub(super) fn without(group: usize, all: Range<u64>, gone: &RoaringTreemap) -> GroupRows {
    let mut ranges = Vec::new();
    let mut start = all.start;
    let mut gone = gone.iter();
    gone.advance_to(all.start);
    for position in gone.take_while(|position| *position < all.end) {
        if start < position {
            ranges.push(start..position);
        }
        start = position + 1;
    }
    if start < all.end {
        ranges.push(start..all.end);
    }
    GroupRows { group, all, ranges }
}
