//! The one binary of Medallion, and the few things that the local harness shares with it.
//!
//! Data goes to stdout, everything else to stderr. Exit codes are in [`exit`].

pub mod cli;
mod commands;
pub mod error;
pub mod exit;
pub mod files;
pub mod governed;
mod lineage_sink;
mod options;
mod quantity;
mod recorder;
pub mod source_comparison;
pub mod target;
