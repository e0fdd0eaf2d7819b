//! `medallion`: the lake's jobs and operations.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_closed(panic.payload()) {
            hook(panic);
        }
    }));
    match catch_unwind(AssertUnwindSafe(|| runtime.block_on(cli.run()))) {
        Ok(Ok(())) => ExitCode::from(exit::OK),
        Ok(Err(error)) => {
            eprintln!("{}", error.report());
            ExitCode::from(error.exit_code())
        }
        Err(panic) if is_closed(panic.as_ref()) => ExitCode::from(exit::CLOSED),
        Err(_) => ExitCode::from(exit::BUG),
    }
}

/// True when the standard library panicked because nobody reads what is printed any more, as
/// behind `| head`.
fn is_closed(panic: &(dyn Any + Send)) -> bool {
    let text = panic.downcast_ref::<String>();
    text.is_some_and(|text| text.starts_with("failed printing to stdout"))
}
