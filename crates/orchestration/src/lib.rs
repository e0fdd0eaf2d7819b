//! From the arrival of files to Silver and Gold: which job may start, and when.
//!
//! Pure: events go in, actions come out. Whoever runs the jobs (the local runner, a state
//! machine) reports back by events. The rules:
//! - an event is a hint; the job itself finds its work by listing Bronze;
//! - one run per table at a time; what arrives meanwhile makes the table run once more;
//! - a model runs when one of its inputs changed and none of them is waiting, running or broken;
//! - a job that keeps failing is given up with an alarm, and nothing that depends on it runs.

pub mod flow;

pub use flow::{Action, Event, Flow, Job};
