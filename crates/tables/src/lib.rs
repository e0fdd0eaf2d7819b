//! Iceberg tables of the lake: Glue catalog, files on S3, scans, writers and commits.
//!
//! A [`warehouse::Warehouse`] bundles the bucket, the file access of Iceberg and the catalog. A
//! [`table::LakeTable`] is a table at one metadata file, so everything read from it is one
//! snapshot. New data goes through [`writer::write_files`] and becomes visible by one
//! [`commit::commit`], which is a compare-and-swap of the metadata file in the catalog.
//!
//! Tables are format version 2. Columns marked personal have neither bounds in manifests nor
//! statistics in Parquet footers.

pub mod catalog;
pub mod changes;
pub mod commit;
pub mod compaction;
mod differences;
pub mod evolution;
mod failure;
pub mod files;
pub mod maintenance;
pub mod provider;
pub mod reader;
pub mod scan;
pub mod schema;
pub mod storage;
pub mod store;
pub mod table;
#[cfg(test)]
mod tests;
pub mod warehouse;
pub mod writer;

pub use iceberg::TableIdent;
pub use iceberg::io::FileIO;
pub use iceberg::spec::{DataFile, Operation, Snapshot, TableMetadata};
