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
    /// Random histories at a real MySQL, with replicators killed at random points
    #[command(disable_help_flag = true)]
    Soak {
        /// Handed on; `cargo xtask soak --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Score the Silver engine, or another, by the cases of fixtures/conformance
    #[command(disable_help_flag = true)]
    Conformance {
        /// Handed on; `cargo xtask conformance --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Random histories of the Silver engine beside a naive model
    #[command(disable_help_flag = true)]
    Model {
        /// Handed on; `cargo xtask model --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Random changes after which every Gold model must hold what its query returns in full
    #[command(disable_help_flag = true)]
    GoldModel {
        /// Handed on; `cargo xtask gold-model --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Measure; the subject comes first, such as `capture --rows 1M,10M --runs 3`
    #[command(disable_help_flag = true)]
    Bench {
        /// Handed on; `cargo xtask bench capture --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Unit and integration tests of every crate
    Test {
        /// Handed on to `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Write `infra/stacks/` from the lake definition and the environments
    Synth {
        /// Change nothing; fail when a file is stale
        #[arg(long)]
        check: bool,
        /// Let botocore and cfn-lint judge what is written; needs python3 and PyPI
        #[arg(long)]
        judge: bool,
    },
    /// Formatting, lints and links in the documentation, without changing anything
    Lint,
}

fn main() -> ExitCode {
    let done = match Tasks::parse().task {
        Task::E2e { arguments } => harness("e2e", arguments),
        Task::Up { arguments } => harness("up", arguments),
        Task::GoldModel { arguments } => harness("gold-model", arguments),
        Task::Soak { arguments } => harness("soak", arguments),
        Task::Conformance { arguments } => harness("conformance", arguments),
        Task::Model { arguments } => harness("model", arguments),
        Task::Bench { arguments } => bench(arguments),
        Task::Test { arguments } => test(arguments),
        Task::Synth { check, judge } => synth(check, judge),
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

/// What is measured is built with optimisation. So is what serves S3 to it; what else measures is
/// not.
fn bench(arguments: Vec<OsString>) -> Result<ExitCode, String> {
    let subject = arguments.first().and_then(|subject| subject.to_str()).unwrap_or_default();
    let lake = ["silver", "gold"].contains(&subject);
    let mut command = cargo();
    command.args(["build", "--profile", "bench"]);
    if lake {
        command.args(["--package", "medallion", "--package", "medallion-harness", "--bins"]);
        command.args(if subject == "silver" { &["--example", "silver_floor"][..] } else { &[] });
    } else {
        command.args(["--package", "medallion-replicator", "--example", "capture"]);
    }
    if status(command)? != ExitCode::SUCCESS {
        return Err("the build failed".into());
    }
    if !lake {
        return harness("bench", arguments);
    }
    let programs = programs()?;
    start(&programs.parent().unwrap_or(&programs).join("release"), "bench", arguments)
}

fn harness(task: &str, arguments: Vec<OsString>) -> Result<ExitCode, String> {
    build()?;
    start(&programs()?, task, arguments)
}

/// Replaces this process by the harness of a folder, so that signals reach it and nobody else.
fn start(programs: &Path, task: &str, arguments: Vec<OsString>) -> Result<ExitCode, String> {
    let mut command = Command::new(programs.join("medallion-harness"));
    command.current_dir(root()).arg(task).args(arguments);
    command.env("MEDALLION_BIN", programs.join("medallion"));
    let target = programs.parent().unwrap_or(programs);
    command.env("MEDALLION_TARGET", target);
    command.env("MEDALLION_CAPTURE", target.join("release/examples/capture"));
    command.env("MEDALLION_SILVER_FLOOR", target.join("release/examples/silver_floor"));
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

/// The entries of a folder of the repository with this ending, in order, as seen from its root.
fn entries(folder: &str, ending: &str) -> Result<Vec<PathBuf>, String> {
    let unreadable = |e: std::io::Error| format!("`{folder}` cannot be read: {e}");
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if name.to_string_lossy().ends_with(ending) {
            paths.push(Path::new(folder).join(name));
        }
    }
    paths.sort();
    Ok(paths)
}

/// One run per environment; the first failure decides the exit code, and all are shown.
fn synth(check: bool, judge: bool) -> Result<ExitCode, String> {
    build()?;
    let programs = programs()?;
    let mut code = ExitCode::SUCCESS;
    for environment in entries("infra/environments", ".toml")? {
        let mut command = Command::new(programs.join("medallion"));
        command.current_dir(root()).arg("synth").args(check.then_some("--check"));
        command.arg("--environment").arg(environment);
        isolate(&mut command);
        let done = status(command)?;
        if code == ExitCode::SUCCESS {
            code = done;
        }
    }
    if !judge || code != ExitCode::SUCCESS {
        return Ok(code);
    }
    let mut command = Command::new("python3");
    command.current_dir(root()).arg("fixtures/dms/judge.py");
    command.arg("--venv").arg(programs.parent().unwrap_or(&programs).join("stack/dms-judge"));
    command.args(entries("infra/stacks", "")?.into_iter().map(|folder| folder.join("dms")));
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
