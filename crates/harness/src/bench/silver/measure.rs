//! One run of one program, alone, measured by `fixtures/bench/measure.py`.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;

use crate::failure::HarnessError;

/// What a run took, as the tables show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(in crate::bench) struct Measured {
    pub(in crate::bench) wall_seconds: f64,
    /// User and system.
    pub(in crate::bench) cpu_seconds: f64,
    pub(in crate::bench) peak_bytes: u64,
    pub(in crate::bench) read_bytes: Option<u64>,
    pub(in crate::bench) written_bytes: Option<u64>,
    /// Requests to S3.
    pub(in crate::bench) requests: Option<u64>,
    /// What this process took meanwhile, which served S3 and Glue.
    pub(in crate::bench) endpoint_seconds: Option<f64>,
    /// Seconds before the work, which are not in the others.
    pub(in crate::bench) start_seconds: Option<f64>,
}

/// What `measure.py` says.
#[derive(Debug, Deserialize)]
struct Whole {
    wall_seconds: f64,
    user_seconds: f64,
    system_seconds: f64,
    peak_bytes: u64,
    server_cpu_seconds: Option<f64>,
    result: Value,
}

/// What a peer says of its work, without the start of Python or a JVM.
#[derive(Debug, Deserialize)]
pub(in crate::bench) struct Step {
    pub(in crate::bench) seconds: f64,
    pub(in crate::bench) cpu_seconds: f64,
    pub(in crate::bench) read_bytes: u64,
    pub(in crate::bench) written_bytes: u64,
    pub(in crate::bench) start_seconds: Option<f64>,
    pub(in crate::bench) version: String,
    /// The Iceberg metadata file that is current now.
    pub(in crate::bench) metadata: Option<String>,
}

/// A program to run.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Program {
    words: Vec<OsString>,
    variables: Vec<(String, String)>,
}

impl Program {
    pub(in crate::bench) fn new(program: impl Into<OsString>) -> Program {
        Program { words: vec![program.into()], variables: Vec::new() }
    }

    pub(in crate::bench) fn arg(mut self, word: impl Into<OsString>) -> Program {
        self.words.push(word.into());
        self
    }

    pub(in crate::bench) fn args<W: Into<OsString>>(
        mut self,
        words: impl IntoIterator<Item = W>,
    ) -> Program {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    pub(in crate::bench) fn variables(mut self, variables: Vec<(String, String)>) -> Program {
        self.variables.extend(variables);
        self
    }

    /// This program starts another, whose words and variables follow.
    pub(in crate::bench) fn then(mut self, other: Program) -> Program {
        self.words.extend(other.words);
        self.variables.extend(other.variables);
        self
    }

    fn failed(&self, reason: impl std::fmt::Display) -> HarnessError {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        HarnessError::Bench(format!("`{}`: {reason}", words.join(" ")))
    }

    /// Runs it to its end; gives its output.
    pub(in crate::bench) async fn run(&self) -> Result<String, HarnessError> {
        let Some((program, arguments)) = self.words.split_first() else {
            return Err(self.failed("no program"));
        };
        let mut command = Command::new(program);
        command.args(arguments).envs(self.variables.iter().map(|(k, v)| (k, v)));
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(|e| self.failed(e))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        // Spark's log would hide what Python says.
        let log = |line: &&str| [" INFO ", " WARN "].iter().any(|level| line.contains(level));
        let lines = said.lines().rev().filter(|line| !line.trim().is_empty() && !log(line));
        let mut last: Vec<&str> = lines.take(3).collect();
        last.reverse();
        Err(self.failed(if last.is_empty() { "no error output".into() } else { last.join("\n  ") }))
    }

    /// The JSON of its last line of output.
    pub(in crate::bench) async fn json<T: DeserializeOwned>(&self) -> Result<T, HarnessError> {
        let output = self.run().await?;
        let last = output.trim_end().lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|e| self.failed(e))
    }

    /// Runs it measured as a whole; gives its last line of output too.
    pub(in crate::bench) async fn measure(
        &self,
        fixtures: &Path,
    ) -> Result<(Measured, Value), HarnessError> {
        let measure = Program::new("python3")
            .arg(fixtures.join("bench/measure.py"))
            .arg(std::process::id().to_string())
            .args(self.words.iter().cloned())
            .variables(self.variables.clone());
        let whole: Whole = measure.json().await?;
        let measured = Measured {
            wall_seconds: whole.wall_seconds,
            cpu_seconds: whole.user_seconds + whole.system_seconds,
            peak_bytes: whole.peak_bytes,
            endpoint_seconds: whole.server_cpu_seconds,
            ..Measured::default()
        };
        Ok((measured, whole.result))
    }

    /// Runs a peer: its work, and the peak memory of its whole process.
    pub(in crate::bench) async fn measure_step(
        &self,
        fixtures: &Path,
    ) -> Result<(Measured, Step), HarnessError> {
        let (whole, result) = self.measure(fixtures).await?;
        let step: Step = serde_json::from_value(result).map_err(|e| self.failed(e))?;
        let measured = Measured {
            wall_seconds: step.seconds,
            cpu_seconds: step.cpu_seconds,
            peak_bytes: whole.peak_bytes,
            read_bytes: Some(step.read_bytes),
            written_bytes: Some(step.written_bytes),
            start_seconds: step.start_seconds,
            ..Measured::default()
        };
        Ok((measured, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_fails_is_no_result() {
        let program = Program::new("sh").args(["-c", "echo '{\"rows\": 1}'; echo no >&2; exit 3"]);
        let error = program.json::<Value>().await.unwrap_err().to_string();
        assert!(error.ends_with(": no"), "{error}");
        let program = Program::new("sh").args(["-c", "echo some; echo '{\"rows\": 1}'"]);
        assert_eq!(program.json::<Value>().await.unwrap()["rows"], 1);
    }
}
