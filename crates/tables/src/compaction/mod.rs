//! Compaction: few, well-filled, sorted files instead of many small ones or ones full of deleted
//! rows. The rows stay as they are, technical columns too.
//!
//! A [`CompactionPlan`] says which files are worth it and why; [`compact`] writes the new files and
//! comes back with the change to be committed. The change holds only on the snapshot that was
//! planned on, as far as the touched partitions are concerned: rows deleted meanwhile would come
//! back. Both [`crate::commit::commit`] and [`crate::commit::commit_rebasing`] see to that: they
//! answer with a conflict when anything was added to these partitions, delete files included. The
//! new files get the sequence number of the new snapshot, so that no older delete applies to them.

mod execute;
mod plan;

pub use execute::compact;
pub use plan::{
    BucketPlan, CompactionOptions, CompactionPlan, FILE_MEMORY, PlannedFile, Reason,
    plan_compaction,
};
