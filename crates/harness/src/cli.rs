//! The harness's command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use medallion::exit;

use crate::bench::{self, BenchOptions};
use crate::conformance::{self, ConformanceOptions};
use crate::e2e::{self, E2eOptions};
use crate::failure::HarnessError;
use crate::gold_model::{self, GoldModelOptions};
use crate::model::{self, ModelOptions};
use crate::process::supervise_main;
use crate::replicate_command::{self, ReplicateOptions};
use crate::report::Report;
use crate::soak::{self, SoakOptions};

/// Local stacks, scenarios and verification.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole lake on this machine, then verify it
    E2e(E2eOptions),
    /// The same, and keep the stack running until Ctrl-C
    Up(E2eOptions),
    /// Random histories against a real MySQL, with replicators that are killed
    Soak(SoakOptions),
    /// Score an engine by the conformance cases of Bronze to Silver
    Conformance(ConformanceOptions),
    /// Random histories of the Silver engine beside a naive model
    Model(ModelOptions),
    /// Random changes after which every Gold model must hold what its query returns in full
    GoldModel(GoldModelOptions),
    /// Measure, beside programs that others wrote
    Bench(BenchOptions),
    /// One replicator, until standard input ends
    #[command(hide = true)]
    Replicate(ReplicateOptions),
    /// Run a program and end it when standard input ends
    #[command(hide = true)]
    Supervise {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::E2e(options) => scenario(&options),
            Command::Up(options) => scenario(&E2eOptions { up: true, ..options }),
            Command::Soak(options) => soaked(&options),
            Command::Conformance(options) => scored(&options),
            Command::Model(options) => modelled(&options),
            Command::GoldModel(options) => gold_modelled(&options),
            Command::Bench(options) => measured(&options),
            Command::Replicate(options) => replicate_command::run(options),
            Command::Supervise { arguments } => supervise_main(arguments),
        }
    }
}

fn modelled(options: &ModelOptions) -> ExitCode {
    let told = "every history's lake equals the model";
    by_seed(model::run(options), told, "fixtures/model/seeds.txt")
}

fn gold_modelled(options: &GoldModelOptions) -> ExitCode {
    let told = "every table holds what its query returns";
    by_seed(gold_model::run(options), told, "fixtures/gold/seeds.txt")
}

/// Runs random histories; seeds that failed belong into a file.
fn by_seed(
    run: impl Future<Output = Result<Vec<(u64, String)>, HarnessError>>,
    told: &str,
    kept: &str,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime cannot start: {error}");
            return ExitCode::from(exit::BUG);
        }
    };
    match runtime.block_on(run) {
        Ok(failures) if failures.is_empty() => {
            println!("OK: {told}");
            ExitCode::from(exit::OK)
        }
        Ok(failures) => {
            println!("NOT OK: add these seeds to {kept}");
            for (seed, reason) in failures {
                println!("  {seed} # {}", reason.lines().next().unwrap_or_default());
            }
            ExitCode::from(exit::FINDINGS)
        }
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::from(error.exit_code())
        }
    }
}

fn scored(options: &ConformanceOptions) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime cannot start: {error}");
            return ExitCode::from(exit::BUG);
        }
    };
    match runtime.block_on(conformance::run(options)) {
        Ok(true) => ExitCode::from(exit::OK),
        Ok(false) => ExitCode::from(exit::FINDINGS),
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::from(error.exit_code())
        }
    }
}

fn measured(options: &BenchOptions) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime cannot start: {error}");
            return ExitCode::from(exit::BUG);
        }
    };
    match runtime.block_on(bench::run(options)) {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::from(error.exit_code())
        }
    }
}

fn soaked(options: &SoakOptions) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime cannot start: {error}");
            return ExitCode::from(exit::BUG);
        }
    };
    match runtime.block_on(soak::run(options)) {
        Ok(failures) if failures.is_empty() => {
            println!("OK: every history's Bronze equals its source");
            ExitCode::from(exit::OK)
        }
        Ok(failures) => {
            println!("NOT OK: add these seeds to fixtures/soak/seeds.txt");
            for (seed, reason) in failures {
                println!("  {seed} # {reason}");
            }
            ExitCode::from(exit::FINDINGS)
        }
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::from(error.exit_code())
        }
    }
}

fn scenario(options: &E2eOptions) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime cannot start: {error}");
            return ExitCode::from(exit::BUG);
        }
    };
    let mut report = Report::default();
    match runtime.block_on(e2e::run(options, &mut report)) {
        Ok(found) if found.is_empty() => {
            println!("{}\nOK: the lake equals MySQL", report.summary());
            ExitCode::from(exit::OK)
        }
        Ok(found) => {
            let (n, list) = (found.len(), Report::differences(&found));
            println!("{}\nNOT OK: {n} differences\n{list}", report.summary());
            ExitCode::from(exit::FINDINGS)
        }
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::from(error.exit_code())
        }
    }
}
