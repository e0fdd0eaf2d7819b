//! `medallion`: the lake's jobs and operations.

use std::process::ExitCode;

use clap::Parser;
use medallion::cli::Cli;
use medallion::exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime cannot start: {error}");
            return ExitCode::from(exit::BUG);
        }
    };
    match runtime.block_on(cli.run()) {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::from(error.exit_code())
        }
    }
}
