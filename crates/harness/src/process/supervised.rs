//! The harness's side: starts a program through the supervisor and holds its pipe.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::task::JoinHandle;

use super::supervise::{CONTAINER, SUPERVISE};

/// Bytes of standard error that are kept.
const TAIL_BYTES: usize = 4096;
/// What a supervisor may take beyond the program's grace.
const STOP_MARGIN: Duration = Duration::from_secs(10);
/// How long the last output of a program that ended may take to arrive.
const TAIL_LIMIT: Duration = Duration::from_secs(1);

/// Why a program could not be run under supervision.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The log file could not be opened; an operator's affair.
    #[error("cannot write the log file `{path}`")]
    Log {
        /// The log file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The supervisor could not be started; an operator's affair.
    #[error("cannot start the supervisor `{supervisor}`")]
    Start {
        /// The supervisor's program.
        supervisor: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The supervisor could not be waited for; a bug.
    #[error("cannot wait for the program `{program}`")]
    Wait {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program did not end in time; an operator's affair.
    #[error("the program `{program}` did not end within {seconds} s")]
    StillRunning {
        /// The program.
        program: PathBuf,
        /// Seconds waited.
        seconds: u64,
    },
}

/// What happens to a program's standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StderrTail {
    /// It goes to the log file only.
    Forget,
    /// It goes to the log file, and its end is kept for [`Supervised::stderr_tail`].
    Keep,
}

/// A program to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable; searched on `PATH` when it has no slash.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to the inherited environment.
    pub env: Vec<(String, String)>,
    /// Where standard output and standard error are appended.
    pub log_file: PathBuf,
    /// Working folder; the harness's when absent.
    pub directory: Option<PathBuf>,
    /// What happens to standard error besides.
    pub stderr: StderrTail,
    /// Time between SIGTERM and SIGKILL when it has to end; zero means SIGKILL at once.
    pub grace: Duration,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; 128 + n when signal n ended the program, 127 when it could not be started.
    pub code: i32,
}

impl Exit {
    /// Whether the code is 0.
    pub fn success(self) -> bool {
        self.code == 0
    }
}

/// What a supervisor keeps, and how long that may take to end.
struct Kept {
    what: PathBuf,
    grace: Duration,
}

/// A running program; dropping it ends the program.
#[derive(Debug)]
pub struct Supervised {
    program: PathBuf,
    grace: Duration,
    child: Child,
    pipe: Option<ChildStdin>,
    tail: Arc<Mutex<VecDeque<u8>>>,
    copying: Option<JoinHandle<()>>,
}

impl Supervised {
    /// Starts `program` through `supervisor`, an executable whose `supervise` subcommand runs
    /// [`super::supervise_main`]; usually `std::env::current_exe()`. Needs a tokio runtime.
    ///
    /// # Errors
    /// The log file or the supervisor could not be had. A program that cannot be started shows
    /// as exit code 127 instead.
    pub fn spawn(supervisor: &Path, program: &Program) -> Result<Self, ProcessError> {
        let mut command = Command::new(supervisor);
        if let Some(directory) = &program.directory {
            command.current_dir(directory);
        }
        command
            .arg(SUPERVISE)
            .arg(program.grace.as_millis().to_string())
            .arg(&program.program)
            .args(&program.args)
            .envs(program.env.iter().map(|(name, value)| (name, value)));
        let kept = Kept { what: program.program.clone(), grace: program.grace };
        Self::start(command, kept, &program.log_file, program.stderr)
    }

    /// Starts a supervisor that removes a container, with its volumes, when it is stopped or
    /// dropped. Needs a tokio runtime.
    ///
    /// # Errors
    /// The log file or the supervisor could not be had.
    pub fn keep_container(
        supervisor: &Path,
        id: &str,
        log_file: &Path,
    ) -> Result<Self, ProcessError> {
        let mut command = Command::new(supervisor);
        command.arg(SUPERVISE).arg(CONTAINER).arg(id);
        let kept = Kept { what: PathBuf::from(id), grace: Duration::from_secs(10) };
        Self::start(command, kept, log_file, StderrTail::Forget)
    }

    fn start(
        mut command: Command,
        kept: Kept,
        log_file: &Path,
        stderr: StderrTail,
    ) -> Result<Self, ProcessError> {
        let log_error = |source| ProcessError::Log { path: log_file.to_owned(), source };
        let log = OpenOptions::new().create(true).append(true).open(log_file).map_err(log_error)?;
        let log_copy = log.try_clone().map_err(log_error)?;
        let stderr = match stderr {
            StderrTail::Forget => Stdio::from(log.try_clone().map_err(log_error)?),
            StderrTail::Keep => Stdio::piped(),
        };
        command.stdin(Stdio::piped()).stdout(log).stderr(stderr).process_group(0);
        let mut child = command.spawn().map_err(|source| {
            let supervisor = PathBuf::from(command.as_std().get_program());
            ProcessError::Start { supervisor, source }
        })?;
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let copying = child.stderr.take().map(|stderr| {
            tokio::spawn(copy_stderr(stderr, File::from_std(log_copy), tail.clone()))
        });
        // Taken out because waiting for a child closes its standard input.
        let pipe = child.stdin.take();
        Ok(Self { program: kept.what, grace: kept.grace, child, pipe, tail, copying })
    }

    /// Waits until the program ends by itself. May be cancelled and called again.
    ///
    /// # Errors
    /// The supervisor could not be waited for.
    pub async fn wait(&mut self) -> Result<Exit, ProcessError> {
        let status = self
            .child
            .wait()
            .await
            .map_err(|source| ProcessError::Wait { program: self.program.clone(), source })?;
        if let Some(copying) = &mut self.copying {
            // A descendant that left the process group may hold the pipe; its words are not ours.
            drop(tokio::time::timeout(TAIL_LIMIT, copying).await);
            self.copying = None;
        }
        Ok(Exit { code: status.code().unwrap_or(-1) })
    }

    /// Ends what is supervised: SIGTERM, SIGKILL after its grace. Bounded by the grace plus ten seconds.
    ///
    /// # Errors
    /// The program did not end in that time.
    pub async fn stop(&mut self) -> Result<Exit, ProcessError> {
        drop(self.pipe.take());
        let limit = self.grace + STOP_MARGIN;
        match tokio::time::timeout(limit, self.wait()).await {
            Ok(exit) => exit,
            Err(_) => Err(ProcessError::StillRunning {
                program: self.program.clone(),
                seconds: limit.as_secs(),
            }),
        }
    }

    /// The end of standard error so far, at most 4 KiB, starting at a line.
    pub fn stderr_tail(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let cut = bytes.len() >= TAIL_BYTES;
        let from_line = text.split_once('\n').filter(|_| cut).map(|(_, rest)| rest);
        from_line.unwrap_or(&text).trim_end().to_owned()
    }
}

async fn copy_stderr(mut from: ChildStderr, mut log: File, tail: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let chunk = &buffer[..length];
        {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend(chunk);
            let excess = tail.len().saturating_sub(TAIL_BYTES);
            tail.drain(..excess);
        }
        // A full disk must not block the program on its standard error.
        drop(log.write_all(chunk).await);
    }
    drop(log.flush().await);
}
