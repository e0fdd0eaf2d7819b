//! The project's tasks. Thin on purpose: it builds in seconds and starts the real programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's tasks")]
struct Tasks {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the whole lake on this machine: MySQL, Bronze, Silver, Gold, access; then verify it
    #[command(disable_help_flag = true)]
    E2e {
        /// Handed on; `cargo xtask e2e --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Start the stack, load it, and keep it for playing until Ctrl-C
    #[command(disable_help_flag = true)]
    Up {
        /// Handed on; `cargo xtask up --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Unit and integration tests of every crate
    Test {
        /// Handed on to `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Formatting, lints and links in the documentation, without changing anything
    Lint,
}

fn main() -> ExitCode {
    let done = match Tasks::parse().task {
        Task::E2e { arguments } => harness("e2e", arguments),
        Task::Up { arguments } => harness("up", arguments),
        Task::Test { arguments } => test(arguments),
        Task::Lint => lint(),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(70)
        }
    }
}

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // Set by the outer `cargo run` for this package alone.
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_PKG_NAME");
    command
}

/// The folder of built programs, in which this one lies too.
fn programs() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| format!("this program has no path: {e}"))?;
    own.parent().map(Path::to_owned).ok_or_else(|| "this program has no folder".to_owned())
}

/// A developer's own AWS would win over the stack's files.
const CLEARED: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_GLUE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
];

/// A developer's own AWS and proxy must not get between the stack and its jobs. The harness is
/// told what was cleared, so that it can tell others.
fn isolate(command: &mut Command) {
    for name in CLEARED {
        command.env_remove(name);
    }
    command.env("MEDALLION_CLEARED", CLEARED.join(" "));
    for name in ["NO_PROXY", "no_proxy"] {
        let others = std::env::var(name).unwrap_or_default();
        command.env(name, format!("{others},127.0.0.1"));
    }
}

fn status(mut command: Command) -> Result<ExitCode, String> {
    let shown = format!("{command:?}");
    let status = command.status().map_err(|e| format!("`{shown}` cannot start: {e}"))?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).map_or(ExitCode::from(70), ExitCode::from))
}

/// Always the whole workspace, so that every task shares one set of compiled dependencies.
fn build() -> Result<(), String> {
    let mut command = cargo();
    command.args(["build", "--workspace", "--bins"]);
    if status(command)? == ExitCode::SUCCESS { Ok(()) } else { Err("the build failed".into()) }
}

/// Replaces this process by the harness, so that signals reach it and nobody else.
fn harness(task: &str, arguments: Vec<OsString>) -> Result<ExitCode, String> {
    build()?;
    let programs = programs()?;
    let mut command = Command::new(programs.join("medallion-harness"));
    command.current_dir(root()).arg(task).args(arguments);
    command.env("MEDALLION_BIN", programs.join("medallion"));
    command.env("MEDALLION_TARGET", programs.parent().unwrap_or(&programs));
    isolate(&mut command);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(format!("the harness cannot start: {}", command.exec()))
    }
    #[cfg(not(unix))]
    status(command)
}

fn test(arguments: Vec<OsString>) -> Result<ExitCode, String> {
    build()?;
    let mut command = cargo();
    command.args(["test", "--workspace"]).args(arguments);
    isolate(&mut command);
    status(command)
}

fn lint() -> Result<ExitCode, String> {
    let mut format = cargo();
    format.args(["fmt", "--all", "--check"]);
    let formatted = status(format)?;
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
    let clean = status(clippy)?;
    let mut documentation = cargo();
    documentation.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings");
    let documented = status(documentation)?;
    let all = [formatted, clean, documented];
    Ok(all.into_iter().find(|code| *code != ExitCode::SUCCESS).unwrap_or(ExitCode::SUCCESS))
}
