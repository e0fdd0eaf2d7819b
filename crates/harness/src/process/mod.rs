//! Supervision of child processes without unsafe code: no child outlives the harness.
//!
//! A program is not started directly but through the harness binary's `supervise` subcommand,
//! whose standard input is a pipe from the harness. Whatever ends the harness (a panic, Ctrl-C,
//! SIGKILL) closes the pipe, and the supervisor then ends the program and its descendants.

mod supervise;
mod supervised;

pub use self::supervise::{SUPERVISE, supervise_main};
pub use self::supervised::{Exit, ProcessError, Program, StderrTail, Supervised};
