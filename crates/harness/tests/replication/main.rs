//! The replicator against real servers: what is in Bronze, replayed by a model of ten lines, must
//! be what the server answers to `SELECT`, whatever happened in between.
//!
//! One server of each kind serves all tests of this binary; they end with the process.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod bronze;
mod checkpoints;
mod definition;
mod failover;
mod following;
mod interruptions;
mod key_ranges;
mod large_transactions;
mod loading;
mod mariadb;
mod refusals;
mod replay;
mod servers;
mod starts;
mod task;
mod xa;
