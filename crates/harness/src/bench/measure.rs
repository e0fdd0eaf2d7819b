//! One run of one program, measured by `fixtures/bench/measure.py`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::scene::Changes;
use crate::failure::HarnessError;
use crate::readers;
use crate::report::Printer;

/// What a run took.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Measured {
    pub(super) wall_seconds: f64,
    pub(super) user_seconds: f64,
    pub(super) system_seconds: f64,
    pub(super) peak_bytes: u64,
    /// What the server took meanwhile; `None` for a server of another machine.
    pub(super) server_cpu_seconds: Option<f64>,
    pub(super) result: Done,
}

/// What a program says it has done.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Done {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// A peer's CPU seconds without Python's start and imports.
    pub(super) cpu_seconds: Option<f64>,
    /// A peer's wall time without them.
    pub(super) seconds: Option<f64>,
}

impl Measured {
    /// CPU seconds of the work: all of ours, of a peer those without Python's start.
    pub(super) fn cpu(&self) -> f64 {
        self.result.cpu_seconds.unwrap_or(self.user_seconds + self.system_seconds)
    }

    /// Seconds on the clock, likewise.
    pub(super) fn wall(&self) -> f64 {
        self.result.seconds.unwrap_or(self.wall_seconds)
    }
}

/// Python with what the peers need, in a virtual environment that is made once and kept.
pub(super) async fn python(
    fixtures: &Path,
    cache: &Path,
    printer: &Printer,
) -> Result<PathBuf, HarnessError> {
    printer.print("peers", "a virtual environment with DuckDB and ConnectorX");
    let requirements = fixtures.join("bench/requirements.txt");
    readers::environment(&requirements, &cache.join("bench")).await
}

/// The programs and what they run against.
pub(super) struct Bench {
    pub(super) python: PathBuf,
    /// The folder of the peers' scripts.
    pub(super) fixtures: PathBuf,
    /// Ours.
    pub(super) program: PathBuf,
    /// A folder for what they write; emptied before each run.
    pub(super) out: PathBuf,
    pub(super) url: String,
    pub(super) server_process: Option<u32>,
}

impl Bench {
    /// Our full load over one connection.
    pub(super) fn load(&self) -> Result<Measured, HarnessError> {
        let mut command = self.measured()?;
        command.arg(&self.program).arg("load");
        self.finish(command.args(["--url", &self.url, "--table", "bench.customers", "--out"]))
    }

    /// Our reading of changes until they are durable.
    pub(super) fn follow(&self, changes: &Changes) -> Result<Measured, HarnessError> {
        let mut command = self.measured()?;
        command.arg(&self.program).arg("follow");
        command.args(["--from", &changes.from, "--until", &changes.until]);
        self.finish(command.args(["--url", &self.url, "--table", "bench.changed", "--out"]))
    }

    /// A peer's copy of the table with one thread, as ours has one connection.
    pub(super) fn peer(&self, name: &str) -> Result<Measured, HarnessError> {
        let mut command = self.measured()?;
        command.arg(&self.python).arg(self.fixtures.join(format!("load_{name}.py")));
        self.finish(command.args([&self.url, "bench.customers"]))
    }

    fn measured(&self) -> Result<Command, HarnessError> {
        let fresh = || -> std::io::Result<()> {
            if self.out.exists() {
                std::fs::remove_dir_all(&self.out)?;
            }
            std::fs::create_dir_all(&self.out)
        };
        fresh().map_err(|source| HarnessError::WorkFile { path: self.out.clone(), source })?;
        let mut command = Command::new(&self.python);
        command.arg(self.fixtures.join("measure.py"));
        command.arg(self.server_process.unwrap_or(0).to_string());
        Ok(command)
    }

    fn finish(&self, command: &mut Command) -> Result<Measured, HarnessError> {
        command.arg(&self.out).stdin(Stdio::null());
        let shown = format!("{command:?}");
        let failed = |reason: String| HarnessError::Bench(format!("{shown}: {reason}"));
        let output = command.output().map_err(|e| failed(e.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(failed(said.lines().last().unwrap_or("no error output").to_owned()));
        }
        serde_json::from_slice(&output.stdout).map_err(|e| failed(e.to_string()))
    }
}
