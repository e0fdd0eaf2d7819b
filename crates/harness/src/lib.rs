//! Local AWS endpoints, scenarios over them, and the verification of what they leave behind.
//!
//! Never shipped: what runs on AWS is the `medallion` binary alone. The endpoints speak the real
//! wire protocols, so the code that talks to AWS is the code that runs here.

pub mod aws;
pub mod bench;
pub mod breaks;
pub mod cli;
pub mod conformance;
pub mod e2e;
pub mod failure;
pub mod fault_sink;
pub mod gold_model;
pub mod model;
pub mod mysql;
pub mod page;
pub mod process;
pub mod readers;
pub mod replicate_command;
pub mod report;
pub mod runner;
pub mod small_lake;
pub mod soak;
pub mod stack;
pub mod swapping_sink;
pub mod verify;
pub mod workload;
