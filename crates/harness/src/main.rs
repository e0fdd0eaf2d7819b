//! `medallion-harness`: what `cargo xtask e2e` and `cargo xtask up` run.

use std::process::ExitCode;

use clap::Parser;
use medallion_harness::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
