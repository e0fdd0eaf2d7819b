//! Tests over in-memory and local files, with a catalog whose faults can be chosen.

mod aws_replies;
mod commits;
mod deletes;
mod fixture;
mod memory_catalog;
mod outcomes;
mod provider;
mod writing;
