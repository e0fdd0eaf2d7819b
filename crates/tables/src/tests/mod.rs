//! Tests over in-memory and local files, with a catalog whose faults can be chosen.

mod aws_replies;
mod branches;
mod clocks;
mod commits;
mod compaction;
mod deletes;
mod evolving;
mod fixture;
mod ground;
mod keys;
mod maintaining;
mod memory_catalog;
mod merging;
mod outcomes;
mod provider;
mod rebasing;
mod replacing;
mod writing;
